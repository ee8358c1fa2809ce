"""Log text in a pull request's body: all of it shown, none of it acting.

Whoever can call an agent can choose what its log says: a mention, "fixes #1", a backtick that ends a code span, a pipe
that ends a table's cell, an HTML tag, a comment that hides the rest. So whatever is not plain is written as a character
reference, and what a renderer may still take for a reference after decoding it stands in a `<code>` element, where
GitHub looks for none.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tightener.report.defuse import visible

# Besides letters and digits (of any script): neither Markdown nor HTML, and no start of a reference.
_PLAIN = frozenset(" .,:;()/+%?='\"-…→·≤")
# What becomes a mention, an issue, a commit or a link even where the characters are written as references.
_ACTING = re.compile(r"[@#]|://|www\.|gh-\d|:[\w+-]+:|[0-9a-f]{7,40}\b", re.IGNORECASE)
_LINK = re.compile(r"(?<=www)\.|:(?=//)", re.IGNORECASE)  # the character that makes one
_REFERENCE = re.compile(r"(?<!\w)@|#(?=\d)|(?<=gh)-(?=\d)|:(?=//)", re.IGNORECASE)
_ENDS = ".,:;"
_TOKENS = re.compile(r"(\s+)")


def code(text: str) -> str:
    """`text` as code, on one line. Raises nothing."""
    return f"<code>{_escaped(visible(text))}</code>"


def prose(text: str) -> str:
    """A sentence of ours with names from logs or policies in it: what stands between
    backticks stays code, the rest is text. Raises nothing."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:  # a backtick of the log's own: which of them pair is not known
        return _words(text)
    return "".join(code(piece) if at % 2 else _words(piece) for at, piece in enumerate(pieces))


def paragraph(text: str) -> str:
    """Lines as `prose`, each on one of its own, in a paragraph that the page wraps. Raises nothing."""
    return f"<p>{'<br>'.join(prose(line) for line in text.splitlines() if line.strip())}</p>"


def block(text: str) -> str:
    """Lines as they are, for what people copy. Raises nothing."""
    lines = (_escaped(visible(line, keep="\t")) or "&#32;" for line in text.rstrip("\n").split("\n"))
    return f"<pre>{'&#10;'.join(lines)}</pre>"


def short(text: str, most: int, write: Callable[[str], str] = prose) -> str:
    """As much of `text` as is at most `most` characters long once it is written, with an ellipsis where it was cut."""
    if len(text) <= 2 * most and len(made := write(text)) <= most:
        return made
    low, high = 0, min(len(text), 2 * most)  # written, it is no shorter but for backticks: every second at most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len(write(_cut(text, middle))) <= most else (low, middle - 1)
    return write(_cut(text, low))


def _cut(text: str, at: int) -> str:
    return f"{text[:at]}…{'`' if text.count('`', 0, at) % 2 else ''}"  # a span that was open is closed


def inert(text: str) -> str:
    """`text` for a title or a commit's message, where no markup is: on one line, and without references."""
    return _REFERENCE.sub(lambda found: f"\\x{ord(found[0]):02x}", visible(" ".join(text.split())))


def _words(text: str) -> str:
    parts = _TOKENS.split(visible(text, keep="\n"))
    return "".join(" " if part.isspace() else _word(part) for part in parts if part)


def _word(text: str) -> str:
    if not _ACTING.search(text):
        return _escaped(text)
    name = text.rstrip(_ENDS)  # the sentence's own, and none of the name
    return f"{code(name)}{text[len(name) :]}" if name else code(text)


def _escaped(text: str) -> str:
    made = "".join(c if c.isalnum() or c in _PLAIN else f"&#{ord(c)};" for c in text)
    return _LINK.sub(lambda found: f"&#{ord(found[0])};", made)
