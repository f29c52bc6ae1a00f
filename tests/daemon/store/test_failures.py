"""Every door of the store against everything that can be wrong with its file.

A new public method of Database must be given its row here: the last test says so.
"""

import os
import resource
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from nullspend_daemon.contract.clock import SystemClock
from nullspend_daemon.errors import ServiceUnavailable, StartupError
from nullspend_daemon.store.database import Database, Job
from nullspend_daemon.store.transaction import Tx
from tests.machine import ROOT


def put(tx: Tx, size: int = 10) -> int:
    return tx.changed("INSERT OR REPLACE INTO meta (name, value) VALUES ('x', ?)", ("v" * size,))


def read(tx: Tx) -> int:
    return tx.value("SELECT count(*) FROM meta")


def through_job(submit: Callable[[Job], None], fn: Callable[[Tx], Any]) -> Any:
    """Runs a submitted job to its end and gives or raises its outcome."""
    import threading

    finished = threading.Event()
    outcome: list[Any] = []

    def done(value: Any, error: BaseException | None) -> None:
        outcome.extend((value, error))
        finished.set()

    submit(Job(fn, True, done))
    assert finished.wait(20)
    if outcome[1] is not None:
        raise outcome[1]
    return outcome[0]


WRITES: dict[str, Callable[[Database], Any]] = {
    "write": lambda database: database.write(put),
    "write without waiting for the disk": lambda database: database.write(put, durable=False),
    "submit_write": lambda database: through_job(database.submit_write, put),
    "submit_writes": lambda database: through_job(lambda job: database.submit_writes([job]), put),
}
READS: dict[str, Callable[[Database], Any]] = {
    "read": lambda database: database.read(read),
    "submit_read": lambda database: through_job(database.submit_read, read),
}
DOORS = WRITES | READS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "nullspend.db"


@contextmanager
def opened(path: Path, **options: Any) -> Iterator[Database]:
    database = Database(path, SystemClock(), **options)
    database.open()
    try:
        yield database
    finally:
        database.close()


@pytest.mark.parametrize("door", DOORS)
def test_a_closed_store_says_that_it_is_closed(path: Path, door: str) -> None:
    with opened(path) as database:
        pass
    with pytest.raises(ServiceUnavailable, match="stopping"):
        DOORS[door](database)


@pytest.mark.parametrize("door", WRITES)
def test_a_write_against_a_lock_gives_up_with_a_sentence_and_works_afterwards(path: Path, door: str) -> None:
    with opened(path) as database:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ServiceUnavailable, match="Another program holds the database"):
            WRITES[door](database)
        other.execute("ROLLBACK")
        other.close()
        assert WRITES[door](database) == 1


@pytest.mark.parametrize("door", READS)
def test_a_read_does_not_wait_for_a_writer(path: Path, door: str) -> None:
    with opened(path) as database:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert READS[door](database) == 0
        other.execute("ROLLBACK")
        other.close()


@pytest.mark.parametrize("door", WRITES)
def test_a_full_disk_refuses_the_write_stores_nothing_and_recovers(path: Path, door: str) -> None:
    with opened(path) as database:
        pages = database.read(lambda tx: tx.value("PRAGMA page_count"))
    with opened(path, max_page_count=pages) as database:
        with pytest.raises(ServiceUnavailable, match="The disk is full"):
            database.write(lambda tx: put(tx, 3_000_000))
        assert database.read(read) == 0, "reads go on"
        assert WRITES[door](database) == 1, "what fits is stored"
        database.write(lambda tx: tx.execute("PRAGMA max_page_count = 1000000") and None)
        assert database.write(lambda tx: put(tx, 3_000_000)) == 1, "space has come back"


def test_a_full_disk_fails_every_function_of_the_batch(path: Path) -> None:
    with opened(path) as database:
        pages = database.read(lambda tx: tx.value("PRAGMA page_count"))
    with opened(path, max_page_count=pages) as database:
        outcomes: list[tuple[Any, BaseException | None]] = []
        gate = sqlite3.connect(path, isolation_level=None)
        gate.execute("BEGIN IMMEDIATE")
        for size in (1, 3_000_000, 2):
            job = Job(
                lambda tx, size=size: tx.changed("INSERT INTO meta VALUES (?, ?)", (str(size), "v" * size)),
                True,
                lambda value, error: outcomes.append((value, error)),
            )
            database.submit_write(job)
        gate.execute("ROLLBACK")
        gate.close()
        while len(outcomes) < 3:  # or the next write may still join the batch that fails
            time.sleep(0.001)
        database.write(put)
        stored = database.read(lambda tx: [row[0] for row in tx.all("SELECT name FROM meta ORDER BY name")])
        acknowledged = [value for value, error in outcomes if error is None]
        assert len(stored) - 1 == len(acknowledged), "acknowledged is stored, refused is not"
        assert any(isinstance(error, ServiceUnavailable) for _, error in outcomes)


def test_a_file_size_limit_is_a_full_disk(path: Path) -> None:
    program = """
        import resource, signal, sys
        from pathlib import Path
        from nullspend_daemon.contract.clock import SystemClock
        from nullspend_daemon.errors import ServiceUnavailable
        from nullspend_daemon.store.database import Database

        path = Path(sys.argv[1])
        database = Database(path, SystemClock())
        database.open()
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
        stored = 0
        try:
            for number in range(100):
                database.write(lambda tx: tx.changed("INSERT INTO meta VALUES (?, ?)", (str(number), "v" * 20_000)))
                stored += 1
        except ServiceUnavailable:
            pass
        assert 0 < stored < 100, stored
        assert database.read(lambda tx: tx.value("SELECT count(*) FROM meta")) == stored
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        database.write(lambda tx: tx.changed("INSERT INTO meta VALUES ('after', '')"))
        assert database.read(lambda tx: tx.value("SELECT count(*) FROM meta")) == stored + 1
        database.close()
        print("recovered")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(path)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "daemon")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "recovered\n", done.stderr
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_file_that_is_half_garbage_fails_reads_and_writes_with_503(path: Path) -> None:
    with opened(path) as database:
        for number in range(200):
            database.write(lambda tx, n=number: tx.changed("INSERT INTO meta VALUES (?, ?)", (str(n), "v" * 2000)))
    with path.open("r+b") as file:
        half = path.stat().st_size // 8192 * 4096
        file.seek(half)
        file.write(os.urandom(path.stat().st_size - half))
    with opened(path) as database:
        with pytest.raises(ServiceUnavailable):
            database.read(lambda tx: tx.all("SELECT * FROM meta"))
        with pytest.raises(ServiceUnavailable):
            database.write(lambda tx: tx.changed("UPDATE meta SET value = 'x'"))


def garbage(path: Path) -> None:
    path.write_bytes(b"no database at all " * 400)


def foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (x)")
    connection.commit()
    connection.close()


def newer(path: Path) -> None:
    with opened(path):
        pass
    connection = sqlite3.connect(path)
    connection.execute(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('nullspend', 'm999', '')"
    )
    connection.commit()
    connection.close()


def a_folder(path: Path) -> None:
    path.mkdir()


def below_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.write_text("a file")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (garbage, "is not a database"),
        (foreign, "another program"),
        (newer, "newer NullSpend"),
        (a_folder, "cannot be"),
        (below_a_file, "cannot be"),
    ],
)
def test_opening_a_spoilt_file_is_refused_with_a_sentence(
    tmp_path: Path, spoil: Callable[[Path], None], says: str
) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    path = folder / "nullspend.db"
    spoil(path)
    with pytest.raises(StartupError, match=says):
        Database(path, SystemClock()).open()


def test_opening_a_locked_file_is_refused_with_a_sentence(path: Path) -> None:
    with opened(path):
        pass
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(StartupError, match="Another program holds"):
            Database(path, SystemClock()).open()
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_a_file_that_cannot_be_written_is_refused_with_a_sentence(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(path):
        pass
    # Rights do not stop root, which the tests may run as; SQLite's own read-only mode stops everybody.
    from nullspend_daemon.store import connection as connections

    real = sqlite3.connect

    def read_only(target: Any, **options: Any) -> sqlite3.Connection:
        return real(f"file:{target}?mode=ro", uri=True, **options)

    monkeypatch.setattr(connections.sqlite3, "connect", read_only)
    with pytest.raises(StartupError, match="cannot be written"):
        Database(path, SystemClock()).open()


def test_closing_twice_and_closing_what_was_never_opened_is_harmless(path: Path) -> None:
    with opened(path) as database:
        pass
    database.close()
    Database(path, SystemClock()).close()


def test_every_public_method_of_the_store_is_tried_here() -> None:
    methods = {name for name in vars(Database) if not name.startswith("_")}
    assert methods == {"open", "close", "on", "submit_write", "submit_writes", "submit_read", "write", "read"}
