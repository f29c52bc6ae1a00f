"""What a service gets to work with: the statements of one open transaction and the one moment it happens at."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

Row = sqlite3.Row
Params = Sequence[Any] | dict[str, Any]


class Tx:
    """One transaction. Begun and ended by the database alone; a service reads, writes and raises."""

    __slots__ = ("_connection", "now_ms", "topics")

    def __init__(self, connection: sqlite3.Connection, now_ms: int) -> None:
        self._connection = connection
        self.now_ms = now_ms
        """The time of the whole transaction, epoch milliseconds."""
        self.topics: set[str] = set()

    def execute(self, sql: str, params: Params = ()) -> sqlite3.Cursor:
        """Run one statement."""
        return self._connection.execute(sql, params)

    def executemany(self, sql: str, rows: Iterable[Params]) -> None:
        """Run one statement for each of `rows`."""
        self._connection.executemany(sql, rows)

    def one(self, sql: str, params: Params = ()) -> Row | None:
        """The first row, or None."""
        return self._connection.execute(sql, params).fetchone()

    def all(self, sql: str, params: Params = ()) -> list[Row]:
        """All rows."""
        return self._connection.execute(sql, params).fetchall()

    def value(self, sql: str, params: Params = ()) -> Any:
        """The first column of the first row, or None."""
        row = self._connection.execute(sql, params).fetchone()
        return None if row is None else row[0]

    def changed(self, sql: str, params: Params = ()) -> int:
        """Run one statement and say how many rows it changed."""
        return self._connection.execute(sql, params).rowcount

    def notify(self, topic: str) -> None:
        """Tell the listeners of `topic` once this transaction is committed, and before its caller hears of it."""
        self.topics.add(topic)
