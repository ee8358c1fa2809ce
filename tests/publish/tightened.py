"""A small policy, and a tightening of it as a pull request would make it."""

from __future__ import annotations

from collections.abc import Sequence

from tightener.model import Body, Rule
from tightener.policy import document
from tightener.policy.document import PolicyFile
from tightener.publish import kept, record
from tightener.publish.commit import branch_of
from tightener.publish.host import Draft
from tightener.publish.record import Record
from tightener.tighten.suggest import changes
from tightener.tighten.suggestion import Edit, Suggestion, additions


def parsed(text: str) -> PolicyFile:
    return document.parse(text, "p.yaml")


def suggestion(rule: Rule, edit: Edit, kind: str, *requires: str) -> Suggestion:
    return Suggestion(kind, rule, "title", "why", {}, edit, requires)


POLICY = """\
# top
agents:
  a:   # the agent
    allow:
      # reads
      - service: git
        actions: [clone, fetch]   # both
        resources: ["acme/*"]

      # writes, since the move
      - service: git
        actions: [push]
        branches: ["feature/*"]
        owner: dana
      - {service: stripe, actions: ["invoices:read", "invoices:create"], expires: 2027-01-01}   # billing
    deny:
      - {service: aws, actions: ["iam:*"]}
"""
B = parsed(POLICY)
READS, WRITES, BILLING = B.agents["a"].rules[:3]
DROP = suggestion(READS, Edit(drop=frozenset({"fetch"})), "drop_action")
NARROW = suggestion(READS, Edit(resources=("acme/x",)), "narrow_resources")
GONE = suggestion(WRITES, Edit(drop=frozenset({"push"})), "drop_rule")
CREATE = suggestion(
    BILLING, Edit(drop=frozenset({"invoices:create"}), asks=(Body(("invoices:create",)),), ttl="1h"), "ask_first"
)
ALL = [DROP, NARROW, GONE, CREATE]


def merge(chosen: Sequence[Suggestion] = ALL, text: str = POLICY) -> str:
    return parsed(text).rewrite(changes(chosen), additions(chosen))


def draft(path: str, blob: str, chosen: Sequence[Suggestion] = ALL, text: str = POLICY) -> Draft:
    """What `tightener publish` would have proposed: the list of boxes and the record are all that matters here."""
    known = Record(("a",), {one.id: "aaaaaa" for one in chosen}, {}, "dana", blob, edits=kept.pack(chosen))
    boxes = "\n".join(f"- [x] <code>{one.id}</code> {one.title}" for one in chosen)
    content = merge(chosen, text).encode()
    body = f"words\n{boxes}\n{record.hidden(known)}\n"
    number = len(chosen)
    return Draft(path, branch_of(path), number, content, blob, "Tighten", "Tighten", body, unsure=False)
