"""verify-evidence: hash everything again, and where the logs are at hand do everything again.

A pack is read as what a stranger may have sent: only files that lie in its folder are opened, never a name that the
manifest says, and what does not read as a pack is a failure with a name, not a crash. A reseal (a forger who alters a
file and every digest of it) is what the second half is for: counts, queries, diff and containment are worked out again
from the pack alone, and everything else from the logs.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tightener import config as configuration
from tightener import pipeline
from tightener.audit import manifest, pack
from tightener.audit.inputs import SUM, Terms
from tightener.audit.pack import Policy
from tightener.config import Config
from tightener.errors import TightenerError
from tightener.logs import files as log_files
from tightener.logs.files import LogFile
from tightener.logs.staging import Progress
from tightener.policy import diff, document, verify
from tightener.report.defuse import visible
from tightener.resources import query, query_names

_MOST = 20  # places that one document differs in, which are named


@dataclass(frozen=True, slots=True)
class Failure:
    """An item of the pack that does not hold, and why."""

    item: str
    problem: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at, what does not hold, and whether the logs were read again (else `why_not`)."""

    manifest_sha256: str
    files: int
    logs: int  # found again, with the same bytes
    rerun: bool
    why_not: str
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Nothing that was looked at failed."""
        return not self.failures


@dataclass(slots=True)
class _Check:
    """One verification under way."""

    folder: Path
    found: dict[str, bytes] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def fail(self, item: str, problem: str) -> None:
        self.failures.append(Failure(item, problem))


def verify_pack(
    folder: Path, logs: Sequence[str] | None, now: datetime, progress: Callable[[Progress], None]
) -> Verified:
    """Verifies the pack in `folder`; with `logs` (files, folders, globs) everything is read, asked and proved again.

    Raises TightenerError (`no-evidence-pack`) where there is no manifest to hold anything against.
    """
    check = _Check(folder)
    _read(check)
    if manifest.NAME not in check.found:
        raise TightenerError(
            f"there is no {manifest.NAME} in {folder}",
            slug="no-evidence-pack",
            hint="name the folder that `tightener evidence -o` wrote",
        )
    whole = check.found[manifest.NAME]
    if check.found.get(manifest.SEAL) != manifest.seal(whole):
        check.fail(manifest.NAME, f"its bytes are not those that {manifest.SEAL} names")
    logs_found, rerun, why_not = 0, False, "no --logs were given"
    try:
        said = json.loads(whole)
        subjects = manifest.subjects(said)
        _hashes(check, subjects)
        sound = not check.failures
        _again_from_the_pack(check, said["predicate"])
        if logs is not None:
            ordered, digests, logs_found = _logs(check, said["predicate"], logs)
            if not sound:
                why_not = "files of the pack are altered"
            elif ordered is None:
                why_not = "logs are missing or altered"
            elif said["predicate"]["tool"] != pack.tool():
                why_not = "it was made by other versions"
                check.fail(
                    "tool",
                    f"the pack was made by {_versions(said['predicate']['tool'])}, this is {_versions(pack.tool())}",
                )
            else:
                rerun, why_not = True, ""
                _rerun(check, said, ordered, digests, now, progress)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        check.fail(
            manifest.NAME, f"it does not read as the manifest of an evidence pack: {type(error).__name__} {error}"
        )
        rerun, why_not = False, why_not or "the manifest cannot be read"
    return Verified(
        manifest.sha256(whole),
        len(check.found),
        logs_found,
        rerun,
        why_not,
        tuple(dict.fromkeys(check.failures)),
        tuple(check.notes),
    )


def _read(check: _Check) -> None:
    """Takes in every regular file of the folder; a link or a device is no part of a pack, and is not opened."""
    for base, below, names in os.walk(check.folder):
        for name in sorted([*names, *(one for one in below if Path(base, one).is_symlink())]):
            path = Path(base, name)
            item = path.relative_to(check.folder).as_posix()
            if path.is_symlink() or not path.is_file():
                check.fail(item, "it is no regular file")
                continue
            try:
                check.found[item] = path.read_bytes()
            except OSError as error:
                check.fail(item, f"it cannot be read: {error.strerror}")
        below.sort()


def _hashes(check: _Check, subjects: Mapping[str, str]) -> None:
    """Every file is the one that the manifest names, and there is no other."""
    own = {name: digest for name, digest in subjects.items() if not name.startswith(manifest.LOGS)}
    for name, digest in own.items():
        if name not in check.found:
            check.fail(name, "the manifest names it, and it is not there")
        elif manifest.sha256(check.found[name]) != digest:
            check.fail(name, "its bytes are not those that the manifest names")
    for name in check.found.keys() - own.keys() - {manifest.NAME, manifest.SEAL}:
        check.fail(name, "the manifest does not name it")


def _again_from_the_pack(check: _Check, said: Mapping[str, Any]) -> None:
    """What takes no logs: the sums, the queries, the diff and the containment."""
    for failure in _sums(said):
        check.failures.append(failure)
    if said["tool"] == pack.tool():
        for name in query_names():
            item = f"{pack.QUERIES}{name}.sql"
            if item in check.found and check.found[item] != query(name).encode():
                check.fail(item, "its text is not the query that this version of tightener runs")
    try:
        _containment(check, said)
    except TightenerError as error:
        check.fail("certificate.never_wider", f"it cannot be proved again: {error.message} [{error.slug}]")


def _sums(said: Mapping[str, Any]) -> Iterator[Failure]:
    """read = accepted + duplicate + rejected + not a use for each file; and the files make the sum of their source."""
    totals: dict[str, list[int]] = {}
    for one in said["inputs"]["logs"]:
        read, *parts = (int(one[name]) for name in SUM)
        if read != sum(parts):
            yield Failure(
                f"{manifest.LOGS}{one['name']}", f"its sum does not hold: {read} read, {sum(parts)} accounted for"
            )
        total = totals.setdefault(str(one["source"]), [0] * (1 + len(SUM)))
        for i, number in enumerate((1, read, *parts)):
            total[i] += number
    for one in said["counts"]:
        own = totals.pop(str(one["source"]), [0] * (1 + len(SUM)))
        for name, number in zip(("files", *SUM), own, strict=True):
            if one[name] != number:
                yield Failure(f"counts.{one['source']}.{name}", f"it says {one[name]}, and the files make {number}")
    for source in totals:
        yield Failure(f"counts.{source}", "the source has files, and no sum")


def _containment(check: _Check, said: Mapping[str, Any]) -> None:
    """The diff leads from the one policy to the other, and the other is proved to be never wider, once more."""
    old_name, new_name = said["policy"]["before"]["file"], said["policy"]["after"]["file"]
    if not {old_name, new_name, pack.DIFF} <= check.found.keys():
        return  # named already
    aliases = _config(check).aliases
    name = {one["file"]: one["name"] for one in said["inputs"]["policies"]}[old_name]
    old, new = check.found[old_name].decode(), check.found[new_name].decode()
    if diff.unified(old, new, name).encode() != check.found[pack.DIFF]:
        check.fail(pack.DIFF, "it does not lead from the policy before to the policy after")
    proved = said["certificate"]["never_wider"]
    verdict = verify.verify_sets(
        document.parse(old, old_name, aliases).agents,
        document.parse(new, new_name, aliases).agents,
        datetime.fromisoformat(proved["from"]),
    )
    agents = {one.agent: one.verdict.kind.value for one in verdict.agents}
    if verdict.kind != "contained":
        check.fail(new_name, f"it is not proved to be never wider: {verdict.kind.value}")
    if (agents, verdict.kind.value, True) != (proved["agents"], proved["verdict"], proved["holds"]):
        check.fail("certificate.never_wider", f"it says {proved['verdict']}, and the proof finds {verdict.kind.value}")
    if said["certificate"]["nothing_lost"]["lost"] != 0:
        check.fail("certificate.nothing_lost", "requests in use are lost")


def _config(check: _Check) -> Config:
    """The configuration that the pack holds, or an empty one."""
    return configuration.load(check.folder / pack.CONFIG) if pack.CONFIG in check.found else Config()


def _logs(
    check: _Check, said: Mapping[str, Any], paths: Sequence[str]
) -> tuple[list[tuple[str, str]] | None, list[str], int]:
    """The logs at hand as (path, format) in the order in which they were read, the digest files, and how many.

    A log is known by its bytes, and of equal ones by its name. None where one is missing or altered.
    """
    at_hand = log_files.find(paths)
    by_digest: dict[str, list[str]] = {}
    for file in at_hand.files:
        try:
            by_digest.setdefault(log_files.digest(file.path), []).append(file.path)
        except OSError as error:
            check.notes.append(f"{visible(file.path)} cannot be read: {error.strerror}")
    ordered: list[tuple[str, str]] = []
    wanted = said["inputs"]["logs"]
    for one in wanted:
        end = "/" + one["name"]
        same = by_digest.get(one["sha256"], [])
        path = next((p for p in same if p.endswith(end)), same[0] if same else None)
        if path is None:
            altered = any(file.path.endswith(end) for file in at_hand.files)
            problem = "its bytes are not those that were read" if altered else "it is not among the --logs"
            check.fail(f"{manifest.LOGS}{one['name']}", problem)
            continue
        same.remove(path)
        ordered.append((path, str(one["format"])))
    if more := sum(map(len, by_digest.values())):
        check.notes.append(f"files among the --logs that the pack was not made from, left out here: {more}")
    digests = _digests(check, said, at_hand.digests)
    return (ordered if len(ordered) == len(wanted) and digests is not None else None), digests or [], len(ordered)


def _digests(check: _Check, said: Mapping[str, Any], paths: Sequence[str]) -> list[str] | None:
    """CloudTrail's digest files that the pack was made from; None where one is missing or altered."""
    by_content: dict[str, list[str]] = {}
    for path in paths:
        content = hashlib.sha256()
        try:
            for piece in log_files.read_pieces(LogFile(0, path, 0)):
                content.update(piece)
        except OSError as error:
            check.notes.append(f"{visible(path)} cannot be read: {error.strerror}")
            continue
        by_content.setdefault(content.hexdigest(), []).append(path)
    found, whole = [], True
    for one in said["inputs"]["trail_digests"]:
        if not one["content_sha256"]:  # unreadable then: known by its name alone
            named = [path for path in paths if path.endswith("/" + one["name"])]
            found += named[:1]
            continue
        same = by_content.get(one["content_sha256"], [])
        if same:
            found.append(same.pop(0))
        else:
            check.fail(f"trail_digests/{one['name']}", "it is not among the --logs with the bytes that were read")
            whole = False
    return found if whole else None


def _rerun(
    check: _Check,
    said: Mapping[str, Any],
    ordered: Sequence[tuple[str, str]],
    digests: Sequence[str],
    now: datetime,
    progress: Callable[[Progress], None],
) -> None:
    """Makes the pack again from its inputs, and names everything in which the two differ."""
    predicate = said["predicate"]
    try:
        terms = Terms.parse(predicate["parameters"])
        config = pipeline.with_principals(_config(check), terms.agent, terms.principals)
        project = pipeline.open_project(config, None)
        for paths, name in _runs(ordered):
            pipeline.read_logs(project, paths, now, progress, name)
        if digests:
            pipeline.read_logs(project, digests, now, progress)
        policies = [Policy(one["name"], check.found[one["file"]].decode()) for one in predicate["inputs"]["policies"]]
        names = [one["name"] for one in predicate["inputs"]["logs"]]  # they may lie elsewhere, or have lain in S3
        again = pack.build(project, policies, check.found.get(pack.CONFIG), terms, names)
    except TightenerError as error:
        check.fail("re-run", f"it ends with an error: {error.message} [{error.slug}]")
        return
    for name in sorted(again.keys() | check.found.keys()):
        old, new = check.found.get(name), again.get(name)
        if old == new or name == manifest.SEAL:
            continue
        if old is None or new is None:
            check.fail(
                name, "the re-run makes it, and it is not there" if old is None else "the re-run does not make it"
            )
        elif name.endswith(".json"):
            places = list(manifest.differences(json.loads(old), json.loads(new)))
            for place, words in places[:_MOST]:
                check.fail(f"{name} {place}", words)
            if len(places) > _MOST or not places:
                check.fail(name, f"it differs in {len(places)} places" if places else "it says the same in other bytes")
        else:
            check.fail(name, "the re-run makes it with other bytes")


def _runs(ordered: Sequence[tuple[str, str]]) -> Iterator[tuple[list[str], str]]:
    """The files in pieces that one reading takes in this very order: which record of two equal ones counts is a matter
    of it, and a reading goes by paths."""
    held: list[str] = []
    kind = ""
    for path, name in ordered:
        if held and (name != kind or path < held[-1]):
            yield held, kind
            held = []
        held.append(path)
        kind = name
    if held:
        yield held, kind


def _versions(tool: Mapping[str, Any]) -> str:
    return f"{tool['name']} {tool['version']} with {tool['catalogue']['name']} {tool['catalogue']['version']}"
