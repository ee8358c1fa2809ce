"""HTTP requests -> actions: `GET /repos/{owner}/{repo}/git` is a fetch of `{owner}/{repo}`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

_HOLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(\*?)\}")


@dataclass(frozen=True, slots=True)
class Route:
    """One template. `{name}` stands for one path segment, `{name*}` for the rest, slashes included."""

    method: str  # '*' = any
    path: str
    service: str
    action: str
    resource: str = ""
    branch: str = ""

    def holes(self) -> frozenset[str]:
        """The names that the path captures."""
        return frozenset(name for name, _ in _HOLE.findall(self.path))

    def unknown_holes(self) -> list[str]:
        """Names that a text asks for and the path does not capture."""
        asked = {
            name for text in (self.service, self.action, self.resource, self.branch) for name, _ in _HOLE.findall(text)
        }
        return sorted(asked - self.holes())


class Router:
    """Routes, compiled. The first that fits wins."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = [(route, _regex(route.path)) for route in routes]

    def match(self, method: str, url: str) -> dict[str, str] | None:
        """The fields that the first fitting route gives (service, action, and where it has them resource, branch)."""
        path = path_of(url)
        for route, regex in self._routes:
            if route.method in {"*", method.upper()} and (found := regex.fullmatch(path)):
                values = {name: unquote(text) for name, text in found.groupdict().items()}
                given = {name: getattr(route, name) for name in ("service", "action", "resource", "branch")}
                return {name: _fill(text, values) for name, text in given.items() if text}
        return None


def path_of(url: str) -> str:
    """The path of an address or of a request target, without its query: which may hold anything, secrets included."""
    try:
        path = urlsplit(url).path
    except ValueError:
        path = url.partition("?")[0]
    return path.rstrip("/") or "/"


def _regex(path: str) -> re.Pattern[str]:
    parts: list[str] = []
    end = 0
    for hole in _HOLE.finditer(path):
        name, rest = hole.groups()
        parts += [re.escape(path[end : hole.start()]), f"(?P<{name}>.+)" if rest else f"(?P<{name}>[^/]+)"]
        end = hole.end()
    parts.append(re.escape(path[end:].rstrip("/") or ("/" if not end else "")))
    return re.compile("".join(parts), re.DOTALL)


def _fill(text: str, values: Mapping[str, str]) -> str:
    return _HOLE.sub(lambda hole: values[hole.group(1)], text)
