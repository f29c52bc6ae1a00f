"""CSV as core 5.7 wants it: LF between rows, none at the end, a cell quoted when it holds a comma, a quote or LF."""

from collections.abc import Iterable, Sequence
from typing import Any

from nullspend_daemon.http.route import Document
from nullspend_daemon.http.windows import date_of
from nullspend_daemon.ledger.periods import DAY_MS

_QUOTED = frozenset(',"\n')


def cell(value: Any) -> str:
    """One value; None is empty."""
    text = "" if value is None else str(value)
    return '"' + text.replace('"', '""') + '"' if not _QUOTED.isdisjoint(text) else text


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A header and rows."""
    lines = [",".join(columns), *(",".join(map(cell, row)) for row in rows)]
    return "\n".join(lines)


def attachment(text: str, name: str, now_ms: int) -> Document:
    """A CSV file to download, dated with the UTC day."""
    filename = f"{name}-{date_of(now_ms // DAY_MS)}.csv"
    return Document(
        text.encode(), "text/csv; charset=utf-8", {"Content-Disposition": f'attachment; filename="{filename}"'}
    )
