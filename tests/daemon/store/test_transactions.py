"""What the store promises about transactions: all or nothing, neighbours apart, heard of after the commit."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nullspend_daemon.contract.clock import SystemClock
from nullspend_daemon.errors import NotFound, NullSpendError
from nullspend_daemon.store.database import Database, Job
from nullspend_daemon.store.pages import Cursor, fetch_page
from nullspend_daemon.store.transaction import Tx


def names(database: Database) -> list[str]:
    return database.read(lambda tx: [row["name"] for row in tx.all("SELECT name FROM meta ORDER BY name")])


def put(name: str) -> Callable[[Tx], None]:
    return lambda tx: tx.execute("INSERT INTO meta (name, value) VALUES (?, '')", (name,)) and None


def together(database: Database, functions: list[Callable[[Tx], Any]], *, durable: bool = True) -> list[Any]:
    """Runs functions in one shared transaction; gives their values or exceptions in the order they were reported."""
    outcomes: list[Any] = []
    all_done = threading.Event()

    def done(value: Any, error: BaseException | None) -> None:
        outcomes.append(error if error is not None else value)
        if len(outcomes) == len(functions):
            all_done.set()

    gate = sqlite3.connect(database.path, isolation_level=None)
    gate.execute("BEGIN IMMEDIATE")  # the writer waits here, so that the functions pile up behind it
    database.submit_write(Job(lambda tx: None, True, lambda value, error: None))
    for function in functions:
        database.submit_write(Job(function, durable, done))
    gate.execute("ROLLBACK")
    gate.close()
    assert all_done.wait(20)
    return outcomes


class Kept(NullSpendError):
    code: ClassVar[str] = "conflict"
    commits: ClassVar[bool] = True


def then_raise(name: str, error: Exception) -> Callable[[Tx], None]:
    def run(tx: Tx) -> None:
        put(name)(tx)
        raise error

    return run


def test_a_function_that_raises_leaves_nothing_behind(database: Database) -> None:
    with pytest.raises(NotFound):
        database.write(then_raise("gone", NotFound("no")))
    assert names(database) == []


def test_a_function_that_raises_does_not_undo_its_neighbours(database: Database) -> None:
    outcomes = together(
        database, [put("a"), then_raise("b", NotFound("no")), put("c"), then_raise("d", ValueError("bug")), put("e")]
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), NotFound, type(None), ValueError, type(None)]
    assert names(database) == ["a", "c", "e"]


def test_a_broken_constraint_undoes_its_own_function_only(database: Database) -> None:
    outcomes = together(database, [put("a"), lambda tx: (put("b")(tx), put("a")(tx)), put("c")])
    assert isinstance(outcomes[1], sqlite3.IntegrityError)
    assert names(database) == ["a", "c"]


def test_an_answer_that_is_an_error_may_keep_what_it_wrote(database: Database) -> None:
    with pytest.raises(Kept):
        database.write(then_raise("kept", Kept("expired, and noted")))
    assert names(database) == ["kept"]


def test_outcomes_are_reported_in_the_order_of_submission(database: Database) -> None:
    assert together(database, [lambda tx, n=n: n for n in range(50)]) == list(range(50))


def test_listeners_hear_of_a_commit_before_its_caller_and_never_of_what_was_undone(database: Database) -> None:
    heard: list[list[str]] = []
    database.on("topic", lambda: heard.append(committed(database)))

    def notify(name: str, error: Exception | None = None) -> Callable[[Tx], None]:
        def run(tx: Tx) -> None:
            put(name)(tx)
            tx.notify("topic")
            if error:
                raise error

        return run

    database.write(notify("a"))
    assert heard == [["a"]]
    with pytest.raises(NotFound):
        database.write(notify("b", NotFound("no")))
    assert heard == [["a"]]
    with pytest.raises(Kept):
        database.write(notify("c", Kept("kept")))
    assert heard == [["a"], ["a", "c"]]


def committed(database: Database) -> list[str]:
    connection = sqlite3.connect(database.path)
    found = [row[0] for row in connection.execute("SELECT name FROM meta ORDER BY name")]
    connection.close()
    return found


def test_a_reader_sees_one_moment(database: Database) -> None:
    started, go_on = threading.Event(), threading.Event()

    def twice(tx: Tx) -> tuple[int, int]:
        first = tx.value("SELECT count(*) FROM meta")
        started.set()
        assert go_on.wait(10)
        return first, tx.value("SELECT count(*) FROM meta")

    seen: list[tuple[int, int]] = []
    reader = threading.Thread(target=lambda: seen.append(database.read(twice)))
    reader.start()
    assert started.wait(10)
    database.write(put("during"))
    go_on.set()
    reader.join(10)
    assert seen == [(0, 0)]
    assert names(database) == ["during"]


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(Exception, match=r"cannot be written|readonly"):
        database.read(put("x"))
    assert names(database) == []


def test_closing_finishes_what_was_submitted(tmp_path: Path) -> None:
    database = Database(tmp_path / "nullspend.db", SystemClock())
    database.open()
    outcomes: list[Any] = []
    for number in range(100):
        database.submit_write(Job(put(f"{number:03}"), True, lambda value, error: outcomes.append(error)))
    database.close()
    assert outcomes == [None] * 100
    again = Database(tmp_path / "nullspend.db", SystemClock())
    again.open()
    assert len(names(again)) == 100
    again.close()
    assert not (tmp_path / "nullspend.db-wal").exists(), "the log is folded in"


@pytest.mark.parametrize(("durable", "wanted"), [(True, 2), (False, 1)])
def test_a_batch_is_as_durable_as_its_most_demanding_member(database: Database, durable: bool, wanted: int) -> None:
    level = "PRAGMA synchronous"
    seen = database.write(lambda tx: tx.value(level), durable=durable)
    assert seen == wanted
    mixed = together(database, [lambda tx: tx.value(level), lambda tx: tx.value(level)], durable=durable)
    assert set(mixed) <= {wanted, 2}


def test_all_statements_of_a_transaction_happen_at_one_time(database: Database) -> None:
    assert database.write(lambda tx: tx.now_ms == tx.now_ms)


ROWS = st.lists(st.integers(0, 3), min_size=1, max_size=30)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=ROWS, between=st.lists(st.integers(0, 5), max_size=10), limit=st.integers(1, 7))
def test_pages_give_each_earlier_row_once_whatever_is_inserted_between_them(
    database: Database, before: list[int], between: list[int], limit: int
) -> None:
    table = "CREATE TEMP TABLE IF NOT EXISTS page (id TEXT, created_at INTEGER)"

    def insert(moments: list[int], start: int) -> Callable[[Tx], None]:
        def run(tx: Tx) -> None:
            rows = [(f"{moment}-{start + number:03}", moment) for number, moment in enumerate(moments)]
            tx.executemany("INSERT INTO page VALUES (?, ?)", rows)

        return run

    def fetch(cursor: Cursor | None) -> Any:
        return database.write(lambda tx: fetch_page(tx, "SELECT * FROM page WHERE 1", (), cursor=cursor, limit=limit))

    database.write(lambda tx: (tx.execute(table), tx.execute("DELETE FROM page")) and None)
    database.write(insert(before, 0))
    wanted = database.write(lambda tx: {row["id"] for row in tx.all("SELECT id FROM page")})
    seen: list[str] = []
    cursor, later = None, list(between)
    while True:
        page = fetch(cursor)
        assert len(page.rows) <= limit
        seen += [row["id"] for row in page.rows]
        if page.next is None:
            break
        cursor = page.next
        if later:
            database.write(insert([later.pop()], 500 + len(later)))
    assert len(seen) == len(set(seen))
    assert wanted <= set(seen)
    assert seen == sorted(seen, key=lambda row_id: (int(row_id.split("-")[0]), row_id), reverse=True)
