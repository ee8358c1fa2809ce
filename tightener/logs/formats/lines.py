"""Line by line files -> Arrow batches of (file_id, position, mapped, line), without a Python loop over lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

SCHEMA = pa.schema(
    [("file_id", pa.int32()), ("position", pa.int64()), ("mapped", pa.bool_()), ("line", pa.string())],
)
LONGEST = 128 << 20  # bytes of one line; a longer one stands as UNREADABLE, which is no JSON and is rejected
UNREADABLE = b"\x00"
_BLOCK = 4 << 20
_NEWLINE = 10
_SHORT = 8  # a longer blank line is found by the query


def blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Joins pieces to blocks of a few megabytes that end where a line ends (the last one without its line break).

    A byte order mark at the beginning is left out.
    """
    held: list[bytes] = []
    size = 0
    too_long = False
    first = True
    for piece in pieces:
        text = piece
        if first:
            first = False
            text = text.removeprefix(b"\xef\xbb\xbf")
        end = text.rfind(b"\n")
        if too_long:  # what came before this line break is the rest of a line that was given up
            start = text.find(b"\n")
            if start < 0:
                continue
            text, end, too_long = text[start:], end - start, False
            held, size = [UNREADABLE], 1
        if end >= 0 and size + end >= _BLOCK:
            yield b"".join([*held, text[:end]])
            held, size = [text[end + 1 :]], len(text) - end - 1
        else:
            held.append(text)
            size += len(text)
        if size > LONGEST:
            whole = b"".join(held)
            cut = whole.rfind(b"\n") + 1
            if cut:
                yield whole[: cut - 1]
            held, size = [whole[cut:]], len(whole) - cut
            if size > LONGEST:
                too_long, held, size = True, [UNREADABLE], 1
    if size:
        yield b"".join(held)


def batches(file_id: int, pieces: Iterable[bytes]) -> Iterator[pa.RecordBatch]:
    """The lines of one file with their numbers, counted from 1; blank ones are counted, and left out.

    A line keeps its line break (which is white space to JSON), so that nothing has to be copied.
    """
    position = 1
    for block in blocks(pieces):
        ends = np.flatnonzero(np.frombuffer(block, np.uint8) == _NEWLINE) + 1
        offsets = np.concatenate(([0], ends, [len(block)])).astype(np.int32)
        count = len(offsets) - 1
        numbers = np.arange(position, position + count, dtype=np.int64)
        position += count
        texts = pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(block))
        try:
            texts.validate(full=True)
        except pa.ArrowInvalid:  # one of them is no UTF-8: it can be no JSON either
            texts = pa.array([text(line) for line in block.split(b"\n")], pa.string())
        short = np.flatnonzero(np.diff(offsets) <= _SHORT)
        if len(short):
            blank = [i for i in short.tolist() if not block[offsets[i] : offsets[i + 1]].strip()]
            texts, numbers = texts.take(pa.array(np.delete(np.arange(count), blank))), np.delete(numbers, blank)
        yield batch(file_id, pa.array(numbers), texts)


def batch(file_id: int, numbers: pa.Array, texts: pa.Array) -> pa.RecordBatch:
    """Lines of one file, given by their numbers and texts, as a batch of SCHEMA."""
    count = len(texts)
    ids = pa.repeat(pa.scalar(file_id, pa.int32()), count)
    return pa.record_batch([ids, numbers, pa.repeat(pa.scalar(value=True), count), texts], schema=SCHEMA)


def text(line: bytes) -> str:
    """The line as text; UNREADABLE where it is no UTF-8, because then it can be no JSON either."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return UNREADABLE.decode()
