"""The edit kinds, in the order in which a reader meets them. A new kind is one file and one entry here.

What others require comes before them.
"""

from __future__ import annotations

from tightener.tighten.rules import (
    ask_about_new,
    ask_first,
    ask_in_bursts,
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
    ask_first.propose,
    ask_in_bursts.propose,
    ask_about_new.propose,
    split_rule.propose,
    narrow_resources.propose,
    narrow_branches.propose,
)
