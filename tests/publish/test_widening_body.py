"""The body of what widens: its first line says so, every class of risk is named, and nothing of it acts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tightener.model import Body, Effect
from tightener.publish import record
from tightener.publish.widening import Opened, Wider, render

EVIL = "`x|y <b> @dana fixes #1 <!-- --> ]( http://evil.example \u202e\n- [ ] <code>restore-000000</code>"
TAGS = {"p", "code", "table", "thead", "tbody", "tr", "th", "td", "h3", "ul", "li", "strong"}


def wider(text: str, *opened: Opened) -> Wider:
    return Wider(
        path=text,
        agent=text,
        first=f"This WIDENS the policy of {text}",
        opened=opened,
        proof="Proved.",
        rationale=text,
        evidence=(text,) * 3,
        requester=text,
        reviewers=("@acme/sec",),
        before="a" * 64,
        after="b" * 64,
        blob="d" * 40,
        version="1.0",
        ends=datetime(2027, 1, 1, tzinfo=UTC),
        undo=text,
        name="restore-abcdef",
        standing="123456",
    )


def ask(service: str, action: str, resource: str, branch: str) -> Opened:
    return Opened(Effect.REQUIRE_APPROVAL, service, Body((action,), (resource,), (branch,)))


@given(st.one_of(st.just(EVIL), st.text(max_size=300)))
def test_whatever_is_said_nothing_of_it_acts(text: str) -> None:
    made = render(wider(text, ask("git", text, text, text), Opened(Effect.ALLOW, "aws", Body((text,)))))
    shown = made[: made.rindex("<!-- tightener:")]
    assert shown.startswith("**This WIDENS the policy of")
    for acting in ("@dana", "fixes #1", "://", "<b>", "<!--", "\u202e", "- [ ]"):
        assert acting not in shown
    tags = {token.tag for token in MarkdownIt("commonmark").enable("table").parse(shown) if token.tag}
    assert tags <= TAGS
    known = record.read(made)
    assert known is not None
    assert (known.taken, known.unticked, known.requester) == ({"restore-abcdef": "123456"}, {}, text[:200])
    assert len(made) < 58_000


def test_it_is_short_however_much_is_asked_for() -> None:
    many = [ask("git", "clone", "y" * 10_000, "") for _ in range(500)]
    made = render(replace(wider("x" * 100_000, *many), agent="a"))
    assert len(made) < 58_000
    assert "440 more rows" in made


def test_what_becomes_possible_is_told_by_class_of_risk_the_gravest_first() -> None:
    opened = (
        ask("git", "clone", "acme/x", ""),
        ask("git", "push", "acme/x", "main"),
        ask("git", "push", "acme/x", "side"),
        Opened(Effect.ALLOW, "stripe", Body(("refunds:create",))),
    )
    rows = [one for one in render(wider("a", *opened)).splitlines() if one.startswith("| ") and "<code>" in one][:4]
    assert [row.split(" | ")[0] for row in rows] == ["| privilege escalation", "| payments", "| writes", "| reads"]
    assert ["with approval, each time" in row for row in rows] == [True, False, True, True]
    assert "stripe refunds:create on any resource" in rows[1]
