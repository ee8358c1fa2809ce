"""GitHub's REST API through PyGithub's requester, which knows its limits: it waits between writes, and where GitHub
says how long, and tries again on 5xx and dropped connections. Only paths and bodies are ours: each can be shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import requests
from github import Auth, Github, GithubException, RateLimitExceededException
from github.GithubException import RateLimitExceededExceedsMaxWait
from github.GithubRetry import GithubRetry
from github.Requester import Requester
from urllib3 import BaseHTTPResponse

from tightener.errors import ConfigError, TightenerError
from tightener.publish.host import Again

PUBLIC = "https://api.github.com"
_SAFE = re.compile(r"https://|http://(?:127\.0\.0\.1|localhost|\[::1\])[:/]")
_TRIES = 3  # again, after the first
_FIRST_WAIT = 1.0  # seconds, doubled every time
_LONGEST_WAIT = 600.0  # for a rate limit to end; a run that would have to wait longer stops and says so
_BETWEEN_WRITES = 1.0  # GitHub's advice
_VERBS = ("GET", "POST", "PATCH", "DELETE")  # sent again; what has arrived twice GitHub refuses, or it changes nothing
_TIMEOUT = 30  # seconds
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Api:
    """One GitHub, for one token. With `dry`, what would be written is told to it, and the stand-in is the answer."""

    url: str
    requester: Requester
    dry: Callable[[str], None] | None = None

    def ask(self, path: str, **query: str) -> Any:
        """The answer to a GET; None where it is not there. Raises TightenerError."""
        return self._sent("GET", path, query=query, missing=True)

    def must(self, path: str, **query: str) -> Any:
        """The answer to a GET. Raises TightenerError."""
        return self._sent("GET", path, query=query)

    def pages(self, path: str, **query: str) -> list[Any]:
        """All pages of a list. Raises TightenerError."""
        found: list[Any] = []
        number = 1
        while True:
            page = self.must(path, **query, per_page=str(_PAGE), page=str(number))
            found += page
            if len(page) < _PAGE:
                return found
            number += 1

    def write(self, verb: str, path: str, body: Mapping[str, Any] | None, stand_in: Any = None) -> Any:
        """The answer to a write. Raises Again where it may have arrived or came too late, else TightenerError."""
        if self.dry is not None:
            self.dry(f"{verb} {self.url}{path}")
            if body is not None:
                self.dry(json.dumps(body, indent=2, ensure_ascii=True))
            return stand_in
        return self._sent(verb, path, body=body)

    def _sent(
        self,
        verb: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        missing: bool = False,
    ) -> Any:
        try:
            _, answer = self.requester.requestJsonAndCheck(
                verb, path, parameters=dict(query or {}), input=None if body is None else dict(body)
            )
        except RateLimitExceededException as error:
            raise _used_up(error) from error
        except GithubException as error:
            if missing and error.status == 404:
                return None
            raise _explained(error, verb, path) from error
        except requests.RequestException as error:
            unreachable = TightenerError if verb == "GET" else Again
            raise unreachable(
                f"no answer from {self.url}: {type(error).__name__}",
                slug="github-unreachable",
                hint="run this again: it goes on from what has arrived",
            ) from error
        return answer


class _Patience(GithubRetry):
    """PyGithub's way to wait. It keeps to the longest wait where a limit's reset is named, and `Retry-After` it obeys
    however long that is: here the one is as good as the other."""

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        """Seconds. Raises RateLimitExceededException where they are too many."""
        wait = super().get_retry_after(response)
        if wait is not None and wait > _LONGEST_WAIT:
            said = {"message": f"it asks for a wait of {wait:.0f} seconds"}
            raise RateLimitExceededExceedsMaxWait(response.status, said, dict(response.headers), wait=wait)
        return wait


def connect(token: str, url: str, dry: Callable[[str], None] | None = None) -> Api:
    """The API at `url`. Sends nothing yet. Raises ConfigError (`github-insecure`): the token is sent there."""
    if not _SAFE.match(url):
        raise ConfigError(
            f"the token would be sent to {url} unencrypted",
            slug="github-insecure",
            hint="https://HOST/api/v3, in `publish: api:` or GITHUB_API_URL",
        )
    client = Github(
        auth=Auth.Token(token),
        base_url=url,
        timeout=_TIMEOUT,
        user_agent=f"tightener/{version('tightener')}",
        retry=_Patience(
            total=_TRIES,
            backoff_factor=_FIRST_WAIT,
            max_rate_limit_wait=_LONGEST_WAIT,
            allowed_methods=_VERBS,
        ),
        seconds_between_requests=None,
        seconds_between_writes=_BETWEEN_WRITES,
    )
    return Api(url, client.requester, dry)


def _explained(error: GithubException, verb: str, path: str) -> TightenerError:
    """What an answer means, and what to do about it."""
    what = f"{verb} {path}"
    if error.status == 401:
        return TightenerError(
            "GitHub does not accept the token", slug="github-token", hint="set GITHUB_TOKEN to one that is valid"
        )
    if error.status == 429:
        return _used_up(error)
    if error.status in {403, 451}:
        return TightenerError(
            f"the token may not do this: {what}: {_said(error)}",
            slug="github-forbidden",
            hint="it needs the repository's permissions `contents: write` and `pull-requests: write`",
        )
    if error.status == 404:
        return TightenerError(
            f"not there, or not for this token to see: {what}",
            slug="github-not-found",
            hint="check `publish: github:`, and which repositories the token is for",
        )
    if error.status in {409, 422}:  # a write that came too late, or twice: what there is decides
        return Again(f"GitHub refused {what}: {_said(error)}", slug="github-refused", hint="see what it says")
    kind = Again if verb != "GET" and error.status >= 500 else TightenerError
    return kind(
        f"GitHub answered {error.status} to {what}: {_said(error)}",
        slug="github-unreachable",
        hint="run this again: it goes on from what has arrived",
    )


def _used_up(error: GithubException) -> TightenerError:
    return TightenerError(
        f"GitHub's rate limit is used up: {_said(error)}",
        slug="github-rate-limit",
        hint="run this again later; what was written so far stands, and the next run goes on from there",
    )


def _said(error: GithubException) -> str:
    """GitHub's own words, with what it says about single fields."""
    data = error.data if isinstance(error.data, dict) else {}
    first = str(data.get("message") or error.message or "it did not say why")
    fields = [
        str(one.get("message") or f"{one.get('field')} {one.get('code')}") if isinstance(one, dict) else str(one)
        for one in data.get("errors") or ()
    ]
    return "; ".join((first, *fields))
