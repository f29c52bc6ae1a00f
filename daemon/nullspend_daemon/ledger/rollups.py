"""What events add up to, by day: written with each event, taken back with each one that is corrected or deleted.

A transaction's additions are summed up first, so that a batch of a hundred similar events writes few rows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nullspend_daemon.contract.money import MAX_MICRODOLLARS
from nullspend_daemon.ledger.periods import DAY_MS
from nullspend_daemon.store.transaction import Tx

ESTIMATED_TAG = "_ns_estimated"
CUSTOMER_LABEL = "customer"
DAY_KEYS = ("org_id", "day", "estimated", "provider", "model", "api_key_id", "source", "is_tool")
DAY_SUMS = (
    "requests",
    "cost_microdollars",
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "reasoning_tokens",
    "timed_requests",
    "duration_ms",
    "input_cost",
    "output_cost",
    "cached_cost",
    "reasoning_cost",
)
LABEL_KEYS = ("org_id", "label", "value", "day", "estimated", "model", "source")
LABEL_SUMS = ("requests", "cost_microdollars")
LABEL_TOTAL_KEYS = ("org_id", "label", "day", "value", "estimated")
Key = tuple[Any, ...]


def tag_label(key: str) -> str:
    """The label under which the values of a tag are summed."""
    return f"tag:{key}"


def _upsert(table: str, keys: tuple[str, ...], sums: tuple[str, ...]) -> str:
    most = MAX_MICRODOLLARS
    added = ", ".join(f"{name} = max(-{most}, min({most}, {name} + excluded.{name}))" for name in sums)
    columns = (*keys, *sums)
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {added}"
    )


_ADD_DAY = _upsert("cost_days", DAY_KEYS, DAY_SUMS)
_ADD_LABEL = _upsert("cost_label_days", LABEL_KEYS, LABEL_SUMS)
_ADD_LABEL_TOTAL = _upsert("cost_label_totals", LABEL_TOTAL_KEYS, LABEL_SUMS)


def _drop_empty(table: str, keys: tuple[str, ...]) -> str:
    return f"DELETE FROM {table} WHERE requests <= 0 AND {' AND '.join(f'{name} = ?' for name in keys)}"


_DROP_EMPTY_DAY = _drop_empty("cost_days", DAY_KEYS)
_DROP_EMPTY_LABEL = _drop_empty("cost_label_days", LABEL_KEYS)
_DROP_EMPTY_LABEL_TOTAL = _drop_empty("cost_label_totals", LABEL_TOTAL_KEYS)
_SEE_TAG_KEY = (
    "INSERT INTO cost_tag_keys (org_id, tag_key, last_day) VALUES (?1, ?2, ?3)"
    " ON CONFLICT (org_id, tag_key) DO UPDATE SET last_day = ?3 WHERE last_day < ?3"
)
_ADD_TRACE = (
    "INSERT INTO cost_traces (org_id, trace_id, requests, cost_microdollars, first_day, last_day, estimated_requests)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6) ON CONFLICT (org_id, trace_id) DO UPDATE SET requests = requests + ?3,"
    f" cost_microdollars = max(0, min({MAX_MICRODOLLARS}, cost_microdollars + ?4)),"
    " first_day = min(first_day, ?5), last_day = max(last_day, ?5), estimated_requests = estimated_requests + ?6"
)
_DROP_EMPTY_TRACE = "DELETE FROM cost_traces WHERE org_id = ? AND trace_id = ? AND requests <= 0"


@dataclass(frozen=True, slots=True)
class Counted:
    """What the roll-ups need to know of an event. Cost in microdollars, duration in ms, the time in epoch ms."""

    org_id: str
    created_at: int
    provider: str
    model: str
    api_key_id: str | None
    source: str
    event_type: str
    cost: int
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    reasoning_tokens: int
    duration_ms: int | None
    breakdown: Mapping[str, int]
    tags: Mapping[str, str]
    customer_id: str | None
    trace_id: str | None

    @property
    def day(self) -> int:
        """The UTC day, counted from the epoch."""
        return self.created_at // DAY_MS

    @property
    def estimated(self) -> int:
        """1 when the cost is an estimate, for `excludeEstimated`."""
        return int(self.tags.get(ESTIMATED_TAG) == "true")

    def sums(self) -> tuple[int, ...]:
        """The values of one request in the order of the columns."""
        breakdown = self.breakdown
        return (
            1,
            self.cost,
            self.input_tokens,
            self.output_tokens,
            self.cached_input_tokens,
            self.reasoning_tokens,
            int(self.duration_ms is not None),
            self.duration_ms or 0,
            breakdown.get("input", 0),
            breakdown.get("output", 0),
            breakdown.get("cached", 0),
            breakdown.get("reasoning", 0),
        )

    def labels(self) -> Iterable[tuple[str, str]]:
        """Each (label, value) the event counts under."""
        for key, value in self.tags.items():
            yield tag_label(key), value
        if self.customer_id is not None:
            yield CUSTOMER_LABEL, self.customer_id


@dataclass(slots=True)
class Sums:
    """What a number of events add up to, in memory."""

    days: dict[Key, tuple[int, ...]] = field(default_factory=dict[Key, tuple[int, ...]])
    labels: dict[Key, tuple[int, ...]] = field(default_factory=dict[Key, tuple[int, ...]])
    traces: dict[Key, tuple[int, ...]] = field(default_factory=dict[Key, tuple[int, ...]])
    """(requests, cost, estimated requests) by (org, trace, day)."""

    def count(self, event: Counted, sign: int) -> None:
        """Count an event once (1) or take it back (-1)."""
        day, estimated = event.day, event.estimated
        is_tool = int(event.event_type == "tool" or event.provider == "mcp")
        key = (event.org_id, day, estimated, event.provider, event.model, event.api_key_id or "", event.source, is_tool)
        _add(self.days, key, event.sums(), sign)
        for label, value in event.labels():
            label_key = (event.org_id, label, value, day, estimated, event.model, event.source)
            _add(self.labels, label_key, (1, event.cost), sign)
        if event.trace_id is not None:
            _add(self.traces, (event.org_id, event.trace_id, day), (1, event.cost, estimated), sign)

    def label_totals(self) -> dict[Key, tuple[int, ...]]:
        """The labels' sums whatever the model and source."""
        totals: dict[Key, tuple[int, ...]] = {}
        for (org_id, label, value, day, estimated, _, _), values in self.labels.items():
            _add(totals, (org_id, label, day, value, estimated), values, 1)
        return totals


class Rollups:
    """The additions of one transaction; `store` writes them."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._sums = Sums()
        self._tag_keys: set[Key] = set()
        self._took_back = False

    def add(self, event: Counted) -> None:
        """Count an event."""
        self._sums.count(event, 1)
        self._tag_keys |= {(event.org_id, key, event.day) for key in event.tags}

    def take_back(self, event: Counted) -> None:
        """Uncount an event that was counted before, exactly as it was counted."""
        self._sums.count(event, -1)
        self._took_back = True

    def store(self) -> None:
        """Write what was counted."""
        tx, sums = self._tx, self._sums
        tx.executemany(_ADD_DAY, [(*key, *values) for key, values in sums.days.items()])
        tx.executemany(_ADD_LABEL, [(*key, *values) for key, values in sums.labels.items()])
        label_totals = sums.label_totals()
        tx.executemany(_ADD_LABEL_TOTAL, [(*key, *values) for key, values in label_totals.items()])
        tx.executemany(_SEE_TAG_KEY, self._tag_keys)
        for (org_id, trace_id, day), (requests, cost, estimated) in sums.traces.items():
            tx.execute(_ADD_TRACE, (org_id, trace_id, requests, cost, day, estimated))
        if self._took_back:
            tx.executemany(_DROP_EMPTY_DAY, list(sums.days))
            tx.executemany(_DROP_EMPTY_LABEL, list(sums.labels))
            tx.executemany(_DROP_EMPTY_LABEL_TOTAL, list(label_totals))
            tx.executemany(_DROP_EMPTY_TRACE, [key[:2] for key in sums.traces])


def _add(sums: dict[Key, tuple[int, ...]], key: Key, values: tuple[int, ...], sign: int) -> None:
    before = sums.get(key)
    signed = values if sign > 0 else tuple(-value for value in values)
    sums[key] = signed if before is None else tuple(a + b for a, b in zip(before, signed, strict=True))
