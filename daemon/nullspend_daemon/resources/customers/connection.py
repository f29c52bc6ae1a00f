"""The connection to the organization's own Stripe account; its key is stored encrypted and never shown again."""

from nullspend_daemon.contract.clock import to_iso, to_iso_or_none
from nullspend_daemon.contract.ids import new_uuid
from nullspend_daemon.errors import Conflict, NotFound, StripeValidationFailed, ValidationFailed
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.payments import vault
from nullspend_daemon.payments.config import stripe_config
from nullspend_daemon.payments.stripe_api import StripeApi, StripeRefused, StripeUnreachable, library
from nullspend_daemon.resources.customers.models import Connect
from nullspend_daemon.store.transaction import Tx

STARTS = ("rk_", "sk_test_")
"""Restricted keys, and unrestricted ones of test accounts: this daemon is nobody's production."""
_OWN_TABLES = ("customer_revenue", "stripe_customers", "customer_mappings", "margin_alerts", "stripe_connections")


def get_connection(tx: Tx, call: Call[None, None]) -> Record:
    """Show the connection to the organization's own Stripe account; null when there is none."""
    row = tx.one("SELECT * FROM stripe_connections WHERE org_id = ?", (call.caller.org_id,))
    if row is None:
        return {"data": None}
    shown = {
        "id": row["id"],
        "keyPrefix": row["key_prefix"],
        "status": row["status"],
        "lastSyncAt": to_iso_or_none(row["last_sync_at"]),
        "lastError": row["last_error"],
        "createdAt": to_iso(row["created_at"]),
    }
    return {"data": shown}


async def connect(call: Call[Connect, None]) -> Record:
    """Connect the organization's own Stripe account with a restricted key, after trying the key out."""
    key = call.body.stripe_key
    if not key.startswith(STARTS):
        raise ValidationFailed.at(["stripeKey"], "Must be a restricted key (rk_...) or a test key (sk_test_...)")
    await call.parts.store.read(lambda tx: _check_not_connected(tx, call.caller.org_id))
    await call.parts.in_thread(lambda: _try_out(call, key))
    sealed = vault.seal(call.parts.secret, call.caller.org_id, key)
    return await call.parts.store.write(lambda tx: _connect(tx, call, sealed))


def disconnect(tx: Tx, call: Call[None, None]) -> Record:
    """Forget the account: its key, its revenue, the mappings and what was told of margins."""
    org_id = call.caller.org_id
    if tx.one("SELECT 1 FROM stripe_connections WHERE org_id = ?", (org_id,)) is None:
        raise NotFound("No Stripe account is connected.")
    for table in _OWN_TABLES:
        tx.execute(f"DELETE FROM {table} WHERE org_id = ?", (org_id,))
    return {"deleted": True}


def _check_not_connected(tx: Tx, org_id: str) -> None:
    if tx.one("SELECT 1 FROM stripe_connections WHERE org_id = ?", (org_id,)):
        raise Conflict("A Stripe account is connected already. Disconnect it first with nullspend billing disconnect.")


def _try_out(call: Call[Connect, None], key: str) -> None:
    """Raises StripeValidationFailed for a key that cannot read customers, Misconfigured without the extra."""
    library()
    try:
        StripeApi(key, stripe_config(call.settings).api_url).probe()
    except (StripeRefused, StripeUnreachable) as error:
        raise StripeValidationFailed(f"The key could not be used. {error.message}") from None


def _connect(tx: Tx, call: Call[Connect, None], sealed: bytes) -> Record:
    call.confirm(tx)
    org_id, key = call.caller.org_id, call.body.stripe_key
    _check_not_connected(tx, org_id)
    shown = {
        "id": new_uuid(tx.now_ms),
        "keyPrefix": f"{key[:12]}...{key[-4:]}",
        "status": "active",
        "createdAt": to_iso(tx.now_ms),
    }
    tx.execute(
        "INSERT INTO stripe_connections (org_id, id, sealed_key, key_prefix, status, created_at)"
        " VALUES (?, ?, ?, ?, 'active', ?)",
        (org_id, shown["id"], sealed, shown["keyPrefix"], tx.now_ms),
    )
    return shown
