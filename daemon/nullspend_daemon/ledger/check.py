"""Do the derived figures agree with the events? Everything is added up anew, compared, and on request set right."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json

from nullspend_daemon.contract.money import MAX_MICRODOLLARS
from nullspend_daemon.ledger.events import counted_row
from nullspend_daemon.ledger.rollups import DAY_KEYS, DAY_SUMS, LABEL_KEYS, LABEL_SUMS, LABEL_TOTAL_KEYS, Key, Sums
from nullspend_daemon.store.transaction import Row, Tx

_MOST_REPORTED = 100
_TRACE_KEYS = ("org_id", "trace_id")
_TRACE_SUMS = ("requests", "cost_microdollars", "estimated_requests")
_SESSION_KEYS = ("org_id", "session_id")
_SESSION_SUMS = ("event_count", "cost_microdollars", "first_event_at", "last_event_at")
_BUDGETS = "SELECT id, entity_type, entity_id, spend_microdollars, carried_microdollars, period_number FROM budgets"
Table = dict[Key, tuple[int, ...]]


@dataclass(slots=True)
class _Expected:
    """What the events say the derived tables must hold."""

    sums: Sums = field(default_factory=Sums)
    sessions: Table = field(default_factory=dict[Key, tuple[int, ...]])
    trace_days: dict[Key, tuple[int, int]] = field(default_factory=dict[Key, tuple[int, int]])
    charged: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    """What was charged to each budget in each of its periods."""

    def spend(self, budget: Row) -> int:
        """What a budget has spent in its current period, with what retention deleted of it."""
        events = self.charged[budget["id"], budget["period_number"]]
        return min(MAX_MICRODOLLARS, budget["carried_microdollars"] + events)

    def traces(self) -> Table:
        whole: Table = {}
        for (org_id, trace_id, day), values in self.sums.traces.items():
            key = (org_id, trace_id)
            before = whole.get(key, (0, 0, 0))
            whole[key] = tuple(a + b for a, b in zip(before, values, strict=True))
            first, last = self.trace_days.get(key, (day, day))
            self.trace_days[key] = (min(first, day), max(last, day))
        return whole


def find_differences(tx: Tx) -> list[str]:
    """One sentence a difference between a derived figure and the events behind it, at most a hundred."""
    problems = [f"database: {row[0]}" for row in tx.all("PRAGMA integrity_check(10)") if row[0] != "ok"]
    problems += [f"database: a row of {row[0]} refers to nothing" for row in tx.all("PRAGMA foreign_key_check")]
    expected = _add_up(tx)
    problems += _compare_budgets(tx, expected)
    for name, keys, sums, wanted in _tables(expected):
        problems += _compare(tx, name, keys, sums, wanted)
    return problems[:_MOST_REPORTED]


def repair(tx: Tx) -> None:
    """Write every derived figure anew from the events."""
    expected = _add_up(tx)
    spends = [(expected.spend(budget), budget["id"]) for budget in tx.all(_BUDGETS)]
    tx.executemany("UPDATE budgets SET spend_microdollars = ? WHERE id = ?", spends)
    for name, keys, sums, wanted in _tables(expected):
        if name == "cost_traces":
            continue
        tx.execute(f"DELETE FROM {name}")
        columns = (*keys, *sums)
        tx.executemany(
            f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
            [(*key, *_clamped(values)) for key, values in wanted.items()],
        )
    tx.execute("DELETE FROM cost_traces")
    tx.executemany(
        "INSERT INTO cost_traces (org_id, trace_id, requests, cost_microdollars, estimated_requests, first_day,"
        " last_day) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(*key, *_clamped(values), *expected.trace_days[key]) for key, values in expected.traces().items()],
    )


def _add_up(tx: Tx) -> _Expected:
    expected = _Expected()
    for row in tx.execute("SELECT * FROM cost_events"):
        expected.sums.count(counted_row(row), 1)
        charged: dict[str, int] = from_json(row["charged"] or "{}")
        for period in charged.items():
            expected.charged[period] += row["cost_microdollars"]
        if row["session_id"] is not None:
            key = (row["org_id"], row["session_id"])
            at = row["created_at"]
            count, cost, first, last = expected.sessions.get(key, (0, 0, at, at))
            cost = min(MAX_MICRODOLLARS, cost + row["cost_microdollars"])
            expected.sessions[key] = (count + 1, cost, min(first, at), max(last, at))
    return expected


def _compare_budgets(tx: Tx, expected: _Expected) -> list[str]:
    return [
        f"budget of {budget['entity_type']} {budget['entity_id']}: {budget['spend_microdollars']} is stored as spent,"
        f" the events say {expected.spend(budget)}"
        for budget in tx.execute(_BUDGETS)
        if budget["spend_microdollars"] != expected.spend(budget)
    ]


def _tables(expected: _Expected) -> Iterable[tuple[str, tuple[str, ...], tuple[str, ...], Table]]:
    return (
        ("cost_days", DAY_KEYS, DAY_SUMS, expected.sums.days),
        ("cost_label_days", LABEL_KEYS, LABEL_SUMS, expected.sums.labels),
        ("cost_label_totals", LABEL_TOTAL_KEYS, LABEL_SUMS, expected.sums.label_totals()),
        ("cost_traces", _TRACE_KEYS, _TRACE_SUMS, expected.traces()),
        ("cost_sessions", _SESSION_KEYS, _SESSION_SUMS, expected.sessions),
    )


def _compare(tx: Tx, name: str, keys: tuple[str, ...], sums: tuple[str, ...], wanted: Table) -> list[str]:
    left = dict(wanted)
    problems: list[str] = []
    for row in tx.execute(f"SELECT {', '.join((*keys, *sums))} FROM {name}"):
        key: Key = tuple(row)[: len(keys)]
        stored = tuple(row)[len(keys) :]
        right = left.pop(key, None)
        if right is None:
            problems.append(f"{name} {_shown(key)}: {_shown(stored)} is stored, no event says so")
        elif _clamped(right) != stored:
            problems.append(
                f"{name} {_shown(key)}: {_shown(stored)} is stored, the events say {_shown(_clamped(right))}"
            )
        if len(problems) >= _MOST_REPORTED:
            return problems
    return problems + [
        f"{name} {_shown(key)}: missing, the events say {_shown(values)}" for key, values in left.items()
    ]


def _clamped(values: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(max(-MAX_MICRODOLLARS, min(MAX_MICRODOLLARS, value)) for value in values)


def _shown(values: Iterable[Any]) -> str:
    return "/".join(str(value) for value in values)
