"""The edit kinds, in the order in which a reader meets them. A new kind is one file and one entry here."""

from __future__ import annotations

from tightener.tighten.rules import (
    drop_action,
    drop_rule,
    narrow_action,
    narrow_branches,
    narrow_resources,
    split_rule,
)

RULES = (
    drop_rule.propose,
    drop_action.propose,
    narrow_action.propose,
    split_rule.propose,
    narrow_resources.propose,
    narrow_branches.propose,
)
