"""Sends what is due: at least once, a few at once for each endpoint, so that a dead one delays no other.

Whoever reports a cost waits for the answer, and nobody waits for a message: one starts when the store has nothing else
to write, or after a few writes of others, so that messages go on under any load without being its larger part.

What has to be sent stands in the database; here is only what is being sent right now. A daemon that is killed between
two lines of this file sends again at its next start.
"""

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field

from nullspend_daemon.contract.clock import Clock
from nullspend_daemon.delivery import queue
from nullspend_daemon.delivery.message import message
from nullspend_daemon.delivery.outgoing import NotSent, Outgoing
from nullspend_daemon.delivery.queue import Job, Result
from nullspend_daemon.delivery.results import STORE_RETRY_SECONDS, Results
from nullspend_daemon.errors import ServiceUnavailable
from nullspend_daemon.loop.bell import Bell
from nullspend_daemon.loop.store import Store
from nullspend_daemon.store import deliveries
from nullspend_daemon.store.database import Database

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Messages on their way to one endpoint at the same time."""
CLAIMED = 64
"""Deliveries of one endpoint that are read ahead."""
WRITES_BEFORE_A_MESSAGE = 6
"""Writes of others after which a message starts though there are more: few, and messages slow reports down; many, and
they fall behind for longer under load."""
WRITES_BEFORE_A_LOOK = 12
"""The same for reading what is due, which is cheaper the more there is."""
GRACE_SECONDS = 2.0
"""How long messages on their way may take once the daemon is to end."""


@dataclass(slots=True)
class _Lane:
    """One endpoint: what waits, and every delivery that has been claimed for it, the waiting ones included."""

    waiting: deque[Job] = field(default_factory=deque[Job])
    claimed: set[int] = field(default_factory=set[int])
    running: int = 0
    is_read: bool = True
    """Whether all that was due has been claimed."""

    @property
    def is_supplied(self) -> bool:
        """Whether there is no need to read more of it."""
        return len(self.waiting) > CLAIMED // 2


class Courier:
    """Delivers while `run` runs."""

    def __init__(self, database: Database, store: Store, outgoing: Outgoing, clock: Clock) -> None:
        self._store = store
        self._outgoing = outgoing
        self._clock = clock
        self._bell = Bell(database, deliveries.TOPIC)
        self._lanes: dict[int, _Lane] = {}
        self._sending: set[asyncio.Task[Result | None]] = set()
        self._door = asyncio.Lock()
        """Messages start one by one: a turn is for one of them."""
        self._results = Results(store, self._noted)
        self._unreachable: set[str] = set()
        """Addresses whose last message did not arrive: said once, not with every message."""
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
                await self._fan_out()
                await self._claim()
            except ServiceUnavailable as error:
                log.warning("webhook deliveries wait: %s", error.message)
                self._ring_in(STORE_RETRY_SECONDS)
            await news.wait()
            await self._store.turn(WRITES_BEFORE_A_LOOK)

    async def settle(self) -> None:
        """Wait until everything that is due by now has been attempted."""
        moment = self._clock.now_ms()
        while (earliest := await self._store.read(queue.earliest)) is not None and earliest <= moment:
            self._bell.ring()
            under_way = set(self._sending)
            if under_way:
                await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            elif self._results.waiting:
                await self._results.settle()
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
        await self._results.close(GRACE_SECONDS)

    # -- taking from the queue

    def _forget(self) -> None:
        """On the writer thread, before a change of an endpoint is acknowledged: nothing starts from the old state."""
        self._generation += 1

    async def _fan_out(self) -> None:
        """Make the deliveries of what happened since the last time."""
        while await self._store.read(deliveries.earliest_wanted) is not None:
            if not await self._store.write(deliveries.fan_out_some, durable=False):
                break

    async def _claim(self) -> None:
        if self._generation != self._read_at:
            for lane in self._lanes.values():
                self._drop_waiting(lane)
        claimed = {endpoint: frozenset(lane.claimed) for endpoint, lane in self._lanes.items()}
        supplied = {endpoint for endpoint, lane in self._lanes.items() if lane.is_supplied}
        generation = self._generation
        found = await self._store.read(lambda tx: queue.due(tx, claimed, supplied, CLAIMED))
        self._read_at = generation
        for endpoint, jobs in found.jobs.items():
            lane = self._lanes.setdefault(endpoint, _Lane())
            lane.claimed.update(job.seq for job in jobs)
            lane.waiting.extend(jobs)
            lane.is_read = endpoint not in found.unread
        for endpoint, lane in list(self._lanes.items()):
            self._start(lane)
            self._forget_if_done(endpoint, lane)
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
            task = asyncio.create_task(self._attempt(job, self._read_at))
            self._sending.add(task)
            task.add_done_callback(lambda done, job=job: self._done(done, lane, job))

    def _drop_waiting(self, lane: _Lane) -> None:
        lane.claimed.difference_update(job.seq for job in lane.waiting)
        lane.waiting.clear()

    def _done(self, task: "asyncio.Task[Result | None]", lane: _Lane, job: Job) -> None:
        """A slot is free again. The delivery stays claimed until its result is noted, if there is one."""
        self._sending.discard(task)
        lane.running -= 1
        result = None if task.cancelled() or task.exception() is not None else task.result()
        if result is not None:
            self._results.add(result)
        else:
            self._release(job)
            self._bell.ring()
        if not task.cancelled() and task.exception() is not None:
            log.error("a delivery failed unexpectedly", exc_info=task.exception())
        self._start(lane)
        self._read_on(lane)

    def _noted(self, results: list[Result], moments: list[int]) -> None:
        for result in results:
            self._release(result.job)
        if moments:
            self._ring_in((min(moments) - self._clock.now_ms()) / 1000)

    def _release(self, job: Job) -> None:
        lane = self._lanes[job.endpoint_seq]
        lane.claimed.discard(job.seq)
        self._read_on(lane)
        self._forget_if_done(job.endpoint_seq, lane)

    def _read_on(self, lane: _Lane) -> None:
        """Look for more of a lane that was not read to its end, in time before it is empty."""
        if not lane.is_read and not lane.is_supplied:
            self._bell.ring()

    def _forget_if_done(self, endpoint: int, lane: _Lane) -> None:
        if not lane.claimed:
            del self._lanes[endpoint]

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

    async def _attempt(self, job: Job, generation: int) -> Result | None:
        """Send one message; None when its endpoint has changed before its turn came."""
        async with self._door:
            await self._store.turn(WRITES_BEFORE_A_MESSAGE)
        if self._generation != generation:
            return None
        started_at = self._clock.now_ms()
        body, headers = message(job.endpoint, job.event, started_at)
        try:
            answer = await self._outgoing.post(job.endpoint.url, body, headers)
        except NotSent as error:
            self._say(job, str(error))
            return Result(job, started_at, None, delivered=False)
        self._say(job, None if answer.is_success else f"it answered {answer.status}")
        return Result(job, started_at, answer.status, delivered=answer.is_success)

    def _say(self, job: Job, failure: str | None) -> None:
        """Log that messages to an address no longer arrive, or arrive again: once, not with each."""
        url = job.endpoint.url
        if failure is None and url in self._unreachable:
            self._unreachable.discard(url)
            log.info("webhook messages to %s arrive again", url)
        elif failure is not None and url not in self._unreachable:
            self._unreachable.add(url)
            log.info("webhook messages to %s do not arrive, %s the first: %s", url, job.event.id, failure)
