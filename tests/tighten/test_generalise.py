"""What is listed, what a wildcard covers, and what is left as it was granted: an example a rule."""

from __future__ import annotations

import pytest
from uses import FIRST as DAY
from uses import LAST

from tightener.tighten.generalise import generalise, reasons
from tightener.tighten.pieces import Why, Witness
from tightener.tighten.segments import Seen, fixed_head, merged

RAW = "arn:aws:s3:::invoice-data/raw"
WORDS = ("ash", "birch", "cedar", "elm", "fir", "hazel", "larch", "maple", "oak", "pine")


def seen(value: str, first: int, last: int | None = None) -> Seen:
    """A value that was used on the first and the last of these days of the window, in a session a day."""
    return Seen(value, DAY + first, DAY + (first if last is None else last), first)


def daily(value: str, first: int, last: int) -> Seen:
    """A value that was used on all of these days."""
    bits = sum({1 << (DAY + day) % 61 for day in range(first, last + 1)})
    return seen(value, first, last)._replace(days=bits)


def news(pattern: str, number: int = 6) -> list[Seen]:
    """Values that appear one after the other, to the end of the window; {} is their number, {w} a word."""
    return [seen(pattern.format(1000 + 7 * i, w=WORDS[i]), 89 - 10 * i) for i in range(number)]


def answer(service: str, dimension: str, values: list[Seen], granted: list[str]) -> tuple[str, ...] | None:
    """The patterns, whatever the order of the values."""
    found = generalise(service, dimension, values, granted)
    assert generalise(service, dimension, values[::-1], granted) == found
    return found


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # the calendar: a month below a year, where the days fit, on two days and in two sessions
        ([seen(f"{RAW}/2026/09/a.pdf", 20), seen(f"{RAW}/2026/10/a.pdf", 50)], [f"{RAW}/20??/??/a.pdf"]),
        ([seen(f"{RAW}/2026-09-0{d}.csv", 13 + d) for d in (1, 2)], [f"{RAW}/20??-??-??.csv"]),
        ([seen(f"{RAW}/x-202609.csv", 20), seen(f"{RAW}/x-202610.csv", 50)], [f"{RAW}/x-20????.csv"]),
        ([seen(f"{RAW}/2026-Q3.csv", 43), seen(f"{RAW}/2026-Q4.csv", 80)], [f"{RAW}/20??-Q?.csv"]),
        ([seen(f"{RAW}/2026-W36.csv", 14), seen(f"{RAW}/2026-W40.csv", 42)], [f"{RAW}/20??-W??.csv"]),
        ([seen(f"{RAW}/2026/september.csv", 20), seen(f"{RAW}/2026/October.csv", 50)], [f"{RAW}/20??/*.csv"]),
        ([seen(f"{RAW}/dt=2026-09-0{d}/hour=07/x", 13 + d) for d in (1, 2)], [f"{RAW}/dt=20??-??-??/hour=??/x"]),
        # no number below ten was seen, and nothing says that it would have a zero in front
        ([seen(f"{RAW}/2026/10/a", 50), seen(f"{RAW}/2026/11/a", 80)], [f"{RAW}/20??/*/a"]),
        # ... nor is there one where there is none
        ([seen(f"{RAW}/2026/9/a", 20), seen(f"{RAW}/2026/10/a", 50)], [f"{RAW}/20??/*/a"]),
        # seen once: never a literal, which ends with its month; what was granted stays behind it
        ([seen(f"{RAW}/2026-Q3.csv", 43)], [f"{RAW}/*"]),
        ([seen(f"{RAW}/statement-2026-09.pdf", 43)], [f"{RAW}/statement-*"]),
        ([seen(f"{RAW}/2026/09/a.pdf", 20), seen(f"{RAW}/2026/09/b.pdf", 20)], [f"{RAW}/*"]),
        # ... beside whatever else there is
        ([*news(RAW + "/job-{}.log"), seen(f"{RAW}/quarterly/2026-Q3.csv", 43)],
         [f"{RAW}/job-*.log", f"{RAW}/quarterly/*"]),
        # who reads old months beside the new one will need the next one, too; who reads old ones only, those
        ([seen(f"{RAW}/2026/{m}/x", d, 89) for m, d in (("09", 20), ("10", 50), ("01", 30), ("02", 60))],
         [f"{RAW}/20??/??/x"]),
        ([seen(f"{RAW}/2026-0{m}/x", 20 + m, 89) for m in (1, 2, 3)], [f"{RAW}/2026-0{m}/x" for m in (1, 2, 3)]),
        ([seen(f"{RAW}/1999/x", 1, 80), seen(f"{RAW}/2077/y", 9, 80)], [f"{RAW}/1999/x", f"{RAW}/2077/y"]),
        # two digits are a month only below a year: shard 09 in September is a shard
        ([seen(f"{RAW}/09/x", 20, 40)], [f"{RAW}/09/x"]),
        # ids come and go; a few that are used for weeks are names
        (news(RAW + "/job-{}.log"), [f"{RAW}/job-*.log"]),
        ([seen(f"{RAW}/a1b2c3d4-a1b2-a1b2-a1b2-{i:012d}/x", 9 * i) for i in range(3)], [f"{RAW}/*/x"]),
        ([seen(f"{RAW}/job-100{i}", i, 89) for i in (0, 1)], [f"{RAW}/job-1000", f"{RAW}/job-1001"]),
        ([seen(f"{RAW}/job-1000", 4, 6)], [f"{RAW}/job-*"]),
        # a counter: v8 took the place of v7; shards that are used side by side are names
        ([seen(f"{RAW}/v7/x", 0, 13), seen(f"{RAW}/v8/x", 14, 27)], [f"{RAW}/v*/x"]),
        ([seen(f"{RAW}/s{i}/x", i, 89) for i in range(3)], [f"{RAW}/s0/x", f"{RAW}/s1/x", f"{RAW}/s2/x"]),
        # names that keep appearing; what was seen below one of them only stays there
        (news(RAW + "/{w}"), [f"{RAW}/*"]),
        ([*news(RAW + "/{w}/x"), seen(f"{RAW}/oak/y", 80)], [f"{RAW}/*/x", f"{RAW}/oak/*"]),
        (news(RAW + "/in-{w}.csv"), [f"{RAW}/in-*"]),
        # names that appeared at the start, are still used, and to which no more came
        ([seen(f"{RAW}/{w}", i, 80) for i, w in enumerate(("ash", "elm", "fir"))],
         [f"{RAW}/ash", f"{RAW}/elm", f"{RAW}/fir"]),
        # too many to list, and no new ones: left as they were granted
        ([seen(f"{RAW}/{a}{b}x", 0, 80) for a in "abcd" for b in "abc"], [f"{RAW}/*"]),
        # one day, or one session, widens nothing: what was granted stays
        ([seen(f"{RAW}/a", 1), seen(f"{RAW}/b", 1)], [f"{RAW}/*"]),
        ([one._replace(session=1) for one in news(RAW + "/{w}", 3)], [f"{RAW}/*"]),
        # ... but a single name beside many is listed
        ([*news(RAW + "/job-{}.log"), seen(f"{RAW}/readme", 7)], [f"{RAW}/job-*.log", f"{RAW}/readme"]),
        # a sensitive name is listed, whatever is used beside it
        ([*news(RAW + "/j-{}"), seen(f"{RAW}/prod", 5)], [f"{RAW}/j-*", f"{RAW}/prod"]),
        # buckets are guarded: listed
        ([seen("arn:aws:s3:::logs-a/x", 0, 9), seen("arn:aws:s3:::logs-b/x", 4, 9)],
         ["arn:aws:s3:::logs-a/x", "arn:aws:s3:::logs-b/x"]),
        # a folder as a list call names it
        ([seen(f"{RAW}/", 0, 9)], [f"{RAW}/"]),
    ],
)  # fmt: skip
def test_paths(values: list[Seen], expected: list[str]) -> None:
    assert answer("aws", "resource", values, ["*"]) == tuple(expected)


@pytest.mark.parametrize(
    ("service", "dimension", "values", "granted", "expected"),
    [
        # repositories are listed, in a stable order
        ("git", "resource", [seen("acme/b", 0, 80), seen("acme/a", 3)], ["acme/*"], ["acme/a", "acme/b"]),
        # ... or left as they were granted, where new ones keep appearing
        ("git", "resource", news("acme/{w}"), ["acme/*"], None),
        ("git", "resource", news("acme/{w}"), ["other/*", "acme/*"], ["acme/*"]),
        # ... and where one would be refused next month
        ("git", "resource", [seen("acme/app-2026-09", 20), seen("acme/lib", 0, 80)], ["acme/*"], None),
        ("git", "resource", [seen("acme/site-2026", 20), seen("acme/x", 0, 80)], ["*"], ["acme/site-2026", "acme/x"]),
        # a guarded part is never written with a wildcard in it
        ("git", "resource", [seen("acme/b*", 0)], ["acme/*"], None),
        # tables are guarded, wherever they are named
        ("sql", "resource", [seen("db.a", 0), seen("db.b", 70)], ["db.*"], ["db.a", "db.b"]),
        ("warehouse", "resource", [seen("db.s.a", 0), seen("db.s.b", 70)], ["*"], ["db.s.a", "db.s.b"]),
        ("warehouse", "resource", news("db.events_{w}"), ["*"], None),
        # a pattern that would leave the grant falls back to the grant
        ("aws", "resource", news(RAW + "/j-{}"), [f"{RAW}/*-1*", "*-z"], [f"{RAW}/*-1*"]),
        ("aws", "resource", [seen(f"{RAW}/2026/a.pdf", 4)], [f"{RAW}/*.pdf"], None),
        # what is granted already stays as it is written
        ("aws", "resource", news(RAW + "/{w}"), [f"{RAW}/*"], [f"{RAW}/*"]),
        # an absent value cannot be narrowed by, nor one that only an expansion of the rule covers
        ("stripe", "resource", [seen("", 0)], ["*"], None),
        ("aws", "resource", [seen("arn:aws:s3:::b/x", 0)], ["arn:aws:s3:::b"], None),
        # branches: without a slash they are guarded, below a slash they come and go
        ("git", "branch", [seen("main", 0, 80), *news("feature/{w}")], ["*"], ["feature/*", "main"]),
        ("git", "branch", [seen("main", 0, 80), seen("feature/x", 1)], ["*"], ["feature/*", "main"]),
        ("git", "branch", news("{w}"), ["*"], None),
        # a granted pattern that nothing used goes
        ("git", "branch", news("feature/{w}"), ["feature/*", "fix/*"], ["feature/*"]),
        # a protected branch is listed or left, never generalised in between
        ("git", "branch", [seen("release/1", 0, 80), seen("release/2", 0, 80)], ["*"], ["release/1", "release/2"]),
        ("git", "branch", news("release/{w}"), ["*"], None),
        ("git", "branch", [*news("feature/{w}"), *news("release/{w}")], ["feature/*", "release/*"],
         ["feature/*", "release/*"]),
        # the host of a URL is fixed
        ("web", "resource", news("https://a.example/{w}"), ["*"], ["https://a.example/*"]),
        ("web", "resource", news("https://{w}.example/x"), ["*"], None),
    ],
)  # fmt: skip
def test_services(
    service: str, dimension: str, values: list[Seen], granted: list[str], expected: list[str] | None
) -> None:
    assert answer(service, dimension, values, granted) == (None if expected is None else tuple(expected))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # the argument's name is guarded; sentences are left as they were granted
        ([seen("channel=ops", 0, 80), *(seen(f"text=the {n} is / full", i) for i, n in enumerate("abc"))],
         ["channel=ops", "text=*"]),
        # names of two words are an enumeration, if they stay
        ([seen(f"to={n} Smith", i, 70) for i, n in enumerate(("Ada", "Bob", "Eve"))],
         ["to=Ada Smith", "to=Bob Smith", "to=Eve Smith"]),
        # ids that keep coming; few that stay are listed
        (news("customer_id={}"), ["", "customer_id=*"]),
        (news("customer_id=cus_{}"), ["customer_id=cus_*"]),
        ([daily(f"customer_id=100{i}", i, 89) for i in range(3)],
         ["customer_id=1000", "customer_id=1001", "customer_id=1002"]),
        # a hierarchy
        ([seen(f"path=/srv/jobs/{1000 + i}/out.txt", 9 * i) for i in range(6)], ["path=/srv/jobs/*/out.txt"]),
        # the host of a URL is fixed; where hosts keep appearing, the argument is left as it was granted
        (news("url=https://a.example/{w}"), ["url=https://a.example/*"]),
        (news("url=https://{w}.example/x"), ["url=*"]),
        # a star in a value becomes a question mark, never a wildcard
        ([seen("channel=ops-*-x", 0, 9)], ["channel=ops-?-x"]),
        # a command's program and subcommand are fixed, what one parses is words and paths
        (news("command=git show {}", 3), ["command=git show *"]),
        (news("command=ls -l /srv/jobs/{}", 3), ["command=ls -l /srv/jobs/*"]),
        # what is more than one simple command stays as it is
        ([*news("command=git show {}", 3), seen("command=git status; rm -rf /", 5), seen("command=git status", 0, 80)],
         ["command=git show *", "command=git status", "command=git status; rm -rf /"]),
        (news("command=cat {}.log | grep error", 3),
         [f"command=cat {n}.log | grep error" for n in (1000, 1007, 1014)]),
        # so does a command with spaces inside its quotes, spelt as it was
        ([seen("command=git log --author 'Ada Smith'", 0, 80)], ["command=git log --author 'Ada Smith'"]),
        # programs that keep appearing leave the argument as it was granted
        (news("command={w} --version"), ["command=*"]),
        # SQL: the table is fixed; what is more than one statement on one table stays as it is
        (news("q=SELECT name FROM customers WHERE id = {}"), ["q=SELECT name FROM customers WHERE id = *"]),
            # of a tool that is known to take SQL, such a text is one that did not parse
            (news("sql=SELECT name FROM customers WHERE id = {}", 3),
             [f"sql=SELECT name FROM customers WHERE id = {n}" for n in (1000, 1007, 1014)]),
        (news("sql=SELECT * FROM c WHERE id = 1; DROP TABLE t{}", 3),
         [f"sql=SELECT ? FROM c WHERE id = 1; DROP TABLE t{n}" for n in (1000, 1007, 1014)]),
        # too many to list: left as granted, for this argument
        ([seen(f"command=true; echo {w}{v}", i) for i, w in enumerate(WORDS) for v in WORDS[:3]], ["command=*"]),
    ],
)  # fmt: skip
def test_tool_arguments(values: list[Seen], expected: list[str]) -> None:
    assert answer("tools", "resource", values, ["*"]) == tuple(expected)


def test_too_many_values_leave_the_grant() -> None:
    values = [seen(f"acme/repo{i}", 0, 80) for i in range(30)]
    assert generalise("git", "resource", values, ["acme/*"]) is None
    assert generalise("git", "resource", values, ["acme/*", "*"]) == ("acme/*",)
    kept = [one.value for one in values]
    assert generalise("git", "resource", values, [*kept, "acme/other"]) == tuple(kept)


def test_what_bears_a_pattern_out() -> None:
    values = [*news(RAW + "/job-{}"), seen(f"{RAW}/readme", 3), seen(f"{RAW}/quarterly/2026-Q3.csv", 43)]
    found = reasons("aws", "resource", values, ["*"])
    assert found is not None
    assert [(one.pattern.removeprefix(RAW), one.why) for one in found] == [
        ("/job-*", Why.ID),
        ("/quarterly/*", Why.THIN),
        ("/readme", Why.RARE),
    ]
    assert found[0].witnesses == (Witness(f"{RAW}/job-1035", DAY + 39), Witness(f"{RAW}/job-1000", LAST))
    assert found[1].witnesses == (Witness(f"{RAW}/quarterly/2026-Q3.csv", DAY + 43),)


def test_evidence_without_a_use_counts_least() -> None:
    tried, used = Seen("x", DAY, DAY + 9, -1), Seen("x", DAY + 2, DAY + 4, 5)
    assert merged([tried], [used]) == merged([used], [tried]) == [Seen("x", DAY + 2, DAY + 9, 5)]


@pytest.mark.parametrize(
    ("service", "dimension", "value", "head"),
    [
        ("aws", "resource", "arn:aws:s3:::b/k/x", "arn:aws:s3:::b/"),
        ("aws", "resource", "arn:aws:lambda:eu-west-1:1:function:f", "arn:aws:lambda:eu-west-1:1:function:f"),
        ("aws", "resource", "arn:aws:dynamodb:r:1:table/t/index/i", "arn:aws:dynamodb:r:1:table/t/"),
        ("git", "branch", "main", "main"),
        ("git", "branch", "feature/x/y", "feature/"),
        ("tools", "resource", "url=https://a.example:8080/x?y", "url=https://a.example:8080/"),
        ("tools", "resource", "a.b=c/d", "a.b="),
        ("crm", "resource", "acme/x", ""),
    ],
)
def test_guarded_heads(service: str, dimension: str, value: str, head: str) -> None:
    assert fixed_head(service, dimension, value) == head
