"""The other direction, by people only: a refused call becomes a request for exactly that, with approval and an end.

find (the refused event) -> widen (the text, proved) -> draft (the pull request). Nothing here starts by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from importlib.metadata import version
from pathlib import Path

from tightener import pipeline
from tightener.errors import Place as TextPlace
from tightener.errors import TightenerError, VerificationFailed
from tightener.logs import refused
from tightener.logs.refused import Logged, Refused
from tightener.model import Addition, AgentPolicy, Answer, Body, Effect, Outcome, Rule
from tightener.pipeline import Project
from tightener.policy import diff, document
from tightener.policy.decide import Authoriser, Decision
from tightener.policy.document import PolicyFile, PolicySet
from tightener.policy.rules import boxes
from tightener.prove.widening import asked_for_only, literal
from tightener.publish import widening as body
from tightener.publish.commit import REQUEST, branch_about
from tightener.publish.host import Draft
from tightener.publish.markdown import inert
from tightener.pulls import Place, looked
from tightener.tighten.wording import count

_EVER = 36_500  # days to look back for what was refused: all there is


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks for: that what this event was refused may be asked for, up to `expires`."""

    agent: str
    event: str
    requester: str
    why: str
    expires: datetime  # the first moment at which it no longer holds


@dataclass(frozen=True, slots=True)
class Widening:
    """A proved answer to a wish: the requests that come, the rules that say them, and the file's new text."""

    wish: Wish
    file: PolicyFile
    logged: tuple[Logged, ...]
    rules: tuple[Addition, ...]
    text: str
    diff: str


def widen(project: Project, policies: PolicySet, wish: Wish, now: datetime) -> Widening:
    """The policy file with an approval rule for exactly what the event was refused.

    Raises TightenerError: `unknown-agent`, `unknown-event`, `event-not-refused`, `event-unmapped`, `denied-by-rule`,
    `already-granted`, `not-literal`; VerificationFailed (`widening-not-proved`); PolicyError, where the file cannot be
    edited.
    """
    policy, file = pipeline.agent_of(policies, wish.agent)
    logged = _logged(project, wish)
    wanted = tuple(one for one in logged if _wanted(policy, one, now))
    if not wanted:
        decision = _decided(policy, logged[0], now)
        raise TightenerError(
            f"{wish.agent} may do this already: {decision.answer.value} by line {_line(decision)}; whatever refused"
            f" it, it was not this policy",
            slug="already-granted",
            hint=_elsewhere(logged),
        )
    for one in wanted:
        _refuse_inexact(policy, one)
    rules = tuple(_rules(wanted, wish))
    made = file.rewritten({}, {wish.agent: rules})
    _prove(file, made.file, wish, wanted, now)
    name = diff.name_in_repository(Path(file.path))
    return Widening(wish, file, wanted, rules, made.file.text, diff.unified(file.text, made.file.text, name))


def attempts(project: Project, policies: PolicySet, agent: str, now: datetime) -> list[tuple[Refused, Answer]]:
    """What the agent was refused in all that was read, and what its policy answers now. Raises `unknown-agent`."""
    policy, _ = pipeline.agent_of(policies, agent)
    window, _ = pipeline.collect(project, agent, _EVER, None)
    found = refused.since(project.con, agent, window, datetime.combine(window.first, time(), UTC))
    return [(one, _decided(policy, one, now).answer) for one in found]


def _logged(project: Project, wish: Wish) -> tuple[Logged, ...]:
    found = refused.event(project.con, wish.event, project.config.owner_of)
    own = tuple(one for one in found if one.request.agent == wish.agent)
    if not own:
        whose = ", ".join(sorted({one.request.agent or "nobody that is known" for one in found}))
        raise TightenerError(
            f"the event {wish.event} is not {wish.agent}'s but of {whose}"
            if found
            else f"there is no event {wish.event} in the database",
            slug="unknown-event",
            hint="`tightener request --agent A` lists what was refused, each with an event",
        )
    for one in own:
        _refuse_unrefused(one)
    unmapped = next((one for one in own if not one.mapped), None)
    if unmapped is not None:
        raise TightenerError(
            f"which action {unmapped.request.service} {unmapped.request.action} needs is not known: no rule can say it",
            slug="event-unmapped",
            hint="write the rule by hand",
        )
    return own


def _refuse_unrefused(one: Logged) -> None:
    if one.outcome == Outcome.REFUSED and one.decision in {"", "deny"}:
        return
    said = {
        Outcome.NO_EVIDENCE: "whether it was refused is not known (throttled, invalid, pending, no outcome)",
        Outcome.REFUSED: "the gateway had let it through, or asked a person who did not say yes: no rule refused it",
        Outcome.UNGRANTED: "it ran: the gateway only noted that its policy would have refused it",
    }
    raise TightenerError(
        f"the policy did not refuse this event: {said.get(Outcome(one.outcome), 'it ran')}",
        slug="event-not-refused",
        hint="name an event that was refused",
    )


def _decided(policy: AgentPolicy, one: Logged | Refused, now: datetime) -> Decision:
    asked = one.request
    return Authoriser(policy, now).decide(asked.service, asked.action, asked.resource, asked.branch)


def _line(decision: Decision) -> str:
    return str(decision.rule.place.line) if decision.rule else "?"


def _wanted(policy: AgentPolicy, one: Logged, now: datetime) -> bool:
    """Whether a request of the event is not granted. Raises where an approval rule would not change that."""
    decision = _decided(policy, one, now)
    if decision.answer is Answer.DENIED and decision.rule is not None:
        lapsed = decision.rule.effect is Effect.REQUIRE_APPROVAL
        raise TightenerError(
            f"{_shown(one)} would stay denied: {'an approval that has expired' if lapsed else 'a deny rule'} wins over"
            " every grant",
            slug="denied-by-rule",
            hint="renew or remove that rule" if lapsed else "change that rule, under review, if it is not meant",
            place=decision.rule.place,
        )
    return decision.answer is Answer.NOT_GRANTED


def _refuse_inexact(policy: AgentPolicy, one: Logged) -> None:
    """Raises where no rule can say this request and nothing else."""
    asked = one.request
    aliases = policy.rules[0].aliases if policy.rules else {}
    rule = Rule(policy.name, 0, Effect.REQUIRE_APPROVAL, asked.service, _body([one]), TextPlace(""), aliases=aliases)
    if one.partial:
        why = f"the log hides its {one.partial.replace(',', ' and its ')}"
    elif any(c in part for part in (asked.service, asked.action, asked.resource, asked.branch) for c in "*?"):
        why = "it holds a `*` or `?`, which every pattern takes for a wildcard"
    elif not literal(asked, rule):
        more = len(boxes(rule, asked.service)) - 1
        why = f"a rule for it would also grant {count(more, 'other kind')} of request (an alias, or a list of a bucket)"
    else:
        return
    raise TightenerError(
        f"no rule can say {_shown(one)} and nothing else: {why}",
        slug="not-literal",
        hint="write the rule that you mean by hand, and have it reviewed as what it is",
    )


def _rules(wanted: Sequence[Logged], wish: Wish) -> list[Addition]:
    """One rule for all resources of one action and branch: together they say the requests and nothing else."""
    groups: dict[tuple[str, str, str], list[Logged]] = {}
    for one in wanted:
        asked = one.request
        groups.setdefault((asked.service, asked.action, asked.branch), []).append(one)
    notes = {"reason": wish.why, "owner": wish.requester}
    return [
        Addition(Effect.REQUIRE_APPROVAL, service, _body(group), expires=wish.expires, notes=notes)
        for (service, _, _), group in groups.items()
    ]


def _body(group: Sequence[Logged]) -> Body:
    first = group[0].request
    resources = tuple(dict.fromkeys(one.request.resource for one in group))
    return Body((first.action,), resources, (first.branch,))


def _prove(file: PolicyFile, made: PolicyFile, wish: Wish, wanted: Sequence[Logged], now: datetime) -> None:
    new = made.agents
    requests = [one.request for one in wanted]
    why = asked_for_only(file.agents[wish.agent], new[wish.agent], requests, wish.expires, now)
    if not why and [_said(one) for n, one in new.items() if n != wish.agent] != [
        _said(one) for n, one in file.agents.items() if n != wish.agent
    ]:
        why = "another agent's policy would change"
    if why:
        raise VerificationFailed(
            f"the request could not be proved to be exactly that: {why}",
            slug="widening-not-proved",
            hint="nothing was written; write the rule by hand",
        )


def _said(policy: AgentPolicy) -> tuple[str, list[object]]:
    return policy.name, [(r.effect, r.service, r.body, r.expires, r.ttl, dict(r.extras)) for r in policy.rules]


def _shown(one: Logged) -> str:
    asked = one.request
    return " ".join(part for part in (asked.service, asked.action, asked.resource, asked.branch) if part)


def _elsewhere(logged: Sequence[Logged]) -> str:
    if logged[0].decision == "deny":
        return (
            "the gateway may have had another policy then, or another one now: compare what is deployed with this file"
        )
    return "what refused it is the service's own policy (IAM, ...): `tightener explain EVENT`, `tightener iam`"


def draft(place: Place, found: Widening) -> Draft:
    """The pull request for a widening. Raises TightenerError (`policy-not-in-base`)."""
    wish = found.wish
    what = [wish.agent, *(part for one in found.logged for part in _key(one))]
    branch = branch_about(REQUEST, place.path, what)
    looked(place, branch)
    content = place.git.normal(place.path, document.encode(found.text))
    blob = place.git.name_of(content)
    number = count(len(found.logged), "request")
    head = f"WIDEN {place.path}: {wish.agent} may ask for {number} more"
    return Draft(
        path=place.path,
        branch=branch,
        changes=len(found.rules),
        content=content,
        blob=blob,
        title=inert(head),
        message="\n".join(
            [
                inert(head),
                "",
                inert(f"Why: {wish.why}"),
                inert(f"Refused event: {wish.event}"),
                "",
                f"Requested-by: {inert(wish.requester)} with tightener {version('tightener')}",
            ]
        ),
        body=body.render(_about(place, found, blob)),
        unsure=False,
    )


def _key(one: Logged) -> tuple[str, ...]:
    return (one.request.service, one.request.action, one.request.resource, one.request.branch)


def _about(place: Place, found: Widening, blob: str) -> body.Wider:
    wish = found.wish
    number = count(len(found.logged), "request")
    last = (wish.expires - timedelta(seconds=1)).date()
    return body.Wider(
        path=place.path,
        agent=wish.agent,
        first=(
            f"This WIDENS the policy of {wish.agent}: {wish.requester} asks that it may ask a person for {number} that"
            f" it is refused today, until {last}. tightener proposes nothing of this kind by itself."
        ),
        opened=tuple(body.Opened(one.effect, one.service, one.body) for one in found.rules),
        proof=(
            "Proved, over all requests and all time to come: the new policy is the old one and an approval for exactly"
            f" {'this request' if len(found.logged) == 1 else 'these requests'}, and nothing else."
        ),
        rationale=wish.why,
        evidence=tuple(_evidence(wish, found.logged)),
        requester=wish.requester,
        reviewers=tuple(place.host.reviewers(place.path)),
        before=pipeline.digest(found.file.text),
        after=pipeline.digest(found.text),
        blob=blob,
        version=version("tightener"),
        ends=wish.expires,
        undo=(
            "Before merging: close this pull request. After merging: `git revert` of the merge, or remove the rule; if"
            " nobody does anything, it ends by itself."
        ),
    )


def _evidence(wish: Wish, logged: Sequence[Logged]) -> list[str]:
    first = logged[0]
    who = "the gateway" if first.decision else f"the service (in the log of {first.source}: no gateway decided)"
    where = f"event `{wish.event}`, record {first.position} of `{Path(first.file).name}`"
    lines = [f"refused by {who} at {first.time:%Y-%m-%d %H:%M:%S} UTC: {where}"]
    lines += [f"`{_shown(one)}`: refused {count(one.refusals, 'time')} in the logs that were read" for one in logged]
    if not first.decision:
        lines.append("this policy alone may not suffice: the service's own policy (IAM, ...) refused it as well")
    return lines
