"""What code scanning says of each kind of suggestion: a rule of SARIF for each file of tighten/rules/.

`severity` is GitHub's `security-severity` (over 9.0 critical, from 7.0 high, from 4.0 medium, below low): how bad it is
to leave such a grant as it is, by kind, as a reviewer would rank them. How much risk the very suggestion removes is in
its `rank`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of suggestion."""

    name: str  # Suggestion.kind
    level: str  # warning or note
    severity: str
    short: str
    full: str

    @property
    def id(self) -> str:
        """The rule's id in SARIF, as in suggestions' ids."""
        return self.name.replace("_", "-")


_DO = "Merge the proposal (`tightener publish`, or `tightener suggest --write`)"
_KEEP = "or keep the grant: an exception with an owner and a last day in tightener.yaml, or `tightener reject`"

KINDS = (
    Kind(
        "drop_rule",
        "warning",
        "6.0",
        "A rule that nothing exercised",
        "No request of the window needed this rule, on days that were fully logged. What is granted and never used only"
        " serves whoever takes the agent over.",
    ),
    Kind(
        "drop_action",
        "warning",
        "6.0",
        "A granted action that nothing exercised",
        "No request of the window needed this action, on days that were fully logged, while others of its rule are in"
        " use.",
    ),
    Kind(
        "narrow_action",
        "warning",
        "5.5",
        "A wildcard that grants more actions than are in use",
        "The wildcard covers actions that nothing exercised, and every action that is invented later.",
    ),
    Kind(
        "ask_first",
        "warning",
        "7.5",
        "A risky action that nobody is asked about",
        "Deletions, payments and changes of permissions are granted outright. A person's yes costs little where they"
        " are rare.",
    ),
    Kind(
        "ask_in_bursts",
        "warning",
        "6.5",
        "A risky action in rare bursts that nobody is asked about",
        "The action comes in a few bursts. One approval that holds as long as a burst lasts is enough.",
    ),
    Kind(
        "ask_about_new",
        "warning",
        "7.0",
        "A risky request that one session made recently, on something new",
        "Nothing else ever touched what this request touched. It may be the next job of the agent, or an injected one.",
    ),
    Kind(
        "ask_unused",
        "warning",
        "5.0",
        "An unused action that a person could be asked about",
        "Nothing exercised these actions. The evidence is good enough for an approval and not for removal.",
    ),
    Kind(
        "split_rule",
        "note",
        "4.0",
        "One rule for actions that are used on different things",
        "Each action is granted on what only the others need.",
    ),
    Kind(
        "narrow_resources",
        "note",
        "4.5",
        "Resources that reach further than any use",
        "All uses lie in fewer resources than the rule grants.",
    ),
    Kind(
        "narrow_branches",
        "note",
        "4.5",
        "Branches that reach further than any use",
        "All uses lie on fewer branches than the rule grants.",
    ),
    Kind(
        "deny_floor",
        "note",
        "3.0",
        "No deny where nobody should grant by mistake",
        "No rule grants it. A deny keeps the rule that somebody adds tomorrow from granting it.",
    ),
)


def help_of(kind: Kind) -> str:
    """What to do about it."""
    return f"{kind.full} {_DO}, {_KEEP}. `tightener explain ID --agent A` tells the evidence."
