"""The folder of pages: names safe everywhere, files whole or not at all, nobody else's touched."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tightener import shelf
from tightener.errors import TightenerError
from tightener.shelf import LEDGER, Placed

HOSTILE = (
    *("../../etc/passwd", "CON", "con", "nul", "com1", "a/b", "a:b", "a?b*", " ", "", ".", "..", "A", "a", "ä", "a."),
    *("a ", "invoice\u202egpj.exe", "\x1b[2J", "x" * 5000, "x" * 5001, "\ud800", "-rf", "a-0123456789abcdef"),
    *("index", "</script>"),
)
WORDS = st.one_of(st.text(), st.text("aA-. /b0"), st.sampled_from(HOSTILE))


def write(folder: Path, files: dict[str, str]) -> Placed:
    with shelf.stage(folder) as staged:
        for name, text in files.items():
            staged.add(name, text)
        return shelf.place(staged)


def read(folder: Path) -> dict[str, str]:
    found = {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}
    found.pop(LEDGER, None)
    return found


@given(st.lists(WORDS, min_size=1, max_size=8, unique=True))
def test_stems_are_safe_and_unique(names: list[str]) -> None:
    # Made stems are names, too: an agent may be called like the file of another.
    names = list(dict.fromkeys([*names, *map(shelf.stem, names)]))
    stems = [shelf.stem(name) for name in names]
    assert len({one.casefold() for one in stems}) == len(names)
    for one in stems:
        assert re.fullmatch(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", one)
        assert len(one) <= 60
        assert not re.fullmatch(r"(?:con|prn|aux|nul|com\d|lpt\d)", one)


def test_a_plain_name_stays_as_it_is() -> None:
    assert shelf.stem("claude-invoice-01") == "claude-invoice-01"
    assert shelf.stem("Claude Invoice").startswith("claude-invoice-")


def test_only_what_differs_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    files = {"index.html": "1", "agents/a.html": "a", "agents/b.html": "b"}
    assert write(folder, files) == Placed(("agents/a.html", "agents/b.html", "index.html"), (), 0)
    stamps = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}
    assert write(folder, files) == Placed((), (), 3)
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()} == stamps
    assert write(folder, files | {"index.html": "2"}) == Placed(("index.html",), (), 2)
    assert read(folder) == files | {"index.html": "2"}


def test_only_what_was_written_here_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    write(folder, {"index.html": "1", "agents/a.html": "a", "agents/b.html": "b"})
    (folder / "notes.html").write_text("mine")
    (folder / "agents" / "b.html").write_text("mine now")
    done = write(folder, {"index.html": "1"})
    assert done == Placed((), ("agents/a.html",), 1)
    assert read(folder) == {"index.html": "1", "notes.html": "mine", "agents/b.html": "mine now"}


def test_a_file_that_is_somebodys_stops_everything(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("a home page")
    with pytest.raises(TightenerError) as error:
        write(tmp_path, {"agents/a.html": "a", "index.html": "1"})
    assert error.value.slug == "not-our-file"
    assert read(tmp_path) == {"index.html": "a home page"}
    assert not (tmp_path / LEDGER).exists()


def test_a_ledger_that_names_other_places_is_not_believed(tmp_path: Path) -> None:
    outside = tmp_path / "precious.html"
    outside.write_text("x")
    folder = tmp_path / "out"
    write(folder, {"index.html": "1"})
    ledger = json.loads((folder / LEDGER).read_text())
    digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"  # of x
    (folder / LEDGER).write_text(json.dumps(ledger | {"../precious.html": digest, "/etc/hosts": digest}))
    write(folder, {"index.html": "1"})
    assert outside.read_text() == "x"
    (folder / LEDGER).write_text("{")
    with pytest.raises(TightenerError) as error:
        write(folder, {"index.html": "1"})
    assert error.value.slug == "not-our-file"


def interrupted(folder: Path) -> None:
    with shelf.stage(folder) as staged:
        staged.add("index.html", "never")
        raise KeyboardInterrupt


def test_an_error_on_the_way_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        interrupted(folder)
    assert not folder.exists()
    write(folder, {"index.html": "1"})
    with pytest.raises(KeyboardInterrupt):
        interrupted(folder)
    assert read(folder) == {"index.html": "1"}


@pytest.mark.parametrize("moment", range(8))
def test_killed_between_two_files_the_next_run_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """The power goes at each rename and removal in turn; nothing is tidied up, and the next run is none the worse."""
    folder = tmp_path / "out"
    write(folder, {"index.html": "1", "agents/a.html": "a", "agents/old.html": "o"})
    left = [moment]

    def dying(real: object) -> object:
        def call(*arguments: object, **more: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                raise SystemExit
            return real(*arguments, **more)  # type: ignore[operator]

        return call

    new = {"index.html": "2", "agents/a.html": "a2", "agents/b.html": "b"}
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", dying(Path.replace))
        patch.setattr(Path, "unlink", dying(Path.unlink))
        try:
            write(folder, new)
        except SystemExit:
            assert left[0] < 0
    for name, text in read(folder).items():
        assert text in {"1", "2", "a", "a2", "b", "o"}, name
    write(folder, new)
    assert read(folder) == new


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TightenerError) as error:
        write(tmp_path / "file", {"index.html": "1"})
    assert error.value.slug == "unwritable"
    if os.geteuid() != 0:
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o500)
        with pytest.raises(TightenerError, match="cannot write"):
            write(locked, {"index.html": "1"})


def test_names_that_are_no_page_are_refused(tmp_path: Path) -> None:
    with shelf.stage(tmp_path / "out") as staged:
        for name in ("../x.html", "a/b/c.html", "/x.html", "X.html", "x.exe", "x", ".html"):
            with pytest.raises(ValueError, match="no name for a file"):
                staged.add(name, "")
