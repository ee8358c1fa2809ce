"""Bytes come out as they went in, whatever the carrier; what is damaged gives what is before the damage."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from tightener.logs.files import LogFile, find, head, in_batches, read_pieces
from tightener.logs.formats.lines import batches

DATA = b"".join(b'{"number": %d}\n' % (i * i) for i in range(2000))


def read(path: Path, limit: int = 1 << 30) -> tuple[bytes, list[str]]:
    problems: list[str] = []
    return b"".join(read_pieces(LogFile(0, str(path), 0, limit=limit), problems.append)), problems


@settings(max_examples=60)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.sampled_from(["plain", "gzip", "zstd"]))
def test_round_trip_of_several_members(tmp_path: Path, parts: list[bytes], kind: str) -> None:
    pack = {"plain": bytes, "gzip": gzip.compress, "zstd": zstandard.compress}[kind]
    path = tmp_path / "f"
    path.write_bytes(b"x" * 4 + b"".join(parts) if kind == "plain" else b"".join(map(pack, parts)))
    assert read(path) == ((b"x" * 4 if kind == "plain" else b"") + b"".join(parts), [])


def test_large_files_and_ratios(tmp_path: Path) -> None:
    noise, zeros = os.urandom(3 << 20), bytes(40 << 20)
    path = tmp_path / "f"
    for pack in (gzip.compress, zstandard.compress):
        path.write_bytes(pack(noise) + pack(zeros) + pack(noise))
        assert read(path) == (noise + zeros + noise, [])
        assert read(path, 5 << 20) == (
            noise + zeros[: 2 << 20],
            ["larger than 5,242,880 bytes when decompressed: the rest was not read (`largest_file` in tightener.yaml)"],
        )
        assert head(str(path)) == noise[: 1 << 16]


@settings(max_examples=40)
@given(st.integers(0, 400))
def test_a_cut_gives_a_prefix_and_a_problem(tmp_path: Path, missing: int) -> None:
    packed = gzip.compress(DATA)
    path = tmp_path / "f"
    path.write_bytes(packed[: -1 - missing])
    got, problems = read(path)
    assert DATA.startswith(got)
    assert [p[:20] for p in problems] == ["truncated gzip after"]


@settings(max_examples=40)
@given(st.integers(1, 8), st.integers(1, 255))
def test_a_wrong_checksum_gives_everything_and_a_problem(tmp_path: Path, where: int, flip: int) -> None:
    packed = bytearray(gzip.compress(DATA[:1000]) + gzip.compress(DATA))
    packed[-where] ^= flip
    path = tmp_path / "f"
    path.write_bytes(packed)
    got, problems = read(path)
    assert got == DATA[:1000] + DATA
    assert [p[:18] for p in problems] == ["damaged gzip after"]


def test_found_in_order_and_once(tmp_path: Path) -> None:
    for name in ("b/2", "b/1", "a", ".git/x", "b/.swp", "CloudTrail-Insight/x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    found = find([str(tmp_path / "b"), str(tmp_path), str(tmp_path / "b" / "*"), str(tmp_path / "none")])
    assert [Path(f.path).relative_to(tmp_path).as_posix() for f in found.files] == ["a", "b/1", "b/2"]
    assert [p.message for p in found.problems] == ["skipped: it holds no API calls", "there is no such file or folder"]
    os.mkfifo(tmp_path / "b" / "pipe")
    assert find([str(tmp_path / "b" / "pipe")]).problems[0].message == "this is no regular file"
    (tmp_path / "void").mkdir()
    assert find([str(tmp_path / "void")]).problems[0].message == "there is no file in this folder"


@settings(max_examples=100)
@given(
    st.lists(st.sampled_from([b"\n", b"\r\n", b"{}", b"x" * 9, b" ", "é".encode(), b"\xff", b"\n\n"])),
    st.integers(1, 7),
)
def test_lines_and_their_numbers(parts: list[bytes], step: int) -> None:
    data = b"".join(parts)
    pieces = [data[i : i + step] for i in range(0, len(data), step)]
    got = [
        (p, t.strip())
        for b in batches(1, pieces)
        for p, t in zip(*(b.column(i).to_pylist() for i in (1, 3)), strict=True)
    ]
    wanted = [
        (number, line.strip().decode() if b"\xff" not in line else "\x00")
        for number, line in enumerate(data.split(b"\n"), 1)
        if line.strip()
    ]
    assert [pair for pair in got if pair[1]] == wanted


@given(st.lists(st.tuples(st.integers(1, 90), st.sampled_from(["", "gzip"])), max_size=30), st.integers(1, 200))
def test_batches_hold_every_file_in_order_and_not_much_too_much(sizes: list[tuple[int, str]], most: int) -> None:
    files = [LogFile(n, str(n), size, kind) for n, (size, kind) in enumerate(sizes)]
    weight = {file.id: file.size * (12 if file.compression else 1) for file in files}
    found = in_batches(files, most)
    assert [file for batch in found for file in batch] == files
    assert all(found)
    for nr, batch in enumerate(found):
        whole = sum(weight[file.id] for file in batch)
        rest = most / 4 if nr == len(found) - 1 else 0
        assert whole <= max(most, weight[batch[0].id]) + rest
        if nr + 1 < len(found):  # no smaller than it had to be
            assert whole + weight[found[nr + 1][0].id] > most
