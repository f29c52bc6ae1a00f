"""Revenue from the organization's Stripe account: the whole window is read anew each time, so a sync can be repeated.

Every two hours by itself (background.py), by cron with its secret, or by a member who does not want to wait.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

from nullspend_daemon.errors import NullSpendError
from nullspend_daemon.http.parts import Parts
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.payments import vault
from nullspend_daemon.payments.config import stripe_config
from nullspend_daemon.payments.revenue import Revenue, revenue_of, window_start
from nullspend_daemon.payments.stripe_api import StripeApi, StripeKeyRefused
from nullspend_daemon.resources.customers.revenue_rows import Disconnected, store_revenue
from nullspend_daemon.store.transaction import Row, Tx

log = logging.getLogger(__name__)

EVERY_MS = 2 * 3_600_000
LOOK_SECONDS = 60.0
ROUND_SECONDS = 50.0
ORG_SECONDS = 15.0


@dataclass(slots=True)
class Running:
    """The organizations that are being synced now: one sync each at a time."""

    orgs: set[str] = field(default_factory=set[str])


async def revenue_sync(call: Call[None, None]) -> Record:
    """Sync revenue: the caller's organization, or with the cron secret every one."""
    if call.caller.role is None:
        return await sync_all(call.parts)
    return await sync_org(call.parts, call.caller.org_id)


async def sync_all(parts: Parts) -> Record:
    """Sync every active connection, the one that waited longest first, for 50 s at most."""
    return await _sync_each(parts, await parts.store.read(lambda tx: _active(tx, tx.now_ms)))


async def sync_due(parts: Parts) -> None:
    """Sync the connections whose last try is two hours old. Raises ServiceUnavailable."""
    await _sync_each(parts, await parts.store.read(lambda tx: _active(tx, tx.now_ms - EVERY_MS)))


async def sync_forever(parts: Parts) -> None:
    """Sync what is due, every minute. What goes wrong is tried again the next time."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            await sync_due(parts)
        except NullSpendError as error:
            log.warning("revenue syncs wait: %s", error.message)


async def sync_org(parts: Parts, org_id: str) -> Record:
    """Sync one organization. What goes wrong stands in the reply's `error` and in the connection's `lastError`."""
    running = parts.keep(Running).orgs
    if org_id in running:
        return _result(org_id, Revenue(), error="A sync of this organization is running.")
    running.add(org_id)
    started = asyncio.get_running_loop().time()
    try:
        result = await _sync(parts, org_id)
    finally:
        running.discard(org_id)
    return result | {"durationMs": round((asyncio.get_running_loop().time() - started) * 1000)}


async def _sync_each(parts: Parts, org_ids: list[str]) -> Record:
    synced = errors = 0
    end = asyncio.get_running_loop().time() + ROUND_SECONDS
    for org_id in org_ids:
        left = end - asyncio.get_running_loop().time()
        if left <= 0:
            break
        try:
            async with asyncio.timeout(min(ORG_SECONDS, left)):
                failed = "error" in await sync_org(parts, org_id)
        except TimeoutError:
            failed = True
            await parts.store.write(lambda tx, org_id=org_id: _note_failure(tx, org_id, "Stripe took too long.", False))
        synced, errors = synced + (not failed), errors + failed
    return {"synced": synced, "errors": errors}


async def _sync(parts: Parts, org_id: str) -> Record:
    row = await parts.store.read(lambda tx: tx.one("SELECT * FROM stripe_connections WHERE org_id = ?", (org_id,)))
    if row is None:
        return _result(org_id, Revenue(), error="No Stripe account is connected.")
    try:
        revenue = await parts.in_thread(lambda: _fetch(parts, row))
        matched = await parts.store.write(lambda tx: store_revenue(tx, row, revenue))
        return _result(org_id, revenue, matched=matched)
    except Disconnected:
        return _result(org_id, Revenue(), error="The Stripe account was disconnected during the sync.")
    except vault.CannotOpen:
        reason, revoked = "The stored key cannot be opened: secret.key has changed. Connect the account again.", False
    except NullSpendError as error:
        reason, revoked = error.message, isinstance(error, StripeKeyRefused)
    log.warning("the revenue of %s could not be synced: %s", org_id, reason)
    await parts.store.write(lambda tx: _note_failure(tx, org_id, reason, revoked))
    return _result(org_id, Revenue(), error=reason)


def _fetch(parts: Parts, connection: Row) -> Revenue:
    key = vault.unseal(parts.secret, connection["org_id"], connection["sealed_key"])
    since = window_start(parts.clock.now_ms()).start_seconds
    return revenue_of(StripeApi(key, stripe_config(parts.settings).api_url).paid_invoices(since))


def _active(tx: Tx, not_since_ms: int) -> list[str]:
    """Organizations with an active connection whose last try is not after `not_since_ms`, the oldest first."""
    rows = tx.all(
        "SELECT org_id FROM stripe_connections WHERE status = 'active' AND coalesce(last_try_at, 0) <= ?"
        " ORDER BY last_try_at, org_id",
        (not_since_ms,),
    )
    return [row["org_id"] for row in rows]


def _note_failure(tx: Tx, org_id: str, reason: str, revoked: bool) -> None:
    tx.execute(
        "UPDATE stripe_connections SET status = CASE WHEN ?2 THEN 'revoked' ELSE 'active' END, last_error = ?3,"
        " last_try_at = ?4 WHERE org_id = ?1",
        (org_id, revoked, reason, tx.now_ms),
    )


def _result(org_id: str, revenue: Revenue, *, matched: int = 0, error: str | None = None) -> dict[str, Any]:
    done = {
        "orgId": org_id,
        "customersProcessed": len(revenue.customers),
        "periodsUpdated": len(revenue.amounts),
        "autoMatchesCreated": matched,
        "invoicesFetched": revenue.fetched,
        "invoicesSkipped": revenue.skipped,
        "skippedCurrencies": revenue.skipped_currencies,
        "durationMs": 0,
    }
    return done if error is None else done | {"error": error}
