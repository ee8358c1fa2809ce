"""The weekly run: logs -> what merges broke -> each agent studied once -> pages -> pull requests. Nothing is printed.

What fails for one agent or one policy file is noted, and the others go on. Every step can be taken again: what it finds
done, it leaves alone. So a run that was killed is made good by the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path

from tightener import fleet, merged, pipeline, pulls
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
from tightener.fleet import REPORTED_PERIODS, Making
from tightener.logs.ingest import IngestReport
from tightener.logs.staging import Progress
from tightener.pipeline import Project
from tightener.policy.document import PolicyFile, PolicySet
from tightener.publish.host import Draft, Outcome
from tightener.publish.record import No
from tightener.publish.settle import settle
from tightener.pulls import Asked, Place, Terms
from tightener.report.words import sentence
from tightener.results import Backtest, Proposal
from tightener.shelf import Placed
from tightener.watch import Watched, watch


class Fate(StrEnum):
    """What became of an agent's study."""

    STUDIED = "studied"
    THIN = "no evidence"
    UNPROVED = "not proved"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent: what became of it, in one sentence, and its page's name in the folder of pages ('' = none).

    `slug` is of the error, '' where there was none.
    """

    name: str
    fate: Fate
    says: str
    slug: str = ""
    suggestions: int = 0
    last: date | None = None  # the day that its window ends on
    page: str = ""


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
    pages: Placed | TightenerError
    files: tuple[File, ...]  # none where nothing says `publish:`
    watched: Watched

    @property
    def suggestions(self) -> int:
        """All agents' together."""
        return sum(one.suggestions for one in self.agents)

    @property
    def failed(self) -> bool:
        """Whether something went wrong that the logs are not to blame for."""
        return (
            any(one.fate is Fate.FAILED for one in self.agents)
            or isinstance(self.pages, TightenerError)
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
    """What reaches the world: the folder of pages; where a policy file's pull requests go, None = nowhere."""

    pages: Path
    place: Callable[[PolicyFile], Place] | None
    progress: Callable[[Progress], None]


@dataclass(slots=True)
class _Run:
    """One run under way."""

    project: Project
    policies: PolicySet
    terms: Terms
    making: Making | None  # of the pages; None where there are no logs to speak of
    agents: dict[str, Agent] = field(default_factory=dict)
    files: list[File] = field(default_factory=list)

    def places(self, of: Callable[[PolicyFile], Place] | None) -> list[Place]:
        """Where the policy files' pull requests go; those that have no place are noted."""
        found: list[Place] = []
        if of is None:
            return found
        for file in self.policies.files:
            try:
                found.append(of(file))
            except TightenerError as error:
                self.files.append(File(file.path, error=error))
        return found

    def watch(self, places: Sequence[Place]) -> Watched:
        """What merges broke, asked for again one grant at a time."""
        found = Watched()
        for place in places:
            try:
                one = watch(self.project, [place], self.terms)
            except TightenerError as error:
                found.notes.append(f"{place.path}: what was merged could not be looked at: {error.message}")
                continue
            found.restores += one.restores
            found.realised += one.realised
            for realised in one.realised:
                merged.remember(self.project.con, place.file.path, realised)
            found.notes += one.notes
        return found

    def drafts(self, places: Sequence[Place]) -> list[tuple[Place, Draft]]:
        """What should be proposed for each policy file; those for which that cannot be said are noted."""
        found: list[tuple[Place, Draft]] = []
        for place in places:
            try:
                without = (NoEvidence, VerificationFailed)
                found.append((place, pulls.draft(self.project, place, (), self.terms, self.ask, without)))
            except TightenerError as error:
                self.files.append(File(place.file.path, error=error))
        return found

    def others(self) -> None:
        """Studies the agents that no pull request has asked about."""
        for name in self.policies.agents:
            if name not in self.agents:
                with suppress(TightenerError):  # it is noted
                    self.ask(name, {})

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
            self.agents[name] = Agent(name, _fate(error), error.outward, error.slug)
            if self.making and isinstance(error, NoEvidence | VerificationFailed):
                with suppress(NoEvidence):  # then the logs know nothing of it at all
                    study = pipeline.study(
                        self.project, self.policies, name, days=terms.days, as_of=terms.as_of, min_age=terms.min_age
                    )
                    self.making.missing(study, error)
            raise

    def _see(self, found: Proposal, past: Backtest) -> None:
        name, last = found.study.policy.name, found.study.comparison.terms.window.last
        made = self.making.found(found, past) if self.making else ""
        self.agents[name] = Agent(
            name, Fate.STUDIED, sentence(found), suggestions=len(found.suggestions), last=last, page=made
        )

    def finish(self) -> Placed | TightenerError:
        """Puts the pages in their place."""
        try:
            return self.making.finish().files if self.making else Placed((), (), 0)
        except TightenerError as error:
            return error

    def settle(self, drafts: list[tuple[Place, Draft]]) -> None:
        """Opens, refreshes and closes the pull requests: what closes makes room for what opens."""
        for place, draft in sorted(drafts, key=lambda found: pulls.turn(found[1])):
            try:
                self.files.append(File(place.file.path, settle(place.host, draft, self.terms.most_open)))
                pulls.tidy(place)
            except TightenerError as error:
                self.files.append(File(place.file.path, error=error))


def run(project: Project, policies: PolicySet, terms: Terms, ends: Ends, now: datetime) -> Week:
    """Everything that the configuration names, once. Raises what reading the logs raises; all else is noted."""
    read = pipeline.read_logs(project, (), now, ends.progress)
    with ExitStack() as held:
        pages: Placed | TightenerError | None = None
        one = _Run(project, policies, terms, None)
        try:
            one.making = held.enter_context(
                fleet.making(project, policies, ends.pages, days=terms.days, as_of=terms.as_of)
            )
        except NoEvidence:
            pages = Placed((), (), 0)
        except TightenerError as error:
            pages = error
        places = one.places(ends.place)
        watched = one.watch(places)
        drafts = one.drafts(places)
        one.others()
        pages = pages or one.finish()
        one.settle(drafts)
    agents = tuple(one.agents[name] for name in policies.agents)
    return Week(read, agents, pages, tuple(sorted(one.files, key=lambda f: f.path)), watched)


def _fate(error: TightenerError) -> Fate:
    if isinstance(error, NoEvidence):
        return Fate.THIN
    return Fate.UNPROVED if isinstance(error, VerificationFailed) else Fate.FAILED
