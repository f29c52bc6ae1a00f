"""Requests for approval as they come: told by the server's event stream, or found by looking now and then."""

import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

from nullspend_cli import approvals, live
from nullspend_cli.client import Client
from nullspend_cli.live import Connect, News
from nullspend_cli.replies import Record
from nullspend_cli.server_time import ahead_ms

CHANGES = ("action.created", "action.approved", "action.rejected", "action.expired")


class Queue(NamedTuple):
    """What waits for a decision, oldest first, and how far the server's clock is ahead of this machine's."""

    pending: list[Record]
    ahead_ms: int


def queue(client: Client) -> Queue:
    """What waits on a server now. Raises Problem."""
    pending = list(approvals.rows(client, statuses=approvals.PENDING))
    return Queue(pending[::-1], ahead_ms(client))


def follow_queue(connect: Connect, say: Callable[[str], None]) -> Iterator[Queue]:
    """The queue, now and each time it may have changed, for ever. Raises what the first connection raises."""
    return live.follow(connect, lambda news: queue(news.client), types=CHANGES, say=say)


def follow_new(connect: Connect, first: int, say: Callable[[str], None]) -> Iterator[tuple[Record, bool]]:
    """The last `first` requests and whether each is new (they are not), then each new one as it comes, oldest first."""
    known: set[str] = set()

    def look(news: News) -> list[tuple[Record, bool]]:
        had_looked = bool(known)
        found = list(_until(news.client, known, 0 if had_looked else max(first, 1)))
        known.update(str(row["id"]) for row in found)
        known.add("")  # from now on an empty list is a look, too
        shown = found if had_looked else found[:first]
        return [(row, had_looked) for row in reversed(shown)]

    return itertools.chain.from_iterable(live.follow(connect, look, types=CHANGES[:1], say=say))


def _until(client: Client, known: set[str], limit: int) -> Iterator[Record]:
    """Actions newest first, up to the first known one."""
    return itertools.takewhile(lambda row: str(row["id"]) not in known, approvals.rows(client, limit=limit))
