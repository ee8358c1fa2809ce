"""The body of a revert: what it says, that nothing in it acts, and that it stays under the limit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from markdown_it import MarkdownIt
from tightened import ALL, DROP, NARROW, POLICY, merge, parsed, suggestion

from tightener.model import Body, Effect, Rule
from tightener.publish import body as bodies
from tightener.publish import kept, record, revert_body
from tightener.publish.host import Base, PullRequest, Seen
from tightener.publish.revert_body import Told
from tightener.publish.undo import Undone, undone
from tightener.tighten.suggestion import Edit

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
EVIL = "`x|y <b> @dana fixes #1 <!-- --> ]( http://evil.example \u202e"


def about(**changed: object) -> Told:
    told = Told("#7", "c" * 40, "p.yaml", "-a\n+b\n", "b" * 40, ("d" * 64, "e" * 64), "dana", ("@kim",), "1", NOW, {})
    return replace(told, **changed)  # type: ignore[arg-type]


def done(*only: str, moment: datetime = NOW) -> Undone:
    names = [one.id for one in ALL]
    return undone(parsed(merge()), (POLICY, merge()), kept.pack(ALL), names, only, moment)


def test_it_says_that_it_widens_what_comes_back_and_what_a_merge_of_it_means() -> None:
    standings = {DROP.id: "abcdef"}
    text = revert_body.render(done(), about(standings=standings))
    assert text.startswith("**This is a widening: it gives <code>a</code> back what #7 took away.**")
    assert "allow git: <code>push</code> on any resource, branches <code>feature/&#42;</code>" in text
    assert "until 2027-01-02 00:00 UTC" in text
    assert all(f"<code>{one.id}</code>" in text for one in ALL)
    assert "for 90 days, or until the status of a grant" in text
    assert "over since 2027-01-02" in revert_body.render(done(), about(moment=datetime(2027, 3, 1, tzinfo=UTC)))
    known = record.read(text)
    assert known is not None
    assert (known.reverts, known.agents, known.requester) == ("c" * 40, ("a",), "dana")
    assert known.taken[DROP.id] == "abcdef"
    assert record.about(DROP) in known.taken


def test_of_a_part_the_standing_of_the_grants_says_nothing() -> None:
    needy = done(NARROW.id)
    text = revert_body.render(replace(needy, along=(DROP.id,)), about(standings={NARROW.id: "abcdef"}))
    assert "a part of what #7 took away" in text
    assert f"<code>{DROP.id}</code> come along" in text
    known = record.read(text)
    assert known is not None
    assert known.taken[NARROW.id] == ""
    assert len(known.taken) > 1, "and the change has another name, now that the rule is another"


def test_limits_that_go_are_told_too() -> None:
    before = parsed(POLICY)
    limit = Body(("push",))
    deny = suggestion(
        Rule("a", -1, Effect.DENY, "git", limit, before.agents["a"].place), Edit(deny=limit), "deny_floor"
    )
    after = merge([deny])
    found = undone(parsed(after), (POLICY, after), kept.pack([deny]), [deny.id], (), NOW)
    assert (found.text, found.back, found.agents) == (POLICY, (), ("a",))
    text = revert_body.render(found, about())
    assert "it gives <code>a</code> back" in text
    assert "rules that limited others are gone" in text


def test_nothing_in_it_acts_and_it_is_never_too_long() -> None:
    rule = replace(
        parsed(POLICY).agents["a"].rules[0], agent=EVIL * 9, body=Body((EVIL,) * 50, (EVIL * 40,) * 50, (EVIL,))
    )
    ids = tuple(f"drop-rule-{n:06x}" for n in range(80))
    worst = Undone(
        "", (EVIL,) * 60, (rule,) * 300, ids, ids, {one: (one, f"about-{n:012}") for n, one in enumerate(ids)}
    )
    for title in ("#7", f"{EVIL}.md"):
        text = revert_body.render(worst, about(title=title, path=EVIL, diff=EVIL * 3_000, requester=EVIL * 9))
        assert len(text) <= bodies.MOST
        shown = text.partition("<!-- tightener:")[0]
        html = MarkdownIt("commonmark").enable("table").render(shown)
        assert "@dana" not in shown
        assert "fixes #1" not in shown
        assert "http://" not in shown
        assert "<b>" not in html
        assert "\u202e" not in text
        assert html.count("<h3>") == 4
        known = record.read(text)
        assert known is not None
        assert set(ids) < set(known.taken)


def test_the_body_of_the_merge_names_its_number_once_something_else_is_new() -> None:
    first = "\n".join(bodies._undo())
    assert "tightener revert NUMBER</code> (this pull request's number, or the commit of its merge) opens" in first

    def seen(body: str, name: str = "#7") -> Seen:
        return Seen(Base("main", "c", "b"), None, PullRequest(name, "", body))

    assert bodies.numbered(first, Seen(Base("main", "c", "b"))) == first
    assert bodies.numbered(first, seen(first)) == first, "the number alone is no news"
    with_number = bodies.numbered(f"{first}\nnews", seen(first))
    assert "<code>tightener revert 7</code> opens" in with_number
    assert bodies.numbered(f"{first}\nnews", seen(with_number)) == with_number
    assert bodies.numbered(f"{first}\nnews", seen(first, "policy.md")) == f"{first}\nnews"
