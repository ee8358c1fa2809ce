"""A shell's line -> the commands that it names, word by word: POSIX quoting, bash's operators and substitutions.

What is not surely understood is refused as a whole (docs/policy-semantics.md, section 3, "Tools"): a request must
never say less than what the shell does. Refused are, among others, redirections to files, here-documents, process
substitutions, compound commands, functions, arithmetic, and a command word that only the running shell knows.

An own lexer: Python's shlex knows neither operators nor the rules inside double quotes, bashlex has a licence that this
project cannot take over, and grammars for editors recover from mistakes where this has to refuse them.
tests/services/test_shell.py holds it against bash.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple, NoReturn

LITERAL = "command="  # a line that was refused is one request: this, and the line as it stands
MOST_COMMANDS = 1000  # of one line; a longer one is refused
_DEEPEST = 20  # substitutions and subshells inside one another
_KEYWORDS = (
    *("if", "then", "else", "elif", "fi", "do", "done", "case", "esac", "while", "until", "for", "in", "function"),
    *("select", "time", "coproc"),
)
_RESERVED = frozenset({*_KEYWORDS, "!", "{", "}", "[[", "]]"})
_SAFE = "A-Za-z0-9@%+:,./_-"
# Regular expressions that DuckDB and Python agree on: a line that is one command exactly as it stands is whole in PLAIN
# and nowhere in NOT_PLAIN.
PLAIN = f"[{_SAFE}]+(?: [={_SAFE}]+)*"
NOT_PLAIN = f"^(?:{'|'.join(_KEYWORDS)})(?: |$)"
_BLANKS = re.compile(r"(?:[ \t]|\\\n)*")
_LINES = re.compile(r"(?:[ \t\n]|\\\n|(?<![^ \t\n;&|()])#[^\n]*)*")
_COMMENT = re.compile(r"#[^\n]*")
_KNOWN = re.compile(r"[^ \t\n;&|<>()\\'\"$`*?\[\]{},.~=:]+")  # nothing that means anything
_KNOWN_QUOTED = re.compile(r"[^\\\"$`]+")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9?#$!-]")
_BRACED = re.compile(r"\{#?[A-Za-z_][A-Za-z0-9_]*(?:(?::?[-=+?]|##?|%%?)[A-Za-z0-9_./:@,+-]*)?\}")
_LOGIN = re.compile(r"~[A-Za-z0-9._+-]*")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_APPENDED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\+=|\[)")
_DESCRIPTOR = re.compile(r"(?:[<>]&(?:[0-9]+-?|-)|(?:&>>?|>&|>>?|>\||<)[ \t]*/dev/null)(?![^ \t\n;&|()])")
_DIGITS = re.compile(r"[0-9]+")
_END = " \t\n;&|<>()"


class Word(NamedTuple):
    """One word of a command. A part is None where only the running shell knows it: a variable, a file name pattern.

    `loose`: nothing of it is known, and it may come to no word at all, or to several.
    """

    parts: tuple[str | None, ...]
    loose: bool = False


class RefusedError(Exception):
    """The line holds something that is not surely understood."""


def commands(line: str) -> list[tuple[Word, ...]]:
    """The commands of a line in the order in which they begin, those of substitutions included.

    Assignments before a command are words of `env`, assignments alone are words of `export`. Redirections between file
    descriptors and to or from /dev/null leave no trace. Raises RefusedError.
    """
    if "\0" in line:
        raise RefusedError
    reader = _Reader(line, [], 0)
    reader.commands("")
    return reader.found


def text(words: Sequence[Word]) -> tuple[str, bool]:
    """A command as a resource, and whether it is partial: words joined by blanks, quoted where they need it.

    A part that is not known is `*`. A command that needs no shell any more reads back as itself.
    """
    found: list[str] = []
    for word in words:
        known = "".join(part or "" for part in word.parts)
        if None not in word.parts:
            found.append(f" {shlex.quote(known)}" if found else _command_word(known))
        elif word.loose:  # the blank before it may be missing, too
            found[-1] += "*" * (not found[-1].endswith("*"))
        else:
            mark = "'" if known and (shlex.quote(known) != known or ("=" in known and not found)) else ""
            inside = "".join("*" if part is None else part.replace("'", "'\"'\"'") for part in word.parts)
            found.append(f" {mark}{inside}{mark}".removeprefix("" if found else " "))
    return "".join(found), any(None in word.parts for word in words)


def is_literal(resource: str) -> bool:
    """Whether a tool's resource is a line that was refused, or holds what a shell would act on.

    Such a value never stands under a wildcard: what begins like it may do anything.
    """
    line = resource.removeprefix(LITERAL)
    return line != resource and (not re.fullmatch(PLAIN, line) or re.search(NOT_PLAIN, line) is not None)


def is_command(resource: str) -> bool:
    """Whether a tool's resource is a command (or a statement of SQL), and no argument `name=value`.

    A command's first word holds no `=` without quotes around it.
    """
    name, equals, _ = resource.partition("=")
    return bool(resource) and (not equals or not name or " " in name or "'" in name)


def _command_word(word: str) -> str:
    """Quoted also where a shell would take it for an assignment or a keyword."""
    quoted = shlex.quote(word)
    return f"'{word}'" if quoted == word and ("=" in word or word in _RESERVED) else quoted


class _Reader:
    """Recursive descent over one text; substitutions in `` are texts of their own."""

    def __init__(self, line: str, found: list[tuple[Word, ...]], depth: int) -> None:
        self._text = line
        self._at = 0
        self._depth = depth
        self.found = found

    def _refuse(self) -> NoReturn:
        raise RefusedError

    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self, what: re.Pattern[str]) -> None:
        found = what.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _starts(self, *texts: str) -> bool:
        return self._text.startswith(texts, self._at)

    def commands(self, end: str) -> int:
        """A list of commands up to and with `end` ('' = the end of the text). Returns how many there were."""
        self._depth += 1
        if self._depth > _DEEPEST:
            self._refuse()
        count, awaited, negatable = 0, False, True
        while True:
            self._skip(_LINES)
            if self._next() == end:
                if awaited:
                    self._refuse()
                self._at += len(end)
                self._depth -= 1
                return count
            if negatable and self._starts("! ", "!\t"):
                self._at += 2
                self._skip(_BLANKS)
            self._command()
            count += 1
            self._skip(_BLANKS)
            self._skip(_COMMENT)
            awaited, negatable = self._starts("&&", "|"), not self._starts("|") or self._starts("||")
            if self._starts("&&", "||", "|&"):
                self._at += 2
            elif self._next() in {"|", "&", "\n"} or (self._starts(";") and not self._starts(";;", ";&")):
                self._at += len(self._next())
            elif self._next() != end:
                self._refuse()

    def _command(self) -> None:
        """One simple command, or a subshell."""
        if self._starts("("):
            self._subshell()
            return
        place = len(self.found)
        if place >= MOST_COMMANDS:
            self._refuse()
        self.found.append(())  # before those of its substitutions
        words: list[Word] = []
        settings: list[Word] = []
        while found := self._argument():
            raw, word = found
            if words:
                words.append(word)
            elif _ASSIGNMENT.match(raw):
                settings.append(word._replace(loose=False))
            elif _APPENDED.match(raw) or raw in _RESERVED or None in word.parts:
                self._refuse()
            else:
                words.append(word)
        if settings:
            words = [Word(("env" if words else "export",)), *settings, *words]
        if not words:
            self._refuse()
        self.found[place] = tuple(words)

    def _subshell(self) -> None:
        if self._starts("(("):
            self._refuse()
        self._at += 1
        if not self.commands(")"):
            self._refuse()
        if self._argument():
            self._refuse()

    def _argument(self) -> tuple[str, Word] | None:
        """The next word, with its text before it, behind any redirections; None at the end of the command."""
        while True:
            if self._redirection():
                continue
            if not self._next() or self._next() in ";&|\n)#":
                return None
            start = self._at
            word = self._word()
            raw = self._text[start : self._at].replace("\\\n", "")
            if not self._starts("<", ">") or not (_DIGITS.fullmatch(raw) or raw.startswith("{")):
                return raw, word
            if raw.startswith("{"):
                self._refuse()  # it names a variable for the redirection; digits number it

    def _redirection(self) -> bool:
        """One that touches no file is skipped. Whether there was one."""
        self._skip(_BLANKS)
        if not self._starts("<", ">", "&>"):
            return False
        found = _DESCRIPTOR.match(self._text, self._at)
        if found is None:
            self._refuse()
        self._at = found.end()
        return True

    def _word(self) -> Word:
        if self._next() in {"(", "<", ">"}:
            self._refuse()
        word = _Building()
        while (char := self._next()) and char not in _END:
            known = _KNOWN.match(self._text, self._at)
            if known:
                word.know(known.group())
                self._at = known.end()
            elif char in "\\'\"":
                self._quoted(word, char)
            elif char in "$`":
                self._expansion(word, quoted=False)
            else:
                self._at += self._plain(word, char)
        if self._next() == "(":
            self._refuse()  # a function, a list, an extended pattern
        return word.done()

    def _plain(self, word: _Building, char: str) -> int:
        """One character without quotes that may mean something. Returns how many were taken."""
        if char in "*?":
            word.not_know(quoted=True)  # a pattern that no file fits stays as it is
        elif char == "~" and (not word.begun or self._text[self._at - 1] in "=:"):
            word.not_know(quoted=True)
            login = _LOGIN.match(self._text, self._at)
            return len(login.group()) if login else 1
        else:
            word.bracket(char, twice=self._text[self._at - 1 : self._at + 1] == "..")
            word.know(char)
        return 1

    def _quoted(self, word: _Building, mark: str) -> None:
        if mark == "\\":
            if self._at + 1 >= len(self._text):
                self._refuse()
            following = self._text[self._at + 1]
            self._at += 2
            if following != "\n":
                word.know(following, quoted=True)
        elif mark == "'":
            end = self._text.find("'", self._at + 1)
            if end < 0:
                self._refuse()
            word.know(self._text[self._at + 1 : end], quoted=True)
            self._at = end + 1
        else:
            self._double(word)

    def _double(self, word: _Building) -> None:
        word.know("", quoted=True)
        self._at += 1
        while (char := self._next()) != '"':
            known = _KNOWN_QUOTED.match(self._text, self._at)
            if known:
                word.know(known.group(), quoted=True)
                self._at = known.end()
            elif char == "\\":
                following = self._text[self._at + 1 : self._at + 2]
                if following != "\n":
                    word.know(following if following and following in '$`"\\' else char + following, quoted=True)
                self._at += 2
            elif char:
                self._expansion(word, quoted=True)
            else:
                self._refuse()
        self._at += 1

    def _expansion(self, word: _Building, *, quoted: bool) -> None:
        """A variable or a substitution; a dollar sign that is neither."""
        if self._starts("`"):
            end = self._text.find("`", self._at + 1)
            inner = self._text[self._at + 1 : end]
            if end < 0 or "\\" in inner or (quoted and '"' in inner):
                self._refuse()
            _Reader(inner, self.found, self._depth).commands("")
            self._at = end + 1
        elif self._starts("$("):
            if self._starts("$(("):
                self._refuse()
            self._at += 2
            self.commands(")")
        elif found := (_BRACED.match(self._text, self._at + 1) or _PARAMETER.match(self._text, self._at + 1)):
            self._at = found.end()
        elif self._text[self._at + 1 : self._at + 2] in set("'\"{[@*(") - (set("'\"") if quoted else set()) or (
            self._text.startswith("\\\n", self._at + 1)  # a shell first joins the lines: what follows may be a name
        ):
            self._refuse()
        else:
            word.know("$", quoted=quoted)
            self._at += 1
            return
        word.not_know(quoted=quoted)


class _Building:
    """A word while it is read."""

    def __init__(self) -> None:
        self._parts: list[str | None] = []
        self._quoted = False  # something in quotes: it is at least one word
        self._opened: dict[str, int] = {}  # bracket -> how many parts stand before it
        self._several = False
        self._cut: int | None = None

    @property
    def begun(self) -> bool:
        return bool(self._parts) or self._quoted

    def know(self, piece: str, *, quoted: bool = False) -> None:
        self._quoted = self._quoted or quoted
        if piece:
            self._parts.append(piece)

    def not_know(self, *, quoted: bool = False) -> None:
        self._quoted = self._quoted or quoted
        self._parts.append(None)

    def bracket(self, char: str, *, twice: bool) -> None:
        """Note what may be a set of characters or a brace expansion: from there on, nothing is known."""
        if char in "[{":
            self._opened.setdefault(char, len(self._parts))
        elif "{" in self._opened and (char == "," or twice):
            self._several = True
        elif (char == "]" and "[" in self._opened) or (char == "}" and self._several):
            opened = self._opened["[" if char == "]" else "{"]
            self._cut = opened if self._cut is None else min(self._cut, opened)

    def done(self) -> Word:
        parts = self._parts if self._cut is None else [*self._parts[: self._cut], None]
        joined: list[str | None] = []
        for known, pieces in groupby(parts, lambda part: part is not None):
            joined.append("".join(piece or "" for piece in pieces) if known else None)
        return Word(tuple(joined) or ("",), loose=joined == [None] and not self._quoted)
