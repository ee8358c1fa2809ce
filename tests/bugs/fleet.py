"""Bugs to plant in the folder of pages and in what is remembered."""

from __future__ import annotations

from bugs.bug import Bug

BUGS = (
    Bug(
        "a page that a person has changed is swept away",
        "tightener/shelf.py",
        "if name not in new and there[name] == old[name]]",
        "if name not in new]",
        "tests/test_shelf.py",
    ),
    Bug(
        "somebody else's file is written over",
        "tightener/shelf.py",
        "            if there[name] not in {None, digest} and name not in old:",
        "            if there[name] not in {None, digest} and name not in there:",
        "tests/test_shelf.py",
    ),
    Bug(
        "a name that looks like a made one stays as it is",
        "tightener/shelf.py",
        " and not _HASHED.fullmatch(name):",
        ":",
        "tests/test_shelf.py",
    ),
    Bug(
        "a ledger may name any place",
        "tightener/shelf.py",
        "for name, digest in found.items() if _OURS.fullmatch(name)}",
        "for name, digest in found.items()}",
        "tests/test_shelf.py",
    ),
    Bug(
        "a formula comes through in a cell of several texts",
        "tightener/report/tables.py",
        "csv_safe(one) if i == 0 else visible(one)",
        "visible(one)",
        "tests/report/test_agree.py",
    ),
    Bug(
        "a run of the same day is added instead of replaced",
        "tightener/trend.py",
        "DELETE FROM finding WHERE day = ? AND days = ? AND list_contains(?, policy)",
        "DELETE FROM finding WHERE day < ? AND days = ? AND list_contains(?, policy)",
        "tests/fleet/test_fleet.py",
    ),
    Bug(
        "what nobody can tell counts as unused",
        "tightener/report/fleet.py",
        "grant.verdict is not None and grant.verdict.kind is not Class.KEEP else",
        "grant.verdict is not None else",
        "tests/fleet/test_fleet.py",
    ),
    Bug(
        "today's policy put to old logs is remembered",
        "tightener/fleet.py",
        "        if self.window.last == usage.span(con).last:\n",
        "        if self.window.last:\n",
        "tests/fleet/test_fleet.py",
    ),
)
