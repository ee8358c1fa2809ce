"""The pipeline's answer for a repository: one pull request a policy file, refreshed in place.

look (what people said so far) -> propose (for each agent of the file) -> draft (one text, one body) -> settle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from importlib.metadata import version

from tightener import merged, pipeline
from tightener.backtest import rolling
from tightener.backtest.ways import OURS
from tightener.errors import NoEvidence, TightenerError, VerificationFailed
from tightener.model import AgentPolicy
from tightener.pipeline import Project
from tightener.policy import document
from tightener.policy.document import PolicyFile, PolicySet
from tightener.publish import body, record
from tightener.publish.commit import branch_of, revert_branch_of
from tightener.publish.git import Git
from tightener.publish.host import Base, Draft, Host, Outcome, Seen
from tightener.publish.markdown import inert
from tightener.publish.parts import Context, Part, doubts
from tightener.publish.record import No, Record
from tightener.publish.settle import settle
from tightener.report import backtest as backtest_report
from tightener.report.words import sentence
from tightener.resources import query
from tightener.results import Backtest, Proposal
from tightener.tighten.suggest import changes
from tightener.tighten.suggestion import additions
from tightener.tighten.wording import count


@dataclass(frozen=True, slots=True)
class Terms:
    """What is asked of every agent, and who asks."""

    days: int
    min_age: int
    as_of: date | None
    today: date
    requester: str
    most_open: int


@dataclass(frozen=True, slots=True)
class Place:
    """A policy file, its repository, and where its pull request goes."""

    file: PolicyFile
    git: Git
    path: str  # in the repository
    host: Host

    def must_be_in(self, base: Base) -> None:
        """Raises TightenerError (`policy-not-in-base`) where the file is not what the base has."""
        stored = self.git.normal(self.path, document.encode(self.file.text))
        if base.blob != self.git.name_of(stored):
            raise TightenerError(
                f"{self.path} is not what {base.branch} has{'' if base.blob else ': it is not there at all'}",
                slug="policy-not-in-base",
                hint=f"commit it, or check out {base.branch} as it is, and run this again",
            )


Asked = tuple[Part, dict[str, str]]  # one agent's part, and the standing of its suggestions


def publish(
    project: Project, policies: PolicySet, places: Sequence[Place], agents: Sequence[str], terms: Terms
) -> list[Outcome]:
    """Proposes the policy files at their hosts, those first that remove the most risk.

    `agents`: only these, and those that an open pull request is about already; none = all. Raises TightenerError
    (`policy-not-in-base` where a file is not what its base has; else what proposing and the hosts raise).
    """

    def ask(agent: str, no: Mapping[str, No]) -> Asked:
        return part(project, policies, agent, no, terms)

    drafts = [(place.host, draft(project, place, agents, terms, ask)) for place in places]
    drafts.sort(key=lambda pair: turn(pair[1]))
    done = [settle(host, one, terms.most_open) for host, one in drafts]
    for place in places:
        tidy(place)
    return done


def turn(one: Draft) -> tuple[bool, float]:
    """What drafts are settled in the order of: what closes makes room for what opens, the most risk first."""
    return one.changes > 0, -one.risk


def draft(
    project: Project,
    place: Place,
    agents: Sequence[str],
    terms: Terms,
    ask: Callable[[str, Mapping[str, No]], Asked],
    without: tuple[type[TightenerError], ...] = (NoEvidence,),
) -> Draft:
    """What should be proposed for one policy file. `ask` is `part`, or calls it.

    `without`: the errors of an agent that leave its part out, with their message in the body. Raises as `publish`.
    """
    branch = branch_of(place.path)
    seen = looked(place, branch)
    known = record.read(seen.open.body) if seen.open else None
    wanted = [a for a in place.file.agents if not agents or a in agents or (known and a in known.agents)]
    no = {**_put_back(place, known, terms.today), **record.refused(seen, terms.today)}
    parts, standings, silent = [], dict[str, str](), list[str]()
    for agent in wanted:
        try:
            one, own = ask(agent, no)
        except without as error:
            silent.append(f"{agent}: {error.outward}")
            continue
        parts.append(one)
        standings |= own
    parts, waiting = _fitting(parts)
    return _drafted(project, place, seen, branch, parts, standings, silent, terms, waiting)


def _fitting(parts: Sequence[Part]) -> tuple[list[Part], int]:
    """What one pull request holds: whole agents, as each is proved as a whole, first those that it takes the most risk
    from; and how many changes wait for the next one."""
    taken, number = set[str](), 0
    for one in sorted(parts, key=lambda part: -sum(part.proposal.removes.values())):
        more = len(one.proposal.suggestions)
        if number + more <= body.MOST_CHANGES:
            taken.add(one.agent)
            number += more
    waiting = sum(len(one.proposal.suggestions) + one.waiting for one in parts) - number
    return [one for one in parts if one.agent in taken], waiting


def looked(place: Place, branch: str) -> Seen:
    """What there is about a branch. Raises TightenerError (`policy-not-in-base`: the file is not what its base has)."""
    seen = place.host.look(place.path, branch)
    place.must_be_in(seen.base)
    return seen


def _put_back(place: Place, known: Record | None, today: date) -> dict[str, No]:
    """The noes of people who had something put back (`tightener revert`), but for what they have ticked since then."""
    seen = place.host.look(place.path, revert_branch_of(place.path))
    ticked = known.taken if known else {}
    return {one: no for one, no in record.reverted(seen, today).items() if one not in ticked}


def tidy(place: Place) -> None:
    """Files away a revert that has ended, and removes its branch, as for every other pull request."""
    branch = revert_branch_of(place.path)
    seen = place.host.look(place.path, branch)
    if seen.open is None and (seen.tip or seen.ended):
        nothing = Draft(place.path, branch, 0, b"", "", "", "", "", unsure=False, why="nothing is to be put back")
        settle(place.host, nothing, 0)


def part(
    project: Project,
    policies: PolicySet,
    agent: str,
    no: Mapping[str, No],
    terms: Terms,
    *,
    past: Backtest | None = None,
    see: Callable[[Proposal], None] = lambda _: None,
) -> Asked:
    """One agent's part, and the standing of each suggestion that is in it or that people left out.

    `past`: what rolling.glance says, where that is known already. `see` is handed the whole proposal while the
    temporary tables of its study are there. Raises what studying and proposing raise.
    """

    def proposed(refused: Mapping[str, str], only: Sequence[str] = ()) -> Proposal:
        # A study of its own for each: both work on the same temporary tables.
        found = pipeline.study(project, policies, agent, days=terms.days, as_of=terms.as_of, min_age=terms.min_age)
        return pipeline.propose(project, found, only, refused)

    tried = past or rolling.glance(project, policies, agent, days=terms.days, as_of=terms.as_of, min_age=terms.min_age)
    refused = {one: said.reason for one, said in no.items()}
    found = proposed(refused)
    while again := {one.id: no[name] for one in found.suggestions if (name := record.about(one)) in no}:
        no = {**no, **again}  # what was put back, in another version
        refused |= {one: said.reason for one, said in again.items()}
        found = proposed(refused)
    comparison = found.study.comparison
    now = {one.id: record.standing(one, comparison) for one, _ in found.left_out if one.id in no}
    ended = [one for one, standing in now.items() if no[one].standing not in {"", standing}]
    if ended:  # the grant's status has changed since the no was said
        refused = {one: reason for one, reason in refused.items() if one not in ended}
        found = proposed(refused)
        comparison = found.study.comparison
    see(found)
    left_out = found.left_out
    waiting = 0
    if len(found.suggestions) > body.MOST_CHANGES:
        first = _first(found)
        waiting = len(found.suggestions) - len(first)
        found = replace(proposed(refused, first), left_out=left_out)
    unticked = tuple(one for one, _ in left_out if one.id in refused)
    tallies = [tally for tally in tried.ways.get(OURS, ()) if tally is not None]
    made = Part(
        found,
        backtest_report.line(tried, OURS),
        sum(tally.uses for tally in tallies),
        sum(tally.refused for tally in tallies),
        unticked,
        waiting,
    )
    return made, {one.id: record.standing(one, comparison) for one in (*found.suggestions, *unticked)}


def _first(found: Proposal) -> list[str]:
    """The suggestions that remove the most risk, each with those that it needs, as many as one pull request holds."""
    taken: list[str] = []
    for one in found.ranked:
        more = [name for name in (*one.requires, one.id) if name not in taken]
        if len(taken) + len(more) <= body.MOST_CHANGES:
            taken += more
    return taken


def _drafted(
    project: Project,
    place: Place,
    seen: Seen,
    branch: str,
    parts: list[Part],
    standings: Mapping[str, str],
    silent: Sequence[str],
    terms: Terms,
    waiting: int,
) -> Draft:
    file = place.file
    text = _composed(file, parts)
    content = place.git.normal(place.path, document.encode(text))
    number = sum(len(part.proposal.suggestions) for part in parts)
    known = (record.read(seen.open.body) if seen.open else None) or record.Record()
    files, digest = project.con.execute(query("log_digest")).fetchall()[0]
    about = Context(
        path=place.path,
        requester=known.requester or terms.requester,
        reviewers=tuple(place.host.reviewers(place.path)),
        version=version("tightener"),
        before=pipeline.digest(file.text),
        after=pipeline.digest(text),
        logs=(files, digest),
        blob=place.git.name_of(content),
        standings=standings,
        silent=tuple(silent),
        said_before=known,
        redact=project.config.redact,
        waiting=waiting,
        so_far=merged.said(project.con, file.path),
    )
    return Draft(
        path=place.path,
        branch=branch,
        changes=number,
        content=content,
        blob=about.blob,
        title=inert(f"Tighten {place.path}"),
        message=_message(place.path, number, parts, terms),
        body=body.numbered(body.render(parts, about), seen),
        unsure=any(doubts(part) for part in parts),
        why="" if number else _why(parts, silent),
        risk=sum(sum(part.proposal.removes.values()) for part in parts),
    )


def _composed(file: PolicyFile, parts: Sequence[Part]) -> str:
    """All agents' proposals in one text. Each agent's policy in it must be the one that was proved."""
    every = [one for part in parts for one in part.proposal.suggestions]
    text = file.rewrite(changes(every), additions(every)) if every else file.text
    made = document.parse(text, file.path, file.aliases).agents
    proved: dict[str, AgentPolicy] = dict(file.agents)
    for part in parts:
        proved[part.agent] = document.parse(part.proposal.text, file.path, file.aliases).agents[part.agent]
    if {name: _said(one) for name, one in made.items()} != {name: _said(one) for name, one in proved.items()}:
        raise VerificationFailed(
            f"the agents' proposals for {file.path} do not add up to what was proved",
            slug="proposal-not-proved",
            hint="nothing was written; propose one agent at a time with --agent",
        )
    return text


def _said(policy: AgentPolicy) -> list[object]:
    return [(r.effect, r.service, r.body, r.expires, r.ttl, sorted(r.extras.items())) for r in policy.rules]


def _message(path: str, number: int, parts: Sequence[Part], terms: Terms) -> str:
    """The commit's message: what and why, and who asked for it."""
    lines = [inert(f"Tighten {path}: {count(number, 'change')}"), ""]
    lines += [inert(sentence(part.proposal)) for part in parts[:20] if part.proposal.suggestions]
    lines += ["", f"Requested-by: {inert(terms.requester)} with tightener {version('tightener')}"]
    return "\n".join(lines)


def _why(parts: Sequence[Part], silent: Sequence[str]) -> str:
    """Why there is nothing to propose."""
    refused = sum(len(part.unticked) for part in parts)
    if refused:
        return f"nothing is left to propose: {count(refused, 'change')} would be, and people said no"
    if not parts and silent:
        return f"nothing can be said now: {silent[0]}"
    return "nothing is left to tighten: what is granted is in use, or must be kept for want of evidence"
