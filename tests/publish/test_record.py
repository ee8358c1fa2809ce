"""What a request remembers: it survives its body, hears people's ticks, and forgets a no after 90 days."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightener.publish import record
from tightener.publish.host import Base, Ended, PullRequest, Seen
from tightener.publish.record import Record

DAY = date(2026, 11, 24)
IDS = st.from_regex(r"(drop-rule|narrow-action)-[0-9a-f]{6}", fullmatch=True)
STANDINGS = st.dictionaries(IDS, st.from_regex(r"[0-9a-f]{6}", fullmatch=True), max_size=5)


def listed(known: Record) -> str:
    """The list of boxes as the body has it."""
    boxes = [(" ", one) for one in known.unticked] + [("x", one) for one in known.taken]
    return "\n".join(f"- [{mark}] <code>{one}</code> what it does" for mark, one in boxes)


def body(known: Record) -> str:
    return f"words\n\n{listed(known)}\n\n{record.hidden(known)}\n"


@given(st.lists(st.text(), max_size=3), STANDINGS, STANDINGS, st.text())
def test_it_comes_out_as_it_went_in(
    agents: list[str], taken: dict[str, str], unticked: dict[str, str], who: str
) -> None:
    unticked = {one: said for one, said in unticked.items() if one not in taken}
    known = Record(tuple(agents), taken, unticked, who, "b" * 40)
    text = record.hidden(known)
    assert record.read(body(known)) == known
    inside = text.removeprefix("<!--").removesuffix("-->")
    assert "--" not in inside
    assert not set("<>@#`&\n") & set(inside)


@given(STANDINGS, st.data())
def test_boxes_are_heard(every: dict[str, str], data: st.DataObject) -> None:
    known = Record(("a",), every)
    off = data.draw(st.sets(st.sampled_from(sorted(every)))) if every else set()
    text = body(known)
    for one in off:
        text = text.replace(f"- [x] <code>{one}", f"- [ ] <code>{one}")
    again = record.read(text)
    assert again is not None
    assert (set(again.taken), set(again.unticked)) == (set(every) - off, off)
    for one in off:  # and ticked again
        text = text.replace(f"- [ ] <code>{one}", f"- [X] <code>{one}")
    assert record.read(text) == known


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no record",
        "<!-- tightener: {} -->",
        "<!-- tightener: [] -->",
        "<!-- tightener: nonsense -->",
        '<!-- tightener: {"agents":1,"taken":{},"unticked":{},"requester":"","blob":"","state":"","day":""} -->',
        "<!-- tightener: ",
    ],
)
def test_what_is_no_record_is_none(text: str) -> None:
    assert record.read(text) is None


def test_a_record_of_before_there_were_edits_is_read() -> None:
    text = record.hidden(Record(("a",), {"drop-rule-111111": "aaaaaa"})).replace(',"edits":"","reverts":""', "")
    assert "edits" not in text
    assert record.read(text) == Record(("a",), {"drop-rule-111111": "aaaaaa"})


def seen(*ended: Ended, open_: Record | None = None) -> Seen:
    request = PullRequest("#9", "", body(open_)) if open_ else None
    return Seen(Base("main", "c", "b"), None, request, ended)


ONE, TWO = "drop-rule-111111", "drop-rule-222222"
BOTH = Record(("a",), {ONE: "aaaaaa"}, {TWO: "bbbbbb"})


@pytest.mark.parametrize(
    ("days", "merged", "state", "no"),
    [
        (0, False, "", {ONE, TWO}),  # closed by a person: a no to all
        (89, False, "", {ONE, TWO}),
        (90, False, "", set()),
        (0, True, "", {TWO}),  # merged: to what was unticked
        (0, False, record.CLOSED, {TWO}),  # closed by tightener: the same
        (0, False, record.REFUSED, {ONE, TWO}),
        (90, True, "", set()),
    ],
)
def test_how_long_a_no_holds(days: int, merged: bool, state: str, no: set[str]) -> None:
    ended = Ended(
        "#7", record.ended(body(BOTH), state, DAY, "why") if state else body(BOTH), DAY, merged, said="too soon"
    )
    found = record.refused(seen(ended), DAY + timedelta(days=days))
    assert set(found) == no
    if ONE in found:
        assert found[ONE].standing == "aaaaaa"
        assert "too soon" in found[ONE].reason
        assert "#7" in found[ONE].reason


def test_ticking_again_in_the_open_request_overrules_an_older_no() -> None:
    old = Ended("#7", body(BOTH), DAY, merged=False)
    found = record.refused(seen(old, open_=Record(("a",), {TWO: "bbbbbb"}, {})), DAY)
    assert set(found) == {ONE}
    found = record.refused(seen(old, open_=Record(("a",), {}, {TWO: "cccccc"})), DAY)
    assert found[TWO].reason == "unticked in #9"
    assert found[TWO].standing == "cccccc"
