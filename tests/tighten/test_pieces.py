"""Two dated witnesses: found wherever there are two uses of different days and different sessions, by brute force."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from tightener.tighten.pieces import pair
from tightener.tighten.segments import Seen


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3)), max_size=6))
def test_a_pair_is_found_exactly_where_there_is_one(uses: list[tuple[int, int]]) -> None:
    rows = sorted((day, Seen(f"v{number}", day, day, session)) for number, (day, session) in enumerate(uses))
    session_of = {row.value: row.session for _, row in rows}
    found = pair(rows)
    assert (found is not None) is any(a[0] != b[0] and a[1] != b[1] for a, b in combinations(uses, 2))
    if found is not None:
        one, other = found
        assert one.day != other.day
        assert session_of[one.value] != session_of[other.value]


def test_one_day_and_one_session_are_no_two_witnesses() -> None:
    assert pair([(1, Seen("a", 1, 1, 1)), (1, Seen("b", 1, 1, 2))]) is None
    assert pair([(1, Seen("a", 1, 1, 1)), (2, Seen("b", 2, 2, 1))]) is None
    assert pair([(1, Seen("a", 1, 1, 1)), (2, Seen("b", 2, 2, 2))]) is not None
