"""Which requests the proxy serves, and what each of them is: everything else is not found, so nothing spends unseen."""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from nullspend_daemon.pricing.shapes import Shape

Provider = Literal["openai", "anthropic"]
_PRICED: dict[str, tuple[Provider, Shape]] = {
    "/v1/chat/completions": ("openai", "chat"),
    "/v1/completions": ("openai", "completions"),
    "/v1/embeddings": ("openai", "embeddings"),
    "/v1/responses": ("openai", "responses"),
    "/v1/messages": ("anthropic", "messages"),
}
_KEYED = re.compile(r"/k/([^/]+)(/v1/.+)")
_STORED_REPLY = re.compile(r"/v1/responses/[^/]+")
_CANCEL = re.compile(r"/v1/responses/[^/]+/cancel")
_MODELS = re.compile(r"/v1/models(/[^/]+)*")


@dataclass(frozen=True, slots=True)
class Target:
    """One endpoint of a provider. `shape` is None for what is never charged; `path` is what the provider gets."""

    provider: Provider
    path: str
    shape: Shape | None = None
    stored_reply: bool = False
    """The reply may be the final one of a background call, whose estimated event it corrects."""


def split_key(path: str) -> tuple[str | None, str]:
    """The key of a `/k/<key>/v1/...` path, if it is one, and the path without it."""
    found = _KEYED.fullmatch(path)
    return (None, path) if found is None else (found[1], found[2])


def find_target(method: str, path: str, *, for_anthropic: bool) -> Target | None:
    """The endpoint of a raw path, or None. `for_anthropic`: the request carries `anthropic-version`."""
    if method == "POST":
        return _posted(path)
    if method != "GET" or _climbs(path):
        return None
    if _STORED_REPLY.fullmatch(path):
        return Target("openai", path, stored_reply=True)
    if _MODELS.fullmatch(path):
        return Target("anthropic" if for_anthropic else "openai", path)
    return None


def _posted(path: str) -> Target | None:
    priced = _PRICED.get(path)
    if priced is not None:
        provider, shape = priced
        return Target(provider, path, shape)
    if path == "/v1/messages/count_tokens":
        return Target("anthropic", path)
    if _CANCEL.fullmatch(path) and not _climbs(path):
        return Target("openai", path, stored_reply=True)
    return None


def _climbs(path: str) -> bool:
    """Whether a segment leads elsewhere once it is decoded: the provider must get the path that was meant."""
    segments = unquote(path).replace("\\", "/").split("/")[1:]
    return any(segment in ("", ".", "..") for segment in segments)
