"""The price of a call: what its upstream is priced as, or nothing at all on a free one."""

from nullspend_daemon.pricing.catalogue import Catalogue
from nullspend_daemon.pricing.rates import FREE, Price
from nullspend_daemon.proxy.upstreams import Upstream


class Prices:
    """Prices by upstream and model."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def of(self, upstream: Upstream, model: str) -> Price | None:
        """The price of a model there, or None when nobody knows it."""
        return FREE if upstream.free else self._catalogue.price(upstream.price_as, model)
