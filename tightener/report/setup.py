"""What `tightener init` and `tightener doctor` answer: one document each, and the words for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tightener.report.defuse import visible
from tightener.report.terminal import Printer
from tightener.tighten.wording import count


def init_document(base: Path, found: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """`tightener.init/1`. `found`: each file, and why it was not written ('' = it was)."""
    return {
        "schema": "tightener.init/1",
        "folder": str(base),
        "written": [path for path, left in found if not left],
        "left": [{"path": path, "why": left} for path, left in found if left],
    }


def init_words(out: Printer, base: Path, found: Sequence[tuple[str, str]]) -> None:
    """A line for each file, and what to do next."""
    for path, left in found:
        out.line(f"{path}: {left}" if left else f"{path}: written")
    out.line()
    where = "" if base == Path() else f", in {visible(str(base))}"
    out.line(
        f"Next{where}: name your agents and logs in tightener.yaml, then `tightener doctor` and `tightener ingest`"
    )


def doctor_document(found: Sequence[tuple[str, str, str, str]]) -> dict[str, Any]:
    """`tightener.doctor/1`. `found`: what about, level, sentence, what to do."""
    return {
        "schema": "tightener.doctor/1",
        "problems": sum(level == "problem" for _, level, _, _ in found),
        "warnings": sum(level == "warning" for _, level, _, _ in found),
        "checks": [
            {"about": about, "level": level, "says": says, "do": do or None} for about, level, says, do in found
        ],
    }


def doctor_words(out: Printer, found: Sequence[tuple[str, str, str, str]], *, quiet: bool) -> None:
    """A row a check, what to do below it, the sum at the end. With `quiet`, what is in order is left out."""
    shown = [one for one in found if not quiet or one[1] != "ok"]
    rows = [(level, about, visible(says) + (f"\n-> {visible(do)}" if do else "")) for about, level, says, do in shown]
    if rows:
        out.table(("", "about", "what was found"), rows)
    problems, warnings = (sum(level == kind for _, level, _, _ in found) for kind in ("problem", "warning"))
    if not quiet or rows:
        out.line()
        out.line(f"{count(problems, 'problem')}, {count(warnings, 'warning')}", style="bold")
