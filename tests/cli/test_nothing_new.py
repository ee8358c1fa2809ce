"""A run with nothing new opens no log file; the first one opens all of them, so the counting is worth something."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tightener import cli

SAMPLE = Path(__file__).resolve().parents[2] / "sample_logs"
COUNTING = """
import sys
opened = set()
sys.addaudithook(lambda event, told: opened.add(str(told[0])) if event == "open" else None)
from tightener import cli
code = cli.run(["ingest", "--quiet", "--no-progress"])
print(sum(path.endswith(".gz") and "sample_logs" in path for path in opened), code)
"""


def opened(folder: Path) -> str:
    done = subprocess.run([sys.executable, "-c", COUNTING], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.split()[0]


def test_nothing_new_opens_no_log(tmp_path: Path) -> None:
    folders = [SAMPLE / "gateway", SAMPLE / "AWSLogs"]
    (tmp_path / "tightener.yaml").write_text(f"logs: {list(map(str, folders))}\n", encoding="utf-8")
    logs = [path for folder in folders for path in folder.rglob("*.gz")]
    assert opened(tmp_path) == str(len(logs))
    assert opened(tmp_path) == "0"


def test_the_version_needs_no_command(capsys) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("tightener ")
