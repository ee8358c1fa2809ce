"""CODEOWNERS: who owns a file. The last pattern that fits decides, as GitHub documents it."""

from __future__ import annotations

import re

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")  # the first that is there counts


def of(text: str, path: str) -> tuple[str, ...]:
    """The owners (`@login`, `@org/team`, or an address) of a path by a CODEOWNERS text; none where no line fits."""
    found: tuple[str, ...] = ()
    for line in text.splitlines():
        words = re.split(r"(?<!\\)\s+", line.strip())
        said = [word for word in _until_comment(words) if word]
        if said and _pattern(said[0].replace("\\ ", " ")).fullmatch(path):
            found = tuple(said[1:])
    return found


def _until_comment(words: list[str]) -> list[str]:
    at = next((i for i, word in enumerate(words) if word.startswith("#")), len(words))
    return words[:at]


def _pattern(glob: str) -> re.Pattern[str]:
    """A gitignore pattern as CODEOWNERS takes it: anchored where a slash stands in front or inside, `**` over folders,
    a folder for all that is in it."""
    anchored = "/" in glob.rstrip("/")
    body = glob.strip("/")
    made = ""
    for piece in re.findall(r"\*\*/|/\*\*|\*\*|\*|\?|[^*?]+", body):
        match piece:
            case "**/":
                made += "(?:.*/)?"
            case "/**":
                made += "/.*"
            case "**":
                made += ".*"
            case "*":
                made += "[^/]*"
            case "?":
                made += "[^/]"
            case _:
                made += re.escape(piece)
    # `docs/*` is what lies in docs itself, and not below it
    below = "/.+" if glob.endswith("/") else "" if body.endswith("*") and "/" in body else "(?:/.*)?"
    return re.compile(f"{'' if anchored else '(?:.*/)?'}{made}{below}")
