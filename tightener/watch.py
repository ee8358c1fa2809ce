"""After a merge: was anything refused that a removed grant would have let through? Then that grant is asked for again.

merges (from the hosts' own records) -> broken (pure) -> restore (the text, proved) -> settle. Nothing is remembered
elsewhere: a pull request of its own for each grant says whether it was merged, or refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from importlib.metadata import version
from sys import maxsize

from tightener import pipeline
from tightener.broken import Broken, Merge, broken, parts
from tightener.errors import NoEvidence, PolicyError
from tightener.logs import refused, usage
from tightener.logs.refused import Refused
from tightener.merged import Realised
from tightener.model import Addition, AgentPolicy, Body
from tightener.pipeline import Project
from tightener.policy import document
from tightener.policy.decide import Authoriser
from tightener.policy.document import PolicyFile
from tightener.policy.verify import compare_policies
from tightener.prove.widening import within_both
from tightener.publish import record
from tightener.publish import widening as body
from tightener.publish.commit import RESTORE, branch_about, branch_of
from tightener.publish.host import Draft, Ended, Kind, Outcome, Seen
from tightener.publish.markdown import inert
from tightener.publish.settle import settle
from tightener.pulls import Place, Terms, looked
from tightener.redaction import Redact
from tightener.tighten.wording import count

WATCHED_DAYS = 370  # after a merge: whatever comes once a year has come by then


@dataclass(frozen=True, slots=True)
class Restore:
    """What was done about one grant that was missed: the pull request, and the calls behind it."""

    agent: str
    service: str
    action: str
    merge: str  # which pull request removed it
    calls: tuple[Refused, ...]
    outcome: Outcome


@dataclass(slots=True)
class Watched:
    """The result: restores, how the files' merges turned out, and what could not be looked at."""

    restores: list[Restore] = field(default_factory=list)
    realised: list[Realised] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def watch(project: Project, places: Sequence[Place], terms: Terms, agents: Sequence[str] = ()) -> Watched:
    """Looks at every policy file whose pull requests were merged, and opens a restore request for each grant missed.

    `agents`: only these; none = all. Raises TightenerError: what the hosts raise, and `policy-not-in-base`.
    """
    found = Watched()
    for place in places:
        _watch_one(project, place, agents or tuple(place.file.agents), terms, found)
    return found


def _watch_one(project: Project, place: Place, agents: Sequence[str], terms: Terms, found: Watched) -> None:
    seen = looked(place, branch_of(place.path))
    merged = [one for one in seen.ended if one.merged]
    removals = sum(len(known.taken) for one in merged if (known := record.read(one.body)))
    recent = [one for one in merged if terms.today - one.day <= timedelta(days=WATCHED_DAYS)]
    restored = missed = 0
    if recent:
        merges = [(one, *pair) for one in recent if (pair := _landed(place, one, found))]
        for agent in (one for one in place.file.agents if one in agents):
            for one in _broken(project, place, agent, merges, terms, found):
                missed += 1
                restored += _settle(project, place, agent, one, terms, found)
    found.realised.append(Realised(place.path, removals, restored, missed))


_Texts = tuple[Ended, datetime, PolicyFile, PolicyFile]


def _landed(place: Place, one: Ended, found: Watched) -> tuple[datetime, PolicyFile, PolicyFile] | None:
    landed = place.host.landed(place.path, one)
    if landed is None or landed.before is None or landed.after is None:
        found.notes.append(f"{place.path}: what merging {one.name} changed is not known, so it was not looked at")
        return None
    try:
        before, after = (
            document.parse(text.decode(), place.path, place.file.aliases) for text in (landed.before, landed.after)
        )
    except (PolicyError, UnicodeDecodeError) as error:
        found.notes.append(f"{place.path}: the policy around the merge of {one.name} cannot be read: {error}")
        return None
    return landed.at, before, after


def _broken(
    project: Project, place: Place, agent: str, merges: Sequence[_Texts], terms: Terms, found: Watched
) -> Iterable[Broken]:
    """What the merges broke for one agent. Reads the log only where they took something from it."""
    nothing = AgentPolicy(agent, place.file.agents[agent].place, ())
    own = [
        Merge(_name(one), at, before.agents[agent], after.agents.get(agent, nothing))
        for one, at, before, after in merges
        if agent in before.agents
    ]
    own = [one for one in own if _said(one.before) != _said(one.after)]
    if not own:
        return []
    first = min(one.at for one in own)
    try:
        last = usage.span(project.con).last
        days = (min(last, terms.as_of or last) - first.date()).days + 1
        if days < 1:
            return []
        window, _ = pipeline.collect(project, agent, days, terms.as_of)
    except NoEvidence:
        return []
    calls = refused.since(project.con, agent, window, first)
    what, unclear = broken(own, place.file.agents[agent], calls, _moment(terms.today))
    if unclear:
        found.notes.append(
            f"{agent}: {count(unclear, 'refused request')} of which the log hides a part: whether a removed grant"
            " covered them is not known"
        )
    return what


def _name(one: Ended) -> str:
    """A name that stays: a local pull request's file is filed away under another one."""
    return one.name if one.name.startswith("#") else f"commit {one.merge[:10]}"


def _said(policy: AgentPolicy) -> list[object]:
    return [(rule.effect, rule.service, rule.body, rule.expires) for rule in policy.rules]


def _moment(today: date) -> datetime:
    return datetime.combine(today, time(), UTC)


def _settle(project: Project, place: Place, agent: str, one: Broken, terms: Terms, found: Watched) -> bool:
    """Proposes the grant again, or closes what proposed it; returns whether people have agreed to it once."""
    rule = one.rule
    what = (agent, rule.effect, rule.service, one.action, repr((rule.body.resources, rule.body.branches)))
    branch = branch_about(RESTORE, place.path, what)
    seen = looked(place, branch)
    name = f"restore-{hashlib.sha256(branch.encode()).hexdigest()[:6]}"
    made = _part(place.file, agent, one, terms) if one.missing else None
    why = "" if made else "it is granted again"
    if one.missing and made is None:
        found.notes.append(
            f"{agent}: {rule.service} {one.action}, which {one.merge.name} removed, was refused"
            f" {count(sum(call.count for call in one.missing), 'time')} since, but no part of it could be proved to be"
            " within what was granted before: decide by hand"
        )
        why = "it could not be proved to be within what was granted before"
    if made:
        standing = hashlib.sha256(repr(made[0]).encode()).hexdigest()[:6]
        no = record.refused(seen, terms.today).get(name)
        if no is not None and no.standing == standing:
            made, why = None, no.reason
    lines = tuple(_evidence(one, project.config.redact))
    draft = _draft(place, agent, one, terms, branch, seen, lines, (name, *made) if made else None, why)
    outcome = settle(place.host, draft, maxsize)
    if one.missing or outcome.kind is not Kind.NOTHING:
        found.restores.append(
            Restore(agent, rule.service, one.action, one.merge.name, one.missing or one.calls, outcome)
        )
    return any(ended.merged for ended in seen.ended)


def _part(file: PolicyFile, agent: str, one: Broken, terms: Terms) -> tuple[Body, str] | None:
    """The smallest part of the grant that lets the calls through again and is proved, and the text with it."""
    rule, moment = one.rule, _moment(terms.today)
    notes = {key: text for key, text in rule.extras.items() if key != "id"}
    for part in parts(one):
        addition = Addition(rule.effect, rule.service, part, ttl=rule.ttl, expires=rule.expires, notes=notes)
        try:
            made = file.rewritten({}, {agent: [addition]}).file
        except PolicyError:
            return None
        agents = made.agents
        new, current = agents[agent], file.agents[agent]
        others = all(_said(policy) == _said(agents[name]) for name, policy in file.agents.items() if name != agent)
        if not others or within_both(new, current, one.merge.before, moment):
            continue
        if compare_policies(new, current, moment).kind != "contained":  # an approval that comes back above an allow
            continue
        before, after = Authoriser(one.merge.before, moment), Authoriser(new, moment)
        asked = [(c.request.service, c.request.action, c.request.resource, c.request.branch) for c in one.missing]
        if all(before.decide(*each).answer is after.decide(*each).answer for each in asked):
            return part, made.text
    return None


def _draft(
    place: Place,
    agent: str,
    one: Broken,
    terms: Terms,
    branch: str,
    seen: Seen,
    evidence: tuple[str, ...],
    made: tuple[str, Body, str] | None,
    why: str,
) -> Draft:
    name, part, text = made or ("", None, place.file.text)
    content = place.git.normal(place.path, document.encode(text))
    blob = place.git.name_of(content)
    head = f"Restore {one.rule.service} {one.action} for {agent} in {place.path}"
    known = (record.read(seen.open.body) if seen.open else None) or record.Record()
    requester = known.requester or terms.requester
    return Draft(
        path=place.path,
        branch=branch,
        changes=1 if part else 0,
        content=content,
        blob=blob,
        title=inert(head),
        message="\n".join(
            [
                inert(head),
                "",
                inert(f"{one.merge.name} removed it; refused since by {one.calls[0].event}"),
                "",
                f"Requested-by: {inert(requester)} with tightener {version('tightener')}",
            ]
        ),
        body=body.render(_about(place, agent, one, part, text, evidence, (name, blob, requester))) if part else "",
        unsure=False,
        why=why,
    )


def _about(
    place: Place, agent: str, one: Broken, part: Body, text: str, evidence: tuple[str, ...], said: tuple[str, str, str]
) -> body.Wider:
    name, blob, requester = said
    rule, merge = one.rule, one.merge
    times = count(sum(call.count for call in one.missing), "time")
    return body.Wider(
        path=place.path,
        agent=agent,
        first=(
            f"This WIDENS the policy of {agent}: it puts back {rule.service} {one.action}, which {merge.name} removed"
            f" and which was refused {times} since then."
        ),
        opened=(body.Opened(rule.effect, rule.service, part),),
        proof=(
            "Proved, over all requests and all time to come: nothing is granted that neither the policy now nor the"
            f" one just before {merge.name} was merged grants, and nothing is lost."
        ),
        rationale=(
            f"A removed grant was needed after all. Of the former rule (line {rule.place.line} then) only the part for"
            " this action, and for what covers the refused calls, comes back, at the level that it had. Close this pull"
            " request to say no: it holds for 90 days, or until another part is needed. Less would do for such a call"
            f" alone, with approval and an end: tightener request --agent {agent} --from {one.missing[0].event}"
        ),
        evidence=evidence,
        requester=requester,
        reviewers=tuple(place.host.reviewers(place.path)),
        before=pipeline.digest(place.file.text),
        after=pipeline.digest(text),
        blob=blob,
        version=version("tightener"),
        ends=rule.expires,
        undo="Close this pull request, or after merging: `git revert` of the merge.",
        name=name,
        standing=hashlib.sha256(repr(part).encode()).hexdigest()[:6],
    )


def _evidence(one: Broken, redact: Redact) -> Iterable[str]:
    yield f"{one.merge.name}, merged at {one.merge.at:%Y-%m-%d %H:%M} UTC, removed it"
    for call in one.missing:
        asked = call.request
        resource = redact.value(asked.service, asked.resource)
        words = " ".join(each for each in (asked.service, asked.action, resource, asked.branch) if each)
        yield (
            f"`{words}`: refused {count(call.count, 'time')}, first at {call.first:%Y-%m-%d %H:%M} UTC (event"
            f" `{call.event}`), last on {call.last:%Y-%m-%d}"
        )
