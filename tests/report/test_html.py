"""The page, read back with Python's own HTML parser: what was put in is there as text, and nothing else acts."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest

from tightener.report.defuse import visible
from tightener.report.html import coverage_words, diff_lines, render
from tightener.report.view import CoverageRow

VOID = {"meta", "input", "rect", "br"}


class Page(HTMLParser):
    """Tags with attributes, and all text outside style and script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.raw: dict[str, list[str]] = {"style": [], "script": []}
        self._inside = ""
        self.feed(text)
        self.close()
        self.text = " ".join("".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag if tag in self.raw else self._inside
        if tag in {"td", "th", "tr", "li", "p", "dd", "dt"}:
            self.words.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        (self.raw[self._inside] if self._inside else self.words).append(data)


@pytest.mark.parametrize("name", ["lifelike", "hostile", "bare", "large"])
def test_the_page_may_run_its_own_script_and_nothing_else(views: ModuleType, name: str) -> None:
    page = Page(render(getattr(views, name)()))
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not {tag for tag, _ in page.tags} & {"img", "link", "iframe", "object", "base", "embed", "video"}
    for tag, attrs in page.tags:
        assert not [key for key in attrs if key.startswith("on") or key in {"style", "src", "action"}], (tag, attrs)
        assert (attrs.get("href") or "#").startswith("#")
    policy = next(a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    for kind in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256("".join(page.raw[kind]).encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_hostile_text_is_shown_as_text_everywhere(views: ModuleType) -> None:
    html = render(views.hostile())
    html.encode()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]", html)
    page = Page(html)
    for text in views.HOSTILE:
        shown = " ".join(visible(text).split())
        assert page.text.count(shown) > 10, shown


def test_every_value_of_a_lifelike_view_is_on_the_page(views: ModuleType) -> None:
    view = views.lifelike()
    text = Page(render(view)).text
    for wanted in (
        view.agent,
        view.sentence,
        view.proof,
        view.policy_digest,
        "21,198 exercised requests replayed, 0 lost",
    ):
        assert wanted in text
    for one in view.suggestions:
        assert all(word in text for word in (one.title, one.why, one.evidence, one.place, one.kind))
    for grant in view.grants:
        for word in (grant.action, *grant.resources, *grant.branches, grant.note, *grant.sample_events):
            assert word in text
    for row in (*view.refused, *view.around_gateway, *view.ungranted):
        assert all(word in text for word in (row.action, row.resource, row.note, *row.sample_events))
    for sentence in view.not_seen:
        assert sentence in text
    for wanted in ("Score 71 → 8", "delete approval 0 1 1", "any 3 → 0, prefix 1 → 4", "no wildcard actions: kept"):
        assert wanted in text
    assert "no IAM actions: 1 left line 12, aws iam:PassRole: no log shows this action" in text
    assert "The sum adds up." in text


def test_what_could_not_be_seen_is_never_folded(views: ModuleType) -> None:
    html = render(views.lifelike())
    start = html.index('<section id="notseen"')
    assert "<details" not in html[start : html.index("</section>", start)]


def test_a_bare_and_failed_view_says_so(views: ModuleType) -> None:
    text = Page(render(views.bare())).text
    assert "failed no solver answer" in text
    assert "The sum does not add up" in text
    assert "no log source was read" in text
    assert "The policy grants this agent nothing." in text


def test_two_thousand_grants_fit_into_400_kb(views: ModuleType) -> None:
    html = render(views.large())
    assert len(re.findall("<tr class=[xuotk] ", html)) == 2000
    assert len(html.encode()) < 400_000


def test_the_same_view_gives_the_same_bytes_in_another_process(views: ModuleType) -> None:
    program = (
        "import sys, hashlib; sys.path.insert(0, sys.argv[1]); import sample_view\n"
        "from tightener.report.html import render\n"
        "print(hashlib.sha256(render(sample_view.lifelike()).encode()).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(Path(views.__file__).parent)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == hashlib.sha256(render(views.lifelike()).encode()).hexdigest()


def test_the_lines_of_a_diff() -> None:
    diff = "--- a/p\n+++ b/p\n@@ -1 +1 @@\n same\n--- x\n+++ y\n\\ No newline at end of file\n"
    assert diff_lines(diff) == [
        ("head", "--- a/p"),
        ("head", "+++ b/p"),
        ("hunk", "@@ -1 +1 @@"),
        ("same", " same"),
        ("del", "--- x"),
        ("ins", "+++ y"),
        ("same", "\\ No newline at end of file"),
    ]
    assert diff_lines("") == []


def test_coverage_names_the_worst_source() -> None:
    full, thin = CoverageRow("gateway", 3, 0, 0, "fff"), CoverageRow("cloudtrail", 1, 1, 1, "fpn")
    assert coverage_words(()) == "no log source was read"
    assert coverage_words((full,)) == "complete on all 3 days"
    assert coverage_words((full, full)) == "2 sources, complete on all 3 days"
    assert coverage_words((full, thin)) == "1 of 2 sources complete; cloudtrail on 1 of 3 days"
    assert coverage_words((thin,)) == "cloudtrail complete on 1 of 3 days"


def test_a_rule_with_many_resources_says_what_it_leaves_out(views: ModuleType) -> None:
    view = views.lifelike()
    many = replace(view.grants[0], resources=tuple(f"bucket{i}" for i in range(9)), last_used=date(2026, 5, 1))
    text = Page(render(replace(view, grants=(many,)))).text
    assert "bucket0, bucket1, bucket2, bucket3 and 5 more in the policy" in text


def test_the_script_stays_small(views: ModuleType) -> None:
    assert len("".join(Page(render(views.bare())).raw["script"]).encode()) < 3000


def test_the_backtest_stands_on_the_page_only_where_there_is_one(views: ModuleType) -> None:
    page = Page(render(views.lifelike()))
    assert "10% unused left 18,203 of 18,204 99.97 to 99.99 % 1 1 of 412 1.4 10 % 10" in page.text
    assert "44% unused left 18,204 of 18,204 99.98 to 100 %" in page.text
    assert {"#tried"} <= {attrs.get("href") for tag, attrs in page.tags if tag == "a"}
    without = Page(render(replace(views.lifelike(), tried=())))
    assert "Would it have been right" not in without.text
    assert "#tried" not in {attrs.get("href") for tag, attrs in without.tags if tag == "a"}
