"""The margin table as a file for a spreadsheet: no cell of it can be taken for a formula."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from nullspend_daemon.http.route import Document, Record
from nullspend_daemon.payments.months import Month

HEADER = "Customer,Stripe ID,Tag Value,Revenue ($),Cost ($),Margin (%),Margin ($),Health Tier"
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def csv_document(customers: Sequence[Record], month: Month) -> Document:
    """The rows of GET /api/margins as a CSV attachment."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(HEADER.split(","))
    writer.writerows(_cells(customer) for customer in customers)
    disposition = f'attachment; filename="margins-{month}.csv"'
    return Document(
        written.getvalue().removesuffix("\n").encode(),
        "text/csv; charset=utf-8",
        {"Content-Disposition": disposition},
    )


def _cells(customer: Record) -> list[Any]:
    return [
        _text(customer["customerName"] or ""),
        _text(customer["stripeCustomerId"]),
        _text(customer["tagValue"]),
        _dollars(customer["revenueMicrodollars"]),
        _dollars(customer["costMicrodollars"]),
        f"{customer['marginPercent']:.2f}",
        _dollars(customer["marginMicrodollars"]),
        _text(customer["healthTier"]),
    ]


def _text(value: str) -> str:
    return f"'{value}" if value.startswith(_FORMULA_STARTS) else value


def _dollars(microdollars: int) -> str:
    """Two decimals, half up."""
    cents = (microdollars + 5_000) // 10_000
    whole, rest = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{whole}.{rest:02d}"
