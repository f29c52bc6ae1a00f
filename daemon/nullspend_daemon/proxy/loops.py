"""Loop detection: the same request again and again within a minute. Off unless `--loop-max-calls` is given."""

import hashlib
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from nullspend_daemon.contract.clock import Clock
from nullspend_daemon.errors import CallDenied
from nullspend_daemon.proxy.denials import DENIED

WINDOW_SECONDS = 60
RETRY_SECONDS = 5
AGGREGATE_BUCKETS = 5
_AGGREGATE_CALLS = 3
_HASHED_BYTES = 8192
_MOST_KEYS = 10_000
_MOST_CALLS = 10_000


@dataclass(slots=True)
class _Log:
    """The calls of one key in the last minute: (time, bucket, hash), and how often each bucket and hash is there."""

    calls: deque[tuple[int, str, str]] = field(default_factory=deque[tuple[int, str, str]])
    counts: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])

    def forget(self, before: int) -> None:
        while self.calls and (self.calls[0][0] <= before or len(self.calls) > _MOST_CALLS):
            _, bucket, content = self.calls.popleft()
            self.counts[bucket, content] -= 1
            if not self.counts[bucket, content]:
                del self.counts[bucket, content]


class Loops:
    """Watches every key. `most_calls` is the count at which a repeated call is denied, this one included."""

    def __init__(self, most_calls: int, clock: Clock) -> None:
        self._most = most_calls
        self._clock = clock
        self._logs: dict[str, _Log] = {}

    def check(self, key_id: str, provider: str, model: str, body: bytes) -> None:
        """Count one call. Raises CallDenied, code `loop_detected`."""
        now = self._clock.now_ms()
        log = self._log(key_id, now - 1000 * WINDOW_SECONDS)
        bucket, content = f"{provider}:{model}", hashlib.sha256(body[:_HASHED_BYTES]).hexdigest()[:8]
        log.calls.append((now, bucket, content))
        log.counts[bucket, content] += 1
        count = log.counts[bucket, content]
        if count >= self._most:
            raise _denied("per_key", model, provider, count, self._most)
        busy = {bucket for (bucket, _), count in log.counts.items() if count >= _AGGREGATE_CALLS}
        if len(busy) >= AGGREGATE_BUCKETS:
            raise _denied("aggregate", "aggregate", provider, len(busy), AGGREGATE_BUCKETS)

    def _log(self, key_id: str, before: int) -> _Log:
        log = self._logs.get(key_id)
        if log is None:
            if len(self._logs) >= _MOST_KEYS:
                self._logs = {name: log for name, log in self._logs.items() if log.calls and log.calls[-1][0] > before}
            log = self._logs[key_id] = _Log()
        log.forget(before)
        return log


def _denied(kind: str, model: str, provider: str, count: int, most: int) -> CallDenied:
    details: dict[str, Any] = {
        "type": kind,
        "model": model,
        "provider": provider,
        "callCount": count,
        "windowSeconds": WINDOW_SECONDS,
        "maxCalls": most,
    }
    what = "The same call" if kind == "per_key" else "Calls to several models"
    return CallDenied(
        "loop_detected",
        f"{what} came again and again within {WINDOW_SECONDS} s; the agent seems to loop.",
        details=details,
        beside={
            "recovery": {
                "retryable": True,
                "owner_action_required": False,
                "retry_after_seconds": RETRY_SECONDS,
                "docs": None,
            }
        },
        headers={**DENIED, "Retry-After": str(RETRY_SECONDS)},
    )
