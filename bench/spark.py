"""The same logs on this machine and on a cluster of two workers, of which one is killed meanwhile: equal, and how long.

    python bench/spark.py [--records N] [--logs FOLDER] [--spare]

CloudTrail's records in gzip files, with what goes wrong with logs beside them (tests/logs/spark_cluster.py). A cluster
that is one machine shows that the result is the same, and what a start and a shuffle cost; it cannot show that more
machines are quicker. `--spare` leaves the executors alive.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "logs"))

import spark_cluster  # noqa: E402 - found by the line above

SETTLED = 6  # seconds; a little more than ingest.py's


def main() -> None:
    """Make the logs, read them both ways, print what it took and every difference. Exit code 1 where there is one."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--records", type=int, default=2_000_000)
    options.add_argument(
        "--logs", type=Path, help="CloudTrail's files made before (bench/generate.py): spoilt in place"
    )
    options.add_argument("--spare", action="store_true", help="kill nothing")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="tightener-bench-") as name:
        folder = Path(name)
        logs = asked.logs or folder / "logs"
        if not asked.logs:
            made = [str(HERE / "generate.py"), "cloudtrail", str(asked.records), str(logs)]
            subprocess.run([sys.executable, *made], check=True)
        spark_cluster.spoil(logs)
        time.sleep(SETTLED)  # or only the second reading would take the newest files for finished
        alone, cluster = folder / "alone", folder / "cluster"
        start = time.monotonic()
        spark_cluster.ingest_alone(alone, logs)
        print(f"one machine        {time.monotonic() - start:8.1f} s", flush=True)
        start = time.monotonic()
        running = spark_cluster.ingest(cluster, logs)
        if not asked.spare:
            spark_cluster.kill_an_executor(running)
        _, noise = running.communicate()
        print(f"{spark_cluster.MASTER} {time.monotonic() - start:6.1f} s", flush=True)
        if running.returncode:
            sys.exit(noise)
        spark_cluster.drop_events(alone)
        wrong = spark_cluster.differences(alone, cluster)
        print("\n".join(wrong) or f"equal: {spark_cluster.summary(cluster)}")
        sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
