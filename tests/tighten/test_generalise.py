"""The first, simple generalisation: what it lists, what it covers by a prefix, and what it leaves alone."""

from __future__ import annotations

import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightener.tighten.generalise import Seen, container, generalise

DAY = 20_703  # 2026-09-07


def seen(value: str, days: int = 5) -> Seen:
    return Seen(value, DAY, DAY + days - 1)


RAW = "arn:aws:s3:::invoice-data/raw"


@pytest.mark.parametrize(
    ("service", "dimension", "values", "granted", "expected"),
    [
        # few recurring values are listed, in a stable order
        ("git", "resource", [seen("acme/b"), seen("acme/a", 1)], ["acme/*"], ("acme/a", "acme/b")),
        # the calendar cuts a prefix short, however few months were seen
        ("aws", "resource", [seen(f"{RAW}/2026/09/a.pdf"), seen(f"{RAW}/2026/09/b.pdf")], ["*"], (f"{RAW}/*",)),
        ("aws", "resource", [seen(f"{RAW}/2026-09-01.csv")], ["*"], (f"{RAW}/*",)),
        ("aws", "resource", [seen(f"{RAW}/20260901T10/x")], ["*"], (f"{RAW}/*",)),
        # a number that is no year of the window is no calendar
        ("aws", "resource", [seen(f"{RAW}/1999/x"), seen(f"{RAW}/2077/y")], ["*"], (f"{RAW}/1999/x", f"{RAW}/2077/y")),
        # what was seen on one day only comes and goes
        ("aws", "resource", [seen(f"{RAW}/a", 1), seen(f"{RAW}/b", 1)], ["*"], (f"{RAW}/*",)),
        # an id in a name is no name
        ("aws", "resource", [seen(f"{RAW}/job-1234567/x")], ["*"], (f"{RAW}/*",)),
        # a bucket is guarded: listed, never generalised
        (
            "aws",
            "resource",
            [seen("arn:aws:s3:::logs-a/x"), seen("arn:aws:s3:::logs-b/x")],
            ["*"],
            ("arn:aws:s3:::logs-a/x", "arn:aws:s3:::logs-b/x"),
        ),
        # a pattern that would leave the grant falls back to the grant
        (
            "aws",
            "resource",
            [seen(f"{RAW}/2026/a.pdf"), seen(f"{RAW}/2026/b.pdf")],
            [f"{RAW}/*.pdf"],
            (f"{RAW}/*.pdf",),
        ),
        # what is granted already stays as it is written
        ("aws", "resource", [seen(f"{RAW}/2026/a.pdf")], [f"{RAW}/*"], (f"{RAW}/*",)),
        # an absent value cannot be narrowed by
        ("stripe", "resource", [seen("")], ["*"], None),
        # branches: without a slash they are guarded, below a slash they come and go
        ("git", "branch", [seen("main"), seen("feature/x", 1), seen("feature/y", 1)], ["*"], ("feature/*", "main")),
        # a granted pattern that nothing used goes
        ("git", "branch", [seen("feature/x", 1)], ["feature/*", "fix/*"], ("feature/*",)),
        # tools: the argument's name is guarded
        (
            "tools",
            "resource",
            [seen("channel=ops"), seen("text=a", 1), seen("text=b", 1)],
            ["*"],
            ("channel=ops", "text=*"),
        ),
        # a star in a value becomes a question mark, never a wildcard
        ("tools", "resource", [seen("channel=ops-*-x")], ["*"], ("channel=ops-?-x",)),
    ],
)
def test_examples(
    service: str, dimension: str, values: list[Seen], granted: list[str], expected: tuple[str, ...] | None
) -> None:
    assert generalise(service, dimension, values, granted) == expected
    assert generalise(service, dimension, values[::-1], granted) == expected


def test_too_many_guarded_values_leave_the_grant() -> None:
    values = [seen(f"acme/repo{i}") for i in range(30)]
    assert generalise("git", "resource", values, ["acme/*"]) is None


def test_containers() -> None:
    assert container("aws", "resource", "arn:aws:s3:::b/k/x") == "arn:aws:s3:::b/"
    assert (
        container("aws", "resource", "arn:aws:lambda:eu-west-1:1:function:f") == "arn:aws:lambda:eu-west-1:1:function:f"
    )
    assert container("aws", "resource", "arn:aws:dynamodb:r:1:table/t/index/i") == "arn:aws:dynamodb:r:1:table/t/"
    assert container("git", "branch", "main") == "main"
    assert container("git", "branch", "feature/x/y") == "feature/"


def glob(pattern: str, value: str) -> bool:
    """An oracle that knows nothing of ours: the standard library's matcher with its classes escaped."""
    return re.fullmatch(fnmatch.translate(pattern.replace("[", "[[]")), value, re.DOTALL) is not None


segments = st.sampled_from(["raw", "out", "2026", "09", "2026-09-07", "a", "b", "c.pdf", "x*y", "12345678"])
paths = st.lists(segments, min_size=1, max_size=4).map("/".join)
keys = paths.map(lambda p: f"arn:aws:s3:::bucket/{p}")


@given(
    st.lists(st.builds(seen, keys, st.integers(1, 9)), min_size=1, max_size=30),
    st.sampled_from([["*"], ["arn:aws:s3:::bucket/*"], ["arn:aws:s3:::bucket/raw/*", "*"], ["arn:aws:s3:::b*/*"]]),
)
def test_covers_every_value_stays_inside_the_grant_and_is_idempotent(values: list[Seen], granted: list[str]) -> None:
    found = generalise("aws", "resource", values, granted)
    if found is None:
        return
    for one in values:
        assert any(glob(p, one.value) for p in found), (one.value, found)
    for pattern in found:
        # A grant of these tests that matches the pattern's own text, star for star, contains it.
        assert any(glob(g, pattern) for g in granted), (pattern, granted)
        assert pattern.startswith("arn:aws:s3:::bucket/"), "a guarded part was generalised"
    again = generalise("aws", "resource", values, list(found))
    assert again is None or set(again) == set(found)
