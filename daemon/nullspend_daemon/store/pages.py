"""Keyset pages, newest first. The order and "after this row" come from here, so that they cannot disagree."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nullspend_daemon.contract.clock import to_iso
from nullspend_daemon.store.transaction import Row, Tx


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row a client has seen: epoch ms and id."""

    created_at: int
    id: str

    def on_the_wire(self) -> dict[str, str]:
        """The `cursor` of a reply."""
        return {"createdAt": to_iso(self.created_at), "id": self.id}


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, and where the next page starts; None when nothing follows."""

    rows: list[Row]
    next: Cursor | None


NEWEST_FIRST = "ORDER BY created_at DESC, id DESC"


def fetch_page(tx: Tx, select: str, params: Sequence[Any], *, cursor: Cursor | None, limit: int) -> Page:
    """One page of `select`, a query that ends in its WHERE clause and has columns created_at and id.

    One row more than `limit` is read, to know whether anything follows.
    """
    given = list(params)
    if cursor is not None:
        select += " AND (created_at, id) < (?, ?)"
        given += [cursor.created_at, cursor.id]
    rows = tx.all(f"{select} {NEWEST_FIRST} LIMIT ?", [*given, limit + 1])
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(rows, Cursor(rows[-1]["created_at"], rows[-1]["id"]) if more else None)
