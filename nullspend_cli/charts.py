"""Numbers people can look at: shares that add up, bars, series as a line or a chart that fits the screen."""

from collections.abc import Callable, Sequence
from typing import Any

from nullspend_cli.render import Cell, Glyphs, bar, count, money, sparkline, width_of
from nullspend_cli.tables import Column, Row, column
from nullspend_cli.terminal import Terminal

_NARROWEST, _WIDEST = 6, 30
_SHARE_WIDTH = 6
_CHART_ROWS = 6
_WIDEST_COLUMN = 4
_ENDS = 24
"""What the two dates below a chart need."""
_COST, _COUNT = "totalCostMicrodollars", "requestCount"


def shares(values: Sequence[int]) -> list[int]:
    """Tenths of a percent that add up to 1000: the largest remainders get what rounding down leaves over."""
    total = sum(values)
    if total <= 0:
        return [0] * len(values)
    parts = [divmod(value * 1000, total) for value in values]
    left = 1000 - sum(whole for whole, _ in parts)
    rounded_up = sorted(range(len(parts)), key=lambda index: -parts[index][1])[:left]
    return [whole + (index in rounded_up) for index, (whole, _) in enumerate(parts)]


def share_text(tenths: int) -> str:
    """`12.5%`."""
    return f"{tenths // 10}.{tenths % 10}%"


def spend_columns(
    name: str, title: str, of: Callable[[Row], Any], rows: Sequence[Row], terminal: Terminal, *, counted: bool = True
) -> tuple[Column, ...]:
    """What was spent by something: its name, calls, cost, share and a bar. `rows` are all that will be shown."""
    part = shares([row[_COST] for row in rows])
    top = max((row[_COST] for row in rows), default=0)
    by_row = {id(row): tenths for row, tenths in zip(rows, part, strict=True)}
    plain = (
        column(name, title, value=of),
        *((column(_COUNT, "CALLS", count, right=True),) if counted else ()),
        column(_COST, "COST", money, right=True),
    )
    width = bar_width(plain, rows, terminal)

    def drawn(row: Row) -> Cell:
        return Cell(bar(row[_COST], top, terminal.glyphs, width=width))

    return (
        *plain,
        column(
            "sharePercent",
            "SHARE",
            lambda share: f"{share:.1f}%",
            value=lambda row: by_row.get(id(row), 1000 if row[_COST] else 0) / 10,
            right=True,
        ),
        Column("bar", "", lambda row: drawn(row) if not row.get("isTotal") else "", value=lambda row: row, drawn=True),
    )


def sums(rows: Sequence[Row]) -> Row:
    """Cost and calls of some rows together."""
    return {field: sum(row[field] for row in rows) for field in (_COST, _COUNT)}


def bar_width(columns: Sequence[Column], rows: Sequence[Row], terminal: Terminal) -> int:
    """What the other columns leave of the screen, within reason."""
    used = sum(2 + max([width_of(each.title), *(width_of(each.cell(row).text) for row in rows)]) for each in columns)
    return max(_NARROWEST, min(_WIDEST, terminal.width - used - _SHARE_WIDTH - 2))


def fitted(values: Sequence[int], width: int) -> list[int]:
    """A series in at most `width` steps, neighbours summed."""
    step = -(-len(values) // width) if width > 0 else len(values) or 1
    return [sum(values[start : start + step]) for start in range(0, len(values), max(1, step))]


def spark(values: Sequence[int], width: int, glyphs: Glyphs) -> str:
    """A series as one line of at most `width` characters."""
    return sparkline(fitted(values, width), glyphs)


def chart(values: Sequence[int], first: str, last: str, terminal: Terminal) -> str:
    """A series as columns: the height of the largest on the left, the ends of the series below."""
    if not any(values):
        return ""
    room = max(_ENDS, terminal.width - width_of(money(sum(values))) - 3)
    series = fitted(values, room)
    top, glyphs = money(max(series)), terminal.glyphs
    wide = max(1, min(_WIDEST_COLUMN, room // len(series)))
    ground = max(len(series) * wide, _ENDS)
    lines = [
        *(
            f"{(top if level == _CHART_ROWS - 1 else '').rjust(len(top))} {_side(glyphs)}{cells}".rstrip()
            for level, cells in _levels(series, wide, glyphs)
        ),
        f"{'$0.00'.rjust(len(top))} {_ground(ground, glyphs)}",
        f"{' ' * (len(top) + 2)}{first}{last.rjust(ground - len(first))}",
    ]
    return "".join(f"{line}\n" for line in lines)


def _levels(series: Sequence[int], wide: int, glyphs: Glyphs) -> list[tuple[int, str]]:
    """Each row of a chart from the top, with its height above the ground."""
    top = max(series)
    eighths = [-(-value * _CHART_ROWS * 8 // top) for value in series]
    gap = " " if wide > 1 else ""
    rows: list[tuple[int, str]] = []
    for level in reversed(range(_CHART_ROWS)):
        cells = (_block(height - level * 8, glyphs) * (wide - len(gap)) + gap for height in eighths)
        rows.append((level, "".join(cells)))
    return rows


def _block(eighths: int, glyphs: Glyphs) -> str:
    if eighths <= 0:
        return " "
    if not glyphs.full.isascii():
        return glyphs.sparks[min(8, eighths) - 1]
    return glyphs.full if eighths >= 4 else glyphs.empty


def _side(glyphs: Glyphs) -> str:
    return "|" if glyphs.full.isascii() else "│"


def _ground(width: int, glyphs: Glyphs) -> str:
    return "+" + "-" * width if glyphs.full.isascii() else "└" + "─" * width
