"""AWS CloudTrail: files -> a table of records (cloudtrail_read.py) -> requests by joins.

Python touches whole texts and the distinct (eventSource, eventName) pairs, never the fields of single records. Facts:
services/data/*.csv.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from tightener.logs.files import LogFile
from tightener.logs.formats import cloudtrail_plain, cloudtrail_read
from tightener.logs.formats.cloudtrail_read import Records
from tightener.logs.formats.cloudtrail_shares import Shares
from tightener.logs.staging import TRAIL
from tightener.resources import query
from tightener.services import observe
from tightener.services.aws import SLOTS, EventRequest, resolve, shapes, templates
from tightener.services.catalogue import arn_formats, catalogue_case, is_action, rows
from tightener.services.outcomes import error_class

_NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,256}")
_MOST = 1 << 20  # requests that one event may make: far more than any does

_MAP = pa.schema(
    [
        ("map", pa.int32()),
        ("event_source", pa.string()),
        ("event_name", pa.string()),
        ("nr", pa.int32()),
        ("of", pa.int32()),
        ("conditional", pa.bool_()),
        ("action", pa.string()),
        ("mapped", pa.bool_()),
        ("problem", pa.string()),
        ("needs_permission", pa.bool_()),
        ("when_path", pa.string()),
        ("when_key", pa.string()),  # the last name of when_path
        ("when_text", pa.string()),
        ("when_wanted", pa.bool_()),
        ("pick", pa.string()),
        ("typed", pa.bool_()),  # the action has resource types, and they matter
        ("prefix", pa.string()),
        ("data_class", pa.string()),  # what kind of event it is: services/observe.py
        ("management_class", pa.string()),
        ("reads", pa.bool_()),
        *cloudtrail_plain.FIELDS,
    ]
)
_SHAPE = pa.schema(
    [
        ("map", pa.int32()),
        ("kind", pa.int32()),
        ("fit", pa.string()),
        ("unfit", pa.string()),
        ("needed", pa.string()),
        ("enough", pa.bool_()),
    ]
)
_TEMPLATE = pa.schema(
    [("map", pa.int32()), ("kind", pa.int32()), ("rank", pa.int32()), ("many", pa.string()), ("each", pa.bool_())]
    + [("text0", pa.string())]
    + [(f"{part}{nr}", pa.string()) for nr in range(1, SLOTS + 1) for part in ("path", "cut", "text")]
    + [("pattern", pa.bool_())]
)
_LATE = 300  # the rank of templates behind resources[] (100) and ARNs among the parameters (200)


def _map_rows(event_source: str, event_name: str) -> Iterator[tuple[EventRequest, dict[str, object]]]:
    """The rows of ct_map for one pair, one for each request that such an event may make, without their number."""
    problem = None
    if not (_NAME.fullmatch(event_source) and _NAME.fullmatch(event_name)):
        problem = "eventSource or eventName is no name"
    requests = resolve(event_source, event_name)
    leading = requests[0].action
    kind = {
        "prefix": leading.partition(":")[0],
        "data_class": observe.data_class(leading),
        "management_class": observe.management_class(leading),
        "reads": observe.reads(leading),
    }
    conditional = not _certain(requests)
    for nr, (request, told) in enumerate(zip(requests, cloudtrail_plain.plain(requests), strict=True)):
        row = {
            "event_source": event_source,
            "event_name": event_name,
            "nr": nr,
            "of": len(requests),
            "conditional": conditional,
            "problem": problem,
            "when_key": request.when_path.rpartition(".")[2],
            **kind,
            **told,
            "typed": request.mapped and request.needs_permission and bool(shapes(request.action)),
            **{
                name: getattr(request, name)
                for name in ("action", "mapped", "needs_permission", "when_path", "when_text", "when_wanted", "pick")
            },
        }
        yield request, row


def _certain(requests: Sequence[EventRequest]) -> bool:
    """Whether every such event makes one of these requests: one without a condition, or two with opposite ones."""
    conditions = {
        (one.when_path, one.when_text, one.when_wanted) for one in requests if not one.pick.startswith("dynamodb-")
    }
    return any(not path or (path, text, not wanted) in conditions for path, text, wanted in conditions)


def _shape_rows(number: int, request: EventRequest) -> Iterator[dict[str, object]]:
    """None for a request with a template of its own: that is the only way to its resource."""
    for kind, shape in enumerate(() if request.template else shapes(request.action)):
        yield {"map": number, "kind": kind, **asdict(shape)}


def _template_rows(number: int, request: EventRequest) -> Iterator[dict[str, object]]:
    for rank, one in enumerate(templates(request.action, request.pick, request.template)):
        yield {
            "map": number,
            "kind": one.kind,
            "rank": rank if one.first else _LATE + rank,
            "many": one.many,
            "each": one.each,
            "text0": one.texts[0],
            "pattern": one.pattern,
            **{f"text{nr}": text for nr, text in enumerate(one.texts[1:], 1)},
            **{f"path{nr}": path for nr, path in enumerate(one.paths, 1)},
            **{f"cut{nr}": cut for nr, cut in enumerate(one.cuts, 1)},
        }


class CloudTrail:
    """The format `cloudtrail`: `{"Records": [...]}`, a top-level array, or one record (or EventBridge event) a line."""

    name = "cloudtrail"
    source = "cloudtrail"

    def __init__(self) -> None:
        self._shares = Shares()

    def recognises(self, head: bytes) -> bool:
        """Whether the decompressed beginning of a file looks like CloudTrail's records (an empty delivery included)."""
        if re.match(rb'\s*\{\s*"Records"\s*:\s*\[\s*\]\s*\}\s*$', head):
            return True
        return all(f'"{key}"'.encode() in head for key in ("eventSource", "eventName")) and any(
            f'"{key}"'.encode() in head for key in ("userIdentity", "eventVersion", "awsRegion")
        )

    def stage(self, con: duckdb.DuckDBPyConnection, files: Sequence[LogFile]) -> None:
        """Read the files into the temporary tables of logs/staging.py.

        Raises LogError only where a file cannot be opened; broken records and files cut short are rows.
        """
        self._shares.stage(con, files, self._stage)

    def _stage(self, con: duckdb.DuckDBPyConnection, files: Sequence[LogFile]) -> pa.Table:
        text = pa.string()
        kinds = [(row["event_type"], row["reason"]) for row in rows("event_type")]
        con.register("ct_event_type", _table({"event_type": text, "reason": text}, kinds))
        con.execute(query("stage_cloudtrail_refusal"))
        records = cloudtrail_read.read(con, files)
        con.register("ct_record", records.table)
        names = ("event_type", "event_source", "event_name", "resource")
        calls = [tuple(row[name] for name in names) for row in rows("mcp_record")]
        con.register("ct_mcp", _table(dict.fromkeys(names, text), calls))
        con.execute(query("stage_cloudtrail_who"))
        self._lookups(con, records)
        con.execute("SET VARIABLE ct_cut = $cut", {"cut": observe.container_cut()})
        con.execute(query("stage_cloudtrail_macros"))
        con.execute(query("stage_cloudtrail_first"))
        told = con.sql(query("stage_cloudtrail_request"), params={"most": _MOST})
        requests = told.to_arrow_table(batch_size=cloudtrail_read.ROWS)
        con.register("ct_request", requests)
        con.register("ct_sought", requests.filter(pc.invert(requests["plain"])))
        con.execute(query("stage_cloudtrail_resource"))
        events = self._events(con)
        con.register("ct_event", events)
        con.execute(query("stage_cloudtrail_trail"))
        for name in (
            *("record", "request", "sought", "event", "event_type", "mcp", "map", "data_action", "shape", "template"),
            *("partition", "error", "refused", "layer_name", "problem", "bad"),
        ):  # fmt: skip
            con.unregister(f"ct_{name}")
        return pa.concat_tables([table.select(TRAIL.names).cast(TRAIL) for table in (requests, events)])

    @staticmethod
    def _events(con: duckdb.DuckDBPyConnection) -> pa.Table:
        """The requests on their resources: read where they lie, each looking up its resources, as the query says.

        DuckDB would turn that round, and copy all of them first.
        """
        con.execute("SET disabled_optimizers = 'build_side_probe_side'")
        try:
            return con.sql(query("stage_cloudtrail_event")).to_arrow_table(batch_size=cloudtrail_read.ROWS)
        finally:
            con.execute("RESET disabled_optimizers")

    @staticmethod
    def _lookups(con: duckdb.DuckDBPyConnection, records: Records) -> None:
        """Register the small tables that the queries join: what the distinct names and error codes mean."""
        text = pa.string()
        con.execute(
            "CREATE OR REPLACE TEMP TABLE ct_place AS"
            " SELECT DISTINCT event_source, event_name, region, account FROM ct_record"
        )
        pairs = con.execute("SELECT DISTINCT event_source, event_name FROM ct_place ORDER BY ALL").fetchall()
        found = [row for source, name in pairs for row in _map_rows(source, name)]
        typed = [(number, request) for number, (request, row) in enumerate(found) if row["typed"]]
        mapping = [{"map": number, **row} for number, (_, row) in enumerate(found)]
        con.register("ct_map", pa.Table.from_pylist(mapping, schema=_MAP))
        named = dict.fromkeys(request.action for request, _ in found)
        logged = [(action,) for action in named if observe.data_class(action)]
        con.register("ct_data_action", _table({"action": text}, logged))
        known = [row for number, request in typed for row in _shape_rows(number, request)]
        con.register("ct_shape", pa.Table.from_pylist(known, schema=_SHAPE))
        ways = [row for number, request in typed for row in _template_rows(number, request)]
        con.register("ct_template", pa.Table.from_pylist(ways, schema=_TEMPLATE))
        partitions = [(row["region"], row["partition"]) for row in rows("partition")]
        con.register("ct_partition", _table({"region": text, "partition": text}, partitions))
        codes = con.execute("SELECT DISTINCT error_code FROM ct_record ORDER BY ALL").fetchall()
        outcomes = [(code, str(error_class(code))) for (code,) in codes]
        con.register("ct_error", _table({"code": text, "outcome": text}, outcomes))
        said = con.execute(
            "SELECT DISTINCT refusal.action FROM ct_record WHERE refusal IS NOT NULL ORDER BY ALL"
        ).fetchall()
        refused = [(name, catalogue_case(name), bool(arn_formats(name))) for (name,) in said if is_action(name)]
        con.register("ct_refused", _table({"named": text, "action": text, "typed": pa.bool_()}, refused))
        layers = [(row["phrase"], row["layer"]) for row in rows("deny_layer")]
        con.register("ct_layer_name", _table({"phrase": text, "layer": text}, layers))
        con.register("ct_problem", _table({"file_id": pa.int32(), "problem": text}, list(records.problems.items())))
        bad = {"file_id": pa.int32(), "position": pa.int64(), "reason": text}
        con.register("ct_bad", _table(bad, records.bad))


def _table(types: dict[str, pa.DataType], entries: Sequence[tuple[object, ...]]) -> pa.Table:
    columns = list(zip(*entries, strict=True)) if entries else [()] * len(types)
    return pa.table({name: pa.array(column, kind) for (name, kind), column in zip(types.items(), columns, strict=True)})
