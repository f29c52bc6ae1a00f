"""The queue of webhook deliveries: what is due, what became of an attempt, what is tried again and when."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from nullspend_daemon.contract.envelope import Event
from nullspend_daemon.delivery.message import Endpoint, endpoint_of
from nullspend_daemon.errors import NotFound
from nullspend_daemon.store import deliveries, outbox
from nullspend_daemon.store.transaction import Row, Tx

RETRIES = 5
LONGEST_DELAY_MS = 3_600_000
NEVER_RETRIED = "test.ping"
ON_TIME_MS = 1_000
_OLDEST = 2_000
"""Rows looked at in one slice of pruning."""

_DUE = (
    "SELECT d.seq AS delivery_seq, d.attempts, d.due_at, o.id, o.type, o.object, o.created_at FROM webhook_deliveries d"
    " JOIN outbox o ON o.seq = d.event_seq WHERE d.endpoint_seq = ? AND d.due_at <= ? ORDER BY d.due_at, d.seq LIMIT ?"
)
_NEXT = "SELECT min(due_at) FROM webhook_deliveries WHERE endpoint_seq = ? AND due_at > ?"
_EARLIEST = (
    "SELECT min((SELECT min(due_at) FROM webhook_deliveries d WHERE d.endpoint_seq = e.seq AND due_at IS NOT NULL))"
    " FROM webhook_endpoints e"
)
_NOTE = (
    "UPDATE webhook_deliveries SET status = ?, attempts = ?, due_at = ?, last_attempt_at = ?, response_status = ?"
    " WHERE seq = ? AND (status = 'pending' OR ?)"
)
_WAITED_FOR = (
    "SELECT * FROM webhook_endpoints e WHERE EXISTS"
    " (SELECT 1 FROM webhook_deliveries d WHERE d.endpoint_seq = e.seq AND d.due_at IS NOT NULL)"
)


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt to make. `attempts` have been made before; `due_at` is epoch ms."""

    seq: int
    endpoint_seq: int
    endpoint: Endpoint
    event: Event
    attempts: int
    due_at: int


@dataclass(frozen=True, slots=True)
class Result:
    """An attempt that began at `started_at` (epoch ms). `response_status` is None when nobody answered."""

    job: Job
    started_at: int
    response_status: int | None
    delivered: bool


@dataclass(frozen=True, slots=True)
class Due:
    """What to send now, by endpoint, and the moment (epoch ms) at which more is due; None when nothing waits.

    `unread` are the endpoints that may have more that is due already.
    """

    jobs: dict[int, list[Job]]
    unread: set[int]
    next_at: int | None


def due(tx: Tx, claimed: Mapping[int, Collection[int]], supplied: Collection[int], most: int) -> Due:
    """The oldest due deliveries of each endpoint, up to `most`, without those `claimed` (by endpoint) already.

    Endpoints that are `supplied` are not looked at: whoever asks has enough for them.
    """
    jobs: dict[int, list[Job]] = {}
    unread: set[int] = set()
    moments: list[int] = []
    for row in tx.all(_WAITED_FOR):
        endpoint = row["seq"]
        if endpoint in supplied:
            continue
        taken = claimed.get(endpoint, ())
        limit = most + len(taken) if len(taken) < most else 0
        found = tx.all(_DUE, (endpoint, tx.now_ms, limit))
        jobs[endpoint] = [_job(row, each) for each in found if each["delivery_seq"] not in taken]
        unread |= {endpoint} if len(found) == limit else set()
        later = tx.value(_NEXT, (endpoint, tx.now_ms))
        moments += [] if later is None else [later]
    return Due(jobs, unread, min(moments, default=None))


def _job(endpoint: Row, row: Row) -> Job:
    return Job(
        row["delivery_seq"],
        endpoint["seq"],
        endpoint_of(endpoint),
        outbox.event_of(row),
        row["attempts"],
        row["due_at"],
    )


def earliest(tx: Tx) -> int | None:
    """The first moment (epoch ms) at which something is due; None when nothing waits."""
    moments = deliveries.earliest_wanted(tx), tx.value(_EARLIEST)
    return min((moment for moment in moments if moment is not None), default=None)


def delay_ms(attempts: int) -> int:
    """How long to wait after that many attempts: 10, 20, 40, 80, 160 s, at most an hour."""
    return min(10_000 * 2 ** (attempts - 1), LONGEST_DELAY_MS)


def record(tx: Tx, results: Collection[Result]) -> list[int]:
    """Note what became of attempts; returns the moments (epoch ms) at which some of them are due again."""
    moments: list[int] = []
    rows: list[tuple[Any, ...]] = []
    for result in results:
        attempts = result.job.attempts + 1
        again = _next_attempt(result, attempts)
        moments += [] if again is None else [again]
        status = "delivered" if result.delivered else "pending" if again is not None else "failed"
        rows.append(
            (status, attempts, again, result.started_at, result.response_status, result.job.seq, result.delivered)
        )
    tx.executemany(_NOTE, rows)
    return moments


def _next_attempt(result: Result, attempts: int) -> int | None:
    """When to try again; None after success or the last failure.

    An attempt that was on time counts from when it was due: delays add up to what they say, whatever little the sending
    takes.
    """
    job = result.job
    if result.delivered or attempts > RETRIES or job.event.type == NEVER_RETRIED:
        return None
    on_time = result.started_at - job.due_at < ON_TIME_MS
    return (job.due_at if on_time else result.started_at) + delay_ms(attempts)


def give_up(tx: Tx, endpoint_seq: int) -> None:
    """End what waits for an endpoint that no longer wants anything; it can be resent."""
    tx.execute(
        "UPDATE webhook_deliveries SET status = 'failed', due_at = NULL WHERE endpoint_seq = ? AND status = 'pending'",
        (endpoint_seq,),
    )


def resend(tx: Tx, delivery_id: str) -> str:
    """Send the event of a delivery to its endpoint once more; returns the new delivery's id. Raises NotFound.

    Whoever listens and asks for it hears the event again as well; no other endpoint does.
    """
    row = tx.one(
        "SELECT d.endpoint_seq, o.* FROM webhook_deliveries d JOIN outbox o ON o.seq = d.event_seq WHERE d.id = ?",
        (delivery_id,),
    )
    if row is None:
        raise NotFound("There is no such delivery, or it is too old to be sent again.")
    return deliveries.add(tx, row["endpoint_seq"], outbox.stage_again(tx, row))


def prune(tx: Tx, keep_ms: int) -> int:
    """Delete a slice of the deliveries older than `keep_ms` that are over; returns how many."""
    return tx.changed(
        "DELETE FROM webhook_deliveries WHERE seq IN (SELECT seq FROM (SELECT seq, created_at, due_at"
        " FROM webhook_deliveries ORDER BY seq LIMIT ?) WHERE created_at < ? AND due_at IS NULL)",
        (_OLDEST, tx.now_ms - keep_ms),
    )
