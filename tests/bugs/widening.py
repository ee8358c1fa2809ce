"""Bugs to plant in what widens: requests, and restores after a merge."""

from __future__ import annotations

from bugs.bug import Bug

BUGS = (
    Bug(
        "a wildcard in a logged value is taken for a literal",
        "tightener/prove/widening.py",
        ' and not any(c in part for part in one for c in "*?")',
        "",
        "tests/prove/test_widening.py",
    ),
    Bug(
        "more than was asked for is taken for what was asked for",
        "tightener/prove/widening.py",
        '((wanted, new, "more than was asked for"), (new, wanted, "less than was asked for"))',
        '((new, wanted, "less than was asked for"),)',
        "tests/prove/test_widening.py",
    ),
    Bug(
        "the former policy's limits are forgotten",
        "tightener/prove/widening.py",
        "    yield [(two,) for two in second], False, True\n",
        "",
        "tests/prove/test_widening.py",
    ),
    Bug(
        "a restore is not proved to be within what there was",
        "tightener/watch.py",
        "if not others or within_both(new, current, one.merge.before, moment):",
        "if not others:",
        "tests/properties/test_broken.py tests/publish/test_watch.py",
    ),
    Bug(
        "a no to a restore is not heard",
        "tightener/watch.py",
        "no.standing == standing",
        "no.standing != standing",
        "tests/publish/test_watch.py",
    ),
    Bug(
        "what nobody's merge removed is asked for again",
        "tightener/broken.py",
        "            if after.decide(*asked).answer.level is not Level.REFUSED:\n                continue\n",
        "",
        "tests/properties/test_broken.py",
    ),
    Bug(
        "requests count against the pull requests that tighten",
        "tightener/publish/github.py",
        'folder_of(pull["head"]["ref"]) == folder',
        'pull["head"]["ref"].startswith("tightener")',
        "tests/publish/test_request.py",
    ),
    Bug(
        "a declared age makes old what Git has seen come",
        "tightener/policy/history.py",
        "declared for rule, action in waiting}",
        "declared for rule, action in rules}",
        "tests/policy/test_history.py tests/publish/test_request.py",
    ),
    Bug(
        "what a person refused is listed for promotion",
        "tightener/tighten/promotion.py",
        "if not any(_concerns(one.grant, *row[:4]) for row in rows))",
        "if rows is not None)",
        "tests/tighten/test_promotion.py",
    ),
    Bug(
        "a person's no is taken for the policy's",
        "tightener/widenings.py",
        'one.decision in {"", "deny"}',
        "one.outcome",
        "tests/publish/test_request.py",
    ),
)
