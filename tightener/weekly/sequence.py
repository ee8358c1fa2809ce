"""The weekly run: logs -> each agent studied once -> its page on the way -> pull requests. Nothing of it is printed.

What fails for one agent or one policy file is noted, and the others go on. Every step can be taken again: what it finds
done, it leaves alone. So a run that was killed is made good by the next one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from hashlib import sha256

from tightener import pipeline, pulls
from tightener.backtest import rolling
from tightener.errors import (
    EXIT_DONE,
    EXIT_ERROR,
    EXIT_NO_EVIDENCE,
    EXIT_SUGGESTIONS,
    EXIT_VERIFICATION,
    NoEvidence,
    TightenerError,
    VerificationFailed,
)
from tightener.logs.ingest import IngestReport
from tightener.logs.staging import Progress
from tightener.pipeline import Project
from tightener.policy.document import PolicyFile, PolicySet
from tightener.publish.host import Draft, Host, Outcome
from tightener.publish.record import No
from tightener.publish.settle import settle
from tightener.pulls import Asked, Place, Terms
from tightener.report import html, page
from tightener.report.words import sentence
from tightener.results import Backtest, Proposal

REPORTED_PERIODS = 3  # of the backtest, as in `report`
_RESERVED = re.compile(r"index|con|prn|aux|nul|com\d|lpt\d")  # the fleet's page, and what Windows takes for devices


class Fate(StrEnum):
    """What became of an agent's study."""

    STUDIED = "studied"
    THIN = "no evidence"
    UNPROVED = "not proved"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Kept:
    """A page in its place: where, and whether its bytes were written anew. `why`: why there is none."""

    place: str
    new: bool = False
    why: str = ""


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent: what became of it, in one sentence, and its page. `slug` is of the error, '' where there was none."""

    name: str
    fate: Fate
    says: str
    slug: str = ""
    suggestions: int = 0
    last: date | None = None  # the day that its window ends on
    page: Kept | None = None


@dataclass(frozen=True, slots=True)
class File:
    """One policy file: what became of its pull request, or the error that was in the way."""

    path: str
    outcome: Outcome | None = None
    error: TightenerError | None = None


@dataclass(frozen=True, slots=True)
class Week:
    """One run."""

    read: IngestReport
    agents: tuple[Agent, ...]
    files: tuple[File, ...]  # none where nothing says `publish:`

    @property
    def suggestions(self) -> int:
        """All agents' together."""
        return sum(one.suggestions for one in self.agents)

    @property
    def failed(self) -> bool:
        """Whether something went wrong that the logs are not to blame for."""
        pages = (one.page for one in self.agents)
        return (
            any(one.fate is Fate.FAILED for one in self.agents)
            or any(kept.why for kept in pages if kept)
            or any(one.error for one in self.files)
        )

    def exit_code(self, *, suggestions: bool) -> int:
        """What a scheduler is told: a failed proof before any other failure; `suggestions`: whether they count."""
        unproved = any(one.fate is Fate.UNPROVED for one in self.agents)
        if unproved or any(isinstance(one.error, VerificationFailed) for one in self.files):
            return EXIT_VERIFICATION
        if self.failed:
            return EXIT_ERROR
        if all(one.fate is Fate.THIN for one in self.agents):
            return EXIT_NO_EVIDENCE
        return EXIT_SUGGESTIONS if suggestions and self.suggestions else EXIT_DONE


@dataclass(frozen=True, slots=True)
class Ends:
    """What reaches the world: the page of an agent is kept under a name, a policy file has a place, or none has."""

    keep: Callable[[str, str], Kept]
    place: Callable[[PolicyFile], Place] | None
    progress: Callable[[Progress], None]


@dataclass(slots=True)
class _Run:
    """One run under way."""

    project: Project
    policies: PolicySet
    terms: Terms
    ends: Ends
    agents: dict[str, Agent] = field(default_factory=dict)

    def ask(self, name: str, no: Mapping[str, No]) -> Asked:
        """One agent's part of its pull request; its page is made on the way, from the same study."""
        terms = self.terms
        try:
            past = rolling.backtest(
                self.project,
                self.policies,
                name,
                days=terms.days,
                as_of=terms.as_of,
                min_age=terms.min_age,
                most=REPORTED_PERIODS,
            )
            return pulls.part(
                self.project,
                self.policies,
                name,
                no,
                terms,
                past=rolling.glanced(past),
                see=lambda found: self._see(found, past),
            )
        except TightenerError as error:
            self.agents[name] = Agent(name, _fate(error), error.message, error.slug)
            raise

    def _see(self, found: Proposal, past: Backtest) -> None:
        study = found.study
        name = study.policy.name
        try:
            kept = self.ends.keep(f"{page_name(name)}.html", page_of(self.project, found, past))
        except TightenerError as error:
            kept = Kept("", why=str(error))
        last = study.comparison.terms.window.last
        self.agents[name] = Agent(
            name, Fate.STUDIED, sentence(found), suggestions=len(found.suggestions), last=last, page=kept
        )

    def drafts(self) -> tuple[list[tuple[Host, Draft, str]], list[File]]:
        """What should be proposed for each policy file, and the files for which that cannot be said."""
        drafts: list[tuple[Host, Draft, str]] = []
        failed: list[File] = []
        if self.ends.place is None:
            return [], []
        for file in self.policies.files:
            try:
                place = self.ends.place(file)
                without = (NoEvidence, VerificationFailed)
                draft = pulls.draft(self.project, place, (), self.terms, self.ask, without)
            except TightenerError as error:
                failed.append(File(file.path, error=error))
            else:
                drafts.append((place.host, draft, file.path))
        return drafts, failed

    def others(self) -> None:
        """Studies the agents that no pull request has asked about."""
        for name in self.policies.agents:
            if name not in self.agents:
                try:
                    self.ask(name, {})
                except TightenerError:
                    continue  # it is noted


def run(project: Project, policies: PolicySet, terms: Terms, ends: Ends, now: datetime) -> Week:
    """Everything that the configuration names, once. Raises what reading the logs raises; all else is noted."""
    read = pipeline.read_logs(project, project.config.logs, now, ends.progress)
    one = _Run(project, policies, terms, ends)
    drafts, files = one.drafts()
    one.others()
    drafts.sort(key=lambda found: pulls.turn(found[1]))
    for host, draft, path in drafts:
        try:
            files.append(File(path, settle(host, draft, terms.most_open)))
        except TightenerError as error:
            files.append(File(path, error=error))
    return Week(read, tuple(one.agents[name] for name in policies.agents), tuple(sorted(files, key=lambda f: f.path)))


def page_of(project: Project, found: Proposal, past: Backtest) -> str:
    """One agent's page, from the temporary tables of its study."""
    return html.render(page.view(project.con, found, past, project.config.redact))


def page_name(agent: str) -> str:
    """A file's name for an agent: its own where every system can have it, else a readable one with a hash."""
    if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", agent) and not _RESERVED.fullmatch(agent):
        return agent
    readable = re.sub(r"[^a-z0-9]+", "-", agent.lower()).strip("-")[:40].strip("-")
    return f"{readable or 'agent'}.{sha256(agent.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"


def _fate(error: TightenerError) -> Fate:
    if isinstance(error, NoEvidence):
        return Fate.THIN
    return Fate.UNPROVED if isinstance(error, VerificationFailed) else Fate.FAILED
