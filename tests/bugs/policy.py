"""Bugs to plant in policies and proofs."""

from __future__ import annotations

from bugs.bug import Bug

BUGS = (
    Bug(
        "an expired approval is forgotten instead of denying",
        "tightener/policy/rules.py",
        "        elif box.effect is Effect.REQUIRE_APPROVAL:\n            yield replace(box, effect=Effect.DENY)\n",
        "",
        "tests/policy/test_verify.py tests/policy/test_decide.py",
    ),
    Bug(
        "allow beats approval",
        "tightener/policy/decide.py",
        "_ANSWERS = (Answer.DENIED, Answer.NEEDS_APPROVAL, Answer.ALLOWED)",
        "_ANSWERS = (Answer.DENIED, Answer.ALLOWED, Answer.NEEDS_APPROVAL)",
        "tests/policy/test_decide.py",
    ),
    Bug(
        "line endings are made LF (7)",
        "tightener/policy/document.py",
        '        return path.read_bytes().decode("utf-8")',
        '        return path.read_text(encoding="utf-8")',
        "tests/cli tests/policy/test_document.py",
    ),
    Bug(
        "replay forgets partial uses",
        "tightener/prove/replay.py",
        "    for service, action, resource, branch, _ in requests.partial:",
        "    for service, action, resource, branch, _ in ():",
        "tests/prove",
    ),
    Bug(
        "replay compares the wrong way round",
        "tightener/prove/replay.py",
        "        if level < old_level",
        "        if level > old_level",
        "tests/prove",
    ),
    Bug(
        "a job's part moves uses to approval",
        "tightener/composition.py",
        "    if found.job:\n",
        "    if False:\n",
        "tests/properties/test_jobs.py",
    ),
    Bug(
        "a copied agent takes the principals along",
        "tightener/policy/copying.py",
        '_OWN = ("description", "principals")',
        '_OWN = ("description",)',
        "tests/policy/test_copying.py",
    ),
    Bug(
        "containment is not asked (1)",
        "tightener/prove/proof.py",
        'return self.containment.kind == "contained" and not self.lost',
        "return not self.lost",
        "tests/prove",
    ),
    Bug(
        "replay is not asked (2)",
        "tightener/prove/proof.py",
        'return self.containment.kind == "contained" and not self.lost',
        'return self.containment.kind == "contained"',
        "tests/prove",
    ),
    Bug(
        "any move to approval is accepted (2)",
        "tightener/prove/replay.py",
        "                if _said(one, said):",
        "                if one.after is Level.NEEDS_APPROVAL:",
        "tests/prove",
    ),
    Bug(
        "a move hides a refusal (2)",
        "tightener/prove/replay.py",
        "    if (one.before, one.after) != (Level.ALLOWED, Level.NEEDS_APPROVAL):\n        return False\n",
        "",
        "tests/prove",
    ),
    Bug(
        "a partial use may move anywhere (2)",
        "tightener/prove/replay.py",
        "for a in allow_old for x in ask_new], (*deny_old, *ask_old, *said))",
        "for a in allow_old for x in ask_new], (*deny_old, *ask_old, *ask_new))",
        "tests/prove",
    ),
    Bug(
        "a lapse to come is not replayed (2)",
        "tightener/prove/replay.py",
        "return [moment, *sorted(at for at in expiries if at > moment)]",
        "return [moment]",
        "tests/prove",
    ),
    Bug(
        "a moved rule loses its comments (7)",
        "tightener/policy/adding.py",
        "        if number or self._emptied(source):",
        "        if number:",
        "tests/policy/test_edits.py",
    ),
    Bug(
        "edits that do not hold together are kept",
        "tightener/composition.py",
        "    if kept and _reason(found, kept):\n",
        "    if False:\n",
        "tests/test_composition.py",
    ),
    Bug(
        "a backtest takes grants to be as old as today",
        "tightener/policy/history.py",
        "[r for r in _revisions(policy_path) if until is None or r.moment <= until]",
        "_revisions(policy_path)",
        "tests/backtest/test_rolling.py",
    ),
    Bug(
        "a rule with the actions and resources of an old one counts as that, whatever its branches",
        "tightener/policy/verify.py",
        "known = {(box.action, box.resource, box.branch) for box in old}\n"
        "    return ((box,) for box in new if (box.action, box.resource, box.branch) not in known)",
        "known = {(box.action, box.resource) for box in old}\n"
        "    return ((box,) for box in new if (box.action, box.resource) not in known)",
        "tests/policy/test_verify.py",
    ),
    Bug(
        "what edits mean leaves out the rules that they add",
        "tightener/policy/document.py",
        "order = [*range(len(policy.rules)), *(-1 - number for number in range(len(more)))]",
        "order = [*range(len(policy.rules))]",
        "tests/policy/test_edits.py",
    ),
)
