"""What the tests of this folder share: evidence made from single uses, and a matcher that knows nothing of ours."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from functools import cache

from tightener.tighten.segments import Seen

FIRST, LAST = 20_683, 20_772  # 2026-08-18 and 2026-11-15
Use = tuple[str, int, int]  # value, day, session


def collect(uses: Iterable[Use]) -> list[Seen]:
    """The evidence of some uses, by the definition."""
    found: dict[str, list[tuple[int, int]]] = {}
    for value, day, session in uses:
        found.setdefault(value, []).append((day, session))
    return sorted(Seen(v, *min(u)[:1], max(u)[0], min(u)[1]) for v, u in found.items())


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern.replace("[", "[[]")), re.DOTALL)


def glob(pattern: str, value: str) -> bool:
    """The standard library's matcher, with its classes escaped."""
    return _compiled(pattern).fullmatch(value) is not None
