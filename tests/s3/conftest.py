"""One S3 on loopback for all tests of a run, empty for each."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from buckets import BUCKET
from s3_server import ENVIRONMENT, Server, serving

from tightener.logs import store


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


@pytest.fixture
def s3(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setattr("tightener.logs.s3.bucket._PAUSE", 0.01)
    server.reset()
    return server


@pytest.fixture
def bucket(s3: Server) -> Server:
    s3.bucket(BUCKET)
    return s3


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with store.open(None) as opened:
        yield opened
