"""What of logged values leaves the house: the terms of `redact:` in tightener.yaml, and what becomes of one value.

Arguments of tools may hold anything that a person said to an agent; names of resources are what a reviewer decides by.
So the one is hashed and the other shown where nobody says otherwise (docs/redaction.md).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

TOOLS = "tools"  # the service whose resources are what a tool was called with
_RESOURCES = frozenset({"aws", "git"})  # services whose resources are names, whatever they look like
_ARGUMENT = re.compile(r"([A-Za-z_][\w.-]{0,63}=)(.*)", re.ASCII | re.DOTALL)
_DIGITS = 12  # of a hash: enough to tell apart whatever one reviewer reads
HIDDEN = "[hidden]"


class Shown(StrEnum):
    """How a value goes out."""

    SHOW = "show"
    HASH = "hash"
    HIDE = "hide"


@dataclass(frozen=True, slots=True)
class Redact:
    """What becomes of arguments of tools, and of the names of resources and branches."""

    arguments: Shown = Shown.HASH
    resources: Shown = Shown.SHOW

    def of(self, service: str, value: str) -> Shown:
        """How a value of a service goes out. What reads `name=value` is taken for an argument of a tool server."""
        if service == TOOLS or (service not in _RESOURCES and _ARGUMENT.fullmatch(value)):
            return self.arguments
        return self.resources

    def quotes(self, service: str, text: str) -> bool:
        """Whether a sentence about a service, which may quote any of its values, may go out as it is."""
        if service == TOOLS:
            return self.arguments is Shown.SHOW
        argued = service not in _RESOURCES and "=" in text
        return self.resources is Shown.SHOW and (self.arguments is Shown.SHOW or not argued)

    def value(self, service: str, value: str) -> str:
        """A logged value as it goes out: itself, `name=sha256:...` with equal hashes for equal values, or a marker.

        An argument keeps its name where it reads like one. Nothing, and a `*` for what the log hides, stay.
        """
        how = self.of(service, value)
        if how is Shown.SHOW:
            return value
        found = None if service in _RESOURCES else _ARGUMENT.fullmatch(value)
        name, said = (found[1], found[2]) if found else ("", value)
        if said in ("", "*"):
            return value
        return name + (HIDDEN if how is Shown.HIDE else digest(said))


def digest(value: str) -> str:
    """The marker and the first digits of a value's SHA-256. No salt: whoever has the value can make it again."""
    return f"sha256:{hashlib.sha256(value.encode('utf-8', 'surrogatepass')).hexdigest()[:_DIGITS]}"
