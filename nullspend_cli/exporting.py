"""`events export`: the server's CSV as it streams in, then the list from its last row on, until nothing is left."""

import codecs
import csv
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from nullspend_cli import filters, formats
from nullspend_cli.client import Client
from nullspend_cli.filters import Filters
from nullspend_cli.replies import Record, prefixed
from nullspend_daemon.contract.clock import from_iso, to_iso
from nullspend_daemon.contract.ids import Kind, uuid_of
from nullspend_daemon.contract.money import usd_text

PATH = "/api/cost-events/export"
FORMATS = ("csv", "jsonl")
CAP = 10_000
"""What one export holds at most; exactly as many rows mean that there may be more."""
_FIELDS = {
    "id": "id",
    "request_id": "requestId",
    "provider": "provider",
    "model": "model",
    "input_tokens": "inputTokens",
    "output_tokens": "outputTokens",
    "cached_input_tokens": "cachedInputTokens",
    "reasoning_tokens": "reasoningTokens",
    "cost_microdollars": "costMicrodollars",
    "duration_ms": "durationMs",
    "source": "source",
    "session_id": "sessionId",
    "trace_id": "traceId",
    "key_name": "keyName",
    "created_at": "createdAt",
}
_PARTS = {
    "cost_breakdown_input": "input",
    "cost_breakdown_output": "output",
    "cost_breakdown_cached": "cached",
    "cost_breakdown_reasoning": "reasoning",
    "cost_breakdown_tool_definition": "toolDefinition",
}
_TEXTS = {"request_id", "provider", "model", "source", "session_id", "trace_id", "key_name"}
_ORDER = list(_FIELDS)
COLUMNS = (*_ORDER[:9], "cost_usd", *_ORDER[9:], *_PARTS)
_LAST_ID = "ns_evt_ffffffff-ffff-ffff-ffff-ffffffffffff"
_AT_ONCE = 100


def lines(client: Client, wanted: Filters, format: str) -> Iterator[tuple[int, str]]:
    """Pieces of the file, each with how many rows are in it."""
    if format == "jsonl":
        yield from ((1, formats.line(event)) for event in filters.events(client, wanted))
        return
    rows = _rows(client, wanted)
    yield 0, formats.csv_lines([next(rows)])
    while some := [row for _, row in zip(range(_AT_ONCE), rows, strict=False)]:
        yield len(some), formats.csv_lines(some)


def _rows(client: Client, wanted: Filters) -> Iterator[Sequence[Any]]:
    """A header, then every row. What the export of a server cannot filter by is asked of the list."""
    only_listed = any(wanted.span) or wanted.params.get("budgetStatus") or wanted.params.get("requestId")
    if only_listed or client.place.session is None:
        yield COLUMNS
        yield from (_cells(event, COLUMNS) for event in filters.events(client, wanted))
    else:
        yield from _exported(client, wanted)


def _exported(client: Client, wanted: Filters) -> Iterator[Sequence[Any]]:
    key = wanted.params.get("apiKeyId")
    with client.stream(PATH, {**wanted.params, "apiKeyId": key and uuid_of(key)}) as chunks:
        reader = csv.reader(_text_lines(chunks), strict=True)
        header = next(reader, list(COLUMNS))
        yield header
        seen: dict[str, str] = {}
        for row in reader:
            found = dict(zip(header, row, strict=False))
            found["id"] = prefixed(Kind.COST_EVENT, found["id"])
            seen[found["id"]] = found["created_at"]
            yield [formats.csv_cell(text) if name in _TEXTS else text for name, text in found.items()]
    if len(seen) == CAP:
        yield from (_cells(event, header) for event in _rest(client, wanted, seen))


def _rest(client: Client, wanted: Filters, seen: dict[str, str]) -> Iterator[Record]:
    """What follows the last row. The list starts a millisecond early: a server that keeps microseconds would leave out
    what shares that row's moment."""
    last = list(seen.values())[-1]
    cursor = {"createdAt": to_iso(from_iso(last) + 1), "id": _LAST_ID}
    return (event for event in filters.events(client, wanted, after=cursor) if event["id"] not in seen)


def _text_lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """The lines of a body. Only LF ends one; a CR inside a value is shown as what it is, for csv knows it as an end."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest = ""
    for chunk in chunks:
        *whole, rest = (rest + decoder.decode(chunk).replace("\r", r"\r")).split("\n")
        yield from (f"{line}\n" for line in whole)
    if rest:
        yield rest


def _cells(event: Record, header: Sequence[str]) -> list[Any]:
    """A listed event as a row of the same columns."""
    parts = event.get("costBreakdown") or {}
    row = {
        **{column: event.get(field) for column, field in _FIELDS.items()},
        "cost_usd": usd_text(event["costMicrodollars"]),
        **{column: parts.get(part) for column, part in _PARTS.items()},
    }
    return [formats.csv_cell(row.get(name)) for name in header]


def save(pieces: Iterable[tuple[int, str]], file: Path, progress: Callable[[int], None]) -> int:
    """Writes a whole file or none; returns how many rows are in it."""
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
            rows = write(pieces, out.write, progress)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return rows


def write(pieces: Iterable[tuple[int, str]], to: Callable[[str], Any], progress: Callable[[int], None]) -> int:
    """Writes every piece; returns how many rows they held."""
    total = 0
    for count, text in pieces:
        to(text)
        total += count
        progress(total)
    return total
