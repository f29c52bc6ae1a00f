"""One webhook message: the body an endpoint gets, and the headers that sign it."""

from dataclasses import dataclass

from nullspend_daemon.contract import envelope, signature
from nullspend_daemon.contract.envelope import Event
from nullspend_daemon.store.transaction import Row

BOTH_SECRETS_MS = 24 * 3_600_000
"""How long the previous secret signs as well after a rotation."""
USER_AGENT = "NullSpend-Webhooks/1.0"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A receiver as a message needs it."""

    url: str
    api_version: str
    is_thin: bool
    secret: str
    previous_secret: str | None
    rotated_at: int | None

    def secrets(self, now_ms: int) -> list[str]:
        """The secrets that sign at a moment, the newest first."""
        if self.previous_secret is None or self.rotated_at is None or now_ms >= self.rotated_at + BOTH_SECRETS_MS:
            return [self.secret]
        return [self.secret, self.previous_secret]


def endpoint_of(row: Row) -> Endpoint:
    """The endpoint of a row of webhook_endpoints."""
    return Endpoint(
        url=row["url"],
        api_version=row["api_version"],
        is_thin=row["payload_mode"] == "thin",
        secret=row["secret"],
        previous_secret=row["previous_secret"],
        rotated_at=row["rotated_at"],
    )


def message(endpoint: Endpoint, event: Event, now_ms: int) -> tuple[bytes, dict[str, str]]:
    """Body and headers of an event for an endpoint, signed for the moment `now_ms` (epoch ms)."""
    write = envelope.thin if endpoint.is_thin and event.type == envelope.THIN_TYPE else envelope.full
    body = write(event, endpoint.api_version).encode()
    signed = signature.headers(endpoint.secrets(now_ms), event.id, now_ms // 1000, body)
    return body, {"User-Agent": USER_AGENT, **signed}
