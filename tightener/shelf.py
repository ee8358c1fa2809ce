"""A folder of made files: put there whole or not at all, written only where bytes change, and swept of nothing else."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tightener.errors import TightenerError

LEDGER = ".tightener-report.json"  # the names and digests of what was written here
PART = ".tightener-report.part"
_OURS = re.compile(r"(?:[a-z0-9-]+/)?[a-z0-9-]+\.(?:html|csv|json)")
# Windows opens a device under these names, whatever their ending.
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])")
_PLAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?")
_HASHED = re.compile(r".*-[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of the folder."""

    written: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int


@dataclass(slots=True)
class Stage:
    """Files on their way: they lie in a folder of their own until all of them are made."""

    folder: Path
    digests: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, text: str) -> None:
        """Takes a file in. `name`: at most one folder, lower case, no two alike.

        Raises ValueError for another name, TightenerError (`unwritable`).
        """
        if not _OURS.fullmatch(name) or name in self.digests:
            raise ValueError(f"{name!r} is no name for a file here, or is taken")
        data = text.encode()
        path = self.folder / PART / name
        with _said(self.folder):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        self.digests[name] = hashlib.sha256(data).hexdigest()


def stem(name: str) -> str:
    """A file's name without its ending for a thing that may be called anything, the same on every file system.

    Letters a-z, digits and hyphens, at most 60 characters; equal names give equal stems, and different ones different
    stems (as far as 64 bits of SHA-256 differ): whatever is not such a stem already, or looks as if it were made here,
    gets the hash of the name behind it.
    """
    if _PLAIN.fullmatch(name) and not _DEVICES.fullmatch(name) and not _HASHED.fullmatch(name):
        return name
    kept = re.sub(r"[^a-z0-9]+", "-", name.lower())[:40].strip("-") or "agent"
    return f"{kept}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """Somewhere to make files before any of them is put in `folder`; nothing of it is left, whatever happens.

    Raises TightenerError (`unwritable`).
    """
    made = not folder.exists()
    try:
        with _said(folder):
            folder.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(folder / PART, ignore_errors=True)
        yield Stage(folder)
    finally:
        shutil.rmtree(folder / PART, ignore_errors=True)
        if made:
            with suppress(OSError):
                folder.rmdir()  # only where nothing has been put there


def place(staged: Stage) -> Placed:
    """Puts the files where they belong; takes away what an earlier run wrote and this one did not, if it is unchanged.

    Raises TightenerError before anything is touched: `not-our-file` where a file lies in the way that no run wrote;
    `unwritable`.
    """
    folder, new = staged.folder, staged.digests
    with _said(folder):
        old = _ledger(folder)
        there = {name: _digest(folder / name) for name in {*new, *old}}
        for name, digest in new.items():
            if there[name] not in {None, digest} and name not in old:
                raise TightenerError(
                    f"{folder / name} was not written by tightener",
                    slug="not-our-file",
                    hint="name another folder with -o, or move the file away",
                )
        stale = [name for name in sorted(old) if name not in new and there[name] == old[name]]
        kept = {name: old[name] for name in stale}
        _write_ledger(folder, kept | new)  # first: a run that is killed now leaves no file that is nobody's
        written = [name for name in sorted(new) if there[name] != new[name]]
        for name in written:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / PART / name).replace(folder / name)
        for name in stale:
            (folder / name).unlink(missing_ok=True)
        _write_ledger(folder, new)
    return Placed(tuple(written), tuple(stale), len(new) - len(written))


@contextmanager
def _said(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or folder
        raise TightenerError(f"cannot write {where}: {error.strerror}", slug="unwritable") from error


def _digest(path: Path) -> str | None:
    """SHA-256 of a file, hex; None = there is none. Raises OSError for what cannot be read as one."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None


def _ledger(folder: Path) -> dict[str, str]:
    """What earlier runs wrote here. Names that no run could have written are not believed."""
    try:
        found = json.loads((folder / LEDGER).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise TightenerError(
            f"{folder / LEDGER} is damaged: it said which files of this folder tightener wrote",
            slug="not-our-file",
            hint="remove the folder, or name another one with -o",
        )
    return {name: str(digest) for name, digest in found.items() if _OURS.fullmatch(name)}


def _write_ledger(folder: Path, digests: Mapping[str, str]) -> None:
    text = json.dumps(dict(sorted(digests.items())), indent=0) + "\n"
    path = folder / LEDGER
    if not path.exists() or path.read_bytes() != text.encode():
        part = folder / PART / "ledger"
        part.parent.mkdir(exist_ok=True)
        part.write_bytes(text.encode())
        part.replace(path)
