"""The pages of `costs`: a period at a glance, one group by day and model."""

from collections.abc import Callable, Sequence
from typing import Any

from nullspend_cli import charts, tables
from nullspend_cli.costing import COST, COUNT, DIMENSIONS, Dimension, Found, below
from nullspend_cli.render import calls, money, plain, visible
from nullspend_cli.replies import Record
from nullspend_cli.tables import Column
from nullspend_cli.terminal import Terminal

_SHOWN = 5
_SECTIONS = {"model": "models", "provider": "providers", "key": "keys", "source": "sources", "tool": "tools"}
_KEYS = Dimension("KEY", "keyName", lambda row: row.get("keyName") or row.get("apiKeyId"))


def group_columns(dim: Dimension, every: Sequence[Record], terminal: Terminal) -> tuple[Column, ...]:
    """The columns of groups and of the rows below them."""
    shown = [row for row in every if not row.get("isTotal")]
    return charts.spend_columns(dim.field, dim.title, lambda row: name_of(row, dim), shown, terminal)


def name_of(row: Record, dim: Dimension) -> Any:
    """What a group, the rest or the total is called."""
    return row[dim.field] if row.get("isRest") or row.get("isTotal") else dim.name(row)


def summary(found: Record, daily: Sequence[Record]) -> Callable[[Terminal], str]:
    """A period at a glance."""

    def draw(terminal: Terminal) -> str:
        totals = found["totals"]
        cost, requests = totals[COST], totals["totalRequests"]
        if not requests:
            return ""
        each = f", {money((2 * cost + requests) // (2 * requests))} a call"
        head = f"{terminal.styled(money(cost), 'bold')} in {calls(requests)}{each}, {_span(daily)}\n"
        parts = found.get("costBreakdown") or {}
        made = ", ".join(f"{name.removesuffix('Cost')} {money(part)}" for name, part in parts.items() if part)
        sections = [_section(name, found, terminal) for name in _SECTIONS]
        return "\n".join(
            part for part in (head, _chart(daily, terminal), *sections, f"made of {made}\n" if made else "") if part
        )

    return draw


def _span(daily: Sequence[Record]) -> str:
    return f"{daily[0]['date']} to {daily[-1]['date']}"


def _chart(daily: Sequence[Record], terminal: Terminal) -> str:
    return charts.chart([day[COST] for day in daily], daily[0]["date"], daily[-1]["date"], terminal) if daily else ""


def _section(name: str, found: Record, terminal: Terminal) -> str:
    dim = _KEYS if name == "key" else DIMENSIONS[name]
    groups = found.get(_SECTIONS[name]) or []
    if not groups:
        return ""
    totals = found["totals"]
    shown = groups[:_SHOWN]
    every = [*shown, *below(Found(groups, totals[COST], totals["totalRequests"]), shown, dim)[:-1]]
    return tables.table(group_columns(dim, every, terminal), every, terminal)


def one(found: Record, title: str, daily: Sequence[Record]) -> Callable[[Terminal], str]:
    """One group by day and by model."""

    def draw(terminal: Terminal) -> str:
        if not found.get(COUNT):
            return ""
        mean = money(found.get("avgCostMicrodollars"))
        head = f"{visible(plain(title))}: {terminal.styled(money(found[COST]), 'bold')} in {calls(found[COUNT])}"
        models = [{"model": row["model"], COST: row["cost"], COUNT: row["count"]} for row in found.get("models", [])]
        columns = charts.spend_columns("model", "MODEL", lambda row: row["model"], models, terminal)
        parts = (f"{head}, {mean} a call\n", _chart(daily, terminal))
        return "\n".join(part for part in (*parts, tables.table(columns, models, terminal)) if part)

    return draw
