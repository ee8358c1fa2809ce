"""Arguments that a program reads: a shell's command line, and a statement of SQL.

Only what is one simple command, or one statement on one table, is ever generalised: `git status*` also matches
`git status; rm -rf /`. What holds an operator, a substitution, a redirection, an expansion or a comment, or what does
not parse, stays as it is.
"""

from __future__ import annotations

import re

from tightener.tighten.slots import SPACE

_NOT_SIMPLE = frozenset(";&|<>()`$#!{}\n\r")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_SUBCOMMAND = re.compile(r"[a-z][a-z-]*")
_RESERVED = frozenset({"!", "case", "coproc", "do", "for", "function", "if", "select", "time", "until", "while"})
_TABLE = re.compile(r"\b(?:from|into|update|table|join)\s+(?:only\s+)?(?P<table>[^\s(,;]+)", re.IGNORECASE)
_SECOND = re.compile(
    r"\b(?:from|into|update|table|join|union|intersect|except)\b|,\s*[a-z_.]+\s+where\b", re.IGNORECASE
)


def shell(text: str) -> tuple[str, str] | None:
    """A simple command as its guarded head (program and subcommand) and its other words; None for any other text.

    Both keep their characters, but a space inside quotes is `SPACE`, so that spaces separate words.
    """
    plain = _quoted(text, _NOT_SIMPLE, escapes=True)
    if plain is None or "  " in plain or plain != plain.strip(" ") or "\t" in plain:
        return None
    words = plain.split(" ")
    if not words[0] or _ASSIGNMENT.match(words[0]) or words[0] in _RESERVED or words[0][0] in "'\"-~":
        return None
    guarded = 2 if len(words) > 1 and _SUBCOMMAND.fullmatch(words[1]) else 1
    head = " ".join(words[:guarded])
    return (head, "") if len(words) == guarded else (head + " ", " ".join(words[guarded:]))


def sql(text: str) -> tuple[str, str] | None:
    """A statement on one table as its head, up to and with the table, and the words behind it; None for other texts."""
    plain = _quoted(text, frozenset(";\n\r\t"), escapes=False)
    if plain is None or "--" in plain or "/*" in plain or "  " in plain or plain != plain.strip(" "):
        return None
    table = _TABLE.search(plain)
    if table is None or _SECOND.search(plain, table.end()):
        return None
    end = table.end()
    if plain[end : end + 1] not in ("", " "):
        return None
    return (plain[:end], "") if end == len(plain) else (plain[: end + 1], plain[end + 1 :])


def _quoted(text: str, stops: frozenset[str], *, escapes: bool) -> str | None:
    """The text with the spaces inside quotes replaced; None where a stop stands outside quotes, or a quote is open.

    With `escapes`, a backslash outside single quotes takes the next character along, and what double quotes still
    expand counts as outside.
    """
    pieces: list[str] = []
    quote, at = "", 0
    while at < len(text):
        char = text[at]
        if char < " " or (char in stops and (not quote or (escapes and quote == '"' and char in "$`"))):
            return None
        if escapes and char == "\\" and quote != "'":
            if at + 1 == len(text) or text[at + 1] < " ":
                return None
            pieces.append(char + text[at + 1].replace(" ", SPACE))
            at += 2
            continue
        if char in "'\"":
            quote = "" if quote == char else quote or char
        pieces.append(SPACE if quote and char == " " else char)
        at += 1
    return None if quote else "".join(pieces)
