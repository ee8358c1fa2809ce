"""CloudTrail files read both ways, and files made odd: for the tests that hold the quick way against the exact one.

What is left out of the odd ones is where JSON itself leaves room: doubled keys, and numbers where texts belong, which
two readers may write in two ways.
"""

from __future__ import annotations

import copy
import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import zstandard
from cloudtrail_record import staged
from hypothesis import strategies as st
from test_cloudtrail_mutilated import places

from tightener.logs.formats import cloudtrail_read, cloudtrail_text
from tightener.logs.formats.cloudtrail_text import IrregularError

TABLES = ("request", "rejected", "not_use", "file", "trail_record", "trail_shown", "identity", "mcp_call")
VALUES = [
    *[None, True, False, 0, -1, 7.5, "", "x", "é", "a\0b", "\\", '"}, {"', [], {}, [[]], [None], "true", "Data"],
    *[{"a": {"b": [1, {"c": "arn:aws:s3:::x"}]}}, "arn:aws:s3:::b/k", ["arn:aws:s3:::b"], "AwsServiceEvent"],
    *["2026-03-01T10:00:00Z", "2026-03-01T10:00:00.123Z", "2026-03-01 10:00"],
]
GARBAGE = [
    b"garbage",
    b"\xff\xfe",
    b"null,",
    b"{}",
    b"[],",
    b"}{",
    b'"',
    b"\\",
    b"\0",
    b",",
    b"\n",
    b"]}",
    b'{"Records":[',
]
SEPARATORS = [b"} {", b"},,{", b"}{", b"}, null, {", b"},\r\n{"]


def never(_: Iterator[bytes]) -> Iterator[bytes]:
    """What cuts a file the regular way, and finds it irregular."""
    raise IrregularError("asked for")
    yield b""


def both_ways(path: Path) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """What is staged of a file: as it comes, and record by record."""
    found = []
    for lists in (cloudtrail_read.lists, never):
        # (texts of a few records, so that even these files are cut)
        with mock.patch.object(cloudtrail_read, "lists", lists), mock.patch.object(cloudtrail_text, "CHUNK", 3000):
            con = staged(path)
        found.append({name: sorted(con.execute(f"FROM staged_{name}").fetchall(), key=repr) for name in TABLES})
    return found[0], found[1]


@st.composite
def records(draw: st.DrawFn, some: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A few of the records, with values exchanged, left out and reordered."""
    found = []
    for one in draw(st.lists(st.sampled_from(some), min_size=1, max_size=8)):
        made = copy.deepcopy(one)
        for _ in range(draw(st.integers(0, 3))):
            if every := places(made):
                *above, last = draw(st.sampled_from(every))
                inside: Any = made
                for key in above:
                    inside = inside[key]
                if draw(st.booleans()):
                    inside[last] = copy.deepcopy(draw(st.sampled_from(VALUES)))
                else:
                    del inside[last]
        found.append(dict(draw(st.permutations(list(made.items())))) if draw(st.integers(0, 9)) == 0 else made)
    return found


CARRIERS = [
    lambda some: json.dumps({"Records": some}, separators=(",", ":")),
    lambda some: json.dumps({"Records": some}, ensure_ascii=False),
    lambda some: json.dumps({"Records": some}, indent=1),
    lambda some: json.dumps({"Records": some, "x": 1}),
    lambda some: json.dumps({"a": [1], "Records": some}),
    json.dumps,
    lambda some: "\n".join(json.dumps(one) for one in some),
    lambda some: "\r\n".join(json.dumps({"detail-type": "x", "detail": one}) for one in some),
]


@st.composite
def files(draw: st.DrawFn, some: Sequence[dict[str, Any]]) -> bytes:
    """A file of such records: carried, cut, with garbage in it, and compressed in one of the ways that there are."""
    text = draw(st.sampled_from(CARRIERS))(draw(records(some))).encode()
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2]))):
        at = draw(st.integers(0, len(text)))
        match draw(st.sampled_from(["cut", "garbage", "separator", "mark"])):
            case "cut":
                text = text[:at]
            case "garbage":
                text = text[:at] + draw(st.sampled_from(GARBAGE)) + text[at:]
            case "separator":
                text = text.replace(b"},{", draw(st.sampled_from(SEPARATORS)), 1)
            case "mark":
                text = b"\xef\xbb\xbf" + text
    match draw(st.sampled_from(["plain", "plain", "gzip", "members", "torn", "zstd"])):
        case "gzip":
            return gzip.compress(text, 1)
        case "members":
            at = draw(st.integers(0, len(text)))
            return gzip.compress(text[:at], 1) + gzip.compress(text[at:], 1)
        case "torn":
            packed = gzip.compress(text, 1)
            return packed[: draw(st.integers(len(packed) // 2, len(packed)))]
        case "zstd":
            return zstandard.compress(text)
    return text
