"""moto's S3 and STS on a loopback port, with faults in front of it and a list of what was asked."""

from __future__ import annotations

import gzip
import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

from cloudtrail_record import record
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import WSGIRequestHandler, make_server

OWNER = "123456789012"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}
_ERROR = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{}</Code><Message>{}</Message></Error>'

Fault = Callable[["Asked"], "tuple[int, str, str] | str | None"]


@dataclass(frozen=True)
class Asked:
    """One request: `kind` is LIST, GET (of an object) or whatever else the method is."""

    kind: str
    bucket: str
    key: str  # of a LIST: its prefix
    query: dict[str, str]
    headers: dict[str, str]
    body: str


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept

    def log(self, *words: Any) -> None:
        """Nothing."""


def _broken(connection: socket.socket, part: bytes) -> Iterator[bytes]:
    """A part of an answer, and then the connection ends."""
    yield part
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


@dataclass
class Server:
    """The server under test. `fault(asked)` may answer (status, code, message), 'cut', 'drop', 'stall', or None."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    fault: Fault | None = None

    def reset(self) -> None:
        self.asked.clear()
        self.fault = None
        s3_backends[OWNER]["aws"].reset()

    def bucket(self, name: str) -> None:
        s3_backends[OWNER]["aws"].create_bucket(name, "us-east-1")

    def put(self, bucket: str, key: str, body: bytes, storage: str | None = None) -> None:
        s3_backends[OWNER]["aws"].put_object(bucket, key, body, storage=storage)

    def count(self, kind: str) -> int:
        return sum(one.kind == kind for one in self.asked)

    def keys(self, kind: str) -> list[str]:
        return [one.key for one in self.asked if one.kind == kind]

    def _app(self, inner: Any) -> Callable[..., Iterable[bytes]]:
        def app(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
            bucket, _, key = unquote(environ["PATH_INFO"]).lstrip("/").partition("/")
            query = dict(pair.partition("=")[::2] for pair in environ["QUERY_STRING"].split("&"))
            query = {name: unquote(value) for name, value in query.items()}
            kind = environ["REQUEST_METHOD"]
            kind = "LIST" if "list-type" in query else kind
            headers = {name[5:].lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(body)
            where = query.get("prefix", "") if kind == "LIST" else key
            asked = Asked(kind, bucket, where, query, headers, body.decode())
            self.asked.append(asked)
            fault = self.fault(asked) if self.fault else None
            if isinstance(fault, tuple):
                status, code, message = fault
                start(f"{status} {code}", [("Content-Type", "application/xml"), ("x-amz-bucket-region", "eu-west-1")])
                return [_ERROR.format(code, message).encode()]
            if fault == "stall":
                time.sleep(2)
            if fault in {"cut", "drop"}:
                whole = b"".join(inner(environ, start))
                return _broken(environ["werkzeug.socket"], whole[: len(whole) // 2] if fault == "cut" else b"")
            return inner(environ, start)

        return app


@contextmanager
def serving() -> Iterator[Server]:
    found = Server()
    app = found._app(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def event(number: int, moment: datetime, **over: Any) -> dict[str, Any]:
    """A record of CloudTrail's; equal numbers make equal records."""
    return record(eventID=f"{number:08x}-0000-4000-8000-000000000000", eventTime=f"{moment:%Y-%m-%dT%H:%M:%SZ}", **over)


def trail_key(moment: datetime, mark: str, *, account: str = OWNER, region: str = "us-east-1", top: str = "") -> str:
    """The key of a file that a trail delivered at that moment."""
    name = f"{account}_CloudTrail_{region}_{moment:%Y%m%dT%H%MZ}_{mark}.json.gz"
    return f"{top}AWSLogs/{account}/CloudTrail/{region}/{moment:%Y/%m/%d}/{name}"


def packed(*records: dict[str, Any]) -> bytes:
    return gzip.compress(json.dumps({"Records": records}).encode(), 1, mtime=0)


def trail(
    start: datetime, files: int, each: int = 3, step: timedelta = timedelta(hours=6), **where: Any
) -> dict[str, bytes]:
    """Key -> body: a file is delivered every `step`, with the records since the one before, whose last it repeats."""
    found = {}
    for i in range(files):
        numbers = range(i * (each - 1), i * (each - 1) + each)
        records = [event(number, start + number * step / (each - 1)) for number in numbers]
        found[trail_key(start + (i + 1) * step, f"{i:016x}", **where)] = packed(*records)
    return found
