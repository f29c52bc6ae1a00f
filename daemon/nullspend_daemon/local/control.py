"""/_local/info, clock, plan, reset, backup, stop: the daemon itself."""

import asyncio
import os
import sqlite3
from pathlib import Path
from typing import Any

from nullspend_daemon import API_VERSION, __version__
from nullspend_daemon.contract.clock import TestClock, to_iso
from nullspend_daemon.delivery import queue
from nullspend_daemon.errors import Conflict, NotFound, ServiceUnavailable, ValidationFailed
from nullspend_daemon.http.auth import bears_token
from nullspend_daemon.http.parts import Parts
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.ledger.check import find_differences, repair
from nullspend_daemon.local.bootstrap import Owner, ensure_owner, keep_default_key
from nullspend_daemon.local.models import Backup, Check, MoveClock, Reset, SetPlan
from nullspend_daemon.payments import simulator
from nullspend_daemon.store import identity, subscriptions
from nullspend_daemon.store.connection import connect
from nullspend_daemon.store.schema import user_tables
from nullspend_daemon.store.transaction import Tx

EXTENSIONS = ["createdAfter", "createdBefore", "customerId"]
"""Query parameters this server takes beyond the hosted one's; a client sends them only to a server that lists them."""

_COUNTED = {"users": "users", "orgs": "orgs", "keys": "api_keys", "budgets": "budgets", "costEvents": "cost_events"}


async def get_info(call: Call[None, None]) -> Record:
    """Say which daemon this is; with the admin token also what it holds."""
    parts, settings = call.parts, call.settings
    info: Record = {
        "version": __version__,
        "apiVersion": API_VERSION,
        "startedAt": to_iso(parts.started_at_ms),
        "now": to_iso(parts.clock.now_ms()),
        "hosted": settings.hosted,
        "testClock": settings.test_clock,
        "extensions": EXTENSIONS,
    }
    if not bears_token(call.headers, parts.admin_token):
        return info
    database = settings.database_path
    return info | {
        "pid": os.getpid(),
        "dataDir": str(settings.data_dir),
        "databaseBytes": _size(database),
        "walBytes": _size(database.with_name(f"{database.name}-wal")),
        "counts": await parts.store.read(_counts),
    }


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _counts(tx: Tx) -> dict[str, int]:
    counts = {name: tx.value(f"SELECT count(*) FROM {table}") for name, table in _COUNTED.items()}
    made = tx.value("SELECT count(*) FROM webhook_deliveries WHERE due_at IS NOT NULL")
    return counts | {"pendingDeliveries": made + tx.value("SELECT count(*) FROM outbox WHERE wanted = 1")}


async def get_clock(call: Call[None, None]) -> Record:
    """Say what time the daemon thinks it is."""
    return {"now": to_iso(_test_clock(call).now_ms())}


async def move_clock(call: Call[MoveClock, None]) -> Record:
    """Move the test clock forward; everything due by then has happened before the reply."""
    clock, body = _test_clock(call), call.body
    step = body.advance_ms if body.set_to is None else body.set_to - clock.now_ms()
    if step is None or step < 0:
        raise ValidationFailed.at(["setTo"], "The clock only moves forward")
    if clock.now_ms() + step > _LAST_MOMENT_MS:
        raise ValidationFailed.at(["advanceMs" if body.set_to is None else "setTo"], "Must stay before the year 9000")
    async with call.parts.keep(_one_move):
        await _advance(call.parts, clock, clock.now_ms() + step)
    return {"now": to_iso(clock.now_ms())}


def _one_move() -> asyncio.Lock:
    """Moves of the clock happen one after the other."""
    return asyncio.Lock()


async def _advance(parts: Parts, clock: TestClock, target: int) -> None:
    """Move to `target`, by way of every moment before it at which a webhook is to be tried again."""
    while (moment := await parts.store.read(queue.earliest)) is not None and moment < target:
        await _advance_to(parts, clock, min(target, max(moment, clock.now_ms() + _SMALLEST_STEP_MS)))
        await parts.courier.settle()
    await _advance_to(parts, clock, target)
    await parts.run_due()


async def _advance_to(parts: Parts, clock: TestClock, moment: int) -> None:
    clock.advance(max(0, moment - clock.now_ms()))
    await parts.store.write(lambda tx: keep_offset(tx, clock.offset_ms))


_SMALLEST_STEP_MS = queue.ON_TIME_MS // 2
"""Deliveries that are due close to each other are tried in one go."""


_LAST_MOMENT_MS = 221_845_392_000_000  # 9000-01-01: calendar arithmetic still has room after it


def keep_offset(tx: Tx, offset_ms: int) -> None:
    """Remember the test clock's offset, so that a restart does not travel back."""
    tx.execute("INSERT OR REPLACE INTO meta (name, value) VALUES ('clock_offset_ms', ?)", (str(offset_ms),))


def kept_offset(tx: Tx) -> int:
    """The test clock's offset of earlier runs, in ms."""
    return int(tx.value("SELECT value FROM meta WHERE name = 'clock_offset_ms'") or 0)


def _test_clock(call: Call[Any, Any]) -> TestClock:
    if not isinstance(call.parts.clock, TestClock):
        raise Conflict("This daemon was started without --test-clock.")
    return call.parts.clock


def set_plan(tx: Tx, call: Call[SetPlan, None]) -> Record:
    """Set an organization's subscription, as a checkout would have; a null tier removes it."""
    body = call.body
    org_id = org_or_owners(tx, body.org_id)
    if body.tier is None:
        tx.execute("DELETE FROM subscriptions WHERE org_id = ?", (org_id,))
        return {"data": None}
    return {"data": subscriptions.record(simulator.grant(tx, org_id, body.tier, body.status))}


def org_or_owners(tx: Tx, given: str | None) -> str:
    """The organization that was named, else the owner's own. Raises NotFound."""
    org_id = given or tx.value(
        "SELECT o.id FROM orgs o JOIN meta m ON m.name = 'owner' AND m.value = o.created_by WHERE o.is_personal = 1"
    )
    if tx.one("SELECT 1 FROM orgs WHERE id = ?", (org_id,)) is None:
        raise NotFound("There is no such organization.")
    return str(org_id)


async def reset(call: Call[Reset, None]) -> Record:
    """Delete all data in one transaction and begin again as at the first start."""
    owner = await call.parts.store.write(lambda tx: _start_over(tx, keep_owner=call.body.keep_owner))
    keep_default_key(call.settings.default_key_path, owner)
    call.parts.publish_owner(owner)
    return {"success": True}


def _start_over(tx: Tx, *, keep_owner: bool) -> Owner:
    owner = tx.one("SELECT u.* FROM users u JOIN meta m ON m.name = 'owner' AND m.value = u.id")
    clock_offset_ms = kept_offset(tx)
    tx.execute("PRAGMA defer_foreign_keys = ON")
    for table in user_tables(tx):
        tx.execute(f'DELETE FROM "{table}"')
    keep_offset(tx, clock_offset_ms)
    if keep_owner and owner is not None:
        tx.execute(
            "INSERT INTO users (id, email, name, created_at) VALUES (?, ?, ?, ?)",
            (owner["id"], owner["email"], owner["name"], owner["created_at"]),
        )
        tx.execute("INSERT INTO meta (name, value) VALUES ('owner', ?)", (owner["id"],))
    tx.notify(identity.TOPIC)
    return ensure_owner(tx)


async def back_up(call: Call[Backup, None]) -> Record:
    """Copy the running database to a new file."""
    target = Path(call.body.path)
    if not target.is_absolute():
        raise ValidationFailed.at(["path"], "Must be an absolute path")
    if not target.parent.is_dir():
        raise ValidationFailed.at(["path"], f"There is no folder {target.parent}")
    size = await call.parts.in_thread(lambda: _copy(call.settings.database_path, target))
    return {"path": str(target), "bytes": size}


def _copy(source: Path, target: Path) -> int:
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise Conflict(f"{target} exists already; a backup never overwrites a file.") from None
    except OSError as error:
        raise ValidationFailed.at(["path"], f"{target} cannot be written: {error.strerror}") from None
    try:
        with connect(source, read_only=True) as reading, sqlite3.connect(target) as writing:
            reading.backup(writing)
        reading.close()
        writing.close()
    except sqlite3.Error as error:
        target.unlink(missing_ok=True)
        raise ServiceUnavailable(f"The backup failed: {error}.") from error
    return target.stat().st_size


async def check(call: Call[Check, None]) -> Record:
    """Compare every derived figure with the events behind it; with `repair` set the figures right."""
    differences = await call.parts.store.read(find_differences)
    if call.body.repair:
        await call.parts.store.write(repair)
        differences = await call.parts.store.read(find_differences)
    return {"ok": not differences, "differences": differences}


async def stop(call: Call[None, None]) -> Record:
    """End the daemon: no new calls, live ones are finished."""
    call.parts.ending.set()
    return {"success": True}
