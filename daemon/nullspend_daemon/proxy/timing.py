"""Where a call's time went: the `Server-Timing` header, the overhead header and the metrics. Milliseconds."""

import time
from dataclasses import dataclass, field

_TITLES = {
    "preflight": "Auth and limits",
    "body": "Reading the request",
    "budget": "Budget check",
    "ttfb": "Time to first byte",
}


def _now() -> float:
    return time.perf_counter() * 1000


@dataclass(slots=True)
class Timing:
    """Marks of one call. `upstream` is measured from the request's start to its end, or to now."""

    started: float = field(default_factory=_now)
    marks: dict[str, float] = field(default_factory=dict[str, float])
    _last: float = 0.0
    _upstream_start: float | None = None
    _upstream_end: float | None = None
    first_byte: float | None = None
    """From the upstream request's start to the first byte of a stream."""

    def mark(self, name: str) -> None:
        """The step `name` ended now; it began when the previous one ended."""
        now = _now()
        self.marks[name] = now - (self._last or self.started)
        self._last = now

    def upstream_begins(self) -> None:
        self._upstream_start = _now()

    def first_byte_came(self) -> None:
        if self._upstream_start is not None:
            self.first_byte = self.marks["ttfb"] = _now() - self._upstream_start

    def upstream_ends(self) -> None:
        if self._upstream_end is None:
            self._upstream_end = _now()

    @property
    def upstream(self) -> float:
        """Time spent upstream so far; 0 when nothing was sent."""
        if self._upstream_start is None:
            return 0.0
        return (self._upstream_end or _now()) - self._upstream_start

    @property
    def total(self) -> float:
        return _now() - self.started

    @property
    def overhead(self) -> float:
        """What the daemon itself took."""
        return max(0.0, self.total - self.upstream)

    def headers(self) -> dict[str, str]:
        """`x-nullspend-overhead-ms` and `Server-Timing`."""
        upstream, total = self.upstream, self.total
        overhead = max(0.0, total - upstream)
        parts = [f'{name};dur={took:.0f};desc="{_TITLES[name]}"' for name, took in self.marks.items()]
        parts += [
            f'overhead;dur={overhead:.0f};desc="NullSpend"',
            f'upstream;dur={upstream:.0f};desc="Provider"',
            f'total;dur={total:.0f};desc="Total"',
        ]
        return {"x-nullspend-overhead-ms": f"{overhead:.0f}", "Server-Timing": ",".join(parts)}
