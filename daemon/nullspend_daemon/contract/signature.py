"""The signature of a webhook delivery: `t=<unix seconds>,v1=<hex>[,v1=<hex of the previous secret>]`."""

import hmac
from collections.abc import Sequence

TOLERANCE_SECONDS = 300


def _hex(secret: str, timestamp: int, body: bytes) -> str:
    return hmac.digest(secret.encode(), str(timestamp).encode() + b"." + body, "sha256").hex()


def sign(secrets: Sequence[str], timestamp: int, body: bytes) -> str:
    """The header value for `body` at `timestamp` (unix seconds), one `v1` for each secret, the newest first."""
    return ",".join([f"t={timestamp}", *(f"v1={_hex(secret, timestamp, body)}" for secret in secrets)])


def headers(secrets: Sequence[str], event_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers a delivery carries besides its User-Agent. `timestamp` in unix seconds, the newest secret first."""
    return {
        "Content-Type": "application/json",
        "X-NullSpend-Signature": sign(secrets, timestamp, body),
        "X-NullSpend-Webhook-Id": event_id,
        "X-NullSpend-Webhook-Timestamp": str(timestamp),
    }


def parse(header: str) -> tuple[int, list[str]]:
    """The timestamp and the signatures of a header value. Raises ValueError when a part is missing or malformed."""
    pairs = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    signatures = [value for name, _, value in pairs if name == "v1"]
    if len(times) != 1 or not times[0].isascii() or not times[0].isdigit():
        raise ValueError("the signature has no readable timestamp (t=...)")
    if not signatures:
        raise ValueError("the signature has no v1=... part")
    return int(times[0]), signatures


def matches(secret: str, timestamp: int, body: bytes, signatures: Sequence[str]) -> bool:
    """Whether one of `signatures` is that of `secret`, compared in constant time."""
    expected = _hex(secret, timestamp, body)
    return any([hmac.compare_digest(expected, given) for given in signatures if given.isascii()])  # noqa: C419 - no short cut
