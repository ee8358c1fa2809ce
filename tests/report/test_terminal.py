"""Whatever is handed to the printer, nothing but printable text leaves it."""

from __future__ import annotations

import io

import pytest

from tightener.report.terminal import Printer

HOSTILE = "a\u202eb\u200bc</script>[red]=HYPERLINK(\x1b]0;x\x07"


@pytest.mark.parametrize("how", ["line", "fields", "table", "diff"])
def test_hostile_text_is_shown_and_does_not_act(how: str) -> None:
    stream = io.StringIO()
    out = Printer(stream)
    if how == "line":
        out.line(HOSTILE)
    elif how == "fields":
        out.fields([("name", HOSTILE)])
    elif how == "table":
        out.table(("name",), [(HOSTILE,)])
    else:
        out.diff(f"+{HOSTILE}\n")
    shown = stream.getvalue()
    assert not set("\u202e\u200b\x1b\x07") & set(shown)
    assert "\\u202e" in shown
    assert "[red]" in shown
