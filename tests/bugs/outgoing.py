"""Bugs to plant in what goes out: redaction and SARIF."""

from __future__ import annotations

from bugs.bug import Bug

BUGS = (
    Bug(
        "the evidence of suggestions quotes what tools were called with",
        "tightener/report/veil.py",
        "        if key in _NO_VALUES:\n",
        "        if True:\n",
        "tests/report/test_veil.py",
    ),
    Bug(
        "a suggestion that was left out goes out as it is",
        "tightener/report/veil.py",
        "left_out=tuple((veil.suggestion(one), veil.reason",
        "left_out=tuple((one, veil.reason",
        "tests/report/test_veil.py",
    ),
    Bug(
        "refused calls go out with their arguments",
        "tightener/report/veil.py",
        "                refused=tuple(map(self._attempt, comparison.refused)),\n",
        "",
        "tests/report/test_veil.py",
    ),
    Bug(
        "the reason why a suggestion was left out quotes a call",
        "tightener/report/veil.py",
        '        return f"{loses[0]}; `tightener suggest` names one" if loses else _LOOK\n',
        "        return reason if loses else _LOOK\n",
        "tests/report/test_veil.py",
    ),
    Bug(
        "a tool server's arguments are taken for names of resources",
        "tightener/redaction.py",
        "        if service == TOOLS or (service not in _RESOURCES and _ARGUMENT.fullmatch(value)):\n",
        "        if service == TOOLS:\n",
        "tests/report/test_veil.py",
    ),
    Bug(
        "an alert of code scanning is known by its evidence, and is another one every week",
        "tightener/report/sarif.py",
        "    about: Sequence[object] = ()\n",
        "    about: Sequence[object] = (one.id,)\n",
        "tests/report/test_sarif.py",
    ),
    Bug(
        "code scanning loses what a person said no to",
        "tightener/report/sarif.py",
        "        if reason.startswith(_REJECTED)\n    ]\n    prints",
        "        if not reason\n    ]\n    prints",
        "tests/report/test_sarif.py",
    ),
    Bug(
        "code scanning shows a proposal as it is",
        "tightener/report/sarif.py",
        "    shown = veil.proposal(found, redact)\n",
        "    shown = found\n",
        "tests/report/test_veil.py",
    ),
)
