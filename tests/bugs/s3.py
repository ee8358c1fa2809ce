"""Bugs to plant in reading from S3."""

from __future__ import annotations

from bugs.bug import Bug

BUGS = (
    Bug(
        "files that arrive late are not looked for",
        "tightener/logs/s3/reading.py",
        "max(asked, last - LOOK_BACK)",
        "max(asked, last)",
        "tests/s3/test_reading.py",
    ),
    Bug(
        "a day of which an object could not be read counts as whole",
        "queries/coverage.sql",
        "e.day BETWEEN u.first_day AND u.last_day",
        "false",
        "tests/s3/test_refused.py",
    ),
    Bug(
        "what was listed and not read is taken for read",
        "tightener/logs/s3/reading.py",
        "        if stopped:\n            self.con.execute(",
        "        if not listed.places:\n            self.con.execute(",
        "tests/s3/test_refused.py",
    ),
    Bug(
        "an object is told from its earlier content by its size",
        "tightener/logs/s3/bucket.py",
        'return f"{self.size} {self.etag}"',
        'return f"{self.size}"',
        "tests/s3/test_reading.py",
    ),
)
