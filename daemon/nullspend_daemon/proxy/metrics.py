"""How long calls took in the last five minutes: `GET /health/metrics`, as JSON or for Prometheus."""

import re
from collections import Counter, deque
from collections.abc import Sequence
from typing import NamedTuple

from nullspend_daemon.contract.clock import Clock, to_iso

WINDOW_SECONDS = 300
MOST_SAMPLES = 20_000
"""Newer samples push out older ones, so that a busy daemon's memory stays flat."""
MOST_LABELS = 200
OTHER = "other"
NAME = re.compile(r"[a-zA-Z0-9._-]+")
QUANTILES = (("0.5", 50), ("0.95", 95), ("0.99", 99))
_KINDS = ("overhead", "upstream", "total", "ttfb")
_PROMETHEUS = (
    ("nullspend_proxy_overhead_ms", "Time the proxy itself took, in milliseconds.", "overhead"),
    ("nullspend_upstream_latency_ms", "Time the provider took, in milliseconds.", "upstream"),
    ("nullspend_total_latency_ms", "Time from request to the end of the reply, in milliseconds.", "total"),
    ("nullspend_ttfb_ms", "Time to the first byte of a stream, in milliseconds.", "ttfb"),
)


class Sample(NamedTuple):
    """One call. Times in whole milliseconds; `ttfb` is 0 for what is no stream."""

    at_ms: int
    provider: str
    model: str
    mode: str
    status: int
    user_id: str
    overhead: int
    upstream: int
    total: int
    ttfb: int


class Metrics:
    """The samples of the last five minutes. Names from requests are capped, whatever they are asked for later."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._samples: deque[Sample] = deque(maxlen=MOST_SAMPLES)
        self._counts: deque[tuple[int, Counter[tuple[str, str]]]] = deque()
        self._names: set[str] = set()

    def record(self, sample: Sample) -> None:
        """Keep one sample; every call counts, also when a newer one pushes its times out."""
        known = sample._replace(provider=self._known(sample.provider), model=self._known(sample.model))
        self._samples.append(known)
        second = sample.at_ms // 1000
        if not self._counts or self._counts[-1][0] != second:
            self._counts.append((second, Counter()))
        self._counts[-1][1][known.provider, known.model] += 1

    def report(self, provider: str | None, model: str | None) -> dict[str, object]:
        """The JSON answer, for all calls or those of a provider and a model."""
        samples = self._recent(provider, model)
        report: dict[str, object] = {}
        for kind in _KINDS:
            values = _sorted(samples, kind)
            report[f"{kind}_ms"] = {f"p{percent}": _percentile(values, percent) for _, percent in QUANTILES}
        return {
            **report,
            "request_count": self._count(provider, model),
            "window_seconds": WINDOW_SECONDS,
            "measured_at": to_iso(self._clock.now_ms()),
        }

    def prometheus(self, provider: str | None, model: str | None) -> str:
        """The same in Prometheus' text format 0.0.4."""
        samples = self._recent(provider, model)
        count = self._count(provider, model)
        return "".join(
            _summary(name, told, values, len(values) if kind == "ttfb" else count)
            for name, told, kind in _PROMETHEUS
            for values in (_sorted(samples, kind),)
        )

    def _count(self, provider: str | None, model: str | None) -> int:
        oldest = self._clock.now_ms() // 1000 - WINDOW_SECONDS
        while self._counts and self._counts[0][0] < oldest:
            self._counts.popleft()
        return sum(
            count
            for _, counts in self._counts
            for (of_provider, of_model), count in counts.items()
            if provider in (None, of_provider) and model in (None, of_model)
        )

    def _recent(self, provider: str | None, model: str | None) -> list[Sample]:
        oldest = self._clock.now_ms() - 1000 * WINDOW_SECONDS
        while self._samples and self._samples[0].at_ms < oldest:
            self._samples.popleft()
        return [
            sample
            for sample in self._samples
            if (provider is None or sample.provider == provider) and (model is None or sample.model == model)
        ]

    def _known(self, name: str) -> str:
        if name not in self._names:
            if len(self._names) >= MOST_LABELS:
                return OTHER
            self._names.add(name)
        return name


def _sorted(samples: Sequence[Sample], kind: str) -> list[int]:
    """The values of one kind; a reply that is no stream has no time to first byte to count."""
    values = [getattr(sample, kind) for sample in samples if kind != "ttfb" or sample.mode == "stream"]
    return sorted(values)


def _percentile(values: Sequence[int], percent: int) -> int:
    """Nearest rank; 0 of nothing."""
    return values[max(0, -(-len(values) * percent // 100) - 1)] if values else 0


def _summary(name: str, told: str, values: Sequence[int], count: int) -> str:
    lines = [f"# HELP {name} {told}", f"# TYPE {name} summary"]
    lines += [f'{name}{{quantile="{quantile}"}} {_percentile(values, percent)}' for quantile, percent in QUANTILES]
    return "\n".join([*lines, f"{name}_count {count}", "", ""])
