"""The formats that need no field map, in the order in which they are tried on a file."""

from __future__ import annotations

from tightener.logs.formats.cloudtrail import CloudTrail
from tightener.logs.formats.gateway import Gateway
from tightener.logs.staging import Format
from tightener.services.tool_kinds import Tools


def known(tools: Tools) -> tuple[Format, ...]:
    """The formats; `tools` as tightener.yaml has them."""
    return (Gateway(tools), CloudTrail())
