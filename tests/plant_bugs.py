"""Plants bugs, one at a time, in a copy of the project, and demands that a test fails for each.

    python tests/plant_bugs.py [NAME ...]

A bug that no test notices ends the script with exit code 1. Slow (a test run a bug), so it is no part of `make test`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = sorted(path.stem for path in (ROOT / "tests" / "bugs").glob("[a-z]*.py") if path.stem != "bug")
BUGS = tuple(bug for room in ROOMS for bug in import_module(f"bugs.{room}").BUGS)


def main() -> None:
    wanted = set(sys.argv[1:])
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "tightener"
        shutil.copytree(
            ROOT, copy, ignore=shutil.ignore_patterns(".git", ".venv", ".*_cache", ".tightener", ".hypothesis")
        )
        needed = {test for bug in BUGS if not wanted or bug.name in wanted for test in bug.tests.split()}
        bare = _tests(copy, " ".join(sorted(needed)))
        if bare.returncode:
            told = bare.stdout[-3000:] + bare.stderr[-3000:]
            sys.exit(f"{told}\nthese tests fail without any bug: nothing can be learnt from them")
        for bug in BUGS:
            if wanted and bug.name not in wanted:
                continue
            path = copy / bug.file
            text = path.read_text(encoding="utf-8")
            if text.count(bug.old) != 1:
                sys.exit(f"{bug.name}: its place in {bug.file} is not there once, but {text.count(bug.old)} times")
            path.write_text(text.replace(bug.old, bug.new), encoding="utf-8")
            done = _tests(copy, bug.tests)
            path.write_text(text, encoding="utf-8")
            noticed = done.returncode == 1
            ran = "".join(done.stdout.splitlines()[-1:])  # how many passed, and how many were skipped
            print(f"noticed  {bug.name}" if noticed else f"MISSED   {bug.name}: {ran}", flush=True)
            if not noticed:
                missed.append(bug.name)
    if missed:
        sys.exit(f"no test noticed: {', '.join(missed)}")


def _tests(copy: Path, selection: str) -> subprocess.CompletedProcess[str]:
    """One test run in the copy, with the same random cases each time; its exit code: 0 all passed, 1 some failed."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *selection.split()],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "CI": "true", "HYPOTHESIS_PROFILE": "planted"},
        capture_output=True,
        text=True,
        check=False,
    )


if __name__ == "__main__":
    main()
