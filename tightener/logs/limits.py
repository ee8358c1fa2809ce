"""How much memory, how many threads and which folder for what does not fit: as configured, or as the machine has it."""

from __future__ import annotations

import atexit
import math
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

SHARE = 0.6  # of the machine's memory: the rest is for what is read and for Python
LEAST = 128 << 20  # bytes
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT])(i?)B", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the database may take; None = what the machine suggests."""

    memory: int | None = None  # bytes
    threads: int | None = None
    temporary: Path | None = None  # folder that data is spilled into; made where it is missing


Fail = Callable[..., Exception]  # a message, the key that it is about, a hint -> the error to raise


def read(data: Mapping[str, Any], base: Path, fail: Fail) -> Limits:
    """The limits in a configuration (`memory_limit`, `threads`, `temp_directory`), whose paths count from `base`."""
    folder = data.get("temp_directory")
    return Limits(_memory(data, fail), number(data, "threads", fail), base / folder if folder else None)


def number(data: Mapping[str, Any], key: str, fail: Fail) -> int | None:
    """A whole number from 1; None where the key is absent."""
    value = data.get(key)
    if value is not None and (type(value) is not int or value < 1):
        raise fail(f"`{key}` must be a whole number from 1, not {value!r}", key)
    return value


def size(data: Mapping[str, Any], key: str, fail: Fail) -> int | None:
    """`4GB` -> bytes, as DuckDB counts them: GB are powers of ten, GiB of two. None where the key is absent."""
    value = data.get(key)
    if value is None:
        return None
    said = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if said is None:
        raise fail(f"`{key}` must be a size such as 4GB, not {value!r}", key, hint="a number and KB, MB, GB or TB")
    return int(float(said[1]) * (1024 if said[3] else 1000) ** (1 + "KMGT".index(said[2].upper())))


def _memory(data: Mapping[str, Any], fail: Fail) -> int | None:
    found = size(data, "memory_limit", fail)
    if found is not None and found < LEAST:
        raise fail(
            f"`memory_limit` is too small: {data['memory_limit']}", "memory_limit", hint=f"at least {LEAST >> 20}MiB"
        )
    return found


def settings(of: Limits, database: Path | None) -> dict[str, str]:
    """DuckDB's settings of these names. A folder beside the database is private with it, one in memory gets its own."""
    beside = private_folder() if database is None else database.with_name(f"{database.name}.tmp")
    return {
        "memory_limit": f"{(of.memory or max(LEAST, int(SHARE * memory()))) >> 10}KiB",
        "threads": str(of.threads or threads()),
        "temp_directory": str(of.temporary or beside),
    }


def memory(root: Path = Path("/")) -> int:
    """Bytes of memory that this process can have: the machine's, or what a control group (a container) leaves of it.

    `root` is where /proc and /sys are.
    """
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for place in _groups(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            said = _number(place / name)
            if said:
                found = min(found, said)
    return found


def threads(root: Path = Path("/")) -> int:
    """Processors that this process can have, at least one."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for place in _groups(root, "cpu"):
        both = _text(place / "cpu.max") or f"{_text(place / 'cpu.cfs_quota_us')} {_text(place / 'cpu.cfs_period_us')}"
        quota, _, period = both.partition(" ")
        if quota.isdigit() and period.isdigit() and int(period):
            found = min(found, math.ceil(int(quota) / int(period)))
    return max(found, 1)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's control group and of those that it lies in, in both versions of Linux's interface.

    A container sees its own group as the root, so a group that is not there is looked for there.
    """
    base = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = base / controllers if controllers else base
        folder = top / group.lstrip("/")
        yield from (place for place in (folder, *folder.parents) if place.is_relative_to(top))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> int:
    """The number in a file; 0 where there is none (`max`, -1, or no file)."""
    text = _text(path)
    return int(text) if text.isdigit() else 0


@cache
def private_folder() -> Path:
    """A private folder of this process for what databases in memory spill; it goes when the process ends."""
    made = Path(tempfile.mkdtemp(prefix="tightener-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made
