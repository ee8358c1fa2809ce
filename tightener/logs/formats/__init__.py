"""The formats that are known without configuration, in the order in which they are tried on a file."""

from __future__ import annotations

from tightener.logs.formats.cloudtrail import CloudTrail
from tightener.logs.formats.gateway import Gateway
from tightener.logs.staging import Format

FORMATS: tuple[Format, ...] = (Gateway(), CloudTrail())
