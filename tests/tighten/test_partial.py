"""What the log hides stays as it was granted, and nothing else with it: a redacted argument holds up only itself."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from small_world import DAYS, LAST, Use, proposal

from tightener.model import Level
from tightener.policy import document
from tightener.policy.decide import Authoriser
from tightener.results import Proposal

HOST = "https://api.acme.example/v1/jobs"


def calls(tool: str, **arguments: str) -> list[Use]:
    """One call a day; an argument with a `*` is one that the log hides, at least in part."""
    return [
        Use("tools", tool, f"{name}={value}", day=day, partial="resource" if "*" in value else "")
        for day in range(DAYS)
        for name, value in arguments.items()
    ]


def level(found: Proposal, tool: str, resource: str) -> Level:
    policy = document.parse(found.text, "p.yaml").agents["a"]
    moment = datetime.combine(LAST, datetime.min.time(), UTC)
    return Authoriser(policy, moment).levels("tools", tool, [(resource, "")])[0]


def granted(tools: str, resources: str = "") -> str:
    return f"    allow:\n      - {{service: tools, actions: [{tools}]{resources and f', resources: [{resources}]'}}}\n"


def test_a_hidden_argument_holds_up_no_other() -> None:
    found = proposal(granted("http"), calls("http", url=HOST, authorization="*"))
    assert level(found, "http", "authorization=Bearer 1234") is Level.ALLOWED
    assert level(found, "http", f"url={HOST}") is Level.ALLOWED
    assert level(found, "http", "url=https://elsewhere.example/v1/jobs") is Level.REFUSED
    assert level(found, "http", "proxy=elsewhere.example") is Level.REFUSED
    (one,) = (s for s in found.suggestions if s.kind == "narrow_resources")
    assert {"pattern": "authorization=*", "because": "not shown by the log", "witnesses": []} in one.evidence[
        "patterns"
    ]


def test_it_stays_as_narrow_as_it_was_granted() -> None:
    granted_so = granted("http", "'url=*', 'authorization=Bearer*', 'x=*'")
    found = proposal(granted_so, calls("http", url=HOST, authorization="*"))
    assert level(found, "http", "authorization=Bearer 1234") is Level.ALLOWED
    assert level(found, "http", "authorization=Basic 1234") is Level.REFUSED
    assert level(found, "http", "x=1") is Level.REFUSED


def test_of_two_tools_only_the_one_that_hides_it_keeps_it() -> None:
    uses = [*calls("http", url=HOST, authorization="*"), *calls("mail", to="ada@acme.example")]
    found = proposal(granted("http, mail"), uses)
    assert level(found, "http", "authorization=Bearer 1234") is Level.ALLOWED
    assert level(found, "mail", "authorization=Bearer 1234") is Level.REFUSED
    assert level(found, "mail", "to=ada@acme.example") is Level.ALLOWED


@pytest.mark.parametrize("hidden", ["https://*@api.acme.example/", "*/v1", "a*"])
def test_where_a_part_is_hidden_all_of_the_tool_stays(hidden: str) -> None:
    found = proposal(granted("http"), [*calls("http", url=HOST, method="GET"), *calls("http", mirror=hidden)])
    assert level(found, "http", "method=DELETE") is Level.ALLOWED


def test_so_it_does_where_a_whole_command_is_hidden() -> None:
    found = proposal(granted("bash"), [*calls("bash", command="*"), Use("tools", "bash", "git status", day=3)])
    assert level(found, "bash", "rm -rf /") is Level.ALLOWED
