"""A batch shared out among the cores is the batch as one core reads it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from cloudtrail_record import record
from hypothesis import given
from hypothesis import strategies as st

from tightener.config import Config
from tightener.errors import LogError
from tightener.logs.files import LogFile, weight
from tightener.logs.formats import cloudtrail_shares
from tightener.logs.limits import Limits
from tightener.pipeline import open_project, read_logs

SAMPLE = Path(__file__).resolve().parents[2] / "sample_logs"
NOW = datetime(2026, 12, 1, tzinfo=UTC)
FOUR = Config(limits=Limits(threads=4))
MEGABYTE = 1 << 20


def content(con: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    names = [name for (name,) in con.execute("SELECT table_name FROM duckdb_tables() WHERE NOT temporary").fetchall()]
    found = {name: con.execute(f"FROM {name}").fetchall() for name in names if name not in ("meta", "log_file")}
    found["log_file"] = con.execute("SELECT * EXCLUDE (read_at) FROM log_file").fetchall()
    return {name: sorted(map(repr, rows)) for name, rows in found.items()}


def read(
    paths: list[str], monkeypatch: pytest.MonkeyPatch, share: int, *earlier: str
) -> tuple[dict[str, list[str]], int]:
    """What the database holds, and in how many shares the last batch was read."""
    monkeypatch.setattr(cloudtrail_shares, "_SHARE", share)
    shares: list[int] = []
    keep = cloudtrail_shares.shared_out

    def counted(files, cores):
        found = keep(files, cores)
        shares.append(len(found))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(cloudtrail_shares, "shared_out", counted)
        project = open_project(FOUR, None)
        if earlier:
            read_logs(project, list(earlier), NOW, lambda _: None)
        read_logs(project, paths, NOW, lambda _: None)
    return content(project.con), shares[-1]


def test_shares_hold_what_the_whole_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, one = read([str(SAMPLE)], monkeypatch, 1 << 40)
    shared, many = read([str(SAMPLE)], monkeypatch, 1000)
    assert (one, many) == (1, 4)
    assert shared == whole
    assert len(whole["identity"]) > 1


def test_callers_of_an_earlier_reading_keep_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    months = sorted(str(path) for path in SAMPLE.rglob("CloudTrail/*/2026/??"))
    assert len(months) > 1
    whole, _ = read(months, monkeypatch, 1 << 40, months[1])
    shared, many = read(months, monkeypatch, 1000, months[1])
    assert many == 4
    assert shared == whole


def test_a_file_that_goes_away_stores_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cloudtrail_shares, "_SHARE", 1000)
    for number in range(8):
        text = "\n".join(
            str(record(number=100 * number + n)).replace("'", '"').replace("None", "null") for n in range(99)
        )
        (tmp_path / f"{number}.json").write_text(text, encoding="utf-8")
    keep = cloudtrail_shares.shared_out

    def gone(files, cores):
        (tmp_path / "6.json").unlink()
        return keep(files, cores)

    project = open_project(FOUR, None)
    with monkeypatch.context() as patch:
        patch.setattr(cloudtrail_shares, "shared_out", gone)
        with pytest.raises(LogError, match="went away"):
            read_logs(project, [str(tmp_path)], NOW, lambda _: None)
    assert project.con.execute("SELECT count(*) FROM event").fetchone() == (0,)
    assert len(read_logs(project, [str(tmp_path)], NOW, lambda _: None).files) == 7
    assert capfd.readouterr().err == ""


@given(st.lists(st.integers(0, 40 * MEGABYTE), min_size=1, max_size=40), st.integers(1, 9))
def test_shares_are_in_order_and_even(sizes: list[int], cores: int) -> None:
    files = [LogFile(number, f"{number}.json", size) for number, size in enumerate(sizes)]
    shares = cloudtrail_shares.shared_out(files, cores)
    assert [file for share in shares for file in share] == files
    assert all(shares)
    assert len(shares) <= cores
    if len(shares) > 1:
        even, greatest = sum(sizes) / len(shares), max(sizes)
        assert max(sum(map(weight, share)) for share in shares) <= even + greatest
        assert greatest <= 2 * even


def test_what_is_not_worth_it_is_not_shared_out() -> None:
    small = [LogFile(number, f"{number}.json", MEGABYTE) for number in range(8)]
    assert cloudtrail_shares.shared_out(small, 4) == [small]
    great = [*small, LogFile(9, "9.json", 400 * MEGABYTE)]
    assert cloudtrail_shares.shared_out(great, 4) == [great]
    assert len(cloudtrail_shares.shared_out(great[:-1] * 20, 4)) == 4
