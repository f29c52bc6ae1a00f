"""Where a call goes: the two providers, the five known compatible ones, what the user added, and the built-in fake."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from nullspend_daemon.errors import InvalidUpstream, StartupError
from nullspend_daemon.proxy.targets import Target

FAKE = "fake"
FAKE_MODELS = "fake/"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Upstream:
    """One place that answers calls. `base` is None for the built-in fake provider."""

    name: str
    base: str | None
    provider: str
    """What its events carry."""
    price_as: str
    """The provider of the catalogue whose prices count."""
    free: bool = False


OPENAI = Upstream("openai", "https://api.openai.com", "openai", "openai")
ANTHROPIC = Upstream("anthropic", "https://api.anthropic.com", "anthropic", "anthropic")
_KNOWN = (
    Upstream("groq", "https://api.groq.com/openai", "openai", "groq"),
    Upstream("together", "https://api.together.xyz", "openai", "together"),
    Upstream("fireworks", "https://api.fireworks.ai/inference", "openai", "fireworks"),
    Upstream("mistral", "https://api.mistral.ai", "openai", "mistral"),
    Upstream("openrouter", "https://openrouter.ai/api", "openai", "openrouter"),
)


def parse_flag(text: str) -> Upstream:
    """`NAME=URL[,free]`, or `fake`. Raises StartupError with a sentence."""
    if text == FAKE:
        return Upstream(FAKE, None, FAKE, FAKE)
    name, equals, rest = text.partition("=")
    url, comma, option = rest.partition(",")
    if not equals or (comma and option != "free"):
        raise StartupError(f"--upstream {text!r} is not NAME=URL[,free] and not {FAKE}.")
    return named(name, url, free=bool(comma))


def parse_config(content: Mapping[str, Any]) -> list[Upstream]:
    """The `[upstreams.NAME]` tables of config.toml. Raises StartupError with a sentence."""
    tables = content.get("upstreams", {})
    if not isinstance(tables, dict):
        raise StartupError("config.toml: upstreams must be tables, [upstreams.NAME] with a url.")
    return [_from_table(name, table) for name, table in tables.items()]


def _from_table(name: str, table: Any) -> Upstream:
    if not isinstance(table, dict):
        raise StartupError(f"config.toml: upstreams.{name} must be a table with a url.")
    url, free, price_as = table.get("url"), table.get("free", False), table.get("price_as")
    if not isinstance(url, str) or not isinstance(free, bool) or not isinstance(price_as, str | None):
        raise StartupError(f"config.toml: [upstreams.{name}] takes url and price_as as text and free as true or false.")
    return named(name, url, free=free, price_as=price_as)


def named(name: str, url: str, *, free: bool = False, price_as: str | None = None) -> Upstream:
    """An upstream as a user names it. `openai` and `anthropic` replace that route's own. Raises StartupError."""
    name = name.strip()
    if _NAME.fullmatch(name) is None or name.lower() == FAKE:
        raise StartupError(f"An upstream cannot be called {name!r}: letters, digits, '.', '_', '-', and not {FAKE}.")
    prices = price_as or (name.lower() if name.lower() in ("openai", "anthropic") else name)
    return Upstream(name, _base(name, url), name, prices, free)


def _base(name: str, url: str) -> str:
    """The URL without a trailing `/` or `/v1`, since every path begins with that."""
    url = url.strip()
    if not _is_base(url):
        raise StartupError(f"The upstream {name} needs an http or https URL without user, query and fragment: {url!r}.")
    return url.rstrip("/").removesuffix("/v1").rstrip("/")


def _is_base(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port  # raises for one that is none
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return False
    return not (parts.username or parts.password or parts.query or parts.fragment)


class Upstreams:
    """What this daemon may call. A later upstream of the same name replaces an earlier one."""

    def __init__(self, added: Iterable[Upstream]) -> None:
        self._defaults = {"openai": OPENAI, "anthropic": ANTHROPIC}
        self._fake = {name: replace(route, name=FAKE, base=None) for name, route in self._defaults.items()}
        self._named = {upstream.name: upstream for upstream in (OPENAI, *_KNOWN)}
        for upstream in added:
            self._add(upstream)
        self._by_url = {(upstream.base or "").lower(): upstream for upstream in self._named.values()}

    def _add(self, upstream: Upstream) -> None:
        name = upstream.name.lower()
        if name == FAKE:
            self._defaults = dict(self._fake)
        elif name in self._defaults:
            own = self._defaults[name]
            self._defaults[name] = replace(upstream, name=own.provider, provider=own.provider)
        else:
            self._named[name] = upstream
        self._named["openai"] = self._defaults["openai"]

    def default(self, target: Target) -> Upstream:
        """Where calls of a route go when nothing else is asked for."""
        return self._defaults[target.provider]

    def of_provider(self, provider: str) -> Upstream:
        """The upstream behind the provider of an event; the OpenAI route's own when that one is gone."""
        return next((each for each in self._named.values() if each.provider == provider), self._defaults["openai"])

    def choose(self, target: Target, wanted: str | None, model: str) -> Upstream:
        """The upstream of a call. `wanted` is `X-NullSpend-Upstream`, which counts on OpenAI routes only.

        Raises InvalidUpstream for a name or URL that is not allowed here.
        """
        if model.startswith(FAKE_MODELS):
            return self._fake[target.provider]
        wanted = (wanted or "").strip().rstrip("/").lower()
        if not wanted or target.provider != "openai":
            return self._defaults[target.provider]
        if wanted == FAKE:
            return self._fake[target.provider]
        found = self._named.get(wanted) or self._by_url.get(wanted.removesuffix("/v1"))
        if found is None:
            names = ", ".join(sorted((*self._named, FAKE)))
            raise InvalidUpstream(f"X-NullSpend-Upstream names no upstream of this daemon; there are {names}.")
        return found
