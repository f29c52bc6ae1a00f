"""What this run knows of Stripe: keys and prices from the environment. Without a secret key the simulator answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from nullspend_daemon.settings import LOOPBACK_HOSTS, Settings

PRICE_VARIABLES = {"STRIPE_PRICE_PRO": "pro", "STRIPE_PRICE_ENTERPRISE": "enterprise"}
SIMULATED_PRICES = {"STRIPE_PRICE_PRO": "price_pro", "STRIPE_PRICE_ENTERPRISE": "price_enterprise"}


@dataclass(frozen=True, slots=True)
class StripeConfig:
    """Stripe's side of the settings."""

    secret_key: str | None = field(repr=False)
    webhook_secret: str | None = field(repr=False)
    prices: Mapping[str, str]
    """Tier by price id."""
    api_url: str | None
    """A stand-in for Stripe's API on this machine; None is Stripe itself."""

    @property
    def simulated(self) -> bool:
        """Whether the built-in simulator takes Stripe's place."""
        return self.secret_key is None

    def tier_of(self, price_id: str | None) -> str | None:
        """What a price buys; None for one that is not for sale here."""
        return None if price_id is None else self.prices.get(price_id)


def stripe_config(settings: Settings) -> StripeConfig:
    """The configuration of this run."""
    environment = settings.environment
    secret_key = environment.get("STRIPE_SECRET_KEY") or None
    defaults = SIMULATED_PRICES if secret_key is None else {}
    named = {name: environment.get(name) or defaults.get(name) for name in PRICE_VARIABLES}
    return StripeConfig(
        secret_key=secret_key,
        webhook_secret=environment.get("STRIPE_WEBHOOK_SECRET") or None,
        prices={price: PRICE_VARIABLES[name] for name, price in named.items() if price is not None},
        api_url=_stand_in(settings),
    )


def _stand_in(settings: Settings) -> str | None:
    """NULLSPEND_STRIPE_URL, for tests: on this machine only, so that no key ever travels to another host."""
    url = settings.environment.get("NULLSPEND_STRIPE_URL")
    if not url or settings.hosted:
        return None
    return url.rstrip("/") if urlsplit(url).hostname in LOOPBACK_HOSTS else None
