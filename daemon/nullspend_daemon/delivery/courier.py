"""Sends what is due: at least once, a few at once for each endpoint, so that a dead one delays no other.

What has to be sent stands in the database; here is only what is being sent right now. A daemon that is killed between
two lines of this file sends again at its next start.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from nullspend_daemon.contract.clock import Clock
from nullspend_daemon.delivery import queue
from nullspend_daemon.delivery.message import message
from nullspend_daemon.delivery.outgoing import NotSent, Outgoing
from nullspend_daemon.delivery.queue import Job
from nullspend_daemon.errors import ServiceUnavailable
from nullspend_daemon.http.bell import Bell
from nullspend_daemon.http.store import Store
from nullspend_daemon.store import deliveries
from nullspend_daemon.store.database import Database
from nullspend_daemon.store.transaction import Tx

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Messages on their way to one endpoint at the same time."""
CLAIMED = 64
"""Deliveries of one endpoint that are read ahead."""
STORE_RETRY_SECONDS = 1.0
GRACE_SECONDS = 2.0
"""How long messages on their way may take once the daemon is to end."""


@dataclass(slots=True)
class _Lane:
    """One endpoint: what waits, and every delivery that has been claimed for it, the waiting ones included."""

    waiting: deque[Job] = field(default_factory=deque[Job])
    claimed: set[int] = field(default_factory=set[int])
    running: int = 0


class Courier:
    """Delivers while `run` runs."""

    def __init__(self, database: Database, store: Store, outgoing: Outgoing, clock: Clock) -> None:
        self._store = store
        self._outgoing = outgoing
        self._clock = clock
        self._bell = Bell(database, deliveries.TOPIC)
        self._lanes: dict[int, _Lane] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._generation = 0
        """Counts the changes of endpoints."""
        self._read_at = 0
        """The generation of what waits in the lanes."""
        database.on(deliveries.ENDPOINTS, self._forget)

    async def run(self) -> None:
        """Send what is due, for ever."""
        while True:
            news = self._bell.next()
            try:
                await self._claim()
            except ServiceUnavailable as error:
                log.warning("webhook deliveries wait: %s", error.message)
                self._ring_in(STORE_RETRY_SECONDS)
            await news.wait()

    async def settle(self) -> None:
        """Wait until everything that is due by now has been attempted."""
        moment = self._clock.now_ms()
        while (earliest := await self._store.read(queue.earliest)) is not None and earliest <= moment:
            self._bell.ring()
            under_way = set(self._sending)
            if under_way:
                await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            else:
                await asyncio.sleep(0.001)  # the bell has just been rung; sending starts in a moment

    async def close(self) -> None:
        """Let what is on its way arrive, for a moment; the rest is sent at the next start."""
        if self._timer is not None:
            self._timer.cancel()
        for lane in self._lanes.values():
            lane.waiting.clear()
        if self._sending:
            _, late = await asyncio.wait(set(self._sending), timeout=GRACE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    # -- taking from the queue

    def _forget(self) -> None:
        """On the writer thread, before a change of an endpoint is acknowledged: nothing starts from the old state."""
        self._generation += 1

    async def _claim(self) -> None:
        if self._generation != self._read_at:
            for lane in self._lanes.values():
                self._drop_waiting(lane)
        claimed = {endpoint: frozenset(lane.claimed) for endpoint, lane in self._lanes.items()}
        generation = self._generation
        found = await self._store.read(lambda tx: queue.due(tx, claimed, CLAIMED))
        self._read_at = generation
        for job in found.jobs:
            lane = self._lanes.setdefault(job.endpoint_seq, _Lane())
            lane.claimed.add(job.seq)
            lane.waiting.append(job)
        for lane in list(self._lanes.values()):
            self._start(lane)
        if found.next_at is not None:
            self._ring_in((found.next_at - self._clock.now_ms()) / 1000)

    def _start(self, lane: _Lane) -> None:
        """Send as many of a lane as may be under way at once, unless what waits was read before a change."""
        if self._generation != self._read_at:
            self._drop_waiting(lane)
            self._bell.ring()
        while lane.waiting and lane.running < AT_ONCE:
            job = lane.waiting.popleft()
            lane.running += 1
            task = asyncio.create_task(self._attempt(job))
            self._sending.add(task)
            task.add_done_callback(lambda done, job=job: self._done(done, lane, job))

    def _drop_waiting(self, lane: _Lane) -> None:
        lane.claimed.difference_update(job.seq for job in lane.waiting)
        lane.waiting.clear()

    def _done(self, task: "asyncio.Task[None]", lane: _Lane, job: Job) -> None:
        self._sending.discard(task)
        lane.running -= 1
        lane.claimed.discard(job.seq)
        if not task.cancelled() and task.exception() is not None:
            log.error("a delivery failed unexpectedly", exc_info=task.exception())
        self._start(lane)
        if not lane.waiting:
            self._bell.ring()
        if not lane.claimed:
            self._lanes.pop(job.endpoint_seq, None)

    def _ring_in(self, seconds: float) -> None:
        """Look again in a while, unless a look is planned for earlier."""
        loop = asyncio.get_running_loop()
        at = loop.time() + max(0.0, seconds)
        if self._timer is not None:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = loop.call_at(at, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self._bell.ring()

    # -- one attempt

    async def _attempt(self, job: Job) -> None:
        started_at = self._clock.now_ms()
        body, headers = message(job.endpoint, job.event, started_at)
        status, delivered = None, False
        try:
            answer = await self._outgoing.post(job.endpoint.url, body, headers)
            status, delivered = answer.status, answer.is_success
        except NotSent as error:
            log.info("%s to %s: %s", job.event.id, job.endpoint.url, error)
        again = await self._keep_trying(lambda tx: queue.record(tx, job, started_at, status, delivered=delivered))
        if again is not None:
            self._ring_in((again - self._clock.now_ms()) / 1000)

    async def _keep_trying(self, note: Callable[[Tx], int | None]) -> int | None:
        """Note what became of an attempt; a store that cannot write is tried again, the receiver is not."""
        while True:
            try:
                return await self._store.write(note, durable=False)
            except ServiceUnavailable:
                await asyncio.sleep(STORE_RETRY_SECONDS)
