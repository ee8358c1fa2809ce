"""Log text in Markdown: whatever it says, a renderer shows it and does nothing else. The renderer is markdown-it."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tightener.publish.markdown import block, code, inert, paragraph, prose, short
from tightener.report.defuse import visible

HOSTILE = [
    "@dana",
    "fixes #1",
    "closes https://github.com/acme/policies/issues/1",
    "resolves GH-7",
    "acme/policies#3",
    "`",
    "``` x",
    "a|b",
    "<img src=x onerror=alert(1)>",
    "</code></details><h1>hi",
    "<!-- hide",
    "-->",
    "[x](javascript:alert(1))",
    "![x](http://evil.example/p.png)",
    "www.evil.example",
    "*bold* _em_ ~~gone~~ $x$ :tada:",
    "&#64;dana &lt;b&gt;",
    "- [ ] <code>drop-rule-000000</code>",
    "\\@dana \\`",
    "line\nbreak\n# heading",
    "\u202egpj.exe\x1b[31m",
    "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
]
TEXT = st.lists(st.sampled_from([*HOSTILE, " ", "x", ".", "1."]) | st.text(max_size=8), max_size=6).map("".join)


class _Page(HTMLParser):
    """The tags of a page, and its text; what stands in <code> apart."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.text = ""
        self.outside = ""
        self._open = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not attrs, (tag, attrs)
        self.tags.append(tag)
        self._open += tag in {"code", "pre"}

    def handle_endtag(self, tag: str) -> None:
        self._open -= tag in {"code", "pre"}

    def handle_data(self, data: str) -> None:
        self.text += data
        if not self._open:
            self.outside += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


def rendered(markdown: str) -> _Page:
    page = _Page()
    page.feed(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown))
    page.close()
    return page


def flat(text: str) -> str:
    """Without the difference between a line break, which prose makes a space, and its escape, which code shows."""
    return " ".join(text.replace("\\n", " ").split())


@given(TEXT)
@pytest.mark.parametrize("write", [code, prose])
def test_it_is_shown_and_nothing_else(write: Callable[[str], str], text: str) -> None:
    page = rendered(f"| a | b |\n|---|---|\n| {write(text)} | x |")
    assert set(page.tags) <= {"table", "thead", "tbody", "tr", "th", "td", "code"}
    assert page.tags.count("td") == 2
    shown = visible(text, keep="\n")
    expected = shown.replace("`", "") if write is prose and "`" in text else shown
    found = page.text.replace("`", "") if write is prose and "`" in text else page.text
    assert flat(found) == flat(f"a b {expected if write is prose else visible(text)} x")


@given(TEXT)
def test_no_reference_is_left_outside_code(text: str) -> None:
    page = rendered(f"- [x] {prose(text)}")
    assert not re.search(r"@\w|#\d|gh-\d|://|www\.|:\w+:", page.outside, re.IGNORECASE), page.outside
    assert page.tags.count("li") == 1


@given(TEXT)
@pytest.mark.parametrize("write", [code, prose])
def test_the_raw_text_has_no_reference_either(write: Callable[[str], str], text: str) -> None:
    raw = re.sub(r"</?code>|&#\d+;", "\u25a1", write(text))
    assert not re.search(r"[@#|`<>\[\]*\\\n]|://|www\.", raw), raw


@given(TEXT)
def test_a_block_keeps_its_lines(text: str) -> None:
    page = rendered(f"before\n\n{block(text)}\n\nafter")
    assert page.tags == ["p", "pre", "p"]
    lines = [visible(line, keep="\t") or " " for line in text.rstrip("\n").split("\n")]
    assert "\n".join(lines) in page.text


@given(TEXT)
def test_a_paragraph_keeps_its_lines_and_is_nothing_else(text: str) -> None:
    page = rendered(f"before\n\n{paragraph(text)}\n\nafter")
    assert set(page.tags) <= {"p", "code", "br"}
    assert (page.tags.count("p"), page.tags.count("li")) == (3, 0)
    lines = [line for line in text.splitlines() if line.strip()]
    assert page.tags.count("br") == max(0, len(lines) - 1)
    expected = f"before{''.join(visible(line) for line in lines)}after".replace("`", "")
    assert "".join(page.text.replace("`", "").split()) == "".join(expected.split())


def test_what_ends_a_sentence_is_no_part_of_a_name() -> None:
    assert prose("lambda:Get: no log of it; commit deadbeef12, #1.") == (
        "<code>lambda:Get</code>: no log of it; commit <code>deadbeef12</code>, <code>&#35;1</code>."
    )


@given(TEXT, st.integers(20, 200))
def test_short_is_short(text: str, most: int) -> None:
    made = short(text, most)
    assert len(made) <= most
    assert made == prose(text) or "…" in made or "&#8230;" in made


@given(TEXT)
def test_a_title_refers_to_nothing(text: str) -> None:
    title = inert(text)
    assert "\n" not in title
    assert not re.search(r"(?<!\w)@|#\d|gh-\d|://", title, re.IGNORECASE), title
