"""What an agent wants to do, laid out for the person who decides: commands, mails and requests as what they are, the
rest as coloured JSON. Nothing is interpreted: every control character shows as an escape, and what is folded away says
how much it is."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from nullspend_cli.render import Cell, json_safe, money, plain, visible
from nullspend_cli.replies import Record

Line = list[Cell]

_TELLING = ("command", "cmd", "script", "subject", "to", "url", "query", "sql", "path", "file")
_FOLDED_LINES = 10
_FOLDED_CHARACTERS = 300
_FOLDED_ITEMS = 12


class _Part(NamedTuple):
    """A value with a layout of its own: the payload's keys that may hold it, its title, and what stands before it."""

    keys: tuple[str, ...]
    title: str = ""
    before: str = ""
    style: str = ""


_COMMAND = (
    _Part(("command", "cmd", "script", "shell"), before="$ ", style="bold"),
    _Part(("cwd", "workdir", "directory"), "in"),
)
_MAIL = (
    _Part(("from", "sender"), "From"),
    _Part(("to", "recipient", "recipients"), "To"),
    _Part(("cc",), "Cc"),
    _Part(("bcc",), "Bcc"),
    _Part(("subject",), "Subject", style="bold"),
    _Part(("body", "text", "message", "content", "html")),
)
_QUERY = (_Part(("query", "sql", "statement"), style="bold"),)
_FILE = (
    _Part(("path", "file", "filename"), "File", style="bold"),
    _Part(("content", "text", "data")),
)
_LAYOUTS: dict[str, tuple[_Part, ...]] = {
    "shell_command": _COMMAND,
    "send_email": _MAIL,
    "http_post": (_Part(("url", "uri", "endpoint"), before="POST ", style="bold"),),
    "http_delete": (_Part(("url", "uri", "endpoint"), before="DELETE ", style="bold"),),
    "db_write": _QUERY,
    "file_write": _FILE,
    "file_delete": _FILE[:1],
}


def payload_lines(action: Record, *, whole: bool) -> list[Line]:
    """The payload. Long values are folded, the fold saying how long they are, unless `whole`."""
    payload: Any = action.get("payload")
    if not isinstance(payload, dict):
        return list(json_lines(payload, whole=whole))
    rest = dict(payload)
    lines: list[Line] = []
    for part in _LAYOUTS.get(str(action.get("actionType")), ()):
        key = next((name for name in part.keys if _is_text(rest.get(name))), None)
        if key is not None:
            lines += _part_lines(part, rest.pop(key), whole=whole)
    if rest or not lines:
        lines += ([[]] if lines else []) + list(json_lines(rest, whole=whole))
    return lines


def summary(action: Record) -> str:
    """The payload in a few words: the command, the subject, the address, how much more budget for whom."""
    payload: Any = action.get("payload")
    if not isinstance(payload, dict):
        return ""
    if action.get("actionType") == "budget_increase":
        asked = money(payload.get("requestedAmountMicrodollars"))
        return f"{asked} more for {payload.get('entityType')} {payload.get('entityId')}"
    for key in _TELLING:
        if _is_text(payload.get(key)):
            return plain(payload[key]).split("\n")[0]
    return plain(payload)


def json_lines(value: Any, *, whole: bool) -> Iterator[Line]:
    """A JSON value over several lines, its names and texts coloured."""
    yield from _json(value, 0, "", whole)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and bool(value) and all(map(_is_string, value)))


def _is_string(value: Any) -> bool:
    return isinstance(value, str)


def _part_lines(part: _Part, value: str | list[str], *, whole: bool) -> Iterator[Line]:
    text = value if isinstance(value, str) else (" " if part.before == "$ " else ", ").join(value)
    title = [Cell(f"{part.title}: ", "dim")] if part.title else []
    before = [Cell(part.before, "dim")] if part.before else []
    for number, line in enumerate(_folded(text, whole=whole)):
        start = [*title, *before] if number == 0 else [Cell(" " * len(part.before))]
        yield [*start, Cell(line.text, line.style or part.style)]


def _folded(text: str, *, whole: bool) -> Iterator[Cell]:
    """The lines of a text; after the first ones the rest is a count."""
    lines = text.replace("\r\n", "\n").split("\n")
    kept = lines if whole else lines[:_FOLDED_LINES]
    for line in kept:
        hidden = 0 if whole else len(line) - _FOLDED_CHARACTERS
        shown = line if hidden <= 0 else line[:_FOLDED_CHARACTERS]
        yield Cell(visible(shown) + (f" (+{hidden:,} characters)" if hidden > 0 else ""))
    if len(kept) < len(lines):
        yield Cell(f"(+{len(lines) - len(kept):,} lines)", "yellow")


def _json(value: Any, depth: int, after: str, whole: bool, name: Sequence[Cell] = ()) -> Iterator[Line]:
    indent = Cell("  " * depth)
    if isinstance(value, (dict, list)) and value:
        opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
        yield [indent, *name, Cell(opening)]
        yield from _inside(value, depth + 1, whole)
        yield [indent, Cell(closing + after)]
    else:
        yield [indent, *name, *_scalar(value, whole), Cell(after)]


def _inside(value: dict[str, Any] | list[Any], depth: int, whole: bool) -> Iterator[Line]:
    items: list[tuple[str | None, Any]] = (
        list(value.items()) if isinstance(value, dict) else [(None, each) for each in value]
    )
    kept = items if whole else items[:_FOLDED_ITEMS]
    for number, (key, each) in enumerate(kept):
        name = [] if key is None else [Cell(_quoted(key), "cyan"), Cell(": ")]
        yield from _json(each, depth, "," if number + 1 < len(items) else "", whole, name)
    if len(kept) < len(items):
        yield [Cell("  " * depth), Cell(f"(+{len(items) - len(kept):,} more)", "yellow")]


def _scalar(value: Any, whole: bool) -> Iterator[Cell]:
    if not isinstance(value, str):
        yield Cell(json.dumps(value), "yellow" if value is None or isinstance(value, bool) else "")
        return
    hidden = 0 if whole else len(value) - _FOLDED_CHARACTERS
    yield Cell(_quoted(value if hidden <= 0 else value[:_FOLDED_CHARACTERS]), "green")
    if hidden > 0:
        yield Cell(f" (+{hidden:,} characters)", "yellow")


def _quoted(text: str) -> str:
    return json_safe(json.dumps(text, ensure_ascii=False))
