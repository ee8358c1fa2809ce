"""Memory, threads and temporary files: as configured, or what the machine or its container leaves."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import pytest

from tightener import cli
from tightener.commands import reading
from tightener.errors import LogError
from tightener.logs import limits, store
from tightener.logs.limits import Limits

GIB = 1 << 30


def machine(root: Path, group: str, **files: str) -> Path:
    """A machine whose /proc and /sys say this; `__` in a name stands for a slash, `DOT` for a dot."""
    for name, text in {"proc__self__cgroup": group, **files}.items():
        path = root / name.replace("__", "/").replace("DOT", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    return root


def test_containers_limits_hold(tmp_path: Path) -> None:
    new = machine(
        tmp_path / "v2",
        "0::/user/app",
        sys__fs__cgroup__user__app__memoryDOTmax="max",
        sys__fs__cgroup__user__memoryDOTmax=str(GIB // 4),
        sys__fs__cgroup__user__app__cpuDOTmax="50000 100000",
    )
    assert (limits.memory(new), limits.threads(new)) == (GIB // 4, 1)
    inside = machine(  # its own group is the root that it sees
        tmp_path / "inside",
        "0::/docker/1234",
        sys__fs__cgroup__memoryDOTmax=str(GIB // 8),
        sys__fs__cgroup__cpuDOTmax="max 100000",
    )
    assert (limits.memory(inside), limits.threads(inside)) == (GIB // 8, len(os.sched_getaffinity(0)))
    old = machine(
        tmp_path / "v1",
        "5:cpu,cpuacct:/app\n4:memory:/app\n3:pids:/",
        sys__fs__cgroup__memory__app__memoryDOTlimit_in_bytes=str(GIB // 2),
        sys__fs__cgroup__memory__memoryDOTlimit_in_bytes="9223372036854771712",
        **{"sys__fs__cgroup__cpu,cpuacct__app__cpuDOTcfs_quota_us": "100000"},
        **{"sys__fs__cgroup__cpu,cpuacct__app__cpuDOTcfs_period_us": "100000"},
    )
    assert (limits.memory(old), limits.threads(old)) == (GIB // 2, 1)
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert limits.memory(tmp_path / "no linux") == whole


def test_what_is_configured_is_set(tmp_path: Path) -> None:
    spill = tmp_path / "a folder"
    with store.open(tmp_path / "t.duckdb", Limits(memory=GIB, threads=1, temporary=spill)) as con:
        said = con.execute(
            "SELECT current_setting('memory_limit'), current_setting('threads'), current_setting('temp_directory')"
        ).fetchone()
    assert said == ("1.0 GiB", 1, str(spill))
    assert spill.stat().st_mode & 0o777 == 0o700
    with store.open(tmp_path / "t.duckdb") as con:
        assert con.execute("SELECT current_setting('temp_directory')").fetchone() == (f"{tmp_path}/t.duckdb.tmp",)
    (tmp_path / "file").write_text("")
    with pytest.raises(LogError) as caught:
        store.open(tmp_path / "t.duckdb", Limits(temporary=tmp_path / "file" / "x"))
    assert caught.value.slug == "temp-directory"


def test_what_does_not_fit_is_spilled(tmp_path: Path) -> None:
    with store.open(None, Limits(memory=48 << 20, threads=2, temporary=tmp_path)) as con:
        con.execute("CREATE TEMP TABLE t AS SELECT i, md5(i::VARCHAR) AS m FROM range(2_000_000) AS r(i)")
        assert con.execute("SELECT sum(size) > 0 FROM duckdb_temporary_files()").fetchone() == (True,)
        assert con.execute("SELECT count(*), sum(i) FROM t").fetchone() == (2_000_000, 1_999_999_000_000)


def test_too_little_memory_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def starved(*_: object, **__: object) -> None:
        with duckdb.connect(":memory:") as con:
            con.execute("SET memory_limit = '1MB'")
            con.execute("CREATE TABLE t AS SELECT i, md5(i::VARCHAR) FROM range(1_000_000) AS r(i)")

    monkeypatch.setattr(reading, "status", starved)
    assert cli.run(["status"]) == 1
    said = capsys.readouterr().err
    assert "[out-of-memory]" in said
    assert "raise `memory_limit:` in tightener.yaml" in said
