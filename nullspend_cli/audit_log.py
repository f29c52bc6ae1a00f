"""The audit log read from a server, once or as it grows."""

import itertools
import time
from collections.abc import Iterator

from nullspend_cli.client import Client
from nullspend_cli.replies import Record

_PATH = "/api/audit-log"
_Place = tuple[str, str]


def rows(client: Client, action: str | None, limit: int) -> Iterator[Record]:
    """The changes, newest first, as many as `limit` (0 is all)."""
    return client.pages(_PATH, None, {"action": action}, limit=limit)


def follow(client: Client, action: str | None, *, first: int, seconds: float) -> Iterator[Record]:
    """The last `first` changes, then each new one once it is seen, oldest first. Looks every so many `seconds`, and
    never ends."""
    known = list(rows(client, action, max(first, 1)))
    newest = _place(known[0]) if known else ("", "")
    yield from reversed(known[:first])
    while True:
        time.sleep(seconds)
        fresh = list(_after(newest, rows(client, action, 0)))
        if fresh:
            newest = _place(fresh[0])
            yield from reversed(fresh)


def _after(newest: _Place, found: Iterator[Record]) -> Iterator[Record]:
    return itertools.takewhile(lambda row: _place(row) > newest, found)


def _place(row: Record) -> _Place:
    """Where a row stands in the log: by time, then id."""
    return str(row["createdAt"]), str(row["id"])
