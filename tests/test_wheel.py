"""What is installed holds what it needs: the wheel is built and looked into."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_wheel_holds_queries_reports_data_and_error_pages(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)], cwd=ROOT, check=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {f"tightener/queries/{p.name}" for p in (ROOT / "queries").glob("*.sql")}
    expected |= {f"tightener/reports/{p.name}" for p in (ROOT / "reports").iterdir()}
    expected |= {f"tightener/{p.relative_to(ROOT).as_posix()}" for p in (ROOT / "schemas").iterdir()}
    expected |= {f"tightener/{p.relative_to(ROOT).as_posix()}" for p in (ROOT / "starter").iterdir()}
    expected |= {p.relative_to(ROOT).as_posix() for p in (ROOT / "tightener").rglob("*.csv")}
    expected |= {"tightener/py.typed", "tightener/docs/errors.md"}
    assert expected <= names
    assert not [name for name in names if name.startswith(("tests", "bench", "sample_logs"))]
