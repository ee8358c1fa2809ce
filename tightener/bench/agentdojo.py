"""The agent benchmark: policies mined from benign runs of real models, put to attacked runs of the same work.

The data is AgentDojo's (Debenedetti et al., 2024), flattened: `runs.jsonl.gz`, `calls.jsonl.gz` and `suites.json` in
one folder. A run is one model doing one task; in an attacked run a text that the agent reads tries to make it do
something else, and a call that serves the attacker is marked `injected`. docs/backtest.md says what is measured.
"""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from tightener import pipeline
from tightener.config import Config
from tightener.errors import TightenerError

SERVICE = "tools"
# An attacked run of this task proves nothing: its benign work pays the account that the attackers want paid.
PAYS_THE_ATTACKER = ("banking", "user_task_15")
TASK_FOLDS = 5
_FIRST_DAY = date(2026, 1, 1)  # invented, as all times here: the data has none
_READ_AT = datetime(2027, 1, 1, tzinfo=UTC)  # after all of them: what is dated in the future is rejected


@dataclass(frozen=True, slots=True)
class Run:
    """One run that counts. `succeeded`: attacked, and the attacker got what they wanted."""

    path: str
    suite: str
    task: str
    pipeline: str
    attacked: bool
    succeeded: bool


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a run. `requests` are the resources that it touches: `name=value`, or '' for a call without any."""

    run: Run
    tool: str
    args: str  # as logged, JSON with sorted keys
    injected: bool
    failed: bool
    requests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Data:
    """What was read: the runs that count, their calls in order, and the tools that each suite grants."""

    runs: tuple[Run, ...]
    calls: tuple[Call, ...]
    tools: Mapping[str, tuple[str, ...]]

    @property
    def pipelines(self) -> tuple[str, ...]:
        """The models, sorted."""
        return tuple(sorted({run.pipeline for run in self.runs}))


@dataclass(frozen=True, slots=True)
class Fold:
    """One way to part the runs: learn from the benign ones of one side, score on the other."""

    split: str
    number: int
    trains: Callable[[Run], bool]
    tests: Callable[[Run], bool]


def read(folder: Path) -> Data:
    """Reads the three files, without the runs that say nothing.

    Left out: runs that broke down, runs in which the attacker's text was given as the task (`direct`), and attacked
    runs of the task that pays the attacker anyway. Raises TightenerError (`no-benchmark-data`).
    """
    try:
        raw_runs = list(_lines(folder / "runs.jsonl.gz"))
        raw_calls = list(_lines(folder / "calls.jsonl.gz"))
        suites = json.loads((folder / "suites.json").read_text(encoding="utf-8"))
        found = [_run(raw) for raw in raw_runs if not raw["err"] and not raw["direct"]]
        runs = {run.path: run for run in found if not (run.attacked and (run.suite, run.task) == PAYS_THE_ATTACKER)}
        counted = [raw for raw in raw_calls if raw["run"] in runs]
        requests = _requests([(raw["tool"], raw["args"]) for raw in counted])
        calls = tuple(
            Call(
                run=runs[raw["run"]],
                tool=raw["tool"],
                args=json.dumps(raw["args"], sort_keys=True),
                injected=raw["injected"],
                failed=bool(raw["error"]),
                requests=touched,
            )
            for raw, touched in zip(counted, requests, strict=True)
        )
        granted = {suite: tuple(entry["tools"]) for version in suites.values() for suite, entry in version.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TightenerError(
            f"{folder} does not hold the AgentDojo runs: {error}",
            slug="no-benchmark-data",
            hint="name the folder with runs.jsonl.gz, calls.jsonl.gz and suites.json",
        ) from error
    return Data(tuple(runs.values()), calls, granted)


def folds(data: Data, split: str) -> tuple[Fold, ...]:
    """`M`: two folds by model, every other one of the sorted list. `T`: five folds by the task's number."""
    if split == "M":
        place = {name: i % 2 for i, name in enumerate(data.pipelines)}
        return tuple(
            Fold(split, n, lambda r, n=n: place[r.pipeline] != n, lambda r, n=n: place[r.pipeline] == n)  # type: ignore[misc]
            for n in range(2)
        )
    return tuple(
        Fold(split, n, lambda r, n=n: _number(r) % TASK_FOLDS != n, lambda r, n=n: _number(r) % TASK_FOLDS == n)  # type: ignore[misc]
        for n in range(TASK_FOLDS)
    )


def days_of(data: Data, fold: Fold) -> Mapping[str, date]:
    """The invented day of each run: the rank of its model among those of the fold's training side."""
    trained = sorted({run.pipeline for run in data.runs if not run.attacked and fold.trains(run)})
    return {name: _FIRST_DAY + timedelta(days=i) for i, name in enumerate(trained)}


def log_lines(calls: Sequence[Call], days: Mapping[str, date], agent_of: Callable[[Run], str]) -> Iterator[str]:
    """The calls as lines of a gateway's log (format v1): a run is a session, its calls a second apart."""
    clock: dict[str, int] = {}
    for number, call in enumerate(calls):
        run = call.run
        clock[run.path] = clock.get(run.path, -1) + 1
        moment = datetime.combine(days[run.pipeline], time(8), UTC) + timedelta(seconds=clock[run.path])
        yield _line(str(number), moment, agent_of(run), run.path, call.tool, json.loads(call.args))


def _line(name: str, moment: datetime, agent: str, session: str, tool: str, args: Mapping[str, Any]) -> str:
    told = {
        "v": 1, "id": name, "time": f"{moment:%Y-%m-%dT%H:%M:%SZ}", "agent": agent, "session": session,
        "service": SERVICE, "action": tool, "args": args, "decision": "allow", "outcome": "success",
    }  # fmt: skip
    return json.dumps(told) + "\n"


def _requests(calls: Sequence[tuple[str, Mapping[str, Any]]]) -> list[tuple[str, ...]]:
    """What each call touches, by the same reading of a gateway's log that every other log gets."""
    moment = datetime.combine(_FIRST_DAY, time(), UTC)
    lines = (_line(f"{n:09d}", moment, "any", "any", tool, args) for n, (tool, args) in enumerate(calls))
    project = load(lines)
    rows = project.con.execute(
        "SELECT native_id, list(DISTINCT resource ORDER BY resource) FROM event GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    project.con.close()
    if len(rows) != len(calls):
        raise ValueError(f"{len(calls)} calls were written, {len(rows)} came back")
    return [tuple(resources) for _, resources in rows]


def load(lines: Iterator[str]) -> pipeline.Project:
    """A database in memory that has read these lines of a gateway's log."""
    with tempfile.TemporaryDirectory(prefix="tightener-bench-") as folder:
        path = Path(folder) / "gateway.jsonl"
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(lines)
        project = pipeline.open_project(Config(), None)
        pipeline.read_logs(project, [str(path)], _READ_AT, lambda _: None)
    return project


def _lines(path: Path) -> Iterator[Any]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def _run(raw: Mapping[str, Any]) -> Run:
    attacked = raw["attack"] != "none"
    return Run(
        path=raw["path"],
        suite=raw["suite"],
        task=raw["task"],
        pipeline=raw["pipeline"],
        attacked=attacked,
        succeeded=attacked and bool(raw["security"]),
    )


def _number(run: Run) -> int:
    return int(run.task.rpartition("_")[2])
