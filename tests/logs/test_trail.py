"""What CloudTrail's records show of the trail that wrote them, and what its digest files prove."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tightener import pipeline
from tightener.config import Config
from tightener.logs import coverage, digests, usage
from tightener.logs.callers import Entry
from tightener.logs.trail import find_gaps, places_of
from tightener.model import Window
from tightener.report import overview
from tightener.services.catalogue import all_actions, observability

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/agent"
FIRST = datetime(2026, 3, 1)  # noqa: DTZ001 - as the database stores times
DAYS = 20


def record(source: str, name: str, day: int = 0, hour: int = 12, region: str = "eu-west-1", **over) -> dict:
    moment = FIRST + timedelta(days=day, hours=hour)
    base = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/agent/run",
            "accountId": ACCOUNT,
            "sessionContext": {"sessionIssuer": {"arn": ROLE}},
        },
        "eventTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": f"{source}.amazonaws.com",
        "eventName": name,
        "awsRegion": region,
        "requestParameters": {},
        "eventID": f"{source}-{name}-{day}-{hour}-{region}-{sorted(over)}",
        "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNT,
        "readOnly": name.startswith(("Get", "List", "Describe", "Decrypt")),
        "managementEvent": True,
        "eventCategory": "Management",
    }
    return {**base, **over}


NAMES = {"bucketName": "b", "key": "k", "functionName": "f", "tableName": "t"}
DATA = {"managementEvent": False, "eventCategory": "Data", "requestParameters": NAMES}
DAILY = [record("ec2", "DescribeInstances", day) for day in range(DAYS)]
OTHER_REGION = record("ec2", "DescribeInstances", region="us-east-1")


def read(tmp_path: Path, records: list[dict], role: str = ROLE, **config) -> pipeline.Project:
    path = tmp_path / "log.json"
    path.write_text(json.dumps({"Records": records}))
    project = pipeline.open_project(Config(principals={"agent": (Entry({"role": role}),)}, **config), None)
    pipeline.read_logs(project, [str(path)], datetime(2026, 6, 1, tzinfo=UTC), lambda _: None)
    return project


def measured(tmp_path: Path, records: list[dict], role: str = ROLE, **config) -> coverage.Coverage:
    return measure(read(tmp_path, records, role, **config))


def measure(project: pipeline.Project) -> coverage.Coverage:
    window = usage.window(project.con, 90, None)
    usage.collect(project.con, "agent", window, project.config.owner_of)
    return coverage.measure(project.con, "agent", window, {}, project.config.data_events, trail_sees_agent=True)


IN_THEM = {
    "s3": "arn:aws:s3:::b/*",
    "lambda": f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:f",
    "dynamodb": f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/t",
}


def days(found: coverage.Coverage, action: str, *resources: str) -> int:
    return sum(found.observed("aws", action, resources or None))


@pytest.mark.parametrize(
    ("more", "seen", "unseen", "switch"),
    [
        # a trail of reads shows no writes
        ([], "ec2:DescribeVolumes", "ec2:StopInstances", "no management event that writes: log writes"),
        ([record("ec2", "StopInstances")], "ec2:TerminateInstances", "kms:Encrypt", "event of kms"),
        # one kind of data events is not another
        ([record("s3", "GetObject", **DATA)], "s3:GetObjectAcl", "lambda:InvokeFunction", "Lambda::Function: switch"),
        ([record("s3", "GetObject", **DATA)], "s3:GetObject", "s3:PutObject", "AWS::S3::Object, but no writes"),
        ([record("s3", "PutObject", **DATA)], "s3:DeleteObject", "s3:GetObject", "AWS::S3::Object, but no reads"),
        ([record("dynamodb", "GetItem", **DATA)], "dynamodb:Query", "dynamodb:GetRecords", "AWS::DynamoDB::Stream"),
        # sources that a trail may leave out
        ([record("kms", "Decrypt")], "kms:Decrypt", "kms:CreateGrant", "kms that writes"),
        ([record("iam", "ListRoles", region="us-east-1")], "iam:ListUsers", "iam:CreateUser", "service that writes"),
        ([], "ec2:DescribeVolumes", "iam:ListUsers", "event of a global service: include global service events"),
        # never, and nobody knows
        ([], "ec2:DescribeVolumes", "iam:PassRole", "checked, but never called"),
        ([], "ec2:DescribeVolumes", "ec2:GetResourcePolicy", "no API call is known"),
    ],
)  # fmt: skip
def test_a_class_is_covered_once_it_was_shown(tmp_path: Path, more: list, seen: str, unseen: str, switch: str) -> None:
    found = measured(tmp_path, [*DAILY, OTHER_REGION, *more])
    seen_on, unseen_on = ([one for one in [IN_THEM.get(a.partition(":")[0])] if one] for a in (seen, unseen))
    assert (days(found, seen, *seen_on), days(found, unseen, *unseen_on)) == (DAYS, 0)
    assert switch in found.why_not("aws", unseen, unseen_on or None)


def test_a_class_is_covered_from_its_first_day(tmp_path: Path) -> None:
    late = record("lambda", "Invoke", 5, **DATA)
    found = measured(tmp_path, [*DAILY, OTHER_REGION, {**late, "readOnly": False}])
    assert days(found, "lambda:InvokeFunction", IN_THEM["lambda"]) == DAYS - 5


def test_the_record_s_own_word_on_its_class_counts(tmp_path: Path) -> None:
    """An old record of a data event's action does not say what it is; one that says management is no data event."""
    said = record("s3", "GetObject", requestParameters=NAMES)
    bare = {key: value for key, value in said.items() if not key.startswith(("managem", "eventCat"))}
    assert days(measured(tmp_path, [*DAILY, OTHER_REGION, bare]), "s3:GetObject", IN_THEM["s3"]) == DAYS
    assert days(measured(tmp_path, [*DAILY, OTHER_REGION, said]), "s3:GetObject", IN_THEM["s3"]) == 0


def test_regions(tmp_path: Path) -> None:
    here = "arn:aws:ec2:eu-west-1:111122223333:instance/*"
    there = "arn:aws:ec2:eu-west-2:111122223333:instance/*"
    one = measured(tmp_path, DAILY)
    action = "ec2:DescribeVolumes"
    assert [days(one, action, r) for r in (here, there, "*", "arn:aws:ec2:eu-*:1:x/y")] == [DAYS, 0, 0, 0]
    assert days(one, action, here, there) == 0
    assert "eu-west-1 only" in one.why_not("aws", action, [there])
    # global services and the global endpoint of STS say nothing about regions
    abroad = [record("iam", "ListRoles", region="us-east-1"), record("sts", "GetSessionToken", region="us-east-1")]
    assert days(measured(tmp_path, [*DAILY, *abroad]), action, there) == 0
    assert days(measured(tmp_path, [*DAILY, record("ec2", "DescribeVpcs", 4, region="us-east-1")]), action) == DAYS - 4


def test_a_bucket_lies_in_one_region(tmp_path: Path) -> None:
    of_b = record("s3", "GetBucketAcl", requestParameters={"bucketName": "b"})
    found = measured(tmp_path, [*DAILY, of_b])
    assert [days(found, "s3:GetBucketPolicy", f"arn:aws:s3:::{name}") for name in ("b", "c", "b*")] == [DAYS, 0, 0]


def test_another_account_s_events_say_nothing(tmp_path: Path) -> None:
    user = {"type": "IAMUser", "arn": "arn:aws:iam::444455556666:user/u"}
    foreign = record("ec2", "StopInstances", recipientAccountId="444455556666", userIdentity=user)
    assert days(measured(tmp_path, [*DAILY, OTHER_REGION, foreign]), "ec2:StartInstances") == 0


def test_places() -> None:
    assert places_of(None) == ("",)
    assert places_of(["arn:aws:s3:::b/x*", "arn:aws:s3:::b", "arn:aws:sqs:eu-west-1:1:q", "arn:*", "q"]) == (
        "b", "eu-west-1", "",
    )  # fmt: skip


def test_every_action_has_a_class() -> None:
    kinds = {observability("aws", action).partition(":")[0] for action in all_actions()}
    assert kinds == {"management", "data", "never", "assumed", "unknown"}


def hours(skip=lambda at: False, most: int = 30) -> dict[datetime, int]:
    every = (FIRST + timedelta(hours=i) for i in range(24 * DAYS))
    return {at: 10 + (at.hour * at.day) % most for at in every if not skip(at)}


def test_gaps() -> None:
    found = find_gaps(ACCOUNT, "eu-west-1", hours(lambda at: at.day == 7 and 9 <= at.hour < 12))
    assert [(gap.day, gap.hours, str(gap)) for gap in found] == [
        (date(2026, 3, 7), (9, 10, 11), "2026-03-07 eu-west-1 09:00 to 11:59")
    ]
    (whole,) = find_gaps(ACCOUNT, "eu-west-1", hours(lambda at: at.day == 7))
    assert str(whole) == "2026-03-07 eu-west-1 all day"


def test_quiet_times_are_no_gaps() -> None:
    nights = hours(lambda at: at.hour < 6 or at.weekday() > 4)
    assert find_gaps(ACCOUNT, "eu-west-1", nights) == []
    rare = {at: 1 for at in hours() if random.Random(str(at)).random() > 0.02}
    assert find_gaps(ACCOUNT, "eu-west-1", rare) == []
    assert find_gaps(ACCOUNT, "eu-west-1", {}) == []


def test_a_day_with_a_gap_is_not_whole(tmp_path: Path) -> None:
    busy = [
        record("ec2", "DescribeInstances", day, hour, eventID=f"{day}-{hour}-{nr}")
        for day in range(DAYS)
        for hour in range(24)
        for nr in range(12)
        if (day, hour) != (5, 3)
    ]
    (source,) = measured(tmp_path, busy).sources
    assert source.days == "f" * 5 + "p" + "f" * (DAYS - 6)
    assert [str(gap) for gap in source.gaps] == ["2026-03-06 eu-west-1 03:00 to 03:59"]


# --- digest files ----------------------------------------------------------------------------------------------------


class Delivery:
    """A folder as CloudTrail delivers it: a log file and a digest file an hour, for `hours` hours of one region."""

    def __init__(self, base: Path, hours: int = 50, region: str = "eu-west-1") -> None:
        self.root = base / "AWSLogs" / ACCOUNT
        self.logs: list[Path] = []
        self.digests: list[Path] = []
        before: tuple[str, str] | None = None
        for nr in range(hours):
            start = FIRST + timedelta(hours=nr)
            end = start + timedelta(hours=1)
            folder = f"{region}/{end:%Y/%m/%d}"
            name = f"{ACCOUNT}_CloudTrail_{region}_{end:%Y%m%dT%H%MZ}_{nr:016}.json.gz"
            body = json.dumps({"Records": [record("ec2", "DescribeInstances", 0, nr, region)]}).encode()
            log = self.root / "CloudTrail" / folder / name
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_bytes(gzip.compress(body))
            self.logs.append(log)
            name = f"{ACCOUNT}_CloudTrail-Digest_{region}_main_eu-west-1_{end:%Y%m%dT%H%M%SZ}.json.gz"
            key = f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{folder}/{name}"
            text = json.dumps({
                "awsAccountId": ACCOUNT,
                "digestStartTime": f"{start:%Y-%m-%dT%H:%M:%SZ}",
                "digestEndTime": f"{end:%Y-%m-%dT%H:%M:%SZ}",
                "digestS3Bucket": "trail",
                "digestS3Object": key,
                "digestSignatureAlgorithm": "SHA256withRSA",
                "previousDigestS3Object": before and before[0],
                "previousDigestHashValue": before and before[1],
                "previousDigestHashAlgorithm": "SHA-256",
                "logFiles": [{
                    "s3Bucket": "trail",
                    "s3Object": f"AWSLogs/{ACCOUNT}/CloudTrail/{folder}/{log.name}",
                    "hashValue": hashlib.sha256(body).hexdigest(),
                    "hashAlgorithm": "SHA-256",
                    "oldestEventTime": f"{start:%Y-%m-%dT%H:%M:%SZ}",
                    "newestEventTime": f"{start:%Y-%m-%dT%H:%M:%SZ}",
                }],
            }).encode()  # fmt: skip
            digest = self.root / "CloudTrail-Digest" / folder / name
            digest.parent.mkdir(parents=True, exist_ok=True)
            digest.write_bytes(gzip.compress(text))
            self.digests.append(digest)
            before = key, hashlib.sha256(text).hexdigest()


def ingested(base: Path) -> pipeline.Project:
    project = pipeline.open_project(Config(principals={"agent": (Entry({"role": ROLE}),)}), None)
    again(project, base)
    return project


def again(project: pipeline.Project, base: Path) -> list[tuple[str, str]]:
    done = pipeline.read_logs(project, [str(base)], datetime(2026, 6, 1, tzinfo=UTC), lambda _: None)
    return [(Path(p.path).name, p.message.partition(":")[0]) for p in done.problems]


def test_whole_deliveries_are_proved(tmp_path: Path) -> None:
    Delivery(tmp_path)
    project = ingested(tmp_path)
    (source,) = measure(project).sources
    # the third day has two hours only
    assert (source.days, source.proved) == ("fff", 2)
    assert digests.problems(project.con) == []
    assert overview.status(project.con, project.config)["problems"] == []


def test_a_region_without_digests_is_not_proved(tmp_path: Path) -> None:
    Delivery(tmp_path)
    (tmp_path / "log.json").write_text(json.dumps({"Records": [record("ec2", "DescribeVpcs", 0, 5, "us-east-1")]}))
    (source,) = measure(ingested(tmp_path)).sources
    assert (source.days, source.proved) == ("fff", 0)


def test_quiet_regions_with_digests_are_recorded(tmp_path: Path) -> None:
    Delivery(tmp_path)
    quiet = Delivery(tmp_path, region="eu-west-2")
    for path in quiet.logs:
        path.unlink()
    for path in quiet.digests:  # hourly, and without log files
        found = json.loads(gzip.decompress(path.read_bytes()))
        path.write_bytes(gzip.compress(json.dumps({**found, "logFiles": [], "previousDigestS3Object": None}).encode()))
    found = measure(ingested(tmp_path))
    assert list(found.trail.regions) == ["eu-west-1", "eu-west-2"]


def test_missing_and_altered_files_are_named(tmp_path: Path) -> None:
    made = Delivery(tmp_path, hours=75)
    made.logs[5].unlink()
    body = json.loads(gzip.decompress(made.logs[30].read_bytes()))
    body["Records"][0]["eventName"] = "DescribeVpcs"
    made.logs[30].write_bytes(gzip.compress(json.dumps(body).encode()))
    project = ingested(tmp_path)
    found = [(Path(p.path).name, p.message.partition(":")[0]) for p in digests.problems(project.con)]
    assert sorted(found) == sorted([(made.logs[5].name, "missing"), (made.logs[30].name, "altered")])
    (source,) = measure(project).sources
    assert (source.days, source.proved) == ("ppff", 1)
    named = {Path(p["file"]).name for p in overview.status(project.con, project.config)["problems"]}
    assert named == {made.logs[5].name, made.logs[30].name}


def test_files_that_come_later_or_unpacked_are_found(tmp_path: Path) -> None:
    made = Delivery(tmp_path)
    held = made.logs[5].read_bytes()
    made.logs[5].unlink()
    project = ingested(tmp_path)
    assert again(project, tmp_path) == [(made.logs[5].name, "missing")]
    made.logs[5].with_suffix("").write_bytes(gzip.decompress(held))
    assert again(project, tmp_path) == []
    assert measure(project).sources[0].proved == 2


@pytest.mark.parametrize("what", ["missing", "altered"])
def test_a_broken_chain_proves_nothing_across_the_break(tmp_path: Path, what: str) -> None:
    made = Delivery(tmp_path, hours=75)
    victim = made.digests[30]
    if what == "missing":
        victim.unlink()
    else:
        found = json.loads(gzip.decompress(victim.read_bytes()))
        victim.write_bytes(gzip.compress(json.dumps({**found, "logFiles": []}).encode()))
    project = ingested(tmp_path)
    assert again(project, tmp_path) == [(victim.name, what)]
    (source,) = measure(project).sources
    # no log file is known to be missing, so the days are whole as far as anyone can tell; but one is not proved
    assert (source.days, source.proved) == ("ffff", 2)


def test_what_is_no_digest_is_named(tmp_path: Path) -> None:
    made = Delivery(tmp_path, hours=30)
    made.digests[29].write_bytes(gzip.compress(b'{"digestS3Object": 1}'))
    made.digests[28].write_bytes(b"\x1f\x8b broken")
    project = ingested(tmp_path)
    assert {Path(p.path).name for p in digests.problems(project.con)} == {p.name for p in made.digests[28:]}


def test_proved_days_against_a_naive_oracle(tmp_path: Path) -> None:
    """Random losses: a day is proved if each of its hours, and the next, has digest and log file, else not."""
    rng = random.Random(7)
    for case in range(4):
        base = tmp_path / str(case)
        made = Delivery(base, hours=97)
        lost_logs = {n for n in range(97) if rng.random() < 0.01}
        lost_digests = {n for n in range(1, 97) if rng.random() < 0.01}
        for n in lost_logs:
            made.logs[n].unlink()
        for n in lost_digests:
            made.digests[n].unlink()
        con = ingested(base).con
        wanted = {
            (FIRST + timedelta(days=day)).date()
            for day in range(4)
            if not any(n in lost_logs | lost_digests for n in range(24 * day, 24 * day + 25))
        }
        window = Window(FIRST.date(), FIRST.date() + timedelta(days=3))
        assert digests.proved(con, window, [(ACCOUNT, "eu-west-1")]) == wanted
