"""Bugs to plant around the weekly run: what starts it, and what is said of its token."""

from __future__ import annotations

from bugs.bug import Bug

BUGS = (
    Bug(
        "words of an input are read by the shell",
        "action.yml",
        "read -r -d '' -a more <<< \"$ARGUMENTS\" || true",
        'eval "more=($ARGUMENTS)"',
        "tests/deploy/test_deploy.py",
    ),
    Bug(
        "a systemd setting is misspelt",
        "deploy/tightener.service",
        "RestrictSUIDSGID=",
        "RestrictSUIDGID=",
        "tests/deploy/test_deploy.py",
    ),
    Bug(
        "of an App's token, push: false is believed",
        "tightener/publish/access.py",
        "None if is_of_an_app(token) else (found",
        "(found",
        "tests/publish/test_access.py",
    ),
    Bug(
        "no answer from GitHub is taken for a bad token",
        "tightener/doctor.py",
        'if error.slug in {"github-unreachable", "github-rate-limit"}:',
        'if error.slug in {"github-rate-limit"}:',
        "tests/publish/test_access.py",
    ),
)
