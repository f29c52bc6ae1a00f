"""Who is left over on either side: customers who pay without cost events, and customers of events who do not pay."""

from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.ledger.periods import DAY_MS
from nullspend_daemon.ledger.rollups import CUSTOMER_LABEL
from nullspend_daemon.payments.margin_table import TAG_KEY
from nullspend_daemon.store.transaction import Tx

LOOK_BACK_DAYS = 90
MOST_VALUES = 500


def get_unmatched(tx: Tx, call: Call[None, None]) -> Record:
    """List paying customers and customers of cost events that are not mapped to each other."""
    org_id = call.caller.org_id
    names = tx.all("SELECT stripe_customer_id AS id, name FROM stripe_customers WHERE org_id = ?", (org_id,))
    return {
        "unmatchedStripeCustomers": _customers(tx, org_id),
        "unmappedTagValues": _values(tx, org_id),
        "pendingAutoMatches": _pending(tx, org_id),
        "customerNames": {row["id"]: row["name"] for row in names if row["name"] is not None},
    }


def _customers(tx: Tx, org_id: str) -> list[Record]:
    rows = tx.all(
        "SELECT c.*, coalesce(sum(r.amount_microdollars), 0) AS total FROM stripe_customers c"
        " LEFT JOIN customer_revenue r USING (org_id, stripe_customer_id)"
        " WHERE c.org_id = ?1 AND NOT EXISTS (SELECT 1 FROM customer_mappings m WHERE m.org_id = ?1"
        " AND m.tag_key = ?2 AND m.stripe_customer_id = c.stripe_customer_id)"
        " GROUP BY c.stripe_customer_id ORDER BY total DESC, c.stripe_customer_id",
        (org_id, TAG_KEY),
    )
    return [
        {
            "stripeCustomerId": row["stripe_customer_id"],
            "customerName": row["name"],
            "customerEmail": row["email"],
            "totalRevenueMicrodollars": row["total"],
        }
        for row in rows
    ]


def _values(tx: Tx, org_id: str) -> list[Record]:
    rows = tx.all(
        "SELECT value, sum(cost_microdollars) AS cost, sum(requests) AS requests FROM cost_label_days l"
        " WHERE org_id = ?1 AND label = ?2 AND day > ?3 AND NOT EXISTS (SELECT 1 FROM customer_mappings m"
        " WHERE m.org_id = ?1 AND m.tag_key = ?4 AND m.tag_value = l.value)"
        f" GROUP BY value ORDER BY cost DESC, value LIMIT {MOST_VALUES}",
        (org_id, CUSTOMER_LABEL, tx.now_ms // DAY_MS - LOOK_BACK_DAYS, TAG_KEY),
    )
    return [
        {"tagValue": row["value"], "totalCostMicrodollars": row["cost"], "requestCount": row["requests"]}
        for row in rows
    ]


def _pending(tx: Tx, org_id: str) -> list[Record]:
    rows = tx.all(
        "SELECT m.*, c.name FROM customer_mappings m LEFT JOIN stripe_customers c USING (org_id, stripe_customer_id)"
        " WHERE m.org_id = ? AND m.tag_key = ? AND m.match_type = 'auto' ORDER BY m.created_at, m.id",
        (org_id, TAG_KEY),
    )
    return [
        {
            "id": row["id"],
            "stripeCustomerId": row["stripe_customer_id"],
            "customerName": row["name"],
            "tagValue": row["tag_value"],
            "confidence": row["confidence"],
        }
        for row in rows
    ]
