"""What a token can do with a repository on GitHub, as far as that can be known without writing anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from tightener.config import Publish
from tightener.errors import TightenerError

if TYPE_CHECKING:  # PyGithub is an extra
    from tightener.publish.client import Api

_OF_AN_APP = "ghs_"  # how tokens of Apps begin, a workflow's own among them: GitHub's "token prefixes"


@dataclass(frozen=True, slots=True)
class Access:
    """What GitHub answered. `errors`: what of base branch and pull requests cannot be read, and why."""

    name: str  # as GitHub spells it
    base: str
    closed: str  # why nothing can be written there, whoever asks: archived, disabled, ''
    pushes: bool | None  # whether the user whose token it is may push; None = not said
    errors: tuple[TightenerError, ...]


def token_of(environment: Mapping[str, str]) -> str:
    """The token that the environment gives; '' = none."""
    return environment.get("GITHUB_TOKEN") or environment.get("GH_TOKEN") or ""


def api_of(said: Publish, environment: Mapping[str, str], dry: Callable[[str], None] | None = None) -> Api:
    """The API of the host that the configuration names. Sends nothing yet. Raises TightenerError."""
    try:
        from tightener.publish import client  # noqa: PLC0415 - PyGithub is an extra: most people do without it
    except ImportError as error:
        raise TightenerError(
            "PyGithub is not installed", slug="github-not-installed", hint="pip install 'tightener[github]'"
        ) from error
    token = token_of(environment)
    if not token:
        raise TightenerError("there is no token for GitHub", slug="github-token", hint="set GITHUB_TOKEN")
    url = said.api or environment.get("GITHUB_API_URL") or client.PUBLIC
    return client.connect(token, url.rstrip("/"), dry)


def is_of_an_app(token: str) -> bool:
    """Whether it is an App's token for its installation. To the eye, a workflow's own token is one."""
    return token.startswith(_OF_AN_APP)


def look(api: Api, said: Publish, token: str) -> Access:
    """Reads the repository, its base branch and its pull requests, and writes nothing.

    Raises TightenerError where the repository cannot be read. What `permissions` says of an App's token is not
    used: the field is about a user, and there is none, so that `push` is false however much the token may do.
    """
    found = api.must(f"/repos/{said.github}")
    base = said.base or str(found["default_branch"])
    errors = []
    try:
        if api.ask(f"/repos/{said.github}/git/ref/heads/{quote(base)}") is None:
            text = f"{said.github} has no branch {base} that the token can see"
            errors.append(TightenerError(text, slug="no-base", hint="check `publish: base:`"))
    except TightenerError as error:
        errors.append(error)
    try:
        api.must(f"/repos/{said.github}/pulls", state="open", per_page="1", page="1")
    except TightenerError as error:
        errors.append(error)
    closed = next((word for word in ("archived", "disabled") if found.get(word)), "")
    pushes = None if is_of_an_app(token) else (found.get("permissions") or {}).get("push")
    return Access(str(found.get("full_name") or said.github), base, closed, pushes, tuple(errors))
