"""Stripe's API through its own library, which comes with the extra `stripe`. Blocking: call it in a thread.

Replies are plain dicts, because the library's own objects change from one major version to the next.
"""

import re
from collections.abc import Generator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from nullspend_daemon.errors import Misconfigured, ServiceUnavailable

TIMEOUT_SECONDS = 20.0
RETRIES = 1
PAGE = 100
NO_EXTRA = "Stripe needs two more packages: pip install 'nullspend-cli[stripe]', then restart the daemon."
_KEY = re.compile(r"\b(sk|rk|pk|whsec)_\w+")

Fields = dict[str, Any]


class StripeRefused(Misconfigured):
    """Stripe answered no; the same request will be refused again."""


class StripeKeyRefused(StripeRefused):
    """Stripe does not know the key any more."""


class StripeHasNone(StripeRefused):
    """Stripe knows no such object."""


class StripeUnreachable(ServiceUnavailable):
    """Stripe could not be reached or failed; the same request may succeed later."""


def library() -> ModuleType:
    """The `stripe` package. Raises Misconfigured naming the extra it comes with."""
    try:
        import stripe
    except ImportError:
        raise Misconfigured(NO_EXTRA) from None
    return stripe


class StripeApi:
    """One account, as far as NullSpend needs it. Raises StripeRefused and StripeUnreachable."""

    def __init__(self, key: str, api_url: str | None = None) -> None:
        self._stripe: Any = library()
        self._client = self._stripe.StripeClient(
            key,
            base_addresses={} if api_url is None else {"api": api_url},
            max_network_retries=RETRIES,
            http_client=self._stripe.RequestsClient(timeout=TIMEOUT_SECONDS),
        )

    def probe(self) -> None:
        """Read one customer, to see whether the key works."""
        with self._translated():
            self._client.v1.customers.list({"limit": 1})

    def create_customer(self, email: str | None, org_id: str) -> str:
        """A customer for an organization; asked twice within a day, the same one. Returns its id."""
        fields: Fields = {"metadata": {"orgId": org_id}} | ({} if email is None else {"email": email})
        with self._translated():
            made = self._client.v1.customers.create(fields, {"idempotency_key": f"nullspend-customer-{org_id}"})
        return made.id

    def customer(self, customer_id: str) -> Fields:
        """A customer."""
        with self._translated():
            return _fields(self._client.v1.customers.retrieve(customer_id))

    def open_checkout(self, *, customer_id: str, price_id: str, metadata: dict[str, str], urls: tuple[str, str]) -> str:
        """A checkout session that buys one subscription; `urls` are for success and cancel. Returns its page's URL."""
        fields: Fields = {
            "mode": "subscription",
            "customer": customer_id,
            "line_items": [{"price": price_id, "quantity": 1}],
            "metadata": metadata,
            "subscription_data": {"metadata": metadata},
            "success_url": urls[0],
            "cancel_url": urls[1],
        }
        with self._translated():
            return self._client.v1.checkout.sessions.create(fields).url

    def checkout(self, session_id: str) -> Fields:
        """A checkout session with its subscription. Raises StripeHasNone."""
        with self._translated():
            found = self._client.v1.checkout.sessions.retrieve(session_id, {"expand": ["subscription"]})
        return _fields(found)

    def open_portal(self, customer_id: str, return_url: str) -> str:
        """A portal session. Returns its page's URL."""
        with self._translated():
            made = self._client.v1.billing_portal.sessions.create({"customer": customer_id, "return_url": return_url})
        return made.url

    def subscription(self, subscription_id: str) -> Fields:
        """A subscription."""
        with self._translated():
            return _fields(self._client.v1.subscriptions.retrieve(subscription_id))

    def cancel(self, subscription_id: str) -> None:
        """End a subscription now."""
        with self._translated():
            self._client.v1.subscriptions.cancel(subscription_id)

    def paid_invoices(self, since: int) -> list[Fields]:
        """Every paid invoice made at or after `since` (unix seconds), each with its customer."""
        query: Fields = {
            "status": "paid",
            "created": {"gte": since},
            "limit": PAGE,
            "expand": ["data.customer"],
        }
        with self._translated():
            pages = self._client.v1.invoices.list(query)
            return [_fields(invoice) for invoice in pages.auto_paging_iter()]

    @contextmanager
    def _translated(self) -> Generator[None]:
        stripe = self._stripe
        try:
            yield
        except stripe.AuthenticationError as error:
            raise StripeKeyRefused(_sentence(error)) from None
        except stripe.InvalidRequestError as error:
            kind = StripeHasNone if error.http_status == 404 else StripeRefused
            raise kind(_sentence(error)) from None
        except (stripe.PermissionError, stripe.CardError) as error:
            raise StripeRefused(_sentence(error)) from None
        except stripe.StripeError as error:
            raise StripeUnreachable(_sentence(error)) from None


def _fields(thing: Any) -> Fields:
    return thing.to_dict()


def _sentence(error: Any) -> str:
    """Stripe's own words, without anything that looks like a key."""
    words = str(error.user_message or error).strip()
    return f"Stripe: {_KEY.sub(lambda match: match[1] + '_***', words) or type(error).__name__}"
