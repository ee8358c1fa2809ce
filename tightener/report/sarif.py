"""A proposal as SARIF 2.1.0, for code scanning: a result for each suggestion, at its rule's line of the policy.

Stable over runs: the fingerprint is made of the rule's text and what the suggestion is about in it, never of lines or
of the evidence, which changes every week. What people said no to is marked (`suppressions`), and with a baseline what
was there before (`baselineState`); neither is dropped, or alerts would come back as new ones. No clock.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from tightener.errors import Place
from tightener.model import Body, Rule
from tightener.redaction import Redact
from tightener.report import veil, words
from tightener.report.defuse import visible
from tightener.report.sarif_rules import KINDS, help_of
from tightener.results import Proposal
from tightener.tighten.grants import Grant, Status
from tightener.tighten.suggestion import Suggestion
from tightener.tighten.wording import count, listing

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
FINGERPRINT = "tightener/v1"
_RULES = {kind.name: at for at, kind in enumerate(KINDS)}
_REJECTED = "rejected by "  # decided.rejected
_GONE = "This is no longer suggested."
_HOLE = re.compile(r"\{(\d+)\}")


@dataclass(frozen=True, slots=True)
class Known:
    """What is taken from a result of an earlier log. No values: it may have been redacted by other terms."""

    rule: str
    line: int
    text: str  # only to compare with


Baseline = Mapping[str, Known]  # by fingerprint


def document(found: Proposal, path: str, redact: Redact, baseline: Baseline | None = None) -> dict[str, Any]:
    """The SARIF log of one agent's proposal.

    In: a proposal of the program's own (it is veiled here); the policy file's name in the repository, with `/`; what
    was found the last time (`read`), None = nothing to compare with. Raises nothing.
    """
    shown = veil.proposal(found, redact)
    where = _Where(quote(path.encode("utf-8", "surrogateescape"), safe="/"), found.study.file.text.split("\n"))
    results = [_result(one, where, shown.removes.get(one.id, 0.0)) for one in shown.suggestions]
    results += [
        {**_result(one, where, 0.0), "suppressions": [_suppression(reason)]}
        for one, reason in shown.left_out
        if reason.startswith(_REJECTED)
    ]
    prints = [_subject(one) for one in found.suggestions]
    prints += [_subject(one) for one, reason in found.left_out if reason.startswith(_REJECTED)]
    for rule, pattern, grants in _excepted(found.study.comparison.grants):
        results.append(_kept(rule, pattern, grants, where))
        prints.append(_fingerprint(rule, "drop_action", [pattern]))
    seen: Counter[str] = Counter()
    for result, mark in zip(results, prints, strict=True):
        seen[mark] += 1
        result["partialFingerprints"] = {FINGERPRINT: mark if seen[mark] == 1 else f"{mark}:{seen[mark]}"}
    if baseline is not None:
        results += _compared(results, baseline, where)
    agent = found.study.policy.name
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver()},
                "automationDetails": {"id": f"tightener/{quote(agent.encode('utf-8', 'surrogatepass'), safe='')}/"},
                "columnKind": "unicodeCodePoints",
                "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": list(_notes(shown))}],
                "results": results,
                "properties": _about(found),
            }
        ],
    }


def read(text: str) -> Baseline:
    """The results of an earlier log of tightener's, by fingerprint, those left out that were `absent` already.

    Raises ValueError, LookupError, TypeError or AttributeError where the text is no such log.
    """
    known: dict[str, Known] = {}
    for run in json.loads(text)["runs"]:
        if run["tool"]["driver"]["name"] != "tightener":
            raise ValueError("it is another tool's")
        for result in run["results"]:
            mark, rule, text = result["partialFingerprints"][FINGERPRINT], result["ruleId"], result["message"]["text"]
            line = result["locations"][0]["physicalLocation"]["region"]["startLine"]
            if not all(isinstance(one, str) for one in (mark, rule, text)) or type(line) is not int:
                raise TypeError("a fingerprint, a rule and a message are texts, a line is a number")
            if result.get("baselineState") != "absent":
                known[mark] = Known(rule, line, text)
    return known


@dataclass(frozen=True, slots=True)
class _Where:
    uri: str
    lines: Sequence[str]

    def location(self, place: Place) -> dict[str, Any]:
        """The line of the policy, from where the rule begins to its end."""
        line = min(max(place.line, 1), len(self.lines))
        length = len(self.lines[line - 1].rstrip("\r"))
        start = min(max(place.column, 1), length + 1)
        region = {"startLine": line, "startColumn": start, "endLine": line, "endColumn": max(length, start) + 1}
        return {
            "physicalLocation": {
                "artifactLocation": {"uri": self.uri, "uriBaseId": "%SRCROOT%"},
                "region": region,
            }
        }


def _driver() -> dict[str, Any]:
    return {
        "name": "tightener",
        "version": version("tightener"),
        "rules": [
            {
                "id": kind.id,
                "name": "".join(map(str.capitalize, kind.name.split("_"))),
                "shortDescription": {"text": kind.short},
                "fullDescription": {"text": kind.full},
                "help": {"text": help_of(kind), "markdown": help_of(kind)},
                "defaultConfiguration": {"level": kind.level},
                "properties": {
                    "tags": ["security", "least-privilege"],
                    "precision": "high",
                    "security-severity": kind.severity,
                },
            }
            for kind in KINDS
        ],
    }


def _result(one: Suggestion, where: _Where, removes: float) -> dict[str, Any]:
    kind = KINDS[_RULES[one.kind]]
    return {
        "ruleId": kind.id,
        "ruleIndex": _RULES[one.kind],
        "kind": "fail",
        "level": kind.level,
        "message": {"text": _plain(f"{one.title}: {one.why}.")},
        "locations": [where.location(one.rule.place)],
        "rank": round(min(max(removes, 0.0), 100.0), 1),
        "properties": {"agent": one.rule.agent, "suggestion": one.id, "evidence": dict(one.evidence)},
    }


def _excepted(grants: Sequence[Grant]) -> list[tuple[Rule, str, list[Grant]]]:
    """What has no use and stays because a person said so: by rule and action as written."""
    found: dict[tuple[int, str], list[Grant]] = {}
    for grant in grants:
        if grant.status is Status.EXCEPTED and not grant.evidence.uses:
            found.setdefault((grant.rule.index, grant.pattern), []).append(grant)
    return [(some[0].rule, pattern, some) for (_, pattern), some in found.items()]


def _kept(rule: Rule, pattern: str, grants: Sequence[Grant], where: _Where) -> dict[str, Any]:
    kind = KINDS[_RULES["drop_action"]]
    return {
        "ruleId": kind.id,
        "ruleIndex": _RULES["drop_action"],
        "kind": "fail",
        "level": kind.level,
        "message": {"text": _plain(f"No use of {listing([grant.action for grant in grants])}, which a person keeps.")},
        "locations": [where.location(rule.place)],
        "rank": 0.0,
        "suppressions": [_suppression(grants[0].note)],
        "properties": {"agent": rule.agent, "action": pattern},
    }


def _suppression(reason: str) -> dict[str, Any]:
    return {"kind": "external", "status": "accepted", "justification": _plain(reason)}


def _subject(one: Suggestion) -> str:
    """The fingerprint: of the rule as it is written, and of which part of it the suggestion is about.

    What it proposes in place of that rests on the evidence and is left out, but for a new request: that is its subject.
    """
    edit = one.edit
    about: Sequence[object] = ()
    if one.kind == "drop_action":
        about = sorted(edit.drop)
    elif one.kind == "narrow_action":
        about = sorted(edit.replace)
    elif one.kind in ("ask_first", "ask_in_bursts"):
        about = sorted(action for body in edit.asks for action in body.actions)
    elif one.kind == "ask_about_new":
        about = [_said(body) for body in edit.asks]
    return _fingerprint(one.rule, one.kind, about)


def _fingerprint(rule: Rule, kind: str, about: Sequence[object]) -> str:
    said = (rule.agent, rule.effect.value, rule.service, _said(rule.body), rule.twin, kind, list(about))
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:32]


def _said(body: Body) -> tuple[object, ...]:
    return body.actions, body.resources, body.branches


def _compared(results: Sequence[dict[str, Any]], baseline: Baseline, where: _Where) -> list[dict[str, Any]]:
    """Says of each result whether it was there before; returns those that were and are no longer."""
    there = set()
    for result in results:
        mark = result["partialFingerprints"][FINGERPRINT]
        there.add(mark)
        before = baseline.get(mark)
        if before is None:
            result["baselineState"] = "new"
        else:
            result["baselineState"] = "unchanged" if before.text == result["message"]["text"] else "updated"
    at = {kind.id: number for number, kind in enumerate(KINDS)}
    return [
        {
            "ruleId": one.rule,
            "ruleIndex": at[one.rule],
            "level": KINDS[at[one.rule]].level,
            "message": {"text": _GONE},
            "locations": [where.location(Place("", one.line))],
            "partialFingerprints": {FINGERPRINT: mark},
            "baselineState": "absent",
        }
        for mark, one in sorted(baseline.items())
        if mark not in there and one.rule in at
    ]


def _notes(shown: Proposal) -> Iterator[dict[str, Any]]:
    """What is no result and must not be lost: suggestions that were not proved, and what could not be seen."""
    for one, reason in shown.left_out:
        if not reason.startswith(_REJECTED):
            yield _note(f"Left out, {one.title} (line {one.rule.place.line}): {reason}.")
    for line in (*words.coverage_lines(shown.study.comparison), *words.not_seen(shown.study)):
        yield _note(f"{line}.")


def _note(text: str) -> dict[str, Any]:
    return {"level": "note", "message": {"text": _plain(text)}}


def _about(found: Proposal) -> dict[str, Any]:
    terms = found.study.comparison.terms
    return {
        "sentence": words.sentence(found),
        "window": {"first": terms.window.first.isoformat(), "last": terms.window.last.isoformat()},
        "proof": found.proof.containment.kind.value,
        "replayed": count(found.proof.replayed, "distinct request"),
    }


def _plain(text: str) -> str:
    """Text for a message: nothing invisible, and no link or placeholder, which SARIF's plain messages have, too."""
    shown = _HOLE.sub(r"{{\1}}", visible(text))
    return shown.replace("[", "\\[") if "](" in shown else shown
