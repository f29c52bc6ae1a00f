"""Paid invoices as revenue by customer and UTC month. Only US dollars count; everything else is counted as skipped."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nullspend_daemon.contract.money import MAX_MICRODOLLARS, MICRODOLLARS_PER_CENT
from nullspend_daemon.payments.months import Month

CURRENCY = "usd"
MONTHS_BACK = 3


@dataclass(frozen=True, slots=True)
class PayingCustomer:
    """A customer of the organization's Stripe account."""

    id: str
    name: str | None
    email: str | None
    metadata: Mapping[str, str]


@dataclass(slots=True)
class Revenue:
    """What a number of invoices add up to; amounts in microdollars."""

    customers: dict[str, PayingCustomer] = field(default_factory=dict[str, PayingCustomer])
    amounts: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    """By customer id and month."""
    fetched: int = 0
    skipped: int = 0
    skipped_currencies: dict[str, int] = field(default_factory=dict[str, int])

    def add(self, invoice: Mapping[str, Any]) -> None:
        """Count one paid invoice."""
        self.fetched += 1
        customer = invoice.get("customer")
        if not isinstance(customer, Mapping) or customer.get("deleted"):
            self.skipped += 1
            return
        currency = str(invoice.get("currency") or "unknown").lower()
        if currency != CURRENCY:
            self.skipped += 1
            self.skipped_currencies[currency] = self.skipped_currencies.get(currency, 0) + 1
            return
        who = _customer(customer)
        self.customers[who.id] = who
        key = (who.id, str(Month.at(int(invoice["created"]) * 1000)))
        amount = self.amounts.get(key, 0) + int(invoice.get("amount_paid") or 0) * MICRODOLLARS_PER_CENT
        self.amounts[key] = min(amount, MAX_MICRODOLLARS)


def window_start(now_ms: int) -> Month:
    """The first month a sync looks at."""
    return Month.at(now_ms).plus(-MONTHS_BACK)


def revenue_of(invoices: Iterable[Mapping[str, Any]]) -> Revenue:
    """The revenue of paid invoices."""
    revenue = Revenue()
    for invoice in invoices:
        revenue.add(invoice)
    return revenue


def _customer(fields: Mapping[str, Any]) -> PayingCustomer:
    return PayingCustomer(fields["id"], fields.get("name"), fields.get("email"), fields.get("metadata") or {})
