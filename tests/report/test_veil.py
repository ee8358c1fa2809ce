"""What of the logs goes out: nothing that a tool was called with, but for what the policy itself says."""

from __future__ import annotations

import hashlib
import html as markup
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import DAYS, Use, world

from tightener import pipeline
from tightener.pipeline import Project
from tightener.policy import document
from tightener.policy.document import PolicySet
from tightener.publish import body
from tightener.publish.parts import Context, Part
from tightener.redaction import Redact, Shown, digest
from tightener.report import html, page, payload, sarif, veil
from tightener.results import Proposal
from tightener.tighten.checklist import Breach, Item
from tightener.tighten.compare import Attempt

DOCS = Path(__file__).parents[2] / "docs"
ABOUT = Context("p.yaml", "dana", (), "1.0", "a" * 64, "b" * 64, (3, "c" * 64), "d" * 40, {})
RULES = """    allow:
      - {service: tools, actions: [ask, pay, run]}
      - {service: crm, actions: [read, write], resources: ["*"]}
      - {service: git, actions: [push], resources: ["acme/*"]}
    deny:
      - {service: tools, actions: [wipe]}
"""


def secret(number: int) -> str:
    """Something to look for, which no escaping changes and no sentence of ours holds."""
    return f"Qz{number:03d}SECRETvX"


SHAPES = ("to={}", "text=please tell {} that we pay", "path=/home/{}/notes.txt")  # of arguments
MORE = ("git push {} main", "select {}", "{}", "")  # of what programs read
CALLS = (("tools", "ask"), ("tools", "pay"), ("tools", "wipe"), ("crm", "read"))


@st.composite
def uses(draw: st.DrawFn) -> list[Use]:
    """Calls with a secret in each, some again and again, some once, some refused."""
    found = [Use("git", "push", "acme/a", "main", day=day) for day in range(0, DAYS, 9)]
    for number in range(draw(st.integers(1, 4))):
        service, action = draw(
            st.sampled_from([("tools", "ask"), ("tools", "pay"), ("tools", "wipe"), ("crm", "read")])
        )
        shapes = SHAPES if service == "tools" else SHAPES[:3]
        shape = draw(st.sampled_from(shapes))
        outcome = draw(st.sampled_from(["used", "used", "used", "refused", "used_ungranted", "no_evidence"]))
        fresh = draw(st.booleans())  # whether each call has a value of its own
        days = draw(st.sampled_from([[3], [60], range(0, DAYS, 5), range(0, DAYS, 2)]))
        found += [
            Use(
                service,
                action,
                shape.format(secret(100 * number + (day if fresh else 0))),
                day=day,
                minute=number,
                outcome="refused" if action == "wipe" else outcome,
            )
            for day in days
        ]
    return found


def documents(project: Project, found: Proposal, part: Part, said: Redact) -> dict[str, str]:
    """All that is made to be passed on."""
    shown = veil.proposal(found, said)
    return {
        "pull request": markup.unescape(body.render([part], replace(ABOUT, redact=said))),
        "suggestions.json": json.dumps(payload.proposal(shown), ensure_ascii=False),
        "comparison.json": json.dumps(payload.comparison(veil.study(found.study, said)), ensure_ascii=False),
        "sarif": json.dumps(sarif.document(found, "p.yaml", said), ensure_ascii=False),
        "page": markup.unescape(html.render(page.view(project.con, found, redact=said))),
    }


@settings(max_examples=10)
@given(uses(), st.data())
def test_what_tools_were_called_with_stays_in_the_house(made: list[Use], data: st.DataObject) -> None:
    text, project = world(RULES, made)
    policies = PolicySet((document.parse(text, "p.yaml"),))
    first = pipeline.propose(project, pipeline.study(project, policies, "a"))
    ids = [one.id for one in first.suggestions]
    no = data.draw(st.lists(st.sampled_from(ids), unique=True) if ids else st.just([]))
    found = pipeline.propose(project, pipeline.study(project, policies, "a"), (), dict.fromkeys(no, "unticked in it"))
    unticked = tuple(one for one, _ in found.left_out if one.id in no)
    secrets = {name for use in made for name in re.findall(r"Qz\d+SECRETvX", use.resource)}
    said = {name for name in secrets if name in text or name in found.text}
    for kind, written in documents(project, found, Part(found, "never", unticked=unticked), Redact()).items():
        leaked = {name for name in secrets - said if name in written}
        assert not leaked, f"{kind}: {written[max(0, written.index(min(leaked)) - 300) :][:600]}"
    shown = veil.proposal(found, Redact())
    assert [one.id for one in shown.suggestions] == [one.id for one in found.suggestions]
    assert (shown.text, shown.diff, shown.removes) == (found.text, found.diff, found.removes)
    assert len(shown.left_out) == len(found.left_out)


@pytest.fixture(scope="module")
def found() -> Proposal:
    """Arguments that are listed, that are too many, and that were refused."""
    made = [Use("tools", "pay", f"to={name}", day=day) for name in ("anna", "bert") for day in range(0, DAYS, 3)]
    made += [Use("tools", "ask", f"text=tell customer {day} that", day=day) for day in range(DAYS)]
    made += [Use("tools", "wipe", "disk=sda1", day=9, outcome="refused")]
    made += [Use("git", "push", "acme/a", "main", day=day) for day in range(0, DAYS, 9)]
    text, project = world(RULES, made)
    policies = PolicySet((document.parse(text, "p.yaml"),))
    return pipeline.propose(project, pipeline.study(project, policies, "a"))


def test_nothing_changes_where_all_may_be_shown(found: Proposal) -> None:
    open_ = Redact(Shown.SHOW, Shown.SHOW)
    assert payload.proposal(veil.proposal(found, open_)) == payload.proposal(found)
    assert payload.comparison(veil.study(found.study, open_)) == payload.comparison(found.study)


def test_resources_are_shown_and_arguments_hashed_where_nobody_says_otherwise(found: Proposal) -> None:
    shown = veil.proposal(found, Redact())
    (refused,) = [one for one in shown.study.comparison.refused if one.service == "tools"]
    assert refused.resource == f"disk=sha256:{hashlib.sha256(b'sda1').hexdigest()[:12]}"
    resource = "arn:aws:s3:::payroll/2026"
    moment = found.study.comparison.terms.moment
    one = Attempt("aws", "s3:GetObject", resource, "", 1, moment, moment)
    study = replace(found.study, comparison=replace(found.study.comparison, refused=(one,)))
    assert veil.study(study, Redact()).comparison.refused == (one,)


def test_what_the_policy_says_is_shown(found: Proposal) -> None:
    assert "to=anna" in found.text
    shown = veil.proposal(found, Redact(Shown.HIDE, Shown.HIDE))
    assert any("to=anna" in json.dumps(dict(one.evidence)) for one in shown.suggestions)


def test_a_suggestion_that_was_left_out_says_nothing_of_what_it_would_have_written(found: Proposal) -> None:
    (one,) = [one for one in found.suggestions if "to=anna" in f"{one.title} {one.why}"]
    reason = "2 requests in use would lose their level, such as tools pay to=anna"
    breach = Item(1, "x", (Breach(3, "tools", ("pay",), reason),))
    left = replace(found, suggestions=(), left_out=((one, reason),), text="", checklist=(breach,))
    shown = veil.proposal(left, Redact())
    ((gone, why),) = shown.left_out
    anna = digest("anna")
    assert f"to={anna}" in f"{gone.title} {gone.why}"
    assert gone.id == one.id
    assert why == "2 requests in use would lose their level; `tightener suggest` names one"
    assert shown.checklist[0].breaches[0].reason == why
    assert "anna" not in json.dumps(payload.suggestion(gone, shown))
    unknown = veil.proposal(replace(left, left_out=((one, "to=anna again"),)), Redact())
    assert unknown.left_out[0][1] == "`tightener suggest` says why"
    people = veil.proposal(replace(left, left_out=((one, "dana: to=anna"),)), Redact(), [one.id])
    assert people.left_out[0][1] == "dana: to=anna"
    needs = f"it needs {one.id}, which is left out"
    assert veil.proposal(replace(left, left_out=((one, needs),)), Redact()).left_out[0][1] == needs


@pytest.mark.parametrize("values", [("to=anna`, `to=bert", "to=bert"), ("to=`", "to=x"), ("to=, ", "to=bb`, `to=cc")])
def test_a_value_with_backticks_poses_as_nothing_else(found: Proposal, values: tuple[str, ...]) -> None:
    one = next(one for one in found.suggestions if one.rule.service == "tools")
    listed = ", ".join(f"`{value}`" for value in values)
    edit = replace(one.edit, resources=values, parts=(), asks=())
    left = replace(one, title=f"Narrow resources from any to {listed}", why="w", evidence={}, edit=edit)
    ((gone, _),) = veil.proposal(replace(found, suggestions=(), left_out=((left, "x"),)), Redact()).left_out
    for value in values:
        assert value.removeprefix("to=").strip("`, ") in ("", "x") or value[3:] not in gone.title


@pytest.mark.parametrize(
    ("service", "value", "hashed", "hidden"),
    [
        ("tools", "to=anna", f"to={digest('anna')}", "to=[hidden]"),
        ("tools", "a.b=x=y", f"a.b={digest('x=y')}", "a.b=[hidden]"),
        ("tools", "git push origin", digest("git push origin"), "[hidden]"),
        ("tools", "env TOKEN=1 x", digest("env TOKEN=1 x"), "[hidden]"),
        ("tools", "to=", "to=", "to="),
        ("tools", "command=*", "command=*", "command=*"),
        ("tools", "", "", ""),
        ("crm", "to=a\nb", f"to={digest(chr(97) + chr(10) + chr(98))}", "to=[hidden]"),
        ("crm", "contact/7", "contact/7", "contact/7"),
        ("aws", "arn:aws:s3:::b/year=2026", "arn:aws:s3:::b/year=2026", "arn:aws:s3:::b/year=2026"),
        ("git", "a=b", "a=b", "a=b"),
        ("tools", "\ud800", digest("\ud800"), "[hidden]"),
    ],
)
def test_one_value(service: str, value: str, hashed: str, hidden: str) -> None:
    assert Redact().value(service, value) == hashed
    assert Redact(arguments=Shown.HIDE).value(service, value) == hidden
    assert Redact(arguments=Shown.SHOW).value(service, value) == value


def test_resources_can_be_hidden_too() -> None:
    said = Redact(Shown.HIDE, Shown.HASH)
    assert said.value("aws", "arn:aws:s3:::b") == digest("arn:aws:s3:::b")
    assert said.value("git", "a=b") == digest("a=b")
    assert said.value("crm", "contact/7") == digest("contact/7")
    assert said.value("crm", "to=7") == "to=[hidden]"


def test_the_branch_is_a_resource_and_shared_credentials_are_names(found: Proposal) -> None:
    moment = found.study.comparison.terms.moment
    one = Attempt("git", "push", "acme/x", "release/9", 1, moment, moment)
    study = replace(
        found.study, shared=("role r is shared by a and b",), comparison=replace(found.study.comparison, refused=(one,))
    )
    assert veil.study(study, Redact()).shared == study.shared
    hidden = veil.study(study, Redact(resources=Shown.HIDE))
    assert (hidden.comparison.refused[0].resource, hidden.comparison.refused[0].branch) == ("[hidden]", "[hidden]")
    assert "role r" not in hidden.shared[0]


def test_the_examples_of_the_docs_are_true() -> None:
    text = (DOCS / "redaction.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\|[^|`]+\| `([^`]*)` \| `([^`]*)` \| `([^`]*)` \|$", text, re.MULTILINE)
    rows = [row for row in rows if row[0] != "show"]
    assert len(rows) == 3
    for (value, hashed, hidden), service in zip(rows, ("tools", "tools", "git"), strict=True):
        assert Redact(Shown.HASH, Shown.HASH).value(service, value) == hashed
        assert Redact(Shown.HIDE, Shown.HIDE).value(service, value) == hidden
