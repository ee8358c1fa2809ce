"""A unified diff of a policy file that `git apply` takes, byte for byte (CRLF and a missing last newline included)."""

from __future__ import annotations

import difflib
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

_CONTEXT = 3  # lines around a change, as diff has them
_LINES = re.compile(r"[^\n]*\n|[^\n]+")


def unified(old: str, new: str, path: str) -> str:
    """The diff of a file called `path` (with `/`, relative to where it will be applied); '' if nothing changed."""
    if old == new:
        return ""
    # Not splitlines(): a lone CR or a form feed inside a line does not end it for git.
    hunks = difflib.unified_diff(_LINES.findall(old), _LINES.findall(new), f"a/{path}", f"b/{path}")
    return _shown(hunks)


def _shown(lines: Iterable[str]) -> str:
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def added(old: str, new: str, path: str) -> str:
    """The same where lines were only put in, in one place: these very lines, however much they look like the others."""
    before, after = _LINES.findall(old), _LINES.findall(new)
    more = len(after) - len(before)
    at = next((n for n, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]), len(before))
    if more <= 0 or after[at + more :] != before[at:]:
        return unified(old, new, path)
    first, last = max(0, at - _CONTEXT), min(len(before), at + _CONTEXT)
    lines = [
        f"--- a/{path}\n",
        f"+++ b/{path}\n",
        f"@@ -{first + 1},{last - first} +{first + 1},{last - first + more} @@\n",
        *(f" {line}" for line in before[first:at]),
        *(f"+{line}" for line in after[at : at + more]),
        *(f" {line}" for line in before[at:last]),
    ]
    return _shown(lines)


def name_in_repository(path: Path) -> str:
    """How a diff calls a file: relative to the top of its Git work tree, else to the current folder, else its name."""
    path = path.resolve()
    bases = [top] if (top := top_level(path.parent)) else []
    for base in (*bases, Path.cwd()):
        if path.is_relative_to(base):
            return path.relative_to(base).as_posix()
    return path.name


def top_level(folder: Path) -> Path | None:
    """The top of the Git work tree that a folder lies in, or None."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "--show-toplevel"],  # noqa: S607 - the git on the user's PATH is meant
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return None
    return Path(done.stdout.rstrip("\n")).resolve() if done.returncode == 0 else None
