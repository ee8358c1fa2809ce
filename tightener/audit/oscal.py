"""OSCAL assessment results: the object of audit/compliance.py for programs that track controls.

One result a framework, one finding a control, one observation for each agent and control, one risk for each exception.
Every identifier is a UUIDv5 of what it names, and times are those of the window: equal objects give equal bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from tightener.audit.compliance import (
    CLEAR,
    OPEN,
    SHOWN,
    UNKNOWN,
    Compliance,
    Control,
    Finding,
    Number,
    Subject,
    document,
    sentence,
)
from tightener.decided import Decision, State
from tightener.report.defuse import visible
from tightener.resources import query

VERSION = "1.2.1"  # of OSCAL
_SPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:tightener:oscal:1")
_MARKUP = re.compile(r"[\\`*_\[\]<>#!|&~^$]")
_EXCEPTED = ("unexercised", "expired", "proposed", "privileged")  # numbers that an exception bears on


def text(found: Compliance) -> str:
    """The document as JSON text."""
    return json.dumps(results(found), indent=2, ensure_ascii=True) + "\n"


def results(found: Compliance) -> dict[str, Any]:
    """The document: `assessment-results`."""
    # Equal findings have equal identifiers, others have others: everything is named from the digest of the object.
    whole = hashlib.sha256(json.dumps(document(found), sort_keys=True).encode()).hexdigest()
    names = _Names(whole)
    end = _moment(found)
    frameworks = list(dict.fromkeys(one.framework for one in found.controls))
    return {
        "assessment-results": {
            "uuid": names.of("document"),
            "metadata": {
                "title": "What tightener checked, by control",
                "last-modified": end,
                "version": found.tool_version,
                "oscal-version": VERSION,
                "remarks": "tightener counts what logs, policies and Git history show; it does not say that an "
                "organisation complies. last-modified is the end of the window, so that equal findings give equal "
                "bytes.",
            },
            "import-ap": {
                "href": f"#{names.of('plan')}",
                "remarks": "There is no assessment plan but the question that was asked.",
            },
            "results": [_result(found, framework, names) for framework in frameworks],
            "back-matter": {"resources": list(_resources(found, names))},
        }
    }


class _Names:
    """Identifiers of the parts of one document."""

    def __init__(self, whole: str) -> None:
        self._whole = whole

    def of(self, *parts: str) -> str:
        """The UUIDv5 of a part, by what it names."""
        return str(uuid.uuid5(_SPACE, json.dumps([self._whole, *parts])))


def _result(found: Compliance, framework: str, names: _Names) -> dict[str, Any]:
    controls = [one for one in found.controls if one.framework == framework]
    risks = [_risk(one, framework, number, names) for number, one in enumerate(found.exceptions)]
    document_: dict[str, Any] = {
        "uuid": names.of("result", framework),
        "title": f"{framework}: {found.window.first} to {found.window.last}",
        "description": sentence(found),
        "start": f"{found.window.first}T00:00:00Z",
        "end": _moment(found),
        "local-definitions": {"components": [_component(one, framework, names) for one in found.subjects]},
        "reviewed-controls": {
            "control-selections": [{"include-controls": [{"control-id": one.oscal_id} for one in controls]}],
        },
        "observations": [
            _observation(found, one, control, names) for control in controls for one in _of(found, control)
        ],
        "findings": [_finding(found, one, names) for one in controls],
    }
    if risks:
        document_["risks"] = risks
    return document_


def _of(found: Compliance, control: Control) -> list[Finding]:
    return [one for one in found.findings if (one.framework, one.control) == (control.framework, control.control)]


def _component(subject: Subject, framework: str, names: _Names) -> dict[str, Any]:
    return {
        "uuid": names.of("agent", framework, subject.agent),
        "type": "service",
        "title": _plain(subject.agent),
        "description": f"An AI agent with {subject.grants} granted actions in {_plain(subject.file)}.",
        "status": {"state": "operational"},
    }


def _observation(found: Compliance, one: Finding, control: Control, names: _Names) -> dict[str, Any]:
    said = "; ".join(f"{'cannot tell' if n.value is None else n.value} {n.words}" for n in one.numbers)
    why = f" ({_plain(one.why)})" if one.why else ""
    return {
        "uuid": names.of("observation", control.oscal_id, one.agent),
        "title": f"{control.control}, {_plain(one.agent)}: {one.state}",
        "description": f"{said}{why}. Does not show: {control.does_not_show}.",
        "methods": ["EXAMINE"],
        "types": ["finding"],
        "subjects": [{"subject-uuid": names.of("agent", control.framework, one.agent), "type": "component"}],
        "relevant-evidence": [
            {"href": f"#{names.of(*where)}", "description": words} for where, words in _evidence(found, one)
        ],
        "collected": _moment(found),
    }


def _evidence(found: Compliance, one: Finding) -> list[tuple[tuple[str, ...], str]]:
    file = next(subject.file for subject in found.subjects if subject.agent == one.agent)
    rest = [_source(number) for number in one.numbers]
    return [(("logs",), "The log files that were read"), (("policy", file), "The agent's policy"), *dict(rest).items()]


def _source(number: Number) -> tuple[tuple[str, ...], str]:
    if number.source in SHOWN:
        return ("query", number.source), f"The query {number.source}"
    words = {"git log": "The Git history of the policy", "tightener.yaml": "The exceptions that people wrote down"}
    return ("source", number.source), words[number.source]


def _finding(found: Compliance, control: Control, names: _Names) -> dict[str, Any]:
    each = _of(found, control)
    states = {one.state for one in each}
    state = OPEN if OPEN in states else UNKNOWN if UNKNOWN in states else CLEAR
    open_agents = [_plain(one.agent) for one in each if one.state == OPEN]
    unknown = [_plain(one.agent) for one in each if one.state == UNKNOWN]
    parts = [
        f"Open: {', '.join(open_agents)}." if open_agents else "",
        f"Cannot tell: {', '.join(unknown)}." if unknown else "",
    ]
    document_: dict[str, Any] = {
        "uuid": names.of("finding", control.oscal_id),
        "title": f"{control.framework} {control.control}: {state}",
        "description": " ".join([f"Checks {control.checks}.", *filter(None, parts)]),
        "target": {
            "type": "objective-id",
            "target-id": f"{control.oscal_id}_obj",
            "status": {
                "state": "satisfied" if state == CLEAR else "not-satisfied",
                "reason": {CLEAR: "pass", OPEN: "fail"}.get(state, "other"),
            },
        },
        "related-observations": [
            {"observation-uuid": names.of("observation", control.oscal_id, one.agent)} for one in each
        ],
    }
    bears = set(control.numbers) & set(_EXCEPTED)
    risks = [names.of("risk", control.framework, str(i)) for i, _ in enumerate(found.exceptions)] if bears else []
    if risks:
        document_["related-risks"] = [{"risk-uuid": one} for one in risks]
    return document_


def _risk(one: Decision, framework: str, number: int, names: _Names) -> dict[str, Any]:
    end = datetime.combine(one.until, time(), UTC) + timedelta(days=1)  # its last day is in it
    return {
        "uuid": names.of("risk", framework, str(number)),
        "title": f"Kept by exception: {_plain(one.about)} of {_plain(one.agent)}",
        "description": f"{_plain(one.owner)} said to keep it until {one.until}; {one.state.value}.",
        "statement": _plain(one.reason),
        "status": "open" if one.state is State.EXPIRED else "deviation-approved",
        "deadline": end.isoformat().replace("+00:00", "Z"),
    }


def _resources(found: Compliance, names: _Names) -> Iterator[dict[str, Any]]:
    span = f"{found.window.first} to {found.window.last}, {found.window.days} days"
    yield {
        "uuid": names.of("plan"),
        "title": "The question that was asked",
        "description": f"Every control of tightener's list, for {len(found.subjects)} agents, over {span}.",
    }
    yield {
        "uuid": names.of("logs"),
        "title": "Log files",
        "description": f"SHA-256 over the sorted SHA-256 digests of {found.logs} log files.",
        **_link("urn:tightener:logs", found.logs_digest),
    }
    for file, digest in {one.file: one.policy_digest for one in found.subjects}.items():
        yield {
            "uuid": names.of("policy", file),
            "title": _plain(f"Policy {file}"),
            **_link(f"urn:tightener:policy:{hashlib.sha256(file.encode()).hexdigest()[:16]}", digest),
        }
    for name in SHOWN:
        yield {
            "uuid": names.of("query", name),
            "title": f"Query {name}",
            **_link(f"urn:tightener:query:{name}", hashlib.sha256(query(name).encode()).hexdigest()),
        }
    for source in sorted({n.source for one in found.findings for n in one.numbers} - set(SHOWN)):
        yield {"uuid": names.of("source", source), "title": source, "description": "A source that is no query."}


def _link(href: str, digest: str) -> dict[str, Any]:
    return {"rlinks": [{"href": href, "hashes": [{"algorithm": "SHA-256", "value": digest}]}]}


def _moment(found: Compliance) -> str:
    """The end of the window: the first moment after its last day."""
    return f"{found.window.last + timedelta(days=1)}T00:00:00Z"


def _plain(name: str) -> str:
    """A name or a reason of others' as OSCAL's markup: all of it shown, none of it acting, never empty."""
    shown: Sequence[str] = visible(name).split()
    return _MARKUP.sub(lambda one: f"\\{one[0]}", " ".join(shown)) or "(empty)"
