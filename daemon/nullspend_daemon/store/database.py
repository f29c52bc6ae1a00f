"""One writer thread, a few reader threads, one transaction per function.

Functions that arrive while a commit runs share the next one, each in its own savepoint: many clients cost one fsync.
Nobody outside this file begins, commits or rolls back.
"""

import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from nullspend_daemon.contract.clock import Clock
from nullspend_daemon.errors import NullSpendError, ServiceUnavailable
from nullspend_daemon.store import schema
from nullspend_daemon.store.connection import connect, is_storage_failure, storage_sentence
from nullspend_daemon.store.transaction import Tx

T = TypeVar("T")
log = logging.getLogger(__name__)

MAX_BATCH = 256
CHECKPOINT_SECONDS = 0.5
WAL_RESTART_PAGES = 16_384  # 64 MiB: past that the writer itself starts the log over


@dataclass(slots=True)
class Job:
    """A function of a transaction that waits for its turn, and what to call with its outcome."""

    fn: Callable[[Tx], Any]
    durable: bool
    done: Callable[[Any, BaseException | None], None]


Outcome = tuple[Job, Any, BaseException | None]
Deliver = Callable[[list[Outcome]], None]


def deliver_here(outcomes: list[Outcome]) -> None:
    """Report outcomes on the thread that produced them."""
    for job, value, error in outcomes:
        job.done(value, error)


class Database:
    """The store's one door. `write` and `read` may be called from any thread; their futures end on a store thread."""

    def __init__(self, path: Path, clock: Clock, *, readers: int = 2, max_page_count: int | None = None) -> None:
        self.path = path
        self.deliver: Deliver = deliver_here
        self._clock = clock
        self._max_page_count = max_page_count
        self._reader_count = readers
        self._writes: queue.SimpleQueue[list[Job] | None] = queue.SimpleQueue()
        self._reads: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._listeners: dict[str, list[Callable[[], None]]] = {}
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._wrote = threading.Event()
        self._open = False
        self._synchronous: bool | None = None

    def open(self) -> None:
        """Bring the schema up to date and start the threads. Raises StartupError with a sentence."""
        self._writer = schema.open_current(self.path)
        if self._max_page_count is not None:
            self._writer.execute(f"PRAGMA max_page_count = {self._max_page_count}")
        self._start("store-writer", self._write_loop)
        for number in range(self._reader_count):
            self._start(f"store-reader-{number}", self._read_loop, connect(self.path, read_only=True))
        self._start("store-checkpoint", self._checkpoint_loop, connect(self.path))
        self._open = True

    def close(self) -> None:
        """Finish what was submitted, fold the log into the database file, close every connection."""
        if not self._open:
            return
        self._open = False
        self._stopping.set()
        self._wrote.set()
        self._writes.put(None)
        for _ in range(self._reader_count):
            self._reads.put(None)
        for thread in self._threads:
            thread.join()
        try:
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:  # the log is complete; the next start folds it in
            log.warning("the write-ahead log stays beside the database: %s", error)
        self._writer.close()

    def on(self, topic: str, listener: Callable[[], None]) -> None:
        """Call `listener` on the writer thread after each commit of a transaction that notified `topic`."""
        self._listeners.setdefault(topic, []).append(listener)

    def submit_write(self, job: Job) -> None:
        """Queue a write. Raises ServiceUnavailable when the store is closed."""
        self.submit_writes([job])

    def submit_writes(self, jobs: list[Job]) -> None:
        """Queue writes together: they keep their order and share a commit. Raises ServiceUnavailable."""
        self._check_open()
        self._writes.put(jobs)

    def submit_read(self, job: Job) -> None:
        """Queue a read. Raises ServiceUnavailable when the store is closed."""
        self._check_open()
        self._reads.put(job)

    def write(self, fn: Callable[[Tx], T], *, durable: bool = True) -> T:
        """Run `fn` in a transaction and wait for its commit. Raises what `fn` raised, or ServiceUnavailable."""
        return self._wait(self.submit_write, fn, durable)

    def read(self, fn: Callable[[Tx], T]) -> T:
        """Run `fn` on a snapshot and wait. Raises what `fn` raised, or ServiceUnavailable."""
        return self._wait(self.submit_read, fn, False)

    def _wait(self, submit: Callable[[Job], None], fn: Callable[[Tx], T], durable: bool) -> T:
        future: Future[T] = Future()

        def done(value: Any, error: BaseException | None) -> None:
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)

        submit(Job(fn, durable, done))
        return future.result()

    def _check_open(self) -> None:
        if not self._open:
            raise ServiceUnavailable("The daemon is stopping; try again when it is back.")

    def _start(self, name: str, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    # -- the writer thread

    def _write_loop(self) -> None:
        while (batch := self._next_batch()) is not None:
            outcomes, topics = self._run_batch(batch)
            self._wrote.set()
            for topic in topics:
                for listener in self._listeners.get(topic, ()):
                    listener()
            self.deliver(outcomes)

    def _next_batch(self) -> list[Job] | None:
        batch = self._writes.get()
        if batch is None:
            return None
        while len(batch) < MAX_BATCH:
            try:
                more = self._writes.get_nowait()
            except queue.Empty:
                break
            if more is None:
                self._writes.put(None)
                break
            batch += more
        return batch

    def _run_batch(self, batch: list[Job]) -> tuple[list[Outcome], set[str]]:
        """Run and commit `batch`; a storage failure anywhere fails every function of it, since none is on disk."""
        topics: set[str] = set()
        try:
            self._begin(durable=any(job.durable for job in batch))
            outcomes = [self._run_in_savepoint(job, topics, alone=len(batch) == 1) for job in batch]
            if self._writer.in_transaction:
                self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            self._undo_all()
            log.error("a transaction of %d writes failed: %s", len(batch), error)
            failure = ServiceUnavailable(storage_sentence(error))
            return [(job, None, failure) for job in batch], set()
        return outcomes, topics

    def _begin(self, *, durable: bool) -> None:
        if durable != self._synchronous:
            # In WAL mode FULL waits for the disk at each commit; NORMAL survives a killed process, not a power cut.
            self._writer.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._synchronous = durable
        self._writer.execute("BEGIN IMMEDIATE")

    def _run_in_savepoint(self, job: Job, topics: set[str], *, alone: bool) -> Outcome:
        """Run one function of a batch; what it wrote goes when it raises. One that is `alone` needs no savepoint."""
        tx = Tx(self._writer, self._clock.now_ms())
        if not alone:
            self._writer.execute("SAVEPOINT job")
        value, failure = None, None
        try:
            value = job.fn(tx)
        except Exception as error:
            if is_storage_failure(error):
                raise
            failure = error
        if failure is None or (isinstance(failure, NullSpendError) and failure.commits):
            topics |= tx.topics
        elif alone:
            self._writer.execute("ROLLBACK")
        else:
            self._writer.execute("ROLLBACK TO job")
        if not alone:
            self._writer.execute("RELEASE job")
        return job, value, failure

    def _undo_all(self) -> None:
        if self._writer.in_transaction:
            try:
                self._writer.execute("ROLLBACK")
            except sqlite3.Error as error:
                log.error("rolling back failed: %s", error)

    # -- the reader threads

    def _read_loop(self, connection: sqlite3.Connection) -> None:
        while (job := self._reads.get()) is not None:
            self.deliver([self._run_read(connection, job)])
        connection.close()

    def _run_read(self, connection: sqlite3.Connection, job: Job) -> Outcome:
        value, failure = None, None
        try:
            connection.execute("BEGIN")
            value = job.fn(Tx(connection, self._clock.now_ms()))
        except sqlite3.Error as error:
            log.error("a read failed: %s", error)
            failure = ServiceUnavailable(storage_sentence(error)) if is_storage_failure(error) else error
        except Exception as error:  # noqa: BLE001 - whatever a function raises is its caller's, never the thread's
            failure = error
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        return job, value, failure

    # -- the checkpoint thread

    def _checkpoint_loop(self, connection: sqlite3.Connection) -> None:
        """Copy the log into the database away from the writer, whose commits then never wait for it."""
        while not self._stopping.wait(CHECKPOINT_SECONDS):
            if not self._wrote.is_set():
                continue
            self._wrote.clear()
            try:
                _, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                if pages > WAL_RESTART_PAGES:
                    connection.execute("PRAGMA wal_checkpoint(RESTART)")
            except sqlite3.Error as error:
                log.warning("a checkpoint failed: %s", error)
        connection.close()
