"""Sending a call where it goes: to a server over HTTP, or to the fake provider inside this process."""

import tomllib
from typing import Any

from aiohttp import web

from nullspend_daemon.errors import StartupError
from nullspend_daemon.proxy.exchange import Client, Exchange
from nullspend_daemon.proxy.fake_exchange import ask_fake
from nullspend_daemon.proxy.forwarding import to_provider
from nullspend_daemon.proxy.targets import Target
from nullspend_daemon.proxy.upstreams import Upstream, Upstreams, parse_config, parse_flag
from nullspend_daemon.settings import Settings


def configured(settings: Settings) -> Upstreams:
    """The upstreams of config.toml and of `--upstream`, which wins. Raises StartupError with a sentence."""
    from_config = parse_config(_config(settings))
    return Upstreams([*from_config, *(parse_flag(text) for text in settings.upstreams)])


def _config(settings: Settings) -> dict[str, Any]:
    path = settings.config_dir / "config.toml"
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise StartupError(f"{path} cannot be read: {error}.") from error


class Sender:
    """Calls upstreams."""

    def __init__(self, settings: Settings, upstreams: Upstreams) -> None:
        self.upstreams = upstreams
        self._hosted = settings.hosted
        self._client = Client(settings)

    async def send(self, request: web.Request, target: Target, upstream: Upstream, body: bytes | None) -> Exchange:
        """The provider's reply, once its head has come. Raises UpstreamFailed."""
        if upstream.base is None:
            return await ask_fake(target, body)
        headers = to_provider(target.provider, request.headers, hosted=self._hosted, has_body=body is not None)
        query = request.rel_url.raw_query_string
        url = f"{upstream.base}{target.path}" + (f"?{query}" if query else "")
        return await self._client.send(request.method, url, headers, body)

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()
