"""What a sync stores: revenue by customer and month, new matches, and the crossings that follow. One transaction."""

from pydantic_core import to_json

from nullspend_daemon.contract.ids import new_uuid
from nullspend_daemon.ledger.periods import DAY_MS
from nullspend_daemon.ledger.rollups import CUSTOMER_LABEL
from nullspend_daemon.payments.crossings import stage_crossings
from nullspend_daemon.payments.margin_table import TAG_KEY
from nullspend_daemon.payments.matching import matches
from nullspend_daemon.payments.revenue import Revenue, window_start
from nullspend_daemon.store.transaction import Row, Tx

LOOK_BACK_DAYS = 90
MOST_VALUES = 10_000


class Disconnected(Exception):
    """The account was disconnected while its invoices were being read: nothing of them is kept."""


def store_revenue(tx: Tx, connection: Row, revenue: Revenue) -> int:
    """Revenue, matches and crossings of one sync; returns how many matches are new. Raises Disconnected."""
    org_id = connection["org_id"]
    skipped = to_json(revenue.skipped_currencies).decode() if revenue.skipped_currencies else None
    still_there = tx.changed(
        "UPDATE stripe_connections SET status = 'active', last_sync_at = ?1, last_try_at = ?1, last_error = NULL,"
        " skipped_currencies = ?2 WHERE id = ?3",
        (tx.now_ms, skipped, connection["id"]),
    )
    if not still_there:
        raise Disconnected
    _replace(tx, org_id, revenue)
    matched = _match(tx, org_id, revenue)
    stage_crossings(tx, org_id)
    return matched


def _replace(tx: Tx, org_id: str, revenue: Revenue) -> None:
    """Put the window's revenue in place of what an earlier sync found there; older months stay."""
    for customer in revenue.customers.values():
        tx.execute(
            "INSERT INTO stripe_customers (org_id, stripe_customer_id, name, email) VALUES (?1, ?2, ?3, ?4)"
            " ON CONFLICT (org_id, stripe_customer_id) DO UPDATE SET name = ?3, email = ?4",
            (org_id, customer.id, customer.name, customer.email),
        )
    first = str(window_start(tx.now_ms))
    tx.execute("DELETE FROM customer_revenue WHERE org_id = ? AND period >= ?", (org_id, first))
    tx.executemany(
        "INSERT INTO customer_revenue (org_id, stripe_customer_id, period, amount_microdollars) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (org_id, stripe_customer_id, period) DO UPDATE SET amount_microdollars = excluded"
        ".amount_microdollars",
        [(org_id, customer_id, period, amount) for (customer_id, period), amount in revenue.amounts.items()],
    )


def _match(tx: Tx, org_id: str, revenue: Revenue) -> int:
    """Map customers that name their value; returns how many were new."""
    rows = tx.all(
        "SELECT DISTINCT value FROM cost_label_days WHERE org_id = ? AND label = ? AND day > ? LIMIT ?",
        (org_id, CUSTOMER_LABEL, tx.now_ms // DAY_MS - LOOK_BACK_DAYS, MOST_VALUES),
    )
    mapped = tx.all(
        "SELECT stripe_customer_id, tag_value FROM customer_mappings WHERE org_id = ? AND tag_key = ?",
        (org_id, TAG_KEY),
    )
    found = list(
        matches(
            revenue.customers.values(),
            {row["value"] for row in rows},
            {row["stripe_customer_id"] for row in mapped},
            {row["tag_value"] for row in mapped},
        )
    )
    tx.executemany(
        "INSERT INTO customer_mappings (id, org_id, stripe_customer_id, tag_key, tag_value, match_type, confidence,"
        " created_at) VALUES (?, ?, ?, ?, ?, 'auto', ?, ?)",
        [
            (new_uuid(tx.now_ms), org_id, each.stripe_customer_id, TAG_KEY, each.tag_value, each.confidence, tx.now_ms)
            for each in found
        ],
    )
    return len(found)
