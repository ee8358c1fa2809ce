"""Bugs to plant in what removal and approval rest on."""

from __future__ import annotations

from bugs.bug import Bug

BUGS = (
    Bug(
        "days on which the agent did nothing count as exposure",
        "tightener/tighten/evidence/gates.py",
        "return Checked(sum(o and a for o, a in pairs), age, tuple(tallies))",
        "return Checked(sum(o for o, _ in pairs), age, tuple(tallies))",
        "tests/tighten/test_evidence.py",
    ),
    Bug(
        "a turn of a month counts with a day of it not logged",
        "tightener/tighten/evidence/gates.py",
        "return all(record.observed[a:b]) and any(record.active[a:b])",
        "return any(record.observed[a:b]) and any(record.active[a:b])",
        "tests/tighten/test_evidence.py",
    ),
    Bug(
        "the window does not slide when the day is worked out on which evidence suffices",
        "tightener/tighten/evidence/gates.py",
        "start = max(begin, end - asked_days) if slides else begin",
        "start = begin",
        "tests/tighten/test_evidence.py",
    ),
    Bug(
        "earlier use protects nothing",
        "tightener/tighten/evidence/judge.py",
        "if period is not None and until >= self.window.last:",
        "if False and period is not None and until >= self.window.last:",
        "tests/tighten/test_evidence.py",
    ),
    Bug(
        "an agent is judged by its own grants",
        "tightener/tighten/evidence/peers.py",
        "if policy.name == without or not active:",
        "if not active:",
        "tests/tighten/test_seventy_agents.py",
    ),
    Bug(
        "the bound is the expectation, without its correction",
        "tightener/tighten/evidence/calibration.py",
        "max(0.0, expected + self.correction)",
        "max(0.0, expected)",
        "tests/tighten/test_calibration.py",
    ),
    Bug(
        "a class is used that the past did not bear",
        "tightener/tighten/evidence/calibration.py",
        "if past[Class.REMOVE].upper > BORNE * REMOVE_UP_TO:",
        "if False:",
        "tests/tighten/test_calibration.py",
    ),
    Bug(
        "plain work moves to approval",
        "tightener/tighten/risk.py",
        'return self.asks == "never"',
        'return self.asks == "often"',
        "tests/tighten/test_asking.py",
    ),
    Bug(
        "what a person excepted moves to approval",
        "tightener/tighten/moves.py",
        "        and grant.status is Status.EXERCISED\n",
        "",
        "tests/tighten/test_asking.py",
    ),
    Bug(
        "people are asked about what services do",
        "tightener/tighten/moves.py",
        "        and evidence.uses > evidence.indirect_uses",
        "        and evidence.uses",
        "tests/tighten/test_asking.py",
    ),
    Bug(
        "people are asked fifty times a week",
        "tightener/tighten/moves.py",
        "group.kind == ASK_FIRST and load.weekly > MOST_A_WEEK:",
        "group.kind == ASK_FIRST and load.weekly > 50:",
        "tests/tighten/test_asking.py",
    ),
    Bug(
        "a poisoned line widens the approval",
        "tightener/tighten/moves.py",
        "        (resource,) if resource else body.resources,",
        "        body.resources,",
        "tests/tighten/test_asking.py",
    ),
    Bug(
        "what hides its branch is taken for a push to main",
        "tightener/tighten/moves.py",
        "        if any(not call.partial for call in left) or action in hidden:",
        "        if any(not call.partial for call in left):",
        "tests/tighten/test_asking.py",
    ),
    Bug(
        "a deny covers what is granted (8)",
        "tightener/tighten/rules/deny_floor.py",
        '        free = [row["pattern"]] if not _meets(service, row["pattern"], left) else row["parts"].split()',
        '        free = [row["pattern"]]\n        left = []',
        "tests/tighten/test_reach.py",
    ),
    Bug(
        "a catalogue's level beats our own list",
        "tightener/tighten/risk.py",
        "    for one, level, test in _rows(service):",
        "    for one, level, test in sorted(_rows(service), key=lambda row: not row[1]):",
        "tests/tighten/test_risk.py",
    ),
    Bug(
        "what needs approval weighs as much as what is allowed",
        "tightener/tighten/risk.py",
        "APPROVAL_SHARE = 0.2",
        "APPROVAL_SHARE = 1.0",
        "tests/tighten/test_reach.py",
    ),
)
