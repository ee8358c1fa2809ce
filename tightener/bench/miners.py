"""The policies that the agent benchmark compares: three naive ones, and what tightener itself proposes."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from tightener import pipeline
from tightener.bench.agentdojo import SERVICE, Call, Data, Fold, Run, days_of, load, log_lines
from tightener.model import AgentPolicy, Level
from tightener.policy import document
from tightener.policy.decide import Authoriser
from tightener.policy.document import PolicySet
from tightener.results import Study
from tightener.tighten.evidence.verdict import Class

# Picked by someone who knew the attacks: a bar that is hard to reach, not a way to choose.
KEY_ARGUMENTS = frozenset({"recipient", "url", "user", "user_email", "channel", "file_path", "password"})

IdentityOf = Callable[[Run], str]
Decider = Callable[[Call], Level]
Miner = Callable[[Data, Fold, Sequence[Call], IdentityOf], Mapping[str, Decider]]


def tool_names(_data: Data, _fold: Fold, calls: Sequence[Call], identity: IdentityOf) -> Mapping[str, Decider]:
    """Every tool that was used, with any arguments."""
    return _exact(calls, identity, lambda call: (call.tool,))


def key_arguments(_data: Data, _fold: Fold, calls: Sequence[Call], identity: IdentityOf) -> Mapping[str, Decider]:
    """Every tool that was used; the key arguments only with values that were seen with that tool."""
    return _exact(calls, identity, _key_parts)


def key_arguments_kept(_data: Data, _fold: Fold, calls: Sequence[Call], identity: IdentityOf) -> Mapping[str, Decider]:
    """The same without secrets: their values are not kept when a log is read, so no policy can list them."""

    def parts(call: Call) -> Iterator[str]:
        kept = {name for name in KEY_ARGUMENTS if f"{name}=*" not in call.requests}
        return _key_parts(call, kept)

    return _exact(calls, identity, parts)


def _key_parts(call: Call, names: Collection[str] = KEY_ARGUMENTS) -> Iterator[str]:
    yield call.tool
    for name, value in json.loads(call.args).items():
        if name in names:
            yield f"{call.tool} {name}={value}"


def exact_arguments(_data: Data, _fold: Fold, calls: Sequence[Call], identity: IdentityOf) -> Mapping[str, Decider]:
    """Only calls that were made before, argument by argument the same, as logged."""
    return _exact(calls, identity, lambda call: (f"{call.tool} {call.args}",))


def proposal(data: Data, fold: Fold, calls: Sequence[Call], identity: IdentityOf) -> Mapping[str, Decider]:
    """What `tightener suggest` makes of a policy that grants every tool of the suite, a rule each.

    The window is the invented days; grants have no age here. An identity of which no call is logged keeps its grant.
    """
    return _proposals(data, fold, calls, identity, lambda study: study)


def proposal_without_calendar(
    data: Data, fold: Fold, calls: Sequence[Call], identity: IdentityOf
) -> Mapping[str, Decider]:
    """The same, as if the evidence were good enough to remove what was not used, and to narrow what was.

    A handful of invented days holds no month-ends and too few days at work, so `suggest` changes nothing here. The
    naive policies do: this is the row that compares with them.
    """
    return _proposals(data, fold, calls, identity, _trusting)


def _trusting(study: Study) -> Study:
    grants = tuple(
        replace(g, lacking="", verdict=replace(g.verdict, kind=Class.REMOVE, missing=()) if g.verdict else None)
        for g in study.comparison.grants
    )
    return replace(study, comparison=replace(study.comparison, grants=grants))


def _proposals(
    data: Data, fold: Fold, calls: Sequence[Call], identity: IdentityOf, judged: Callable[[Study], Study]
) -> Mapping[str, Decider]:
    days = days_of(data, fold)
    owners = {identity(run): run.suite for run in data.runs if fold.trains(run) or fold.tests(run)}
    policies = {name: _granted(name, data.tools[suite]) for name, suite in sorted(owners.items())}
    last = max(days.values())
    moment = datetime.combine(last + timedelta(days=1), time(), UTC)
    found: dict[str, Decider] = {}
    # one suite is one gateway: its days are those on which it logged anything
    for suite in sorted(set(owners.values())):
        own = [call for call in calls if call.run.suite == suite]
        project = load(log_lines(own, days, identity))
        logged = {identity(call.run) for call in own}
        for name in (n for n, its in owners.items() if its == suite):
            policy = policies[name].agents[name]
            if name in logged:
                study = judged(pipeline.study(project, policies[name], name, days=len(days), min_age=0))
                policy = document.parse(pipeline.propose(project, study).text, "proposed.yaml").agents[name]
            found[name] = _decider(policy, moment)
        project.con.close()
    return found


def _granted(agent: str, tools: Sequence[str]) -> PolicySet:
    rules = [{"service": SERVICE, "actions": [tool]} for tool in tools]
    text = json.dumps({"agents": {agent: {"allow": rules}}}, indent=1)  # JSON is YAML
    return PolicySet((document.parse(text, "granted.yaml"),))


def _decider(policy: AgentPolicy, moment: datetime) -> Decider:
    authoriser = Authoriser(policy, moment)

    def decide(call: Call) -> Level:
        return min(authoriser.levels(SERVICE, call.tool, [(request, "") for request in call.requests]))

    return decide


def _exact(
    calls: Sequence[Call], identity: IdentityOf, parts: Callable[[Call], Iterable[str]]
) -> Mapping[str, Decider]:
    """Deciders that allow what is made of parts that were seen in training."""
    seen: dict[str, set[str]] = {}
    for call in calls:
        seen.setdefault(identity(call.run), set()).update(parts(call))
    return {name: _among(known, parts) for name, known in seen.items()}


def _among(known: set[str], parts: Callable[[Call], Iterable[str]]) -> Decider:
    return lambda call: Level.ALLOWED if known.issuperset(parts(call)) else Level.REFUSED


MINERS: Mapping[str, Miner] = {
    "tool names": tool_names,
    "tool + key arguments": key_arguments,
    "the same, no secrets": key_arguments_kept,
    "exact arguments": exact_arguments,
    "tightener": proposal,
    "tightener without gates": proposal_without_calendar,
}
