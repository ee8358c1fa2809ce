"""AWS CloudTrail: files -> texts of about a megabyte -> one json_transform in DuckDB -> requests by joins.

Python touches whole texts and the distinct (eventSource, eventName) pairs, never the fields of single records; what is
not laid out the regular way goes record by record through cloudtrail_text.exact. Facts: services/data/*.csv.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict

import duckdb
import pyarrow as pa

from tightener.logs.files import PIECE, LogFile, read_pieces
from tightener.logs.formats.cloudtrail_text import IrregularError, arrays, exact
from tightener.resources import query
from tightener.services import observe
from tightener.services.aws import SLOTS, EventRequest, resolve, shapes, templates
from tightener.services.catalogue import arn_formats, catalogue_case, is_action, rows
from tightener.services.outcomes import error_class

_NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,256}")
_BATCH = 1 << 19  # bytes of JSON handed to DuckDB at a time, at least
_WHOLE = 8 << 20  # files up to this size on disk are read ahead as a whole, larger ones in pieces
_PIECE = 16 << 20  # of one read ahead: nearly always the whole file
_AHEAD = 4

_TEXT = pa.schema(
    [
        ("file_id", pa.int32()),
        ("chunk", pa.int64()),
        ("position", pa.int64()),
        ("native_id", pa.string()),
        ("doc", pa.string()),
    ]
)
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

_Row = tuple[int, int, int | None, str | None, bytes]


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
    for nr, request in enumerate(requests):
        row = {
            "event_source": event_source,
            "event_name": event_name,
            "nr": nr,
            "of": len(requests),
            "conditional": any(one.when_path or one.pick.startswith("dynamodb-") for one in requests),
            "problem": problem,
            "when_key": request.when_path.rpartition(".")[2],
            **kind,
            "typed": request.mapped and request.needs_permission and bool(shapes(request.action)),
            **{
                name: getattr(request, name)
                for name in ("action", "mapped", "needs_permission", "when_path", "when_text", "when_wanted", "pick")
            },
        }
        yield request, row


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


class _Reading:
    """One pass over some files: the regular texts on the way to DuckDB, and what has to be read again exactly."""

    def __init__(self, files: Sequence[LogFile]) -> None:
        self.files = files
        self.problems: dict[int, str] = {file.id: "" for file in files}
        self.irregular: set[int] = set()
        self.bad: list[tuple[int, int, str]] = []  # file, position, reason

    def _note(self, file: LogFile, problem: str) -> None:
        known = self.problems[file.id]
        if problem not in known:  # a file that is read twice has its problem twice
            self.problems[file.id] = f"{known}; {problem}" if known else problem

    def _pieces(self, file: LogFile, piece: int = PIECE) -> Iterator[bytes]:
        return read_pieces(file, lambda problem: self._note(file, problem), piece=piece)

    def _regular(self, file: LogFile, piece: int = PIECE) -> Iterator[_Row]:
        try:
            for chunk, doc in enumerate(arrays(self._pieces(file, piece))):
                yield file.id, chunk, None, None, doc
        except IrregularError:
            self.irregular.add(file.id)

    def _whole(self, file: LogFile) -> list[_Row]:
        return list(self._regular(file, _PIECE))

    def regular_rows(self) -> Iterator[_Row]:
        """The texts of all files in order; small files are decompressed ahead by two threads (isal frees the GIL)."""
        ahead: deque[tuple[LogFile, Future[list[_Row]] | None]] = deque()
        waiting = iter(self.files)
        with ThreadPoolExecutor(2) as pool:
            while True:
                while len(ahead) < _AHEAD and (file := next(waiting, None)) is not None:
                    ahead.append((file, pool.submit(self._whole, file) if file.size <= _WHOLE else None))
                if not ahead:
                    return
                file, future = ahead.popleft()
                yield from future.result() if future else self._regular(file)

    def exact_rows(self) -> Iterator[_Row]:
        """The records of the files that are not regular, one text each; broken ones go to `bad`."""
        for file in self.files:
            if file.id not in self.irregular:
                continue
            found = exact(b"".join(self._pieces(file)))
            if found.problem:
                self._note(file, found.problem)
            self.bad.extend((file.id, position, reason) for position, reason in found.bad)
            for record in found.records:
                yield file.id, record.position, record.position, record.native_id, b"[%b]" % record.text

    def batches(self, source: Iterator[_Row]) -> Iterator[pa.RecordBatch]:
        """Rows as Arrow batches of about `_BATCH` bytes. A text that is not UTF-8 makes its file irregular."""
        held: list[_Row] = []
        size = 0
        for row in source:
            held.append(row)
            size += len(row[4])
            if size >= _BATCH:
                yield self._batch(held)
                held, size = [], 0
        if held:
            yield self._batch(held)

    def _batch(self, held: list[_Row]) -> pa.RecordBatch:
        try:
            docs = _texts(held)
        except pa.ArrowInvalid:
            sound = [row for row in held if _is_utf8(row[4])]
            self.irregular.update(row[0] for row in held if row not in sound)
            held = sound
            docs = _texts(held)
        columns = list(zip(*(row[:4] for row in held), strict=True)) or [(), (), (), ()]
        arrays_ = [pa.array(column, kind.type) for column, kind in zip(columns, _TEXT, strict=False)]
        return pa.record_batch([*arrays_, docs], schema=_TEXT)


def _texts(held: Sequence[_Row]) -> pa.Array:
    """The texts of some rows; a single one, as nearly all are, without a copy. Raises ArrowInvalid: it is not UTF-8."""
    if len(held) != 1:
        return pa.array([row[4] for row in held], pa.binary()).cast(pa.string())
    ends = pa.array([0, len(held[0][4])], pa.int32()).buffers()[1]
    text = pa.StringArray.from_buffers(1, ends, pa.py_buffer(held[0][4]))
    text.validate(full=True)
    return text


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


class CloudTrail:
    """The format `cloudtrail`: `{"Records": [...]}`, a top-level array, or one record (or EventBridge event) a line."""

    name = "cloudtrail"
    source = "cloudtrail"

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
        reading = _Reading(files)
        con.execute("SET VARIABLE ct_cut = $cut", {"cut": observe.container_cut()})
        con.execute(query("stage_cloudtrail_tables"))
        kinds = [(row["event_type"], row["reason"]) for row in rows("event_type")]
        partitions = [(row["region"], row["partition"]) for row in rows("partition")]
        con.register("ct_partition", _table({"region": pa.string(), "partition": pa.string()}, partitions))
        con.register("ct_event_type", _table({"event_type": pa.string(), "reason": pa.string()}, kinds))
        self._records(con, reading, reading.regular_rows())
        self._find_irregular(con, reading)
        if reading.irregular:
            ids = sorted(reading.irregular)
            con.execute("DELETE FROM ct_record WHERE list_contains(?, file_id)", [ids])
            self._records(con, reading, reading.exact_rows())
        self._who(con)
        self._lookups(con, reading)
        con.execute(query("stage_cloudtrail"))
        for name in (
            *("partition", "event_type", "map", "data_action", "shape", "template", "error", "problem", "bad"),
            *("refused", "layer_name"),
        ):  # fmt: skip
            con.unregister(f"ct_{name}")

    @staticmethod
    def _records(con: duckdb.DuckDBPyConnection, reading: _Reading, source: Iterator[_Row]) -> None:
        reader = pa.RecordBatchReader.from_batches(_TEXT, reading.batches(source))
        con.register("ct_text", reader)
        con.execute(query("stage_cloudtrail_record"))
        con.unregister("ct_text")

    @staticmethod
    def _find_irregular(con: duckdb.DuckDBPyConnection, reading: _Reading) -> None:
        """Texts that are not JSON, and records that need the hash of their own text, send their file the exact way."""
        found = con.execute("SELECT DISTINCT file_id FROM ct_record WHERE native_id IS NULL").fetchall()
        reading.irregular.update(row[0] for row in found)

    @staticmethod
    def _who(con: duckdb.DuckDBPyConnection) -> None:
        """Number the distinct callers, and find what the AWS MCP Server did for whom."""
        names = ("event_type", "event_source", "event_name", "resource")
        told = [tuple(row[name] for name in names) for row in rows("mcp_record")]
        con.register("ct_mcp", _table(dict.fromkeys(names, pa.string()), told))
        con.execute(query("stage_cloudtrail_who"))
        con.unregister("ct_mcp")

    @staticmethod
    def _lookups(con: duckdb.DuckDBPyConnection, reading: _Reading) -> None:
        """Register the small tables that stage_cloudtrail.sql joins: what the distinct names and error codes mean."""
        pairs = con.execute("SELECT DISTINCT event_source, event_name FROM ct_record ORDER BY ALL").fetchall()
        found = [row for source, name in pairs for row in _map_rows(source, name)]
        typed = [(number, request) for number, (request, row) in enumerate(found) if row["typed"]]
        mapping = [{"map": number, **row} for number, (_, row) in enumerate(found)]
        con.register("ct_map", pa.Table.from_pylist(mapping, schema=_MAP))
        named = dict.fromkeys(request.action for request, _ in found)
        logged = [(action,) for action in named if observe.data_class(action)]
        con.register("ct_data_action", _table({"action": pa.string()}, logged))
        known = [row for number, request in typed for row in _shape_rows(number, request)]
        con.register("ct_shape", pa.Table.from_pylist(known, schema=_SHAPE))
        ways = [row for number, request in typed for row in _template_rows(number, request)]
        con.register("ct_template", pa.Table.from_pylist(ways, schema=_TEMPLATE))
        codes = [row[0] for row in con.execute("SELECT DISTINCT error_code FROM ct_record ORDER BY ALL").fetchall()]
        outcomes = [str(error_class(code)) for code in codes]
        con.register(
            "ct_error", _table({"code": pa.string(), "outcome": pa.string()}, list(zip(codes, outcomes, strict=True)))
        )
        said = con.execute(
            "SELECT DISTINCT refusal.action FROM ct_record WHERE refusal IS NOT NULL ORDER BY ALL"
        ).fetchall()
        refused = [(name, catalogue_case(name), bool(arn_formats(name))) for (name,) in said if is_action(name)]
        con.register("ct_refused", _table({"named": pa.string(), "action": pa.string(), "typed": pa.bool_()}, refused))
        layers = [(row["phrase"], row["layer"]) for row in rows("deny_layer")]
        con.register("ct_layer_name", _table({"phrase": pa.string(), "layer": pa.string()}, layers))
        problems = list(reading.problems.items())
        con.register("ct_problem", _table({"file_id": pa.int32(), "problem": pa.string()}, problems))
        bad = {"file_id": pa.int32(), "position": pa.int64(), "reason": pa.string()}
        con.register("ct_bad", _table(bad, reading.bad))


def _table(types: dict[str, pa.DataType], entries: Sequence[tuple[object, ...]]) -> pa.Table:
    columns = list(zip(*entries, strict=True)) if entries else [()] * len(types)
    return pa.table({name: pa.array(column, kind) for (name, kind), column in zip(types.items(), columns, strict=True)})
