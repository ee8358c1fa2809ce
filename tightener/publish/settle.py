"""The decision, and nothing else: from what should be proposed and what there is, to what is done. And its loop."""

from __future__ import annotations

from dataclasses import replace

from tightener.publish.host import Again, Draft, Host, Kind, Outcome, Plan, Seen
from tightener.tighten.wording import count

_ALREADY = {Kind.UNCHANGED, Kind.REFRESHED, Kind.CLEARED, Kind.NOTHING}
_PASSES = 4  # of looking and deciding anew, when something comes in between


def decide(seen: Seen, draft: Draft, most_open: int) -> Plan:
    """What to do about one policy file. Pure.

    Never over a person's commits; never by force: every commit has the branch's tip as a parent, so that a host accepts
    it only while the tip is what was seen.
    """
    tip, base = seen.tip, seen.base
    if tip and not tip.seal and not any(one.merged and one.head == tip.commit for one in seen.ended):
        left = "the proposal was not refreshed" if draft.changes else "there is nothing left to propose"
        return Plan(
            Kind.HANDS_OFF,
            f"somebody else has committed to {draft.branch}, so it is theirs now and {left};"
            " tightener takes it up again when the branch is deleted, or merged",
        )
    if not draft.changes:
        if seen.open:
            return Plan(Kind.CLOSED, draft.why)
        return Plan(Kind.CLEARED if tip else Kind.NOTHING, draft.why)
    if not seen.open and seen.others_open >= most_open:
        are = "is" if seen.others_open == 1 else "are"
        return Plan(
            Kind.WAITING,
            f"{count(seen.others_open, 'pull request')} {are} open already, and {most_open} may be (most_open)",
        )
    if tip is None:
        parents: tuple[str, ...] = (base.commit,)
    elif tip.seal and tip.blob == draft.blob and tip.seal.policy == base.blob:
        parents = ()
    else:
        parents = (tip.commit,) if tip.seal and tip.seal.base == base.commit else (tip.commit, base.commit)
    if not seen.open:
        return Plan(Kind.OPENED, f"{count(draft.changes, 'change')} proposed", parents)
    same = not parents and seen.open.dressed and seen.open.body.rstrip() == draft.body.rstrip()
    if same:
        return Plan(Kind.UNCHANGED, "nothing is new")
    return Plan(Kind.REFRESHED, f"{count(draft.changes, 'change')} proposed", parents)


def settle(host: Host, draft: Draft, most_open: int) -> Outcome:
    """Looks, decides and does, until it is done: at most four times. Raises Again when it never was, else what the host
    raises. Every pass starts from what there is, so an interruption anywhere leaves nothing twice and nothing lost."""
    first: Plan | None = None
    for attempt in range(_PASSES):
        seen = host.look(draft.path, draft.branch)
        plan = decide(seen, draft, most_open)
        first = first or plan
        try:
            place, notes = host.carry_out(plan, draft, seen)
        except Again:
            if attempt == _PASSES - 1:
                raise
            continue
        if first.kind in {Kind.OPENED, Kind.CLOSED} and plan.kind in _ALREADY:
            plan = replace(plan, kind=first.kind, why=first.why)  # it had arrived, and its answer had not
        return Outcome(draft.path, draft.branch, plan.kind, plan.why, place, draft.changes, tuple(notes))
    raise AssertionError("the loop returns or raises")
