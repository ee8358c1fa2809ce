"""More of the same never makes a policy looser: eleven calls that an agent never makes stay refused."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping

import pytest
from growing import PROBES, call, calls, service_of
from uses import Use, collect, glob

from tightener.tighten.generalise import generalise


def learnt(number: int) -> Mapping[str, tuple[str, ...]]:
    """The patterns for each kind of call after so many calls, where everything was granted."""
    uses: defaultdict[str, list[Use]] = defaultdict(list)
    for kind, use in calls(number):
        uses[kind].append(use)
    return {kind: generalise(*service_of(kind), collect(some), ["*"]) or ("*",) for kind, some in uses.items()}


@pytest.mark.parametrize("number", [1_000, 10_000, 100_000])
def test_the_probes_stay_refused_and_the_work_goes_on(number: int) -> None:
    patterns = learnt(number)
    reached = [(kind, value) for kind, value in PROBES if any(glob(p, value) for p in patterns[kind])]
    assert reached == []
    assert all(len(some) <= 20 for some in patterns.values())
    for place in range(900):  # calls of the same sort that the log does not hold
        kind, value = call(random.Random(-1 - place), 50_000 + place)
        assert any(glob(p, value) for p in patterns[kind]), (kind, value, patterns[kind])
