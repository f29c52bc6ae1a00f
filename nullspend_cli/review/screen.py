"""The desk as lines of a screen: wrapped to its width, cut to its height, and every cut says so."""

import textwrap
from collections.abc import Iterator, Sequence

from nullspend_cli.action_view import body_lines, head_lines
from nullspend_cli.approvals import BUDGET_INCREASE, requested
from nullspend_cli.payload_view import Line
from nullspend_cli.render import Cell, money, visible, width_of
from nullspend_cli.review.desk import Desk, Mode

_LEAST = 4
_KEYS_GAP = 3


def lines_of(desk: Desk, width: int, height: int) -> list[Line]:
    """At most `height` lines of at most `width` columns."""
    foot = list(_foot(desk, width))
    room = max(_LEAST, height - len(foot) - 2)
    top = [_title(desk), []]
    content = [line for each in _content(desk, width) for line in wrapped(each, width)]
    shown = _scrolled(content, desk, room) if desk.mode is Mode.ALL else _cut(content, room)
    return [*top, *shown, *([[]] * (room - len(shown))), *foot][:height]


def wrapped(line: Line, width: int) -> Iterator[Line]:
    """A line as several that fit; nothing is left out."""
    row: Line = []
    used = 0
    for cell in line:
        text = ""
        for char in cell.text:
            wide = width_of(char)
            if used + wide > width:
                yield [*row, Cell(text, cell.style)]
                row, text, used = [], "", 0
            text += char
            used += wide
        row = [*row, Cell(text, cell.style)]
    yield row


def _title(desk: Desk) -> Line:
    waiting = len(desk.pending)
    skipped = f", {len(desk.skipped)} skipped" if desk.skipped else ""
    return [Cell("Requests for approval", "bold"), Cell(f"   {waiting} waiting{skipped}", "dim")]


def _content(desk: Desk, width: int) -> list[Line]:
    if desk.mode is Mode.GONE:
        return list(_sentence(desk.message, "yellow", width))
    if desk.current is None:
        return list(_sentence(_nothing(desk), "", width))
    head = head_lines(desk.current, desk.now_ms, desk.facts)
    return [*head, [], *body_lines(desk.current, whole=desk.mode is Mode.ALL)]


def _nothing(desk: Desk) -> str:
    if desk.skipped:
        return "Everything else is decided. Press s to look at what you skipped."
    return "Nothing waits for a decision. New requests appear here."


def _sentence(text: str, style: str, width: int) -> Iterator[Line]:
    for line in textwrap.wrap(visible(text), max(1, width)):
        yield [Cell(line, style)]


def _cut(content: Sequence[Line], room: int) -> list[Line]:
    if len(content) <= room:
        return list(content)
    hidden = len(content) - room + 1
    return [*content[: room - 1], [Cell(f"(+{hidden:,} lines: v shows all)", "yellow")]]


def _scrolled(content: Sequence[Line], desk: Desk, room: int) -> list[Line]:
    desk.scroll = min(desk.scroll, max(0, len(content) - room))
    return list(content[desk.scroll : desk.scroll + room])


def _foot(desk: Desk, width: int) -> Iterator[Line]:
    yield []
    yield from _sentence(desk.connection, "red", width)
    if desk.mode is not Mode.GONE:
        yield from _sentence(desk.message, "yellow", width)
    if desk.mode is Mode.AMOUNT:
        asked = requested(desk.current or {})
        of = "" if asked is None else f" instead of {money(asked)}"
        prompt = [Cell(f"Raise by{of}: ", "bold"), Cell(visible(desk.typed)), Cell("_")]
        yield from wrapped(prompt, width)
    yield from _bar(_keys(desk), width)


def _keys(desk: Desk) -> list[tuple[str, str]]:
    """The keys that do something now, and what they do."""
    if desk.mode is Mode.AMOUNT:
        return [("Enter", "approve"), ("Esc", "back")]
    if desk.mode is Mode.ALL:
        return [("up/down/space", "scroll"), ("any other key", "back")]
    if desk.mode is Mode.GONE:
        return [("any key", "go on"), ("q", "quit")]
    if desk.current is None:
        return [*([("s", "skipped ones")] if desk.skipped else []), ("q", "quit")]
    amount = [("m", "amount")] if desk.current.get("actionType") == BUDGET_INCREASE else []
    return [("a", "approve"), ("r", "reject"), ("s", "skip"), ("v", "view all"), *amount, ("q", "quit")]


def _bar(keys: Sequence[tuple[str, str]], width: int) -> Iterator[Line]:
    """As many keys on a line as fit."""
    line: Line = []
    used = 0
    for key, does in keys:
        wide = len(key) + 1 + len(does)
        if line and used + wide > width:
            yield line
            line, used = [], 0
        line = [*line, Cell(key, "bold"), Cell(f" {does}{' ' * _KEYS_GAP}", "dim")]
        used += wide + _KEYS_GAP
    yield line
