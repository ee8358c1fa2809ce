"""Bugs to plant in what undoes a merge."""

from __future__ import annotations

from bugs.bug import Bug

BUGS = (
    Bug(
        "what a person took away since the merge comes back with a revert",
        "tightener/publish/undo.py",
        "([n, a], [o]), ",
        "([n, a], [o, n]), ",
        "tests/publish/test_undo.py",
    ),
    Bug(
        "a revert may grant what nobody ever granted",
        "tightener/publish/undo.py",
        "most = [t] if same else [before.agents.get(name), o]",
        "most = [t] if same else [before.agents.get(name), o, n]",
        "tests/publish/test_undo.py",
    ),
    Bug(
        "a bound forgets what approvals and denies leave of a right policy",
        "tightener/policy/bounds.py",
        "for choice in product((False, True), repeat=len(right)):",
        "for choice in product((False,), repeat=len(right)):",
        "tests/policy/test_bounds.py",
    ),
    Bug(
        "lines that both sides have changed become theirs, silently",
        "tightener/policy/merging.py",
        "own = own if within is None else [within]",
        "own = new if within is None else [within]",
        "tests/policy/test_merging.py",
    ),
    Bug(
        "of a request that was rebased only the last commit is undone",
        "tightener/publish/merges.py",
        "        first = above.parents[0]\n",
        "        return first\n",
        "tests/publish/test_revert.py",
    ),
    Bug(
        "a change that needs another stays when that one is put back",
        "tightener/publish/undo.py",
        "        back |= more\n",
        "        return tuple(only)\n",
        "tests/publish/test_undo.py",
    ),
    Bug(
        "what was reverted is proposed again at once",
        "tightener/pulls.py",
        "return {one: no for one, no in record.reverted(seen, today).items() if one not in ticked}",
        "return {one: no for one, no in record.reverted(seen, today).items() if one in ticked}",
        "tests/publish/test_revert.py",
    ),
    Bug(
        "a second revert takes the place of one that is open",
        "tightener/reverting.py",
        "if seen.open and draft.changes and (known",
        "if not seen.open and draft.changes and (known",
        "tests/publish/test_revert.py",
    ),
)
