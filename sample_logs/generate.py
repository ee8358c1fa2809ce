"""Writes the sample logs beside this file: `python sample_logs/generate.py [--out DIR]`.

Standard library only and no clock, so that every run writes the same logs. The story is in story.py; here is how each
log writes it down. gzip's own bytes depend on the zlib at hand: compare what is in them.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

from story import FIRST, LAST, Call, Story

SEED = 20261115
ACCOUNT = "123456789012"
PLAIN = (
    date(2026, 11, 14),
    date(2026, 11, 15),
)  # in plain text, a file a day; the rest is a file a week
CUT_DAY = PLAIN[0]  # its log has one line that was cut in writing
EVENT_NAMES = {"s3:ListBucket": "ListObjects"}  # what CloudTrail calls the call, where that is not the action's name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent, help="folder to write into")
    out: Path = parser.parse_args().out
    calls = Story(SEED).calls()
    through_gateway = [call for call in calls if call.gateway]
    write_gateway(out / "gateway", through_gateway)
    write_trail(out / "AWSLogs" / ACCOUNT / "CloudTrail" / "us-east-1", [call for call in calls if call.trail])
    write(out / "foreign" / "gateway.jsonl.gz", lines(foreign_line(call) for call in through_gateway))


def write(path: Path, text: str) -> None:
    """Writes a file, compressed when its name says so; no time stamp and no name in the gzip header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode()
    path.write_bytes(gzip.compress(data, 9, mtime=0) if path.suffix == ".gz" else data)


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))  # ASCII: control and right-to-left characters stay escaped


def lines(values: Iterable[object]) -> str:
    return "".join(compact(value) + "\n" for value in values)


def week_of(day: date) -> date:
    return FIRST + timedelta(days=(day - FIRST).days // 7 * 7)


def stamp(moment: datetime, zone: int) -> str:
    text = moment.astimezone(timezone(timedelta(hours=zone))).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


# -- the gateway's log, version 1 -------------------------------------------------------------------------------------


def gateway_line(call: Call) -> dict[str, object]:
    """One line as the gateway writes it: no key for what is absent."""
    line: dict[str, object] = {
        "v": 1,
        "id": call.id,
        "time": stamp(call.time, call.zone),
        "agent": call.agent,
        "session": call.session,
        "service": call.service,
        "action": call.action,
        "resource": call.resource,
        "branch": call.branch,
        "args": dict(call.args),
        "decision": call.decision,
        "approval": dict(call.approval),
        "outcome": call.outcome,
        "error_code": call.error,
        "request_id": call.request_id,
    }
    return {key: value for key, value in line.items() if value not in ("", {})}


def write_gateway(folder: Path, calls: list[Call]) -> None:
    files: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        day = call.time.date()
        files[f"{day}.jsonl" if day in PLAIN else f"{week_of(day)}.jsonl.gz"].append(call)
    first, second, third = sorted(files)[:3]
    files[first].insert(40, files[first][12])  # the same record twice in one file
    files[third].insert(7, files[second][3])  # and again in another
    order = random.Random(SEED)
    for name, told in sorted(files.items()):
        for _ in range(len(told) // 25):  # several writers share one log: neighbours change places
            at = order.randrange(len(told) - 1)
            told[at], told[at + 1] = told[at + 1], told[at]
        text = lines(gateway_line(call) for call in told)
        if name == f"{CUT_DAY}.jsonl":
            text += compact(gateway_line(told[-1]))[:97] + "\n"
        write(folder / name, text)


# -- CloudTrail -------------------------------------------------------------------------------------------------------


def identity(call: Call) -> dict[str, object]:
    role = f"arn:aws:iam::{ACCOUNT}:role/{call.agent}"
    unique = "AROA" + hashlib.sha256(call.agent.encode()).hexdigest()[:17].upper()
    who: dict[str, object] = {
        "type": "AssumedRole",
        "principalId": f"{unique}:{call.session}",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{call.agent}/{call.session}",
        "accountId": ACCOUNT,
        "accessKeyId": "ASIA" + hashlib.sha256(call.session.encode()).hexdigest()[:16].upper(),
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": unique,
                "arn": role,
                "accountId": ACCOUNT,
                "userName": call.agent,
            },
            "attributes": {"creationDate": f"{call.time:%Y-%m-%dT%H:00:00Z}", "mfaAuthenticated": "false"},
        },
    }
    return who | ({"invokedBy": call.invoked_by} if call.invoked_by else {})


def on_what(call: Call, event: str) -> tuple[dict[str, object] | None, list[dict[str, str]]]:
    """requestParameters and resources, in the words of each service."""
    if not call.action.startswith("s3:"):
        return dict(call.parameters) or None, [{"accountId": ACCOUNT, "ARN": call.resource}] if call.resource else []
    bucket, _, key = call.resource.removeprefix("arn:aws:s3:::").partition("/")
    resources = [{"accountId": ACCOUNT, "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{bucket}"}]
    parameters: dict[str, object] = {"bucketName": bucket, "Host": f"{bucket}.s3.us-east-1.amazonaws.com"}
    if event == "ListObjects":
        parameters |= {"list-type": "2", "prefix": key}
    elif key:
        parameters["key"] = key
        resources.insert(0, {"type": "AWS::S3::Object", "ARN": call.resource})
    return parameters | dict(call.parameters), resources


def trail_record(call: Call) -> dict[str, object]:
    """The call as CloudTrail records it: whole seconds, after the answer of whoever had to approve it."""
    prefix, name = call.action.split(":")
    event = call.event or EVENT_NAMES.get(call.action, name)
    done = datetime.fromisoformat(call.approval["at"]) if call.approval else call.time
    seed = hashlib.sha256(f"{call.id}/{event}".encode()).hexdigest()
    parameters, resources = on_what(call, event)
    is_data = prefix == "s3" and event != "GetBucketPolicy"
    record: dict[str, object] = {
        "eventVersion": "1.11",
        "userIdentity": identity(call),
        "eventTime": f"{done + timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": f"{prefix}.amazonaws.com",
        "eventName": event,
        "awsRegion": "us-east-1",
        "sourceIPAddress": call.invoked_by or "203.0.113.24",
        "userAgent": call.invoked_by or "[Boto3/1.40.21 md/Botocore#1.40.21 lang/python#3.11.9]",
        "requestParameters": parameters,
        "responseElements": None,
        "requestID": call.request_id or seed[:16].upper(),
        "eventID": str(uuid.UUID(seed[32:])),
        "readOnly": name.startswith(("Get", "List", "Describe", "Decrypt")),
        "resources": resources,
        "eventType": "AwsApiCall",
        "managementEvent": not is_data,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Data" if is_data else "Management",
    }
    if call.error:
        record |= {"errorCode": call.error, "errorMessage": f"{call.error}: the request was not served"}
    if not resources:
        del record["resources"]
    return record


def write_trail(folder: Path, calls: list[Call]) -> None:
    files: dict[date, list[Mapping[str, object]]] = defaultdict(list)
    for call in calls:
        files[week_of(call.time.date())].append(trail_record(call))
    order = random.Random(SEED)
    for week, records in sorted(files.items()):
        order.shuffle(records)  # CloudTrail delivers in no order
        delivered = min(week + timedelta(days=6), LAST)
        unique = hashlib.sha256(str(week).encode()).hexdigest()[:16]
        name = f"{ACCOUNT}_CloudTrail_us-east-1_{delivered:%Y%m%d}T2355Z_{unique}.json.gz"
        write(folder / f"{delivered:%Y/%m/%d}" / name, compact({"Records": records}))


# -- a foreign gateway ------------------------------------------------------------------------------------------------

VERDICTS = {"allow": "permit", "deny": "block", "require_approval": "ask"}
ANSWERS = {"approved": "yes", "refused": "no", "timed_out": "expired", "pending": "waiting"}
RESULTS = {"success": "ok", "error": "upstream_error", "denied": "blocked", "not_run": "skipped"}
GIT = {
    "clone": ("GET", "/git/{repo}/clone"),
    "fetch": ("POST", "/git/{repo}/git-upload-pack"),
    "push": ("POST", "/git/{repo}/git-receive-pack"),
}


def foreign_line(call: Call) -> dict[str, object]:
    """The same call as a reverse proxy logs it: nested, epoch milliseconds, method and path, its own words."""
    request: dict[str, object] = {"uid": call.id}
    if call.service == "git":
        method, path = GIT[call.action]
        request |= {"method": method, "path": path.format(repo=call.resource), "ref": call.branch}
    elif call.service == "stripe":
        thing, verb = call.action.split(":")
        request |= {"method": "GET" if verb == "read" else "POST", "path": f"/stripe/v1/{thing}"}
    else:
        request |= {"method": "POST", "path": f"/{call.service}/{call.action}"}
        request |= {"target": call.resource, "body": dict(call.args)}
    line = {
        "ts": round(call.time.timestamp() * 1000),
        "caller": {"name": call.agent, "run": call.session},
        "req": request | {"upstream_id": call.request_id},
        "verdict": VERDICTS[call.decision],
        "human": answer(call.approval) if call.approval else {},
        "result": {"kind": RESULTS[call.outcome], "code": call.error} if call.outcome else {},
    }
    return {key: without_empty(value) for key, value in line.items() if value != {}}


def answer(approval: Mapping[str, str]) -> dict[str, object]:
    said: dict[str, object] = {"answer": ANSWERS[approval["state"]], "who": approval.get("by", "")}
    if "at" in approval:
        said["ts"] = round(datetime.fromisoformat(approval["at"]).timestamp() * 1000)
    return said


def without_empty(value: object) -> object:
    if isinstance(value, dict):
        return {key: inner for key, inner in value.items() if inner not in ("", {})}
    return value


if __name__ == "__main__":
    main()
