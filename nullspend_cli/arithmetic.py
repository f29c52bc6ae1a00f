"""The arithmetic of a cost as text: one product a line, the sum, the one rounding."""

from decimal import Decimal
from typing import Any

from nullspend_cli.render import count, money
from nullspend_cli.replies import Record
from nullspend_cli.tables import Column, column

_SOURCES = {
    "override": "your prices.toml, as it was then",
    "catalogue": "the price catalogue, as it was then",
    "client": "whoever reported it",
    "free": "a free upstream",
    "estimate": "an estimate: the provider told no usage, or the model has no price, so the hold was charged",
}


def columns(found: Record) -> tuple[Column, ...]:
    """The lines of a record that shows how a cost came about."""
    lines: list[Record] = found.get("lines", [])
    products = [(f"lines.{index}", str(line["class"]).replace("_", " ")) for index, line in enumerate(lines)]
    shown = [
        column(field, title.upper(), str, value=_text_of(lines, index)) for index, (field, title) in enumerate(products)
    ]
    if lines:
        shown.append(column("sum", value=lambda _: _sum(found)))
    return (
        *shown,
        column("costMicrodollars", "COST", lambda cost: f"{count(cost)} microdollars, {money(cost)}"),
        column("source", "RATES FROM" if lines else "FROM", lambda source: _SOURCES.get(source, str(source))),
    )


def _text_of(lines: list[Record], index: int) -> Any:
    return lambda _: _aligned(lines)[index]


def _aligned(lines: list[Record]) -> list[str]:
    """`1,000 tokens x $2.50 a million = 2,500`, the numbers below each other."""
    rows = [(count(line["tokens"]), _rate(line), _number(line["microdollars"]), _tier(line)) for line in lines]
    widths = [max(len(row[part]) for row in rows) for part in range(3)]
    return [
        f"{tokens.rjust(widths[0])} tokens x {rate.rjust(widths[1])} a million = {amount.rjust(widths[2])}{tier}"
        for tokens, rate, amount, tier in rows
    ]


def _rate(line: Record) -> str:
    return f"${line['rateUsdPerMillion']}"


def _tier(line: Record) -> str:
    return "" if line["tier"] is None else f"  (above {count(line['tier'])} input tokens)"


def _number(amount: Any) -> str:
    return f"{Decimal(str(amount)):,}"


def _sum(found: Record) -> str:
    """The unrounded sum, the margin of an estimate, and that it is rounded once."""
    total = sum((Decimal(str(line["microdollars"])) for line in found["lines"]), Decimal(0))
    margin = found.get("margin")
    times = f" x {margin} = {(total * Decimal(margin)).normalize():,f}" if margin else ""
    return f"{_number(total)}{times}, rounded once, half up"
