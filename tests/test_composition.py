"""What is proved alone may fail together: then as many edits as hold together are kept, and the others say why.

Two edits of the sample story are said to hold only apart. The proof is asked as ever otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tightener import composition, pipeline
from tightener.config import Config
from tightener.model import Level
from tightener.prove.proof import Proof
from tightener.prove.replay import Lost
from tightener.results import Study
from tightener.tighten.suggestion import Suggestion

SAMPLE = Path(__file__).resolve().parents[1] / "sample_logs"


def test_edits_that_do_not_hold_together_are_not_kept_together(monkeypatch: pytest.MonkeyPatch) -> None:
    project = pipeline.open_project(Config(), None)
    pipeline.read_logs(project, [str(SAMPLE)], datetime(2026, 11, 24, tzinfo=UTC), lambda _: None)
    policies = pipeline.read_policies(project, [SAMPLE / "policy.yaml"])
    study = pipeline.study(project, policies, "claude-invoice-01")
    every = [one.id for one in pipeline.propose(project, study).suggestions]
    first, _, third, *_ = every
    honest = composition.proof

    def only_apart(found: Study, chosen: Sequence[Suggestion], one: Suggestion | None = None) -> Proof:
        proof = honest(found, chosen, one)
        if {first, third} <= {s.id for s in chosen}:
            return replace(proof, lost=(Lost("git", "pull", "acme/billing", "", Level.ALLOWED, Level.REFUSED),))
        return proof

    monkeypatch.setattr(composition, "proof", only_apart)
    proposal = pipeline.propose(project, study)
    assert [s.id for s in proposal.suggestions] == [one for one in every if one != third]
    assert [(s.id, why.startswith("not together with the others")) for s, why in proposal.left_out] == [(third, True)]
    assert proposal.proof.holds
