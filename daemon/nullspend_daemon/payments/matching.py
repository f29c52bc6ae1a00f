"""Which customer of the cost events is which customer at Stripe, when they say so themselves."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from nullspend_daemon.payments.revenue import PayingCustomer

METADATA_KEY = "nullspend_customer"
SAID_SO = 1.0
SAME_ID = 0.9


@dataclass(frozen=True, slots=True)
class Match:
    """A pair, and how sure it is: 1.0 for metadata that names the value, 0.9 for an id that is the value."""

    stripe_customer_id: str
    tag_value: str
    confidence: float


def matches(
    customers: Iterable[PayingCustomer], values: Collection[str], taken_ids: set[str], taken_values: set[str]
) -> Iterator[Match]:
    """New pairs between `customers` and the customer `values` of events; nothing that is taken is touched."""
    taken_ids, taken_values = set(taken_ids), set(taken_values)
    for customer in customers:
        if customer.id in taken_ids:
            continue
        for value, confidence in ((customer.metadata.get(METADATA_KEY), SAID_SO), (customer.id, SAME_ID)):
            if value is not None and value in values and value not in taken_values:
                taken_ids.add(customer.id)
                taken_values.add(value)
                yield Match(customer.id, value, confidence)
                break
