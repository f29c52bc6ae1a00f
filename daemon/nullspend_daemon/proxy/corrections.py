"""Background replies: charged at the hold when they were accepted, corrected once when their usage is known."""

import logging

from nullspend_daemon.http.parts import Parts
from nullspend_daemon.ledger.corrections import Final, awaited_event, correct
from nullspend_daemon.pricing.cost import cost_of
from nullspend_daemon.pricing.usage import Observed, Usage
from nullspend_daemon.proxy.calls import ESTIMATED, UNPRICED
from nullspend_daemon.proxy.catalogue import Prices
from nullspend_daemon.proxy.upstreams import Upstreams
from nullspend_daemon.store.transaction import Row, Tx

log = logging.getLogger(__name__)
_ENDED = frozenset({"completed", "incomplete", "failed", "cancelled"})


class Corrector:
    """Corrects the events of background replies by what passes through."""

    def __init__(self, parts: Parts, upstreams: Upstreams, prices: Prices) -> None:
        self._store = parts.store
        self._upstreams = upstreams
        self._prices = prices

    def saw(self, org_id: str, seen: Observed) -> None:
        """A stored reply passed through. When it is final its event is corrected, behind the reply."""
        reply_id, usage = seen.response_id, seen.usage
        if reply_id is None or usage is None or seen.status not in _ENDED:
            return
        writing = self._store.write_behind(lambda tx: self._correct(tx, org_id, reply_id, seen, usage))
        writing.add_done_callback(lambda done: done.exception() and log.error("%s stays estimated", reply_id))

    def _correct(self, tx: Tx, org_id: str, reply_id: str, seen: Observed, usage: Usage) -> None:
        event = awaited_event(tx, org_id, reply_id)
        if event is not None:
            correct(tx, org_id, reply_id, self._final(event, seen, usage))

    def _final(self, event: Row, seen: Observed, usage: Usage) -> Final:
        upstream, model = self._upstreams.of_provider(event["provider"]), event["model"]
        price = self._prices.of(upstream, model)
        if price is None and seen.model:
            price = self._prices.of(upstream, seen.model)
            model = seen.model if price is not None else model
        cost = cost_of("responses", usage, price)
        unpriced = price is None and usage.any
        return Final(
            model=model,
            input_tokens=usage.input,
            output_tokens=usage.output,
            cached_input_tokens=usage.cached,
            reasoning_tokens=usage.reasoning,
            cost_microdollars=event["estimated_cost_microdollars"] if unpriced else cost.total,
            cost_breakdown=cost.breakdown,
            stop_reason=seen.stop_reason,
            explanation=cost.explanation,
            tags={UNPRICED: "true", ESTIMATED: "true"} if unpriced else {},
        )
