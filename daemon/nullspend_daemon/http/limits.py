"""Sliding windows of 60 seconds over requests, counted in slices of 100 ms so that a busy key costs little memory."""

from collections import deque
from dataclasses import dataclass, field

from nullspend_daemon.contract.clock import Clock

WINDOW_MS = 60_000
_SLICE_MS = 100
_SLICES = WINDOW_MS // _SLICE_MS
_MOST_NAMES = 10_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the limiter says of one request. `reset_ms` is the epoch ms at which the oldest counted request leaves."""

    allowed: bool
    limit: int
    remaining: int
    reset_ms: int
    retry_after_seconds: int

    def headers(self) -> dict[str, str]:
        """The three X-RateLimit headers, and Retry-After when refused."""
        headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset_ms),
        }
        if not self.allowed:
            headers["Retry-After"] = str(self.retry_after_seconds)
        return headers


@dataclass(slots=True)
class _Window:
    slices: deque[list[int]] = field(default_factory=deque[list[int]])
    total: int = 0


class Limiter:
    """At most `limit` requests in any 60 s for each name."""

    def __init__(self, limit: int, clock: Clock) -> None:
        self._limit = limit
        self._clock = clock
        self._windows: dict[str, _Window] = {}

    def count(self, name: str) -> Verdict:
        """Count one request of `name`; a refused one does not count."""
        now_ms = self._clock.now_ms()
        current = now_ms // _SLICE_MS
        window = self._window(name, current)
        allowed = window.total < self._limit
        if allowed:
            if window.slices and window.slices[-1][0] == current:
                window.slices[-1][1] += 1
            else:
                window.slices.append([current, 1])
            window.total += 1
        oldest = window.slices[0][0] if window.slices else current
        reset_ms = (oldest + _SLICES) * _SLICE_MS
        retry = max(1, -((now_ms - reset_ms) // 1000))
        return Verdict(allowed, self._limit, self._limit - window.total, reset_ms, retry)

    def _window(self, name: str, current: int) -> _Window:
        window = self._windows.get(name)
        if window is None:
            if len(self._windows) >= _MOST_NAMES:
                self._forget_idle(current)
            window = self._windows[name] = _Window()
        while window.slices and window.slices[0][0] <= current - _SLICES:
            window.total -= window.slices.popleft()[1]
        return window

    def _forget_idle(self, current: int) -> None:
        busy = {n: w for n, w in self._windows.items() if w.slices and w.slices[-1][0] > current - _SLICES}
        self._windows = busy
