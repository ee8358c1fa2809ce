"""Finds log files and reads their bytes: plain, gzip (several members, cut short) and zstd, told apart by content."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast

import zstandard
from isal import isal_zlib

HEAD = 1 << 16  # decompressed bytes that a format is recognised by
LIMIT = 4 << 30  # decompressed bytes of one file that are read, unless `largest_file` says otherwise
TOO_LARGE = "larger than"
PIECE = 1 << 20
_CRUMB = 1
_DAMAGE: tuple[type[Exception], ...] = (
    cast("type[Exception]", isal_zlib.IsalError),  # its stubs take it for an instance
    zstandard.ZstdError,
    EOFError,
)
_INFLATES = 12  # what a compressed byte of a log comes to, roughly
_DIGESTS = "CloudTrail-Digest"
_SKIPPED = ("CloudTrail-Insight",)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not be read, in a sentence; everything else was."""

    path: str
    message: str


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file to read. `id` is 0 until the ledger has given it one.

    An object from S3 has its address as `uri`, and `path` is where its bytes are meanwhile.
    """

    id: int
    path: str
    size: int
    compression: str = ""
    problem: str = ""
    uri: str = ""
    stamp: str = ""  # of what has a `uri`: what tells this content of it from another
    limit: int = LIMIT

    @property
    def name(self) -> str:
        """What people and the ledger call it."""
        return self.uri or self.path


@dataclass(frozen=True, slots=True)
class Found:
    """What `find` found: files in the order of their paths, and what it could not look into or left out."""

    files: tuple[LogFile, ...]
    problems: tuple[Problem, ...]
    digests: tuple[str, ...] = ()  # CloudTrail's digest files, which name the log files that there must be


def find(paths: Sequence[str]) -> Found:
    """Every file under the paths (files, folders with all that is in them, globs), each once, sorted by path.

    Hidden files and folders are skipped below a named folder; so are CloudTrail's Insights folders, which hold no API
    calls. What lies in a folder of CloudTrail's digest files is one of those, and no log. What is missing, empty or
    unreadable comes back as a problem.
    """
    files: dict[str, LogFile] = {}
    problems: list[Problem] = []
    for text in paths:
        named = Path(text)
        if named.exists():
            _add(named, files, problems)
            continue
        # Path.glob takes no absolute pattern
        matched = sorted(glob.glob(text, recursive=True)) if glob.has_magic(text) else []  # noqa: PTH207
        if not matched:
            problems.append(Problem(text, "there is no such file or folder"))
        for one in matched:
            _add(Path(one), files, problems)
    digests = tuple(path for path in sorted(files) if _DIGESTS in Path(path).parts)
    return Found(
        tuple(files[path] for path in sorted(files.keys() - set(digests))),
        tuple(sorted(dict.fromkeys(problems), key=lambda p: p.path)),
        digests,
    )


def _add(path: Path, files: dict[str, LogFile], problems: list[Problem]) -> None:
    if not path.is_dir():
        _add_file(path, files, problems)
        return

    def failed(error: OSError) -> None:
        problems.append(Problem(str(error.filename), f"this folder cannot be read: {error.strerror}"))

    before = len(files) + len(problems)
    for folder, below, names in os.walk(path, onerror=failed):
        problems += [
            Problem(str(Path(folder, name)), "skipped: it holds no API calls") for name in below if name in _SKIPPED
        ]
        below[:] = sorted(name for name in below if name not in _SKIPPED and not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                _add_file(Path(folder, name), files, problems)
    if len(files) + len(problems) == before and not any(known.startswith(f"{path.resolve()}/") for known in files):
        problems.append(Problem(str(path), "there is no file in this folder"))


def _add_file(path: Path, files: dict[str, LogFile], problems: list[Problem]) -> None:
    full = Path(os.path.abspath(path))  # noqa: PTH100 - links stay as they are named: their target may move
    try:
        if not full.is_file():
            problems.append(Problem(str(path), "this is no regular file"))
            return
        size = full.stat().st_size
    except OSError as error:
        problems.append(Problem(str(path), f"cannot be read: {error.strerror}"))
        return
    if not size:
        problems.append(Problem(str(full), "the file is empty"))
        return
    files[str(full)] = LogFile(0, str(full), size)


def in_batches(files: Sequence[LogFile], most: int) -> list[tuple[LogFile, ...]]:
    """The files in order, as many together as come to `most` decompressed bytes, estimated; at least one.

    What is left at the end and less than a quarter of that goes with the files before it: each batch costs something.
    """
    found: list[tuple[LogFile, ...]] = []
    held: list[LogFile] = []
    size = 0
    for file in files:
        if held and size + weight(file) > most:
            found.append(tuple(held))
            held, size = [], 0
        held.append(file)
        size += weight(file)
    if found and size * 4 < most:
        return [*found[:-1], (*found[-1], *held)]
    return [*found, tuple(held)] if held else found


def weight(file: LogFile) -> int:
    """Its decompressed bytes, estimated."""
    return file.size * (_INFLATES if file.compression else 1)


def digest(path: str) -> str:
    """The sha256 of the bytes on disk, hex. Raises OSError."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def compression(path: str) -> str:
    """'gzip', 'zstd' or '', by the first bytes. Raises OSError."""
    with Path(path).open("rb") as file:
        return _magic(file.read(4))


def opened(file: LogFile) -> LogFile:
    """With its compression: which also finds out that it can be opened. Raises OSError."""
    return replace(file, compression=compression(file.path))


def _magic(first: bytes) -> str:
    if first[:2] == b"\x1f\x8b":
        return "gzip"
    return "zstd" if first == b"\x28\xb5\x2f\xfd" or (first[1:] == b"\x2a\x4d\x18" and first[0] >> 4 == 5) else ""


def head(path: str) -> bytes:
    """The first HEAD decompressed bytes. Raises OSError."""
    held = b""
    for piece in read_pieces(LogFile(0, path, 0), piece=HEAD):
        held += piece
        if len(held) >= HEAD:
            break
    return held[:HEAD]


def _ignore(_: str) -> None:
    """What a caller who does not ask for problems hears of them."""


def too_large(limit: int) -> str:
    """What is said of a file of which no more than `limit` bytes were read."""
    return f"{TOO_LARGE} {limit:,} bytes when decompressed: the rest was not read (`largest_file` in tightener.yaml)"


def read_pieces(file: LogFile, on_problem: Callable[[str], None] = _ignore, piece: int = PIECE) -> Iterator[bytes]:
    """The decompressed bytes in pieces of at most `piece`.

    What is cut short, damaged or larger than the file's limit gives what can be read, and then a sentence to
    `on_problem`. Raises OSError where the file itself cannot be read.
    """
    with Path(file.path).open("rb") as raw:
        kind = _magic(raw.read(4))
        raw.seek(0)
        pieces = _plain(raw, piece) if kind == "" else _inflated(raw, kind, on_problem, piece)
        seen = 0
        for one in pieces:
            if seen + len(one) > file.limit:
                yield one[: file.limit - seen]
                on_problem(too_large(file.limit))
                return
            seen += len(one)
            yield one


def _plain(raw: BinaryIO, most: int) -> Iterator[bytes]:
    while piece := raw.read(most):
        yield piece


class _GzipMember:
    """One gzip member, in steps that never give more than a piece at a time. `rest` is what follows it."""

    def __init__(self) -> None:
        self._inflater = isal_zlib.decompressobj(wbits=31)
        self.done = False
        self.rest = b""

    def steps(self, data: bytes, most: int) -> Iterator[bytes]:
        while True:
            piece = self._inflater.decompress(data, most)
            if piece:
                yield piece
            data = self._inflater.unconsumed_tail
            if self._inflater.eof:
                self.done, self.rest = True, self._inflater.unused_data
                return
            if not data and len(piece) < most:
                return


class _ZstdFrame:
    """One zstd frame; short inputs, because a frame has no "at most so much" step. `rest` is what follows it."""

    def __init__(self) -> None:
        self._inflater = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
        self.done = False
        self.rest = b""

    def steps(self, data: bytes, most: int) -> Iterator[bytes]:  # noqa: ARG002 - what short inputs give is short
        for start in range(0, len(data), 1 << 14):
            piece = self._inflater.decompress(data[start : start + (1 << 14)])
            if piece:
                yield piece
            if self._inflater.eof:
                self.done, self.rest = True, self._inflater.unused_data + data[start + (1 << 14) :]
                return


def _inflated(raw: BinaryIO, kind: str, on_problem: Callable[[str], None], most: int) -> Iterator[bytes]:
    make = _GzipMember if kind == "gzip" else _ZstdFrame
    member: _GzipMember | _ZstdFrame | None = None
    begin = at = 0  # where in the file this member, and the input in hand, begin
    given = out = 0  # decompressed bytes of this member, and of all
    data = b""
    try:
        while data or (data := raw.read(PIECE)):
            if member is None:
                whole = len(data)
                data = data.lstrip(b"\0")  # tapes and block devices pad with zeros
                at += whole - len(data)
                if not data:
                    continue
                member, begin, given = make(), at, 0
            for piece in member.steps(data, most):
                given += len(piece)
                out += len(piece)
                yield piece
            at += len(data) - len(member.rest)
            data = member.rest
            if member.done:
                member = None
    except _DAMAGE as error:
        for piece in _salvaged(raw, make, begin, at, given):
            out += len(piece)
            yield piece
        on_problem(f"damaged {kind} after {out:,} decompressed bytes: {error}")
        return
    if member is not None:
        on_problem(f"truncated {kind} after {out:,} decompressed bytes")


def _salvaged(
    raw: BinaryIO, make: Callable[[], _GzipMember | _ZstdFrame], begin: int, bad: int, given: int
) -> Iterator[bytes]:
    """What a damaged member holds up to the damage, without its first `given` bytes.

    A decompressor that fails keeps back what it made of that input: so it gets the input from `bad` on in small steps.
    """
    raw.seek(begin)
    member = make()
    try:
        while True:
            here = raw.tell()
            data = raw.read(min(PIECE, bad - here) if here < bad else _CRUMB)
            if not data:
                return
            for piece in member.steps(data, PIECE):
                yield piece[given:]
                given = max(0, given - len(piece))
    except _DAMAGE:
        return
