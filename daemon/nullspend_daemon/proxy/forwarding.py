"""Which headers travel: of the client's to the provider, and of the provider's back. Everything else stays here."""

from collections.abc import Iterable, Mapping

from multidict import CIMultiDict

from nullspend_daemon.proxy.exchange import Exchange
from nullspend_daemon.proxy.targets import Provider

ANTHROPIC_VERSION = "2023-06-01"
DECODABLE = ("gzip", "deflate", "identity")
"""The encodings the daemon can decode for its own reader."""
_EXACT = frozenset({"authorization", "x-api-key", "user-agent", "accept", "traceparent", "tracestate", "content-type"})
_PREFIXES = ("openai-", "anthropic-", "x-stainless-")
_HOSTED_OPENAI = ("authorization", "openai-organization", "openai-project", "traceparent", "tracestate")
_HOSTED_ANTHROPIC = ("anthropic-beta", "traceparent", "tracestate")
_BACK = frozenset({"content-type", "retry-after", "content-encoding", "x-should-retry"})
_BACK_PREFIX: dict[Provider, str] = {"openai": "x-ratelimit-", "anthropic": "anthropic-ratelimit-"}
_LEFT: dict[Provider, tuple[str, str]] = {
    "openai": ("x-ratelimit-remaining-requests", "x-ratelimit-remaining-tokens"),
    "anthropic": ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-tokens-remaining"),
}
_LEFT_TAGS = ("_ns_ratelimit_remaining_requests", "_ns_ratelimit_remaining_tokens")
_MOST_TAG_VALUE = 256
ID_HEADER: dict[Provider, str] = {"openai": "x-request-id", "anthropic": "request-id"}


def to_provider(provider: Provider, headers: Mapping[str, str], *, hosted: bool, has_body: bool) -> CIMultiDict[str]:
    """The headers a provider gets. Cookies, `x-nullspend-*` and `nullspend-version` never leave this machine."""
    sent = _hosted(provider, headers) if hosted else _as_they_came(headers)
    if provider == "anthropic" and "anthropic-version" not in sent:
        sent["anthropic-version"] = headers.get("anthropic-version", ANTHROPIC_VERSION)
    if has_body and (hosted or "content-type" not in sent):
        sent["content-type"] = "application/json"
    sent["accept-encoding"] = accepted_encodings(headers.get("accept-encoding", ""))
    return sent


def _as_they_came(headers: Mapping[str, str]) -> CIMultiDict[str]:
    sent: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        lower = name.lower()
        if lower in _EXACT or lower.startswith(_PREFIXES):
            sent.add(lower, value)
    return sent


def _hosted(provider: Provider, headers: Mapping[str, str]) -> CIMultiDict[str]:
    """As the hosted service does: an Anthropic key travels as `x-api-key`, however it came."""
    names = _HOSTED_OPENAI if provider == "openai" else _HOSTED_ANTHROPIC
    sent = CIMultiDict({name: headers[name] for name in names if name in headers})
    if provider == "anthropic":
        scheme, _, token = headers.get("authorization", "").partition(" ")
        key = token.strip() if scheme.lower() == "bearer" and token.strip() else headers.get("x-api-key")
        if key:
            sent["x-api-key"] = key
    return sent


def accepted_encodings(header: str) -> str:
    """The client's `accept-encoding` less what cannot be decoded here; `identity` when nothing is left."""
    kept = [part.strip() for part in header.split(",") if part.partition(";")[0].strip().lower() in DECODABLE]
    return ", ".join(kept) or "identity"


def to_client(provider: Provider, headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """What a client gets of a provider's headers, names in lower case; the provider's request id comes separately."""
    prefix = _BACK_PREFIX[provider]
    passed: dict[str, str] = {}
    for name, value in headers:
        lower = name.lower()
        if lower in _BACK or lower.startswith(prefix):
            passed[lower] = value
    return passed


def id_headers(provider: Provider, upstream_id: str) -> dict[str, str]:
    """The request id under the names the client knows it by."""
    ids = {"x-request-id": upstream_id}
    return ids if provider == "openai" else {**ids, "request-id": upstream_id}


def limit_tags(provider: Provider, exchange: Exchange) -> dict[str, str]:
    """What is left of the provider's own rate limits, as tags of the event."""
    found = zip(_LEFT_TAGS, (exchange.header(name) for name in _LEFT[provider]), strict=True)
    return {tag: value[:_MOST_TAG_VALUE] for tag, value in found if value}
