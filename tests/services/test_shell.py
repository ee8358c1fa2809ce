"""The reader of shell lines against three others: lines with a known meaning, a list by hand, and bash itself."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tightener.services import shell
from tightener.services.shell import RefusedError, Word

BASH = shutil.which("bash")

READ = [
    ("git push origin main", ["git push origin main"]),
    ("git  push\torigin\\\n main", ["git push origin main"]),
    ("git commit -m 'a; rm -rf /'", ["git commit -m 'a; rm -rf /'"]),
    ('git commit -m "it\'s"', ["git commit -m 'it'\"'\"'s'"]),
    ("a;b&&c||d|e|&f&g\nh", ["a", "b", "c", "d", "e", "f", "g", "h"]),
    ("a &&\n # why\n b", ["a", "b"]),
    ("(cd x && (ls)) 2>/dev/null; b", ["cd x", "ls", "b"]),
    ("! grep -q x f && a", ["grep -q x f", "a"]),
    ("make 2>&1 >/dev/null </dev/null &>/dev/null 3>&-", ["make"]),
    ("make 2 >&2", ["make 2"]),
    ("echo a#b # c; d", ["echo 'a#b'"]),
    ("a'b'\"c\"\\d ''", ["abcd ''"]),
    ("NODE_ENV=test X='a b' npm test", ["env NODE_ENV=test 'X=a b' npm test"]),
    ("PATH=/evil; git push", ["export PATH=/evil", "git push"]),
    ("'a=b' c; \\if d; './x=1'", ["'a=b' c", "'if' d", "'./x=1'"]),
    ("find . -exec rm {} \\;", ["find . -exec rm '{}' ';'"]),
    ("[ -f x ] && echo [", ["'[' -f x ']'", "echo '['"]),
    ("echo $ a$ $", ["echo '$' 'a$' '$'"]),
    ("", []),
    ("# nothing", []),
]
IN_PART = [
    ("git push origin $X", ["git push origin*"]),
    ('git push origin "$X"', ["git push origin *"]),
    ("git push origin feature/${X:-y}", ["git push origin feature/*"]),
    ("git commit -m \"a b $X\"'c'", ["git commit -m 'a b *c'"]),
    ("rm -rf $A/$B$C", ["rm -rf */*"]),
    ("echo $A $B", ["echo*"]),
    ("ls *.txt ~/x ~bob a[12]b {a,b}c {1..3} x{y", ["ls *.txt */x * a* 'x{y'"]),
    ("X=$Y:~/b cmd", ["env X=*:*/b cmd"]),
    ("echo $(git push; ls) `id`", ["echo*", "git push", "ls", "id"]),
    ('echo "$(echo "$(id)")"', ["echo *", "echo *", "id"]),
    ("echo $(a # )\n)", ["echo*", "a"]),
]
REFUSED = [
    *("ls > f", "ls >> f", "ls 2> f", "ls >| f", "ls >&f", "ls &> f", "ls < f", "ls <> f", "ls > /dev/nullx", "> f"),
    *("ls {x}>/dev/null", "cat << E\nx\nE", "cat <<< x", "diff <(a) <(b)", "tee >(a)", "ls >$X", "ls 2>'/dev/null'x"),
    *("$X a", '"$X" a', "a$X b", "$(id) a", "`id` a", "*/x a", "~/x a", "X=1 $Y", "{a,b} c", "$EMPTY ls"),
    *("'a", '"a', "a \\", "a `b", "a $(b", "(a", "a)", "a &&", "&& a", "a || | b", "a;;b", "a ; ; b", "; a", "a & ; b"),
    *("()", "( ; )", "a | ! b", "a (b)", "(a) b", "f() { a; }", "function f { a; }", "a=(b c)", "a[1]=b c", "a+=b c"),
    *("if a; then b; fi", "for x in a; do b; done", "while a; do b; done", "case a in b) c;; esac", "{ a; }"),
    *("[[ a ]]", "select x in a; do b; done"),
    *("time a", "coproc a", "i\\\nf a", "((1))", "a $((1))", "a $[1]", "a $'x'", 'a $"x"', "a ${x@P}", "a ${!x}"),
    *("a ${x:-$(b)}", 'a "${x:-"b"}"', "a `b \\`c\\``", 'a "`b "c"`"', "a ${x", "a $@", "a !(b)", "a @(b|c)", "a\0b"),
    *("a" + ";a" * 1000, "$(" * 30 + ")" * 30, "(" * 100_000, "a `" * 50_001),
]  # fmt: skip


def texts(line: str) -> list[tuple[str, bool]]:
    return [shell.text(words) for words in shell.commands(line)]


@pytest.mark.parametrize(("line", "found"), READ)
def test_lines_that_say_all(line: str, found: list[str]) -> None:
    assert texts(line) == [(one, False) for one in found]
    for one in found:
        assert texts(one) == [(one, False)]  # what was read reads back as itself


@pytest.mark.parametrize(("line", "found"), IN_PART)
def test_words_that_only_the_running_shell_knows(line: str, found: list[str]) -> None:
    assert texts(line) == [(one, "*" in one) for one in found]


@pytest.mark.parametrize("line", REFUSED, ids=lambda line: ascii(line[:30]))
def test_lines_that_are_refused(line: str) -> None:
    with pytest.raises(RefusedError):
        shell.commands(line)


def test_predicates() -> None:
    for line in REFUSED:
        assert shell.is_literal(shell.LITERAL + line), line[:80]
    assert not shell.is_literal("command=view")
    assert not shell.is_literal("git push 'a;b'")
    for _, found in READ:
        assert all(shell.is_command(one) for one in found), found
    for resource in ("channel=#ops", "command=a > b", "to=x y", "x=", ""):
        assert not shell.is_command(resource), resource


# --- lines made from what they mean ------------------------------------------------------------------------------

CHARACTERS = st.text("ab/.-=:,~#$`\\'\"{}[]*?!;&|<>() \t\n\ré", max_size=6)
NAMES = st.sampled_from(["git", "npm", "x.sh", "./run", "/usr/bin/c", "a-b", "-", "é", "a b", "if", "x=1", "'", "*"])
PLAIN = re.compile(r"[\w@%+:,./-]", re.ASCII)


@st.composite
def spelt(draw: st.DrawFn, word: str, first: bool) -> str:
    """One word in any of the ways in which it can be quoted."""
    pieces: list[str] = []
    for char in word:
        way = draw(st.sampled_from("'\"\\p"))
        if way == "'" and char != "'":
            pieces.append(f"'{char}'")
        elif way == '"':
            pieces.append('"' + ("\\" if char in '$`"\\' else "") + char + '"')
        elif way == "p" and PLAIN.fullmatch(char):
            pieces.append(char)
        elif char == "\n":
            pieces.append("'\n'")
        else:
            pieces.append("\\" + char)
        if draw(st.integers(0, 9)) == 0:
            pieces.append(draw(st.sampled_from(["''", '""', "\\\n"])))
    joined = "".join(pieces)
    bare = first and joined.replace("\\\n", "") == word and (word in shell._RESERVED or "=" in word)
    return f"'{word}'" if bare or not joined.replace("\\\n", "") else joined


@st.composite
def simple(draw: st.DrawFn) -> tuple[str, list[list[str]]]:
    argv = [draw(NAMES), *draw(st.lists(CHARACTERS, max_size=3))]
    words = [draw(spelt(word, i == 0)) for i, word in enumerate(argv)]
    blank = draw(st.sampled_from([" ", "  ", "\t", " \\\n"]))
    tail = draw(st.sampled_from(["", "", " 2>&1", " >/dev/null", " </dev/null 2>&-", " &> /dev/null"]))
    return blank.join(words) + tail, [argv]


def joined(parts: st.SearchStrategy[tuple[str, list[list[str]]]]) -> st.SearchStrategy[tuple[str, list[list[str]]]]:
    operators = st.sampled_from([";", " ; ", "&&", " || ", "|", " |& ", " & ", "\n", " # x;y\n", "&&\n"])

    @st.composite
    def lists(draw: st.DrawFn) -> tuple[str, list[list[str]]]:
        line, found = draw(parts)
        for _ in range(draw(st.integers(0, 2))):
            more, argvs = draw(parts)
            line, found = line + draw(operators) + more, found + argvs
        return (f"( {line})", found) if draw(st.integers(0, 3)) == 0 else (line, found)

    return lists()


LINES = joined(joined(simple()))


@settings(max_examples=300)
@given(LINES)
def test_every_spelling_of_the_same_commands_reads_the_same(made: tuple[str, list[list[str]]]) -> None:
    line, expected = made
    found = texts(line)
    assert [shlex.split(text) for text, _ in found] == expected
    assert not any(partial for _, partial in found)
    for text, _ in found:
        assert texts(text) == [(text, False)]
        assert shell.is_command(text)


@given(st.text("ab /.=-_@%+:,~#$'\"\\;&|<>(){}[]*?!\n0", max_size=12))
def test_what_the_database_takes_for_plain_is_one_command_as_it_stands(line: str) -> None:
    if re.fullmatch(shell.PLAIN, line) and not re.search(shell.NOT_PLAIN, line):
        assert texts(line) == [(line, False)]


# --- bash --------------------------------------------------------------------------------------------------------

# Commands side by side must not write into each other's records: one record, one write, hence no line break in it.
DRIVER = r"""
enable -n [ : ; PATH=/nowhere
command_not_found_handle() { printf '%s\0' "$#" "${@//$'\n'/$'\1'}" >&9; return "$STATUS"; }
while IFS= read -r -d '' line; do
    printf 'line\0'
    { (eval -- "$line") < /dev/null > /dev/null 2>&1; } 9>&1 | "$CAT"
done
"""


def run(lines: Sequence[str], folder: Path) -> list[set[tuple[str, ...]]]:
    """The commands that bash runs, for each line; all of a chain, since they fail together and succeed together.

    Command words that are paths must not be among them: bash looks for those by itself.
    """
    assert BASH
    (folder / "f1.txt").touch()
    (folder / "f2.txt").touch()
    found: list[set[tuple[str, ...]]] = [set() for _ in lines]
    for status in "01":
        env = {
            "STATUS": status,
            "CAT": shutil.which("cat") or "",
            "A": "v1",
            "EMPTY": "",
            "TWO": "p 'q",
            "LC_ALL": "C.UTF-8",
            "HOME": "/home/x",
        }
        done = subprocess.run(
            [BASH, "--norc", "-c", DRIVER], cwd=folder, env=env, input="".join(f"{one}\0" for one in lines).encode(),
            check=False, timeout=60, capture_output=True,
        )  # fmt: skip
        at = -1
        fields = iter(done.stdout.decode().split("\0")[:-1])
        for field in fields:
            if field == "line":
                at += 1
            else:
                found[at].add(tuple(next(fields).replace("\1", "\n") for _ in range(int(field))))
        assert at == len(lines) - 1
    return found


def meant(words: Sequence[Word]) -> re.Pattern[str] | None:
    """What a command may come to: a regular expression over its words joined by blanks; None where bash runs none."""
    rest = list(words)
    if rest[0].parts == ("export",):
        return None
    if rest[0].parts == ("env",):
        rest = rest[1:]
        while "=" in (rest[0].parts[0] or ""):
            rest = rest[1:]
    pieces = ["".join(".*" if part is None else re.escape(part) for part in word.parts) for word in rest]
    loose = [" ?" if word.loose else " " for word in rest]
    return re.compile(
        "".join([pieces[0], *(blank + piece for blank, piece in zip(loose[1:], pieces[1:], strict=True))]), re.DOTALL
    )


def agrees(line: str, ran: set[tuple[str, ...]]) -> None:
    patterns = [found for words in shell.commands(line) if (found := meant(words))]
    for argv in ran:
        assert any(one.fullmatch(" ".join(argv)) for one in patterns), (line, argv)
    for one in patterns if "||" not in line else []:  # `x=1 || a` never runs a
        assert any(one.fullmatch(" ".join(argv)) for argv in ran), (line, one.pattern)


@pytest.mark.skipif(BASH is None, reason="no bash here")
def test_bash_runs_what_was_read(tmp_path: Path) -> None:
    own = [line for line, _ in (*READ, *IN_PART) if not re.search(r"cd |echo|\[ |PATH|\./", line)]
    for line, ran in zip(own, run(own, tmp_path), strict=True):
        agrees(line, ran)


@pytest.mark.skipif(BASH is None, reason="no bash here")
@settings(max_examples=8, deadline=None, phases=[Phase.generate])
@given(made=st.lists(LINES, min_size=25, max_size=25))
def test_bash_runs_what_the_line_was_made_from(tmp_path: Path, made: list[tuple[str, list[list[str]]]]) -> None:
    made = [(line, expected) for line, expected in made if not any("/" in argv[0] for argv in expected)]
    for (line, expected), ran in zip(made, run([line for line, _ in made], tmp_path), strict=True):
        meant_ones = {tuple(argv) for argv in expected}
        assert ran <= meant_ones, line
        assert ran == meant_ones or ("(" in line and ("&&" in line or "||" in line)), (
            line
        )  # `a || (b && c)` never runs c


PIECES = (
    *(
        "a",
        "b",
        "a ",
        " b",
        " ",
        "\n",
        ";",
        "&",
        "&&",
        "|",
        "||",
        "(",
        ")",
        "$A",
        "$TWO",
        '"$TWO"',
        "${EMPTY}",
        "$(",
        "`",
    ),
    *("'", '"', "\\", "#", "{", "}", ",", "..", "~", "=", "a=", "!", "! ", "$", "*.txt", "f?.txt", "[12]", "2>&1"),
    *(">/dev/null", "<", ">", "x y", "''", "\\\n", "1", ":"),
)
FRAGMENTS = st.lists(st.sampled_from(PIECES), max_size=9)


@pytest.mark.skipif(BASH is None, reason="no bash here")
@settings(max_examples=12, deadline=None, phases=[Phase.generate])
@given(st.lists(FRAGMENTS.map("".join), min_size=150, max_size=150))
def test_whatever_is_accepted_bash_runs_so(tmp_path: Path, lines: list[str]) -> None:
    accepted = []
    for line in lines:
        try:
            found = shell.commands(line)
        except RefusedError:
            continue
        if found and "!" not in line and not any("/" in (words[0].parts[0] or "") for words in found):
            accepted.append(line)  # ! turns a chain around
    for line, ran in zip(accepted, run(accepted, tmp_path), strict=True):
        agrees(line, ran)


def test_a_line_of_a_megabyte() -> None:
    for line in ("ls " + "a" * 10**6, "a" + "=a" * 500_000, "ls " + "{a," * 300_000, 'ls "' + "$x " * 300_000 + '"'):
        assert len(shell.commands(line)) == 1
    for line in ("a;" * 500_000, "'" * 999_999, "$(a " * 250_000, "# \n" * 300_000 + "a > b"):
        with pytest.raises(RefusedError):
            shell.commands(line)
