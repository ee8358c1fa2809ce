"""The evidence pack: the same bytes twice, and each altered byte named."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightener.cli import run

ROOT = Path(__file__).parents[2]
AGENT = "claude-invoice-01"
Edit = Callable[[dict[str, Any]], None]


def call(base: Path, *words: str) -> tuple[int, str]:
    out = io.StringIO()
    here = Path.cwd()
    os.chdir(base)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            code = run(["--no-progress", *words])
    finally:
        os.chdir(here)
    return code, out.getvalue()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample story, read, in a folder with spaces, with one pack of it beside."""
    base = tmp_path_factory.mktemp("an auditor's") / "sample logs"
    shutil.copytree(ROOT / "sample_logs", base, ignore=shutil.ignore_patterns(".tightener", "__pycache__"))
    assert call(base, "ingest")[0] == 0
    assert call(base, "evidence", "--agent", AGENT, "-o", "../the pack")[0] == 0
    return base


@pytest.fixture
def pack(story: Path, tmp_path: Path) -> Path:
    """A copy of the pack, to be altered."""
    return Path(shutil.copytree(story.parent / "the pack", tmp_path / "a copy"))


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def verified(pack: Path, logs: Path | None = None) -> dict[str, Any]:
    """What verify-evidence says; its exit code is held against its verdict."""
    more = ["--logs", str(logs / "gateway"), "--logs", str(logs / "AWSLogs")] if logs else []
    code, out = call(pack.parent, "verify-evidence", str(pack), *more, "--json")
    found: dict[str, Any] = json.loads(out)
    assert (code, found["holds"]) == ((11, False) if found["failures"] else (0, True))
    return found


def items(found: dict[str, Any]) -> set[str]:
    return {one["item"] for one in found["failures"]}


def flip(path: Path, at: int = -2) -> None:
    """Alters one byte."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def reseal(pack: Path, edit: Edit = lambda said: None) -> None:
    """What a forger does: edits the manifest, and makes every digest in it fit again."""
    path = pack / "manifest.json"
    said = json.loads(path.read_text())
    edit(said["predicate"])
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in bytes_of(pack).items()}

    def again(node: Any) -> None:
        if isinstance(node, dict):
            if "file" in node and "sha256" in node:
                node["sha256"] = digests[node["file"]]
            for value in node.values():
                again(value)
        elif isinstance(node, list):
            for value in node:
                again(value)

    again(said["predicate"])
    for one in said["subject"]:
        one["digest"]["sha256"] = digests.get(one["name"], one["digest"]["sha256"])
    path.write_text(json.dumps(said, indent=2, sort_keys=True) + "\n")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (pack / "manifest.json.sha256").write_text(f"{digest}  manifest.json\n")


def test_a_fresh_pack_holds_with_and_without_the_logs(story: Path, pack: Path) -> None:
    found = verified(pack)
    assert (found["holds"], found["rerun"], found["not_rerun_because"]) == (True, False, "no --logs were given")
    found = verified(pack, story)
    assert (found["holds"], found["rerun"], found["logs"], found["notes"]) == (True, True, 28, [])
    code, out = call(story, "verify-evidence", str(pack), "--logs", "gateway", "--logs", "AWSLogs")
    assert (code, "read, asked and proved again\nverdict: holds\n" in out) == (0, True)


def test_twice_is_the_same_bytes_and_so_is_elsewhere(story: Path, pack: Path, tmp_path: Path) -> None:
    assert call(story, "evidence", "--agent", AGENT, "-o", str(tmp_path / "second"))[0] == 0
    assert bytes_of(tmp_path / "second") == bytes_of(pack)
    other = tmp_path / "elsewhere" / "deep"
    shutil.copytree(story, other, ignore=shutil.ignore_patterns(".tightener"))
    config = str(other / "tightener.yaml")
    assert call(tmp_path, "--config", config, "ingest")[0] == 0
    assert call(tmp_path, "--config", config, "evidence", "--agent", AGENT, "-o", str(tmp_path / "third"))[0] == 0
    assert bytes_of(tmp_path / "third") == bytes_of(pack)


def test_the_manifest_says_what_an_auditor_asks(story: Path, pack: Path) -> None:
    said = json.loads((pack / "manifest.json").read_text())
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    on_disk = bytes_of(pack)
    subjects = {one["name"]: one["digest"]["sha256"] for one in said["subject"]}
    logs = {f"logs/{p.relative_to(story).as_posix()}": p.read_bytes() for d in ("gateway", "AWSLogs")
            for p in (story / d).rglob("*") if p.is_file()}  # fmt: skip
    del on_disk["manifest.json"], on_disk["manifest.json.sha256"]
    assert subjects == {name: hashlib.sha256(data).hexdigest() for name, data in {**on_disk, **logs}.items()}
    predicate = said["predicate"]
    status = json.loads(call(story, "status", "--json")[1])
    assert [{k: one[k] for k in ("source", "read", "accepted", "duplicate", "rejected", "not_a_use")}
            for one in predicate["counts"]] == [
        {"source": s["source"], "read": s["records"], "accepted": s["accepted"], "duplicate": s["duplicate"],
         "rejected": s["rejected"], "not_a_use": s["not_use"]} for s in status["sources"]]  # fmt: skip
    plain = {f"logs/{one['name']}": one for one in predicate["inputs"]["logs"]}
    for name, data in logs.items():
        if name.startswith("logs/gateway/"):
            text = gzip.decompress(data) if name.endswith(".gz") else data
            assert plain[name]["read"] == len([line for line in text.splitlines() if line.strip()])
    suggested = json.loads(call(story, "suggest", "--agent", AGENT, "--json")[1])
    assert [one["id"] for one in predicate["suggestions"]] == [one["id"] for one in suggested["suggestions"]]
    lost = predicate["certificate"]["nothing_lost"]
    assert (lost["requests"], lost["lost"]) == (suggested["proof"]["replayed_requests"], 0)
    assert predicate["certificate"]["never_wider"]["verdict"] == "contained"
    assert call(story, "suggest", "--agent", AGENT, "--write")[0] == 0
    try:
        assert (pack / "policy/after/01.yaml").read_bytes() == (story / "policy.yaml").read_bytes()
    finally:
        shutil.copy(pack / "policy/before/01.yaml", story / "policy.yaml")


ONE_BYTE = (
    "queries/usage.sql", "policy/before/01.yaml", "policy/after/01.yaml", "policy.diff", "report.html",
    "comparison.json", "suggestions.json", "config/tightener.yaml", "manifest.json",
)  # fmt: skip


@pytest.mark.parametrize("name", ONE_BYTE)
def test_one_altered_byte_is_named(pack: Path, name: str) -> None:
    flip(pack / name, at=len((pack / name).read_bytes()) // 2)
    assert name in items(verified(pack))


def test_a_file_that_went_or_came_is_named(pack: Path) -> None:
    (pack / "queries" / "usage.sql").unlink()
    hostile = "\x1b[31m @all `rm` \u202egpj.html"
    (pack / hostile).write_text("x")
    (pack / "linked").symlink_to(pack / "report.html")
    assert items(verified(pack)) == {"queries/usage.sql", hostile, "linked"}
    out = call(pack.parent, "verify-evidence", str(pack))[1]
    assert not {"\x1b", "\u202e"} & set(out)
    assert "\\x1b[31m @all" in out


def test_an_altered_log_is_named_and_so_is_a_missing_one(story: Path, pack: Path, tmp_path: Path) -> None:
    logs = tmp_path / "logs again"
    shutil.copytree(story, logs, ignore=shutil.ignore_patterns(".tightener"))
    flip(logs / "gateway" / "2026-11-14.jsonl", at=100)
    (logs / "gateway" / "2026-11-15.jsonl").unlink()
    found = verified(pack, logs)
    assert {one["item"]: one["problem"] for one in found["failures"]} == {
        "logs/gateway/2026-11-14.jsonl": "its bytes are not those that were read",
        "logs/gateway/2026-11-15.jsonl": "it is not among the --logs",
    }
    assert (found["rerun"], found["logs"]) == (False, 26)


def test_logs_that_the_pack_was_not_made_from_are_left_out_and_said(story: Path, pack: Path, tmp_path: Path) -> None:
    logs = tmp_path / "more logs"
    shutil.copytree(story, logs, ignore=shutil.ignore_patterns(".tightener"))
    newer = (logs / "gateway" / "2026-11-15.jsonl").read_text().replace("2026-11-15", "2026-11-16")
    (logs / "gateway" / "2026-11-16.jsonl").write_text(newer)
    found = verified(pack, logs)
    assert (found["holds"], found["rerun"], len(found["notes"])) == (True, True, 1)


def _count(said: dict[str, Any]) -> None:
    said["counts"][0]["accepted"] += 1


def _file_sum(said: dict[str, Any]) -> None:
    said["inputs"]["logs"][3]["rejected"] += 1


def _source(said: dict[str, Any]) -> None:
    said["counts"].pop()


def _lost(said: dict[str, Any]) -> None:
    said["certificate"]["nothing_lost"]["lost"] = 1


FORGED_SUMS: tuple[tuple[Edit, str], ...] = (
    (_count, "counts.cloudtrail.accepted"),
    (_file_sum, "logs/"),
    (_source, "counts.gateway"),
    (_lost, "certificate.nothing_lost"),
)


@pytest.mark.parametrize(("edit", "item"), FORGED_SUMS, ids=lambda one: getattr(one, "__name__", None))
def test_a_forged_number_does_not_add_up_even_with_every_digest_made_to_fit(pack: Path, edit: Edit, item: str) -> None:
    reseal(pack, edit)
    assert any(one.startswith(item) for one in items(verified(pack)))


def test_a_forged_query_or_policy_is_found_even_with_every_digest_made_to_fit(pack: Path) -> None:
    reseal(pack)
    assert verified(pack)["holds"]  # the forger's hand alone leaves no trace
    query = pack / "queries" / "usage.sql"
    query.write_text(query.read_text() + "-- and more\n")
    reseal(pack)
    assert items(verified(pack)) == {"queries/usage.sql"}
    wider = (pack / "policy/after/01.yaml").read_text().replace("git", "aws", 1)
    assert wider != (pack / "policy/after/01.yaml").read_text()
    (pack / "policy/after/01.yaml").write_text(wider)
    reseal(pack)
    assert {"policy.diff", "policy/after/01.yaml", "certificate.never_wider"} <= items(verified(pack))


def _balanced(said: dict[str, Any]) -> None:
    """One accepted record fewer and one duplicate more: every sum still holds."""
    log = said["inputs"]["logs"][0]
    for one in (log, next(c for c in said["counts"] if c["source"] == log["source"])):
        one["accepted"] -= 1
        one["duplicate"] += 1


def test_the_rerun_finds_what_only_the_logs_can_tell(story: Path, pack: Path) -> None:
    report = pack / "report.html"
    report.write_text(report.read_text().replace("exercised", "exorcised", 1))
    evidence = json.loads((pack / "suggestions.json").read_text())
    evidence["uses"] += 1
    (pack / "suggestions.json").write_text(json.dumps(evidence, indent=2, sort_keys=True) + "\n")

    def edit(said: dict[str, Any]) -> None:
        _balanced(said)
        said["certificate"]["nothing_lost"]["requests"] += 1
        said["gaps"][0]["missing"] = ["2026-09-09"]

    reseal(pack, edit)
    assert verified(pack)["holds"]
    found = items(verified(pack, story))
    source = json.loads((pack / "manifest.json").read_text())["predicate"]["inputs"]["logs"][0]["source"]
    number = 0 if source == "cloudtrail" else 1
    assert found >= {
        "report.html",
        "suggestions.json uses",
        "manifest.json predicate.inputs.logs[0].accepted",
        f"manifest.json predicate.counts[{number}].duplicate",
        "manifest.json predicate.certificate.nothing_lost.requests",
        "manifest.json predicate.gaps[0].missing",
    }


def test_a_pack_of_another_version_is_not_judged_by_this_one(story: Path, pack: Path) -> None:
    reseal(pack, lambda said: said["tool"].update(version="0.0.1"))
    found = verified(pack, story)
    assert (items(found), found["rerun"]) == ({"tool"}, False)


def test_hostile_names_and_the_order_of_reading(tmp_path: Path) -> None:
    """Logs and a policy with names that mean something to shells, terminals and YAML; records that two files share,
    read against the order of their names."""
    lines: list[str] = []
    for path in sorted((ROOT / "sample_logs" / "gateway").iterdir()):
        data = path.read_bytes()
        lines += (gzip.decompress(data) if path.suffix == ".gz" else data).decode().splitlines()
    lines = [line for line in lines if line.endswith("}")]  # the sample's broken one would hole all of a file's days
    first, second = tmp_path / "b \x1b[2J`$(x)`\n# @all.jsonl", tmp_path / "a '\"; --.jsonl"
    first.write_text("\n".join(lines[len(lines) // 2 - 50 :]) + "\n")
    second.write_text("\n".join(lines[: len(lines) // 2 + 50]) + "\n")
    policy = tmp_path / "=cmd: [x] \u202e.yaml"
    shutil.copy(ROOT / "sample_logs" / "policy.yaml", policy)
    for log in (first, second):
        assert call(tmp_path, "--db", "x.duckdb", "ingest", str(log))[0] == 0
    asked = ("--agent", AGENT, "--policy", str(policy), "-o", "p q")
    code, out = call(tmp_path, "--db", "x.duckdb", "evidence", *asked)
    assert code == 0, out
    said = json.loads((tmp_path / "p q" / "manifest.json").read_text())["predicate"]
    assert [one["name"] for one in said["inputs"]["logs"]] == [first.name, second.name]
    early, late = (one["duplicate"] for one in said["inputs"]["logs"])
    assert early < 5  # the sample's own
    assert late >= 90  # the one that was read later, whatever its name
    assert said["inputs"]["policies"] == [{"file": "policy/before/01.yaml", "name": policy.name}]
    code, out = call(tmp_path, "verify-evidence", "p q", "--logs", str(first), "--logs", str(second), "--json")
    assert (code, json.loads(out)["failures"], json.loads(out)["rerun"]) == (0, [], True)


def _with_digests(base: Path) -> list[Path]:
    """Writes a digest file for each of the story's CloudTrail files, chained."""
    made: list[Path] = []
    before: tuple[str, str] | None = None
    account = base / "AWSLogs" / "123456789012"
    for log in sorted((account / "CloudTrail").rglob("*.json.gz")):
        day = log.name.split("_")[3]
        end = datetime.strptime(day, "%Y%m%dT%H%MZ").replace(tzinfo=UTC)
        name = f"123456789012_CloudTrail-Digest_us-east-1_main_us-east-1_{day}.json"
        key = f"AWSLogs/123456789012/CloudTrail-Digest/us-east-1/{name}"
        body = gzip.decompress(log.read_bytes())
        text = json.dumps({
            "awsAccountId": "123456789012", "digestS3Object": key,
            "digestStartTime": f"{end - timedelta(days=7):%Y-%m-%dT%H:%M:%SZ}",
            "digestEndTime": f"{end:%Y-%m-%dT%H:%M:%SZ}",
            "previousDigestS3Object": before and before[0], "previousDigestHashValue": before and before[1],
            "logFiles": [{"s3Object": log.relative_to(base).as_posix(), "hashValue": hashlib.sha256(body).hexdigest()}],
        })  # fmt: skip
        path = account / "CloudTrail-Digest" / "us-east-1" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        made.append(path)
        before = key, hashlib.sha256(text.encode()).hexdigest()
    return made


def test_the_digest_files_of_a_trail_are_inputs_too(story: Path, tmp_path: Path) -> None:
    base = tmp_path / "with digests"
    shutil.copytree(story, base, ignore=shutil.ignore_patterns(".tightener"))
    digests = _with_digests(base)
    assert call(base, "ingest")[0] == 0
    assert call(base, "evidence", "--agent", AGENT, "-o", str(tmp_path / "pack"))[0] == 0
    said = json.loads((tmp_path / "pack" / "manifest.json").read_text())["predicate"]
    by_hand = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in digests}
    assert {one["name"]: one["content_sha256"] for one in said["inputs"]["trail_digests"]} == by_hand
    assert len(by_hand) == 13
    found = verified(tmp_path / "pack", base)
    assert (found["holds"], found["rerun"]) == (True, True)
    flip(digests[4])
    digests[6].unlink()
    found = verified(tmp_path / "pack", base)
    assert items(found) == {f"trail_digests/{digests[4].name}", f"trail_digests/{digests[6].name}"}
    assert not found["rerun"]


def test_names_in_the_manifest_are_never_opened(pack: Path) -> None:
    outside = pack.parent / "secret"
    outside.write_text("x")
    path = pack / "manifest.json"
    said = json.loads(path.read_text())
    said["subject"].append({"name": "../secret", "digest": {"sha256": hashlib.sha256(b"x").hexdigest()}})
    path.write_text(json.dumps(said))
    assert "../secret" in items(verified(pack))


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "[" * 100_000, '{"_type": 1e999}', "\ufffe"])
def test_what_is_no_manifest_is_a_failure_and_no_crash(pack: Path, text: str) -> None:
    (pack / "manifest.json").write_text(text)
    assert "manifest.json" in items(verified(pack))


def _places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    keys = list(node) if isinstance(node, dict) else range(min(2, len(node))) if isinstance(node, list) else ()
    return [path, *(place for key in keys for place in _places(node[key], (*path, key)))]


@settings(max_examples=60)
@given(st.data())
def test_a_manifest_of_any_other_shape_is_a_failure_and_no_crash(story: Path, data: st.DataObject) -> None:
    whole = (story.parent / "the pack" / "manifest.json").read_bytes()
    said = json.loads(whole)
    place = data.draw(st.sampled_from(_places(said)[1:]))
    node = said
    for key in place[:-1]:
        node = node[key]
    value = data.draw(st.sampled_from([None, [], {}, "x", 1e400, -1, True, ["x"], {"x": 1}]))
    if node[place[-1]] == value:
        return
    node[place[-1]] = value
    pack = story.parent / "of another shape"
    if not pack.exists():
        shutil.copytree(story.parent / "the pack", pack)
    (pack / "manifest.json").write_text(json.dumps(said))
    assert "manifest.json" in items(verified(pack))


def test_a_folder_with_something_in_it_is_left_alone(story: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    code, out = call(story, "evidence", "--agent", AGENT, "-o", str(tmp_path), "--json")
    assert (code, json.loads(out)["error"]) == (1, "folder-not-empty")
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
    code, out = call(tmp_path, "verify-evidence", ".", "--json")
    assert (code, json.loads(out)["error"]) == (1, "no-evidence-pack")
