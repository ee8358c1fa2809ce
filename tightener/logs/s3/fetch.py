"""Bodies from S3 in files beside the database: a few are on their way while those before them are read.

Neither the listing nor the bodies are ever held whole: what waits is bounded in number and in bytes.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb

from tightener.errors import LogError, Place
from tightener.logs.s3.bucket import THREADS, Bucket, Remote
from tightener.logs.s3.refusal import Refusal, RefusedError

_AHEAD = 2048  # bodies that wait or are on their way
_AHEAD_BYTES = 128 << 20
_IN_A_ROW = 1000  # objects that cannot be read, one behind the other: the next ones cannot either


class Fetcher:
    """Brings objects into a private folder beside the database, which is there only while it is needed.

    The database's lock is this process's, so what is in the folder before is left of one that was killed. The files are
    named by number: a key may be longer than a file's name.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        row = con.execute("SELECT path FROM duckdb_databases() WHERE database_name = current_database()").fetchone()
        self._beside = Path(f"{row[0]}.spool") if row and row[0] else None  # None: the database is in memory
        self._folder: Path | None = None
        self._numbers = count(1)
        self._running: tuple[Bucket, ThreadPoolExecutor] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running:  # what reads the bodies has failed, or was interrupted
            self._end(*self._running)
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def one(self, bucket: Bucket, key: str) -> tuple[Remote, Path]:
        """One object, and its body. Raises RefusedError, and LogError (`s3-spool`) where there is no room for it."""
        try:
            path = self._path()
            return bucket.download(key, path), path
        except OSError as error:
            raise self._no_room(error) from error

    def ahead(self, bucket: Bucket, wanted: Iterator[Remote]) -> Iterator[tuple[Remote, Path | Refusal]]:
        """The objects in their order as they were read, each with its body, or with why there is none.

        Raises RefusedError where no further object of the bucket can be read, or `wanted` does; LogError as `one`.
        """
        waiting: deque[tuple[Remote, Path, Future[Remote]]] = deque()
        held = failed = 0
        pool = ThreadPoolExecutor(THREADS)
        self._running = bucket, pool
        try:
            while True:
                while len(waiting) < _AHEAD and held < _AHEAD_BYTES and (one := next(wanted, None)):
                    path = self._path()
                    waiting.append((one, path, pool.submit(bucket.download, one.key, path)))
                    held += _share(one)
                if not waiting:
                    return
                one, path, coming = waiting.popleft()
                held -= _share(one)
                try:
                    found = coming.result()
                except RefusedError as error:
                    path.unlink(missing_ok=True)
                    failed += not one.again
                    yield one, error.refusal
                    if error.refusal.final:
                        raise
                    if failed == _IN_A_ROW:
                        raise RefusedError(_given_up(error.refusal)) from error
                else:
                    failed = 0
                    yield replace(found, modified=one.modified, changed=one.changed), path
        except OSError as error:
            raise self._no_room(error) from error
        finally:
            self._running = None
            if waiting:
                self._end(bucket, pool)
            pool.shutdown()

    @staticmethod
    def _end(bucket: Bucket, pool: ThreadPoolExecutor) -> None:
        bucket.stop()
        pool.shutdown(cancel_futures=True)

    def _path(self) -> Path:
        if self._folder is None:
            self._folder = self._beside or Path(tempfile.mkdtemp(prefix="tightener-"))
            if self._beside:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder.mkdir(mode=0o700)
        return self._folder / str(next(self._numbers))

    def _no_room(self, error: OSError) -> LogError:
        return LogError(
            f"what is fetched cannot be kept: {error.strerror}",
            slug="s3-spool",
            place=Place(str(error.filename or self._folder)),
            hint="make room there, or put the database elsewhere with --db; what was read before is kept",
        )


def _share(one: Remote) -> int:
    """Of the bytes that may wait. How large an object is that could not be read before is not known beforehand."""
    return one.size or _AHEAD_BYTES // THREADS


def _given_up(last: Refusal) -> Refusal:
    says = f"{_IN_A_ROW:,} objects in a row could not be read, the last because {last.says}; the rest was left:"
    return Refusal(slug="s3-given-up", says=f"{says} let them be read, or begin behind them with `since:`")
