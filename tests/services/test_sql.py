"""The reader of SQL against a list by hand, DuckDB's own opinion, and statements with known tables."""

from __future__ import annotations

import re
import subprocess
import sys

import duckdb
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tightener.services import sql
from tightener.services.sql import RefusedError

READ = [
    ("SELECT count(*) FROM jobs WHERE state = 'failed'", ["select jobs"]),
    ('select * from db.Schema."In voices" where 1=1', ['select db.schema."In voices"']),
    ("select 1", ["select"]),
    ("delete from t where 1=1", ["delete t"]),
    ("update t set a = (select b from u) from v", ["update t", "select u", "select v"]),
    ("insert into t (a) select * from u", ["insert t", "select u"]),
    ("merge into t using (select * from u) s on t.a = s.a when matched then delete", ["merge t", "select u"]),
    ("create table t (a int references z(b))", ["create t", "select z"]),
    ("create or replace view v as select * from w", ["create v", "select w"]),
    ("select * into x from u", ["create x", "select u"]),
    ("drop table if exists a, B", ["drop a", "drop b"]),
    ("drop database x", ["drop database x"]),
    ("truncate table a, b", ["truncate a", "truncate b"]),
    ("alter table t add column x int", ["alter t"]),
    ("update a join b on 1=1 set b.x = 1", ["update a", "update b"]),
    ("begin; update t set a = 1;; commit -- done", ["begin", "update t", "commit"]),
    ("select * from t; drop table t", ["select t", "drop t"]),
    ("select a from t union all select b from u", ["select t", "select u"]),
    ("select * from generate_series(1, 2), unnest(t.a)", ["select"]),
    # what a WITH names is no table, but only behind it, and only without a schema
    ("with a as (select 1 from a) select * from a", ["select a"]),
    ("with a as (select 1) select * from a, s.a", ["select s.a"]),
    ("with recursive a as (select 1 union all select * from a) select * from a", ["select"]),
    ("with a as (select * from b), b as (select 1) select * from a, b", ["select b"]),
    ("with a as (select 1 from x) select * from (with b as (select * from a) select * from b, c) t, b",
     ["select x", "select c", "select b"]),
    ("with x as (delete from t returning *) select * from x", ["delete t"]),
    ("insert into t with a as (select 1) select * from a", ["insert t"]),
    ("", []),
    ("-- nothing", []),
]  # fmt: skip
REFUSED = [
    *("select * from", "drop", "select 1; garbage here now", "hello", "a b c d", "(" * 50_000, "select '"),
    *(
        "explain analyze delete from t",
        "call f()",
        "exec sp_x",
        "do $$ begin end $$",
        "copy t to 'x'",
        "grant select on a to b",
    ),
    *("set role admin", "create function f() returns int as 'x' language sql", "create index i on t(a)", "vacuum t"),
    *("select * from dblink('x') t", "select * from t into outfile '/x'", "load data infile 'x' into table t"),
    # the table that is changed stands elsewhere
    *("update a set x = 1 from invoices a", "delete a from invoices a join b on 1=1", "delete from only t"),
    "with x as (select * from t) delete from x",
    # read otherwise by one database or another
    *("select 'a\\'; drop table t; -- '", "select 1 /*! ; drop table t */", "select 5--1; drop table t"),
    *("select 1 # '\n; drop table t -- '", "select $$ ' $$", "select $a$ ' $a$", "select 1 /* /* */ */", "select '\0'"),
    "select 1 from t -- " + "x" * sql.LONGEST,
]


@pytest.mark.parametrize(("text", "found"), READ)
def test_statements(text: str, found: list[str]) -> None:
    assert sql.statements(text) == found
    assert all(map(sql.is_statement, found))


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: ascii(text[:40]))
def test_texts_that_are_refused(text: str) -> None:
    with pytest.raises(RefusedError):
        sql.statements(text)
    assert sql.is_literal(sql.LITERAL + text)


TABLES = ("a", "b", "c", "s.a", "s.b")
NAMES = st.sampled_from(TABLES)
Query = tuple[list[tuple[str, "Query"]], list["str | Query"]]  # its WITHs, and what it reads


@st.composite
def queries(draw: st.DrawFn, depth: int = 2) -> Query:
    """Selects with WITHs that hide tables and one another."""
    inner = queries(depth=depth - 1)
    named = [(name, draw(inner)) for name in draw(st.lists(st.sampled_from("abc"), max_size=2, unique=True)) if depth]
    return named, draw(st.lists(NAMES | inner if depth else NAMES, min_size=1, max_size=2))


def spelt(query: Query) -> str:
    named, sources = query
    parts = [one if isinstance(one, str) else f"({spelt(one)})" for one in sources]
    text = "select 1 from " + ", ".join(f"{part} t{number}" for number, part in enumerate(parts))
    return "with " * bool(named) + ", ".join(f"{name} as ({spelt(one)})" for name, one in named) + f" {text}"


def tables(query: Query, hidden: frozenset[str] = frozenset()) -> set[str]:
    named, sources = query
    found: set[str] = set()
    for name, one in named:
        found |= tables(one, hidden)  # it does not see itself
        hidden |= {name}
    for source in sources:
        found |= ({source} - hidden) if isinstance(source, str) else tables(source, hidden)
    return found


@settings(max_examples=100, deadline=None)
@given(queries())
def test_a_with_hides_a_table_only_where_it_is_seen(query: Query) -> None:
    assert set(sql.statements(spelt(query))) == ({f"select {name}" for name in tables(query)} or {"select"})


def readable(text: str, missing: str) -> bool:
    with duckdb.connect() as con:
        con.execute("CREATE SCHEMA s")
        for name in TABLES:
            if name != missing:
                con.execute(f"CREATE TABLE {name} (x INTEGER)")
        try:
            con.execute(f"EXPLAIN {text}")
        except (duckdb.CatalogException, duckdb.BinderException):
            return False
    return True


@settings(max_examples=12, deadline=None, phases=[Phase.generate])
@given(queries())
def test_a_table_without_which_duckdb_cannot_do_is_named(query: Query) -> None:
    text = spelt(query)
    if readable(text, ""):  # else a WITH refers to itself, which DuckDB does not take for the table
        assert set(sql.statements(text)) >= {f"select {name}" for name in TABLES if not readable(text, name)}


CHANGES = {
    "insert {0} ": "insert into {0} select 1 from {1}",
    "update {0} ": "update {0} set x = (select max(y) from {1})",
    "delete {0} ": "delete from {0} where x in (select y from {1})",
    "create {0} ": "create table {0} as select * from {1}",
}


@given(st.lists(st.tuples(st.sampled_from(sorted(CHANGES)), NAMES, NAMES), min_size=1, max_size=4))
def test_several_statements_are_several_requests(made: list[tuple[str, str, str]]) -> None:
    text = " ; ".join(CHANGES[kind].format(target, read) for kind, target, read in made)
    wanted = [one for kind, target, read in made for one in (kind.format(target).strip(), f"select {read}")]
    assert sql.statements(text) == list(dict.fromkeys(wanted))


@given(st.text("select from t;()'\"*/-,.aw\n", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = sql.statements(text)
    except RefusedError:
        return
    assert all(re.match(r"[a-z]+( |$)", one) for one in found)


def test_what_does_not_need_it_does_not_load_it() -> None:
    code = "import sys, tightener.cli, tightener.pipeline; sys.exit('sqlglot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
