"""Makes log text harmless to look at: in a terminal, in a page, in a spreadsheet.

Whoever can call an agent can choose what its log says. A line may hold an escape sequence that repaints a terminal, a
direction override that makes `gpj.exe` read as `exe.jpg`, a zero-width character that makes two names look the same, or
a formula. All of it is shown, none of it acts.
"""

from __future__ import annotations

# Printable by Unicode's category, but drawn as nothing (or as an unmarked gap): two names that differ only in these
# look the same. Fillers, joiners, invisible vowels and the empty braille cell; variation selectors follow below.
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
_NAMED = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}
# What spreadsheets take for the start of a formula, with the full-width forms that some of them fold to ASCII.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def visible(text: str, *, keep: str = "") -> str:
    """`text` with every character that cannot be seen written as an escape: \\x1b, \\u202e, \\U000e0041.

    In: any string, lone surrogates included. Out: printable characters and plain spaces only, so that it can always be
    encoded as UTF-8; the characters in `keep` (newlines, mostly) stay as they are. Backslashes are not doubled, for
    this is for reading, not for reading back. Applying it twice changes nothing. Raises nothing.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char in keep or _is_seen(char) else _escape(char) for char in text)


def terminal(text: str) -> str:
    """`text` for a terminal: as `visible`, but lines stay lines. Rich `[markup]` is not touched: print it plain."""
    return visible(text, keep="\n")


def csv_safe(text: str) -> str:
    """`text` for a CSV cell: as `visible`, with a leading apostrophe where a spreadsheet would see a formula.

    Numbers belong into the file as numbers: pass text only, or -5 becomes '-5.
    """
    shown = visible(text)
    return f"'{shown}" if text.startswith(_FORMULA) else shown


def _is_seen(char: str) -> bool:
    """Whether a reader sees that `char` is there. `isprintable` is false for control, format, surrogate, private and
    unassigned characters and for all spaces but U+0020."""
    return char.isprintable() and char not in _BLANKS and not any(ord(char) in block for block in _SELECTORS)


def _escape(char: str) -> str:
    """The escape that Python and C would write for `char`."""
    if char in _NAMED:
        return _NAMED[char]
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
