"""What is one simple command, or one statement on one table; and a real shell as the judge of it."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tightener.tighten.programs import shell, sql
from tightener.tighten.slots import SPACE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ls", ("ls", "")),
        ("git status", ("git status", "")),
        ("git show 1a2b", ("git show ", "1a2b")),
        ("ls -l /srv", ("ls ", "-l /srv")),
        ("git commit -m 'one two'", ("git commit ", f"-m 'one{SPACE}two'")),
        ('git commit -m "it\'s"', ("git commit ", '-m "it\'s"')),
        (r"cat a\ b", ("cat ", f"a\\{SPACE}b")),
        ("echo 'a; b | c'", ("echo ", f"'a;{SPACE}b{SPACE}|{SPACE}c'")),
        *(
            (text, None)
            for text in (
                "git status; rm -rf /",
                "a && b",
                "a & b",
                "a || b",
                "a | b",
                "a > f",
                "a < f",
                "a 2>&1",
                "echo $(id)",
                "echo `id`",
                'echo "$(id)"',
                'echo "`id`"',
                "echo $HOME",
                'echo "$HOME"',
                "(a)",
                "{ a; }",
                "a\nb",
                "a #b",
                "A=1 b",
                "A+=1 b",
                "! a",
                "if a",
                "for x",
                "echo 'open",
                'echo "open',
                "echo \\",
                "",
                " ls",
                "ls ",
                "ls  -l",
                "a\tb",
                "'ls' x",
                "~/x y",
                "-x",
            )
        ),
    ],
)
def test_shell(text: str, expected: tuple[str, str] | None) -> None:
    assert shell(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT * FROM t", ("SELECT * FROM t", "")),
        ("SELECT a FROM s.t WHERE id = 1", ("SELECT a FROM s.t ", "WHERE id = 1")),
        ("UPDATE t SET a = 'x y'", ("UPDATE t ", f"SET a = 'x{SPACE}y'")),
        ("INSERT INTO t VALUES (1)", ("INSERT INTO t ", "VALUES (1)")),
        *(
            (text, None)
            for text in (
                "SELECT 1",
                "SELECT a FROM t; DROP TABLE t",
                "SELECT a FROM t -- x",
                "SELECT a FROM t /* x */",
                "SELECT a FROM t, u",
                "SELECT a FROM t JOIN u ON 1",
                "SELECT a FROM t UNION SELECT b FROM u",
                "SELECT a FROM t WHERE b = 'x",
                "SELECT a\nFROM t",
                "SELECT a FROM t WHERE b IN (SELECT c FROM u)",
                "SELECT a FROM (SELECT 1)",
            )
        ),
    ],
)
def test_sql(text: str, expected: tuple[str, str] | None) -> None:
    assert sql(text) == expected


words = st.sampled_from(
    [
        "git",
        "ls",
        "-l",
        "a",
        "/x",
        ";",
        "&&",
        "|",
        "&",
        ">",
        "<",
        "$(",
        ")",
        "`",
        "$A",
        "'",
        '"',
        "\\",
        "#",
        "(",
        "{",
        "}",
        "'b c'",
        '"d e"',
        "f=1",
        "*",
        "!",
        "\n",
    ]
)
lines = st.lists(words, min_size=1, max_size=6).map(" ".join) | st.lists(words, min_size=1, max_size=6).map("".join)


@given(lines)
@settings(max_examples=300)
def test_what_is_read_has_the_words_that_a_shell_sees(line: str) -> None:
    read = shell(line)
    if read is None:
        return
    ours = [word.replace(SPACE, " ") for word in "".join(read).split(" ")]
    assert [shlex.split(word) for word in ours] == [[word] for word in shlex.split(line)]


@pytest.mark.skipif(shutil.which("sh") is None, reason="no shell")
def test_a_shell_runs_one_command_for_each_line_that_is_read(tmp_path: Path) -> None:
    """`set -n` reads without running; so each program is a function that counts its calls, and says its arguments."""
    wanted = ["git status", "git show a b", "git log 'x; git y'", "git 'a|b' c", 'git "d e"', r"git f\;g"]
    for line in wanted:
        assert shell(line) is not None, line
        script = f"git() {{ printf '%s\\n' \"$#\" >> {tmp_path}/calls; }}\n{line}\n"
        subprocess.run(["sh", "-c", script], check=True, timeout=20)
        counted = (tmp_path / "calls").read_text(encoding="utf-8").split()
        assert counted == [str(len(shlex.split(line)) - 1)]
        (tmp_path / "calls").unlink()
