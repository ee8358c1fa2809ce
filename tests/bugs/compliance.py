"""Bugs to plant in what auditors are told of controls and of who changed a policy."""

from __future__ import annotations

from bugs.bug import Bug

BUGS = (
    Bug(
        "evidence that does not suffice counts as an all-clear",
        "tightener/audit/compliance.py",
        "        state = UNKNOWN\n",
        "        state = CLEAR\n",
        "tests/audit/test_compliance.py",
    ),
    Bug(
        "a proposer who names a reviewer is taken at their word",
        "tightener/audit/changes.py",
        "        second_person=_another(lander, own) if lander else bool(reviewers),\n",
        "        second_person=_another(lander, own) or bool(reviewers),\n",
        "tests/audit/test_changes.py",
    ),
    Bug(
        "one person with two addresses is a second person",
        "tightener/audit/changes.py",
        "    return bool(marks) and marks.isdisjoint(own)\n",
        "    return bool(marks) and _address(who) not in own\n",
        "tests/audit/test_changes.py",
    ),
    Bug(
        "what a merge smuggles in was seen by a second person",
        "tightener/audit/changes.py",
        "    edited = bool(inner) and not _mere(git, one, paths)\n",
        "    edited = False\n",
        "tests/audit/test_changes.py",
    ),
    Bug(
        "one clear agent makes a control satisfied for all",
        "tightener/audit/oscal.py",
        "    state = OPEN if OPEN in states else UNKNOWN if UNKNOWN in states else CLEAR\n",
        "    state = CLEAR if CLEAR in states else OPEN if OPEN in states else UNKNOWN\n",
        "tests/audit/test_compliance.py",
    ),
    Bug(
        "an agent's name is a formula in the findings' CSV",
        "tightener/audit/shown.py",
        "            head = [csv_safe(text) for text in (one.framework, one.control, one.agent, one.state)]\n",
        "            head = [one.framework, one.control, one.agent, one.state]\n",
        "tests/audit/test_compliance.py",
    ),
)
