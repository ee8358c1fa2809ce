"""Hostile text: against Unicode's own categories, asked one character at a time."""

from __future__ import annotations

import csv
import io
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from tightener.report.defuse import csv_safe, terminal, visible

TEXTS = st.text(st.characters() | st.sampled_from("=+-@\t\r\n\x1b\u202e\u200b\ufeff\ud800"), max_size=40)
UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def _is_unseen(char: str) -> bool:
    return unicodedata.category(char) in UNSEEN or (unicodedata.category(char) == "Zs" and char != " ")


@given(TEXTS)
def test_nothing_unseen_is_left_and_nothing_seen_is_changed(text: str) -> None:
    shown = visible(text)
    assert not [char for char in shown if _is_unseen(char)]
    shown.encode()
    assert visible(shown) == shown
    if not any(_is_unseen(char) for char in text) and text.isascii():
        assert shown == text


@given(TEXTS)
def test_escapes_are_those_of_python(text: str) -> None:
    """Read back by Python's own rules, the escapes give the text again (where it holds no backslash itself)."""
    plain = text.replace("\\", "/")
    back = visible(plain).encode("ascii", "backslashreplace").decode("unicode_escape")
    assert back == plain


def test_the_escapes_that_people_will_meet() -> None:
    assert visible("\x1b[31mred\x07") == "\\x1b[31mred\\x07"
    assert visible("invoice\u202egpj.exe") == "invoice\\u202egpj.exe"
    assert visible("ad\u200bmin\ufeff") == "ad\\u200bmin\\ufeff"
    assert visible("a\tb\r\nc\x9b") == "a\\tb\\r\\nc\\x9b"
    assert visible("tag\U000e0041") == "tag\\U000e0041"
    assert visible("\ufe0f\u3164\u2800") == "\\ufe0f\\u3164\\u2800"
    assert visible("naïve 漢字 עברית C:\\tmp") == "naïve 漢字 עברית C:\\tmp"
    assert visible("a\nb\tc", keep="\n") == "a\nb\\tc"


@given(TEXTS)
def test_a_terminal_gets_lines_and_nothing_else_that_acts(text: str) -> None:
    assert terminal(text).split("\n") == [visible(line) for line in text.split("\n")]


@given(TEXTS)
def test_no_cell_starts_a_formula_and_every_cell_survives_a_csv_file(text: str) -> None:
    cell = csv_safe(text)
    assert cell[:1] not in tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
    assert cell in {visible(text), "'" + visible(text)}
    file = io.StringIO()
    csv.writer(file).writerow([cell, "next"])
    assert next(csv.reader(io.StringIO(file.getvalue()))) == [cell, "next"]


def test_formulas_are_quoted_and_names_are_not() -> None:
    assert csv_safe('=HYPERLINK("x")') == '\'=HYPERLINK("x")'
    assert [csv_safe(text)[0] for text in ("+1", "-1", "@a", "\t=1", "\r=1")] == ["'"] * 5
    assert csv_safe("s3:GetObject") == "s3:GetObject"
    assert csv_safe("") == ""
