"""Makes logs of any size to measure on.

    python bench/generate.py gateway 1000000 OUT.jsonl    gateway lines (format v1): 3 agents, 90 days, 1 % duplicates
    python bench/generate.py cloudtrail 100000 OUTDIR     CloudTrail records, gzip files in AWS's folder layout
    python bench/generate.py distinct 1000000 OUT.jsonl   gateway lines of one agent, each on another resource

Seeded: equal arguments give equal records. Lines are put together as text, since building and dumping a million
dictionaries would take longer than what is to be measured.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import sys
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path

DAYS = 90
FIRST = date(2026, 8, 18)
ACCOUNT = "123456789012"
REGION = "us-east-1"
QUEUES = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}"
AGENTS = ("claude-invoice-01", "claude-ops-02", "claude-report-03")
DAY_TEXTS = tuple(f"{FIRST + timedelta(days=n)}" for n in range(DAYS))
DAY_MS = 86_400_000
DISTINCT = 0.28  # different calls per record; about 20 % distinct resources, since git and tools repeat theirs
DUPLICATES = 0.01
ANSWERED = "<answered>"  # stands for the moment of a person's answer until the line's own moment is known
SESSION_LINES = 40  # lines of one agent's run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    for name, out in (
        ("gateway", "file to write"),
        ("cloudtrail", "folder to write into"),
        ("distinct", "file to write"),
    ):
        kind = kinds.add_parser(name)
        kind.add_argument("count", type=_count, help="how many lines or records")
        kind.add_argument("out", type=Path, help=out)
        kind.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if given.kind == "gateway":
        gateway(given.count, given.out, given.seed)
    elif given.kind == "distinct":
        distinct(given.count, given.out)
    else:
        cloudtrail(given.count, given.out, given.seed)
    print(f"{given.count:,} records in {given.out}", file=sys.stderr)


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def _moment(ms: int) -> str:
    """Milliseconds since the first day as RFC 3339; datetime would cost half of the whole run."""
    day, ms = divmod(ms, DAY_MS)
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    return f"{DAY_TEXTS[day]}T{minutes // 60:02}:{minutes % 60:02}:{seconds:02}.{ms:03}Z"


# -- the gateway ------------------------------------------------------------------------------------------------------


def gateway(count: int, out: Path, seed: int) -> None:
    """Writes `count` lines, duplicates included."""
    out.parent.mkdir(parents=True, exist_ok=True)
    told = islice(_gateway_lines(count, random.Random(seed)), count)
    with out.open("w", encoding="utf-8", newline="\n") as file:
        while chunk := list(islice(told, 20_000)):
            file.writelines(chunk)


def _gateway_lines(count: int, chance: random.Random) -> Iterator[str]:
    middles = _gateway_middles(max(1, int(count * DISTINCT)), chance)
    pick, bits, total = chance.random, chance.getrandbits, len(middles)
    step = DAYS * DAY_MS / count
    for number in range(count):
        agent = AGENTS[number % 3]
        session = number // (3 * SESSION_LINES)
        ms = min(DAYS * DAY_MS - 1, int((number + pick()) * step))
        moment = _moment(ms)
        middle, end = middles[int(pick() * total)]
        if ANSWERED in end:  # a person takes two minutes
            end = end.replace(ANSWERED, _moment(min(DAYS * DAY_MS - 1, ms + 120_000)))
        request = f',"request_id":"{bits(64):016X}"' if '"service":"aws"' in middle else ""
        line = (
            f'{{"v":1,"id":"01K9{number:09d}","time":"{moment}","agent":"{agent}",'
            f'"session":"run-{session:06d}-{number % 3}",{middle}{end}{request}}}\n'
        )
        yield line
        if pick() < DUPLICATES:
            yield line


def _gateway_middles(distinct: int, chance: random.Random) -> list[tuple[str, str]]:
    """What was done, on what, and how it went: `distinct` of them, in the mix of an agent's day."""
    return [(_gateway_what(number, chance), _gateway_end(number, chance)) for number in range(distinct)]


def _gateway_what(number: int, chance: random.Random) -> str:
    month = f"2026/{8 + number % 4:02d}"
    kind = chance.random()
    if kind < 0.3:
        key = f"raw/{month}/inv-{number}.pdf"
        return f'"service":"aws","action":"s3:GetObject","resource":"arn:aws:s3:::invoice-data/{key}"'
    if kind < 0.5:
        key = f"processed/{month}/inv-{number}.json"
        return f'"service":"aws","action":"s3:PutObject","resource":"arn:aws:s3:::invoice-data/{key}"'
    if kind < 0.55:
        return f'"service":"aws","action":"s3:ListBucket","resource":"arn:aws:s3:::invoice-data/raw/{month}/"'
    if kind < 0.7:
        action = ("clone", "fetch", "fetch", "pull")[number % 4]
        return f'"service":"git","action":"{action}","resource":"acme/repo-{number % 500}"'
    if kind < 0.78:
        return f'"service":"git","action":"push","resource":"acme/repo-{number % 50}","branch":"feature/task-{number}"'
    if kind < 0.9:
        action = ("invoices:read", "customers:read", "charges:read")[number % 3]
        return f'"service":"stripe","action":"{action}","resource":"obj_{number:08d}"'
    if kind < 0.95:
        command = json.dumps({"command": f"ls -l /srv/jobs/{number}"})
        return f'"service":"tools","action":"bash","args":{command}'
    args = json.dumps({"channel": f"#team-{number % 20}", "text": f"job {number} done"})
    return f'"service":"tools","action":"post_message","args":{args}'


def _gateway_end(number: int, chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.93:
        return ',"decision":"allow","outcome":"success"'
    if kind < 0.95:
        return ',"decision":"deny","outcome":"denied"'
    if kind < 0.97:
        approval = f'{{"state":"approved","by":"dana@acme.example","at":"{ANSWERED}"}}'
        return f',"decision":"require_approval","approval":{approval},"outcome":"success"'
    if kind < 0.98:
        return ',"decision":"allow"'
    code = ("NoSuchKey", "ThrottlingException", "AccessDenied")[number % 3]
    return f',"decision":"allow","outcome":"error","error_code":"{code}"'


def distinct(count: int, out: Path) -> None:
    """Writes `count` lines of one agent, no two on the same resource."""
    with out.open("w", encoding="utf-8", newline="\n") as file:
        for number in range(count):
            moment = _moment(number * DAYS * DAY_MS // count)
            action, folder = ("s3:GetObject", "raw") if number % 3 else ("s3:PutObject", "processed")
            file.write(
                f'{{"v":1,"id":"01K9{number:09d}","time":"{moment}","agent":"{AGENTS[0]}",'
                f'"session":"run-{number // SESSION_LINES:06d}","service":"aws","action":"{action}",'
                f'"resource":"arn:aws:s3:::invoice-data/{folder}/2026/{number % 12 + 1:02d}/inv-{number}.pdf",'
                '"decision":"allow","outcome":"success"}\n'
            )


# -- CloudTrail -------------------------------------------------------------------------------------------------------

Parameters = Callable[[int], dict[str, object]]

# (share, event source, event name, is it a data event, requestParameters of record n)
OPERATIONS: tuple[tuple[int, str, str, bool, Parameters], ...] = (
    (24, "s3", "GetObject", True, lambda n: _object("raw", n)),
    (14, "s3", "PutObject", True, lambda n: _object("processed", n)),
    (
        5,
        "s3",
        "ListObjects",
        True,
        lambda n: {"bucketName": "invoice-data", "prefix": f"raw/{n % 90}/"},
    ),
    (12, "ec2", "DescribeInstances", False, lambda n: {"instancesSet": {"items": [{"instanceId": f"i-{n:017x}"}]}}),
    (
        8,
        "sts",
        "AssumeRole",
        False,
        lambda n: {"roleArn": _arn("iam", f"role/r-{n % 9}"), "roleSessionName": f"s-{n}"},
    ),
    (10, "kms", "Decrypt", False, lambda n: {"keyId": _arn("kms", f"key/{uuid.UUID(int=n % 30)}", REGION)}),
    (7, "dynamodb", "DescribeTable", False, lambda n: {"tableName": f"table-{n % 60}"}),
    (6, "lambda", "GetFunction20150331v2", False, lambda n: {"functionName": f"fn-{n % 80}"}),
    (5, "iam", "GetRole", False, lambda n: {"roleName": f"r-{n % 40}"}),
    (
        5,
        "sqs",
        "GetQueueAttributes",
        False,
        lambda n: {"queueUrl": f"{QUEUES}/q-{n % 20}"},
    ),
    (4, "logs", "DescribeLogGroups", False, lambda n: {"logGroupNamePrefix": f"/aws/lambda/fn-{n % 80}"}),
)


def _arn(service: str, rest: str, region: str = "") -> str:
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{rest}"


def _object(folder: str, number: int) -> dict[str, object]:
    return {
        "bucketName": "invoice-data",
        "Host": f"invoice-data.s3.{REGION}.amazonaws.com",
        "key": f"{folder}/2026/{8 + number % 4:02d}/inv-{number}.pdf",
    }


def cloudtrail(count: int, out: Path, seed: int) -> None:
    """Writes `count` records in files of 2,000 to 5,000, spread over the days, in no order inside a file."""
    chance = random.Random(seed)
    shares = [share for share, *_ in OPERATIONS]
    done = 0
    while done < count:
        size = min(chance.randrange(2_000, 5_001), count - done)
        start = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)
        delivered = start + timedelta(days=DAYS) * ((done + size) / count) - timedelta(minutes=5)
        operations = chance.choices(OPERATIONS, shares, k=size)
        records = [
            _record(done + n, delivered - timedelta(seconds=chance.randrange(60, 900)), operation, chance)
            for n, operation in enumerate(operations)
        ]
        folder = out / "AWSLogs" / ACCOUNT / "CloudTrail" / REGION / f"{delivered:%Y/%m/%d}"
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{ACCOUNT}_CloudTrail_{REGION}_{delivered:%Y%m%dT%H%M}Z_{chance.getrandbits(64):016x}.json.gz"
        text = json.dumps({"Records": records}, separators=(",", ":"))
        (folder / name).write_bytes(gzip.compress(text.encode(), 6, mtime=0))
        done += size


def _record(
    number: int, moment: datetime, operation: tuple[int, str, str, bool, Parameters], chance: random.Random
) -> dict[str, object]:
    """One record with all the weight that real ones have (about 1.5 kB)."""
    _, service, event, is_data, parameters = operation
    agent, session = AGENTS[number % 3], f"run-{number // 120:06d}"
    distinct = int(chance.random() * max(1, number * DISTINCT))
    host = f"{service}.{REGION}.amazonaws.com"
    indirect = service == "kms" and number % 2 == 0
    record: dict[str, object] = {
        "eventVersion": "1.11",
        "userIdentity": _identity(agent, session, moment) | ({"invokedBy": "s3.amazonaws.com"} if indirect else {}),
        "eventTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": f"{service}.amazonaws.com",
        "eventName": event,
        "awsRegion": REGION,
        "sourceIPAddress": f"198.51.100.{number % 250}",
        "userAgent": "[Boto3/1.40.21 md/Botocore#1.40.21 ua/2.1 os/linux#6.8.0 lang/python#3.11.9]",
        "requestParameters": parameters(distinct),
        "responseElements": None,
        "additionalEventData": {
            "SignatureVersion": "SigV4",
            "CipherSuite": "TLS_AES_128_GCM_SHA256",
            "bytesTransferredIn": 0,
            "AuthenticationMethod": "AuthHeader",
            "x-amz-id-2": f"{chance.getrandbits(256):064x}",
            "bytesTransferredOut": number % 90_000,
        },
        "requestID": f"{chance.getrandbits(64):016X}",
        "eventID": str(uuid.UUID(int=chance.getrandbits(128))),
        "readOnly": event.startswith(("Get", "List", "Describe", "Decrypt")),
        "resources": _resources(service, distinct),
        "eventType": "AwsApiCall",
        "managementEvent": not is_data,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Data" if is_data else "Management",
        "tlsDetails": {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": host,
        },
    }
    kind = chance.random()
    if kind < 0.05:
        code = "AccessDenied" if kind < 0.02 else "ThrottlingException"
        record |= {"errorCode": code, "errorMessage": "Rate exceeded" if kind >= 0.02 else "Access Denied"}
    elif kind < 0.06:
        record["userIdentity"] = {"type": "AWSService", "invokedBy": f"{service}.amazonaws.com"}
    return record


def _identity(agent: str, session: str, moment: datetime) -> dict[str, object]:
    unique = f"AROA{sum(agent.encode()):017d}"
    return {
        "type": "AssumedRole",
        "principalId": f"{unique}:{session}",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{agent}/{session}",
        "accountId": ACCOUNT,
        "accessKeyId": f"ASIA{session.upper():0>16}",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": unique,
                "arn": f"arn:aws:iam::{ACCOUNT}:role/{agent}",
                "accountId": ACCOUNT,
                "userName": agent,
            },
            "webIdFederationData": {},
            "attributes": {"creationDate": f"{moment:%Y-%m-%dT%H:00:00Z}", "mfaAuthenticated": "false"},
        },
    }


def _resources(service: str, number: int) -> list[dict[str, object]]:
    if service == "s3":
        return [{"accountId": ACCOUNT, "type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::invoice-data"}]
    if service == "kms":
        arn = _arn("kms", f"key/{uuid.UUID(int=number % 30)}", REGION)
        return [{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": arn}]
    return []


if __name__ == "__main__":
    main()
