"""What a pull request's body is made of: one part an agent, its proposal, and how sure one can be of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tightener.publish.record import Record
from tightener.redaction import Redact
from tightener.results import Proposal
from tightener.tighten.suggestion import Suggestion
from tightener.tighten.wording import count

_WHOLE = 0.9  # of the window's days, in each log that knows the agent
_BROKEN = 0.001  # of the calls of past periods


@dataclass(frozen=True, slots=True)
class Part:
    """One agent's proposal. `tried`: how this way of tightening did on the past, in words, and of how many calls it
    would have refused how many; `unticked`: left out by people; `waiting`: changes left for the next one."""

    proposal: Proposal
    tried: str
    calls: int = 0
    refused: int = 0
    unticked: tuple[Suggestion, ...] = ()
    waiting: int = 0

    @property
    def agent(self) -> str:
        """Whose it is."""
        return self.proposal.study.policy.name


@dataclass(frozen=True, slots=True)
class Context:
    """What the body says besides the proposals."""

    path: str  # of the policy file, in the repository
    requester: str
    reviewers: tuple[str, ...]
    version: str  # of tightener
    before: str  # SHA-256 of the file
    after: str
    logs: tuple[int, str]  # how many log files, and a digest of their digests
    blob: str  # Git's name of the proposed file
    standings: Mapping[str, str]  # suggestion id -> standing, of those taken and those left out by people
    silent: tuple[str, ...] = ()  # sentences on agents of the file that nothing can be said about
    said_before: Record = field(default_factory=Record)  # by the open pull request: what was unticked there stays so
    redact: Redact = field(default_factory=Redact)  # what of logged values goes out
    waiting: int = 0  # changes left for the next pull request, of all agents
    so_far: str = ""  # how the merged ones turned out


def doubts(part: Part) -> list[str]:
    """Why one should look twice, in sentences; none where nothing speaks against the proposal."""
    terms = part.proposal.study.comparison.terms
    days = terms.window.days
    said = []
    if days < terms.asked_days:
        said.append(f"the logs reach back {count(days, 'day')} only, and {terms.asked_days} were asked for")
    said += [
        f"{source.source} was read whole on {source.full} of {count(days, 'day')} only"
        for source in terms.coverage.knowing
        if source.full < _WHOLE * days
    ]
    if part.refused > _BROKEN * part.calls:
        calls = count(part.calls, "call")
        said.append(f"tightening like this would have refused {part.refused:,} of {calls} in the past")
    return said


def confidence(part: Part) -> str:
    """high (tried on the past), medium (not tried yet) or low (something speaks against it)."""
    if doubts(part):
        return "low"
    return "high" if part.calls else "medium"


def last_used(part: Part, one: Suggestion) -> datetime | None:
    """When the grants that a suggestion is about were last used."""
    grants = part.proposal.study.comparison.of_rule(one.rule.index)
    about = [g for g in grants if not one.edit.drop or g.pattern in one.edit.drop or g.action in one.edit.drop]
    return max((g.evidence.last_used for g in about if g.evidence.last_used), default=None)
