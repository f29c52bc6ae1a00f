"""Rows and columns as text: aligned in a pipe, fitted and coloured on a terminal."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from nullspend_cli.render import Cell, clip, plain, visible, width_of
from nullspend_cli.terminal import Terminal

_GAP = 2
_NARROWEST = 8

Row = dict[str, Any]


class Column(NamedTuple):
    """One column of a table or line of a record.

    `field` is its name for `--fields` and csv. Its value is the record's own, or what `value` computes from the record;
    `show` makes text of it, `absent` stands where there is none. `wide` columns are left out where the terminal is too
    narrow for all of them, `drawn` ones, which only repeat a figure as a picture, where a program reads.
    """

    field: str
    title: str
    show: Callable[[Any], Cell | str] = plain
    value: Callable[[Row], Any] | None = None
    right: bool = False
    wide: bool = False
    absent: str = ""
    drawn: bool = False

    def raw(self, row: Row) -> Any:
        """The value itself, for csv."""
        return self.value(row) if self.value else row.get(self.field)

    def cell(self, row: Row) -> Cell:
        """The value as text, with everything that could steer a terminal made visible."""
        value = self.raw(row)
        shown = self.absent if value is None else self.show(value)
        cell = shown if isinstance(shown, Cell) else Cell(shown)
        return Cell(visible(cell.text), cell.style)


def column(field: str, title: str | None = None, show: Callable[[Any], Cell | str] = plain, **options: Any) -> Column:
    """A column; the title defaults to the field in words."""
    return Column(field, _words(field) if title is None else title, show, **options)


def _words(field: str) -> str:
    return "".join(f" {char}" if char.isupper() else char.upper() for char in field)


def table(columns: Sequence[Column], rows: Sequence[Row], terminal: Terminal) -> str:
    """All rows below a line of titles, each line ending in a newline."""
    cells = [[column.cell(row) for column in columns] for row in rows]
    titles = [Cell(column.title, "bold") for column in columns]
    widths = [max(width_of(line[index].text) for line in (titles, *cells)) for index in range(len(columns))]
    if terminal.is_tty:
        columns, widths, (titles, *cells) = _fit(columns, widths, [titles, *cells], terminal)
    return "".join(_line(line, columns, widths, terminal) for line in (titles, *cells))


class Growing:
    """A table whose rows come one after the other: its columns never get narrower, its titles come once."""

    def __init__(self, columns: Sequence[Column], terminal: Terminal) -> None:
        self.columns = columns
        self._terminal = terminal
        self._widths: list[int] = []

    def lines(self, rows: Sequence[Row]) -> str:
        """The lines of some more rows, below the titles if these are the first."""
        titles = [Cell(column.title, "bold") for column in self.columns]
        lines = [[column.cell(row) for column in self.columns] for row in rows]
        lines = lines if self._widths or not lines else [titles, *lines]
        before = self._widths or [0] * len(self.columns)
        widths = [max([before[index], *(width_of(line[index].text) for line in lines)]) for index in range(len(before))]
        columns = self.columns
        if rows:
            self._widths = widths
        if self._terminal.is_tty:
            columns, widths, lines = _fit(columns, widths, lines, self._terminal)
        return "".join(_line(line, columns, widths, self._terminal) for line in lines)


def _fit(
    columns: Sequence[Column], widths: list[int], lines: list[list[Cell]], terminal: Terminal
) -> tuple[Sequence[Column], list[int], list[list[Cell]]]:
    """Fewer or narrower columns, so that a line fits the screen: first the wide ones go, then the longest shrinks."""
    kept = list(range(len(columns)))
    for index in reversed(range(len(columns))):
        if _total(widths, kept) > terminal.width and columns[index].wide:
            kept.remove(index)
    widths = list(widths)
    while _total(widths, kept) > terminal.width:
        left = [index for index in kept if not columns[index].right and widths[index] > _NARROWEST]
        if not left:
            break
        longest = max(left, key=lambda index: widths[index])
        widths[longest] -= 1
    chosen = [widths[index] for index in kept]
    fitted = [
        [Cell(clip(line[index].text, widths[index], terminal.glyphs), line[index].style) for index in kept]
        for line in lines
    ]
    return [columns[index] for index in kept], chosen, fitted


def _total(widths: Sequence[int], kept: Sequence[int]) -> int:
    return sum(widths[index] for index in kept) + _GAP * (len(kept) - 1)


def _line(cells: Sequence[Cell], columns: Sequence[Column], widths: Sequence[int], terminal: Terminal) -> str:
    parts: list[str] = []
    for cell, column, width in zip(cells, columns, widths, strict=True):
        padding = " " * (width - width_of(cell.text))
        text = terminal.styled(cell.text, cell.style)
        parts.append(padding + text if column.right else text + padding)
    return (" " * _GAP).join(parts).rstrip() + "\n"


def streamed(columns: Sequence[Column], row: Row, widths: list[int], terminal: Terminal, *, title: bool) -> str:
    """One row of a table that is not complete yet, below the titles for the first; `widths` grow with it."""
    shown = [place for place, column in enumerate(columns) if not (column.wide and terminal.is_tty)]
    kept = [columns[place] for place in shown]
    cells = [column.cell(row) for column in kept]
    for place, cell in zip(shown, cells, strict=True):
        widths[place] = max(widths[place], width_of(cell.text))
    lines = [[Cell(column.title, "bold") for column in kept], cells] if title else [cells]
    return "".join(_line(line, kept, [widths[place] for place in shown], terminal) for line in lines)


def record(columns: Sequence[Column], row: Row, terminal: Terminal) -> str:
    """One line a field, names left and values right of them; fields without a value are left out."""
    lines = [(column.title.lower(), column.cell(row)) for column in columns]
    shown = [(name, cell) for name, cell in lines if cell.text]
    widest = max((width_of(name) for name, _ in shown), default=0)
    return "".join(
        f"{terminal.styled(name.ljust(widest), 'dim')}  {terminal.styled(cell.text, cell.style)}\n"
        for name, cell in shown
    )
