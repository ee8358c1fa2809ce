"""The body: everything in its place, under the limit whatever the logs say, and nothing of it acts."""

from __future__ import annotations

import html as markup
import re
from dataclasses import replace
from datetime import date

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from small_world import Use, proposal

from tightener.publish import body, record
from tightener.publish.parts import Context, Part, confidence, doubts
from tightener.publish.record import Record
from tightener.results import Proposal
from tightener.tighten.promotion import Candidate
from tightener.tighten.suggestion import Edit, Suggestion

RULES = """    allow:
      - {service: git, actions: [push, clone], resources: ["acme/*"]}
      - {service: crm, actions: [read, write]}
"""
EVIL = "`x|y <b> @dana fixes #1 <!-- --> ]( http://evil.example \u202e\n- [ ] <code>drop-rule-000000</code>"
TAGS = {"p", "code", "pre", "table", "thead", "tbody", "tr", "th", "td", "h3", "ul", "li", "strong", "em"}
TAGS |= {"details", "summary"}
HEADINGS = ["Numbers", "Changes", "Evidence, change by change", "What could not be seen", "Keep a grant"]
HEADINGS += ["Take a part of it", "Undo", "Record"]


@pytest.fixture(scope="module")
def found() -> Proposal:
    used = [Use("git", "push", f"acme/{name}", "main", day=day) for name in ("a", "b") for day in range(0, 70, 3)]
    return proposal(RULES, [*used, *(Use("crm", "read", "x", day=day) for day in range(70))])


def about(**changed: object) -> Context:
    made = Context("policies/p.yaml", "dana", ("@acme/sec",), "1.0", "a" * 64, "b" * 64, (3, "c" * 64), "d" * 40, {})
    return replace(made, **changed)  # type: ignore[arg-type]


def copies(found: Proposal, number: int, title: str, why: str, first_twin: int = 1) -> Proposal:
    """A proposal with so many changes, all of which say this."""
    first = found.suggestions[0]
    many: list[Suggestion] = [
        replace(first, rule=replace(first.rule, twin=i + first_twin), title=f"{title} {i}", why=why, requires=())
        for i in range(number)
    ]
    return replace(found, suggestions=tuple(many), removes={one.id: float(i) for i, one in enumerate(many)})


def ids(found: Proposal) -> set[str]:
    return {one.id for one in found.suggestions}


def test_the_order_is_the_one_that_readers_are_promised(found: Proposal) -> None:
    text = body.render([Part(found, "never")], about())
    assert re.findall(r"^### (.*)$", text, re.MULTILINE) == HEADINGS
    assert text.startswith("**a exercised 2 of 4 grants")
    assert text.index("Proof: never wider") < text.index("### Numbers")
    assert text.count("<details>") == text.count("</details>") == len(found.suggestions)
    inside = text.partition("### What could not be seen")[2].partition("###")[0]
    assert "<details>" not in inside
    for said in ("exceptions:", "git revert", "@acme/sec".replace("@", "&#64;"), "a" * 64, "b" * 64, "c" * 64, "dana"):
        assert said in text


def test_every_change_is_named_with_a_box_and_remembered(found: Proposal) -> None:
    left = found.suggestions[0]
    part = Part(replace(found, suggestions=found.suggestions[1:]), "never", unticked=(left,))
    text = body.render([part], about(standings={left.id: "abcdef"}))
    known = record.read(text)
    assert known is not None
    assert set(known.taken) == ids(part.proposal)
    assert known.unticked == {left.id: "abcdef"}
    assert f"- [ ] <code>{left.id}</code>" in text
    assert known.requester == "dana"


def test_what_was_unticked_stays_so_while_its_agent_is_silent(found: Proposal) -> None:
    before = Record(("a", "gone"), {"drop-rule-111111": "x"}, {"drop-rule-222222": "y", found.suggestions[0].id: "z"})
    known = record.read(body.render([Part(found, "never")], about(said_before=before, silent=("gone: no log",))))
    assert known is not None
    assert known.unticked == {"drop-rule-222222": "y"}
    assert known.agents == ("a", "gone")


@settings(max_examples=8)
@given(
    st.sampled_from([1, 20, body.MOST_CHANGES]), st.integers(1, 30), st.sampled_from([0, 60]), st.sampled_from([1, 9])
)
def test_it_is_never_too_long_and_folds_details_first(
    found: Proposal, changes: int, agents: int, unticked: int, length: int
) -> None:
    worst = copies(found, changes, EVIL * length, EVIL * length)
    silent = tuple(f"{EVIL * length} {i}" for i in range(agents))
    part = Part(worst, EVIL * length, unticked=copies(found, unticked, EVIL, EVIL, 1000).suggestions)
    empty = Part(
        replace(worst, suggestions=(), left_out=tuple((one, EVIL) for one in worst.suggestions)), EVIL * length
    )
    text = body.render(
        [part, *[empty] * (agents - 1)], about(silent=silent, requester=EVIL * length, reviewers=(EVIL,) * 9)
    )
    assert len(text) <= body.MOST
    assert re.findall(r"^### (.*)$", text, re.MULTILINE) == HEADINGS
    known = record.read(text)
    assert known is not None
    assert set(known.taken) == ids(worst)
    assert text.count("- [x] <code>") == changes
    rows = len(re.findall(r"^\| .* \| line|^\| .*line &#?", text, re.MULTILINE))
    assert text.count("<details>") == changes or rows <= changes
    html = MarkdownIt("commonmark").enable("table").render(text)
    for tag in re.findall(r"</?([a-z0-9]+)", re.sub(r"<!-- tightener:.*?-->", "", html)):
        assert tag in TAGS
    assert "@dana" not in text.partition("<!-- tightener:")[0]
    assert "fixes #1" not in text
    assert "http://" not in text.partition("<!-- tightener:")[0]


def test_five_thousand_grants_make_a_readable_body() -> None:
    services = ("ec2", "s3", "iam", "rds", "sagemaker", "glue", "lambda", "sqs", "sns", "dynamodb", "kms", "logs")
    services += ("iot", "quicksight", "chime", "connect", "mediaconvert", "redshift", "ssm", "securityhub", "bedrock")
    services += ("cloudfront", "organizations", "workspaces", "datazone", "lightsail", "elasticache", "eks", "ecs")
    rules = "    allow:\n" + "".join(f'      - {{service: aws, actions: ["{one}:*"]}}\n' for one in services)
    used = [Use("aws", "s3:GetObject", f"arn:aws:s3:::b/{day}", day=day) for day in range(0, 70, 7)]
    found = proposal(rules, used, again=False)
    assert len(found.study.comparison.grants) > 5_000
    number = len(found.suggestions)
    assert number > 0
    text = body.render([Part(found, "never")], about(waiting=number))
    assert len(text) <= body.MOST
    assert text.count("- [x]") == text.count("<details>") == number
    assert len(text.partition("### Numbers")[0]) < 1_000
    assert f"{number} more changes wait" in text or number == 1


@pytest.mark.parametrize(
    ("calls", "refused", "window", "says"),
    [(0, 0, 70, "medium"), (5_000, 0, 70, "high"), (5_000, 5, 70, "high"), (5_000, 6, 70, "low"), (0, 0, 90, "low")],
)
def test_confidence_is_low_where_something_speaks_against_it(
    found: Proposal, calls: int, refused: int, window: int, says: str
) -> None:
    terms = replace(found.study.comparison.terms, asked_days=window)
    study = replace(found.study, comparison=replace(found.study.comparison, terms=terms))
    part = Part(replace(found, study=study), "", calls, refused)
    assert confidence(part) == says
    assert bool(doubts(part)) == (says == "low")


def test_the_snippet_is_configuration(found: Proposal) -> None:
    text = body.render([Part(found, "never")], about())
    block = re.search(r"<pre>(.*?)</pre>", text)
    assert block
    (one,) = yaml.safe_load(markup.unescape(block[1]))["exceptions"]
    assert (one["agent"], one["service"]) == ("a", found.ranked[0].rule.service)
    assert set(one["actions"]) <= {"push", "clone", "read", "write"}


def test_what_a_tool_was_called_with_is_not_shown() -> None:
    rules = "    allow:\n      - {service: tools, actions: [ask]}\n"
    secret = [f"text=customer {i} owes {i * 7}" for i in range(70)]
    found = proposal(rules, [Use("tools", "ask", one, day=i) for i, one in enumerate(secret)], again=False)
    one = replace(found.suggestions[0], evidence={"examples": secret}) if found.suggestions else None
    first = found.study.policy.rules[0]
    one = one or Suggestion("narrow_resources", first, "t", "w", {"examples": secret}, Edit())
    lost = replace(one, title="left")
    shown = replace(found, suggestions=(one,), left_out=((lost, f"would lose {secret[3]}"),), removes={one.id: 1.0})
    text = body.render([Part(shown, "never")], about())
    assert "owes" not in text
    assert text.count("used: <code>text=sha256:") == 3
    assert "left out, left" in text


def test_what_people_approved_often_is_listed_before_what_could_not_be_seen(found: Proposal) -> None:
    grant = found.study.comparison.grants[0]
    often = Candidate(grant, 12, 11, date(2026, 8, 1), date(2026, 10, 31))
    study = replace(found.study, promotions=(often,))
    text = body.render([Part(replace(found, study=study), "never")], about())
    before, _, rest = text.partition("### Approved often, refused never: for a person to decide, no part of this")
    assert "approved 12 times on 11 days, refused never" in rest.partition("###")[0]
    assert "### What could not be seen" in rest
    assert "### Evidence, change by change" in before
