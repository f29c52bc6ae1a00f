"""The margin of each mapped customer, from their invoices and from the roll-ups of cost events."""

from collections.abc import Iterable
from dataclasses import dataclass

from nullspend_daemon.ledger.rollups import CUSTOMER_LABEL
from nullspend_daemon.payments.margins import Figures
from nullspend_daemon.payments.months import Month
from nullspend_daemon.store.transaction import Row, Tx

TAG_KEY = "customer"
"""Mappings of other tag keys are kept, but do not count here."""
MONTHS = 3


@dataclass(frozen=True, slots=True)
class CustomerMonths:
    """A mapped customer in the requested month and the two before it, oldest first."""

    stripe_customer_id: str
    name: str | None
    tag_value: str
    months: tuple[Figures, ...]

    @property
    def now(self) -> Figures:
        """The requested month."""
        return self.months[-1]


def margin_table(tx: Tx, org_id: str, month: Month) -> list[CustomerMonths]:
    """Every mapped customer with revenue or cost in `month`."""
    return [each for each in _read(tx, org_id, month, None) if not each.now.is_empty]


def customer_months(tx: Tx, org_id: str, month: Month, tag_value: str) -> CustomerMonths | None:
    """One mapped customer, whatever the figures; None without a mapping."""
    return next(iter(_read(tx, org_id, month, tag_value)), None)


def spans(month: Month) -> list[Month]:
    """The three months a table looks at, oldest first."""
    return [month.plus(offset) for offset in range(1 - MONTHS, 1)]


def _read(tx: Tx, org_id: str, month: Month, tag_value: str | None) -> Iterable[CustomerMonths]:
    mapped = tx.all(
        "SELECT m.stripe_customer_id, m.tag_value, c.name FROM customer_mappings m"
        " LEFT JOIN stripe_customers c USING (org_id, stripe_customer_id)"
        " WHERE m.org_id = ?1 AND m.tag_key = ?2 AND (?3 IS NULL OR m.tag_value = ?3)",
        (org_id, TAG_KEY, tag_value),
    )
    if not mapped:
        return []
    months = spans(month)
    revenue, cost = _revenue(tx, org_id, months), _cost(tx, org_id, months, tag_value)
    return [_joined(row, months, revenue, cost) for row in mapped]


def _joined(
    row: Row, months: list[Month], revenue: dict[tuple[str, str], int], cost: dict[tuple[str, int], int]
) -> CustomerMonths:
    stripe_id, value = row["stripe_customer_id"], row["tag_value"]
    figures = tuple(
        Figures(revenue.get((stripe_id, str(month)), 0), cost.get((value, index), 0))
        for index, month in enumerate(months)
    )
    return CustomerMonths(stripe_id, row["name"], value, figures)


def _revenue(tx: Tx, org_id: str, months: list[Month]) -> dict[tuple[str, str], int]:
    rows = tx.all(
        "SELECT stripe_customer_id, period, amount_microdollars FROM customer_revenue"
        " WHERE org_id = ? AND period BETWEEN ? AND ?",
        (org_id, str(months[0]), str(months[-1])),
    )
    return {(row["stripe_customer_id"], row["period"]): row["amount_microdollars"] for row in rows}


def _cost(tx: Tx, org_id: str, months: list[Month], tag_value: str | None) -> dict[tuple[str, int], int]:
    """Cost by customer and position in `months`."""
    first, second, third, end = (month.first_day for month in (*months, months[-1].plus(1)))
    rows = tx.all(
        "SELECT value, (day >= ?5) + (day >= ?6) AS position, sum(cost_microdollars) AS cost FROM cost_label_days"
        " WHERE org_id = ?1 AND label = ?2 AND (?7 IS NULL OR value = ?7) AND day >= ?3 AND day < ?4"
        " GROUP BY value, position",
        (org_id, CUSTOMER_LABEL, first, end, second, third, tag_value),
    )
    return {(row["value"], row["position"]): row["cost"] for row in rows}
