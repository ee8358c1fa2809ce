"""Bugs to plant in evidence packs."""

from __future__ import annotations

from bugs.bug import Bug

BUGS = (
    Bug(
        "an altered file of an evidence pack passes",
        "tightener/audit/verify.py",
        "        elif manifest.sha256(check.found[name]) != digest:\n",
        "        elif False:\n",
        "tests/audit",
    ),
    Bug(
        "verifying evidence reads the logs in the order of their names",
        "tightener/audit/verify.py",
        "        if held and (name != kind or path < held[-1]):\n",
        "        if held and name != kind:\n",
        "tests/audit",
    ),
    Bug(
        "a re-run of the evidence that differs is not told",
        "tightener/audit/verify.py",
        "        if old == new or name == manifest.SEAL:\n",
        '        if old == new or name == manifest.SEAL or name.endswith(".html"):\n',
        "tests/audit",
    ),
)
