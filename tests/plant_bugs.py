"""Plants bugs, one at a time, in a copy of the project, and demands that a test fails for each.

    python tests/plant_bugs.py [NAME ...]

A bug that no test notices ends the script with exit code 1. Slow (a test run a bug), so it is no part of `make test`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Bug:
    name: str
    file: str
    old: str
    new: str
    tests: str  # where the test that notices is expected


BUGS: tuple[Bug, ...] = ()


def main() -> None:
    wanted = set(sys.argv[1:])
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "tightener"
        shutil.copytree(
            ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv", ".*_cache", ".tightener", ".hypothesis")
        )
        for bug in BUGS:
            if wanted and bug.name not in wanted:
                continue
            path = copy / bug.file
            text = path.read_text(encoding="utf-8")
            if text.count(bug.old) != 1:
                sys.exit(f"{bug.name}: its place in {bug.file} is not there once, but {text.count(bug.old)} times")
            path.write_text(text.replace(bug.old, bug.new), encoding="utf-8")
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *bug.tests.split()],
                cwd=copy,
                env={"PYTHONPATH": str(copy), "PATH": "/usr/bin:/bin"},
                capture_output=True,
                text=True,
                check=False,
            )
            path.write_text(text, encoding="utf-8")
            noticed = done.returncode == 1
            print(f"{'noticed' if noticed else 'MISSED ':<8} {bug.name}", flush=True)
            if not noticed:
                missed.append(bug.name)
    if missed:
        sys.exit(f"no test noticed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
