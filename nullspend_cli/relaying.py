"""`webhooks listen`: every event as it happens, handed on to a program on this machine, signed as the server signs."""

import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from nullspend_cli import live
from nullspend_cli.live import Change, News
from nullspend_cli.places import Place
from nullspend_cli.problems import Usage
from nullspend_cli.replies import Record
from nullspend_cli.run import Run
from nullspend_daemon.contract import signature

_SECONDS = 5.0
_AGENT = "NullSpend-Webhooks/1.0"


def secret_of(place: Place) -> str:
    """The secret `listen` signs with: the same at each start for one server, so that a receiver is set up once.

    Derived from the daemon's own API key, which never shows through. Raises Problem for a server that is no local
    daemon.
    """
    key = place.daemon.api_key if place.daemon else place.admin_token
    return f"whsec_{hmac.new(key.encode(), b'nullspend webhooks listen', hashlib.sha256).hexdigest()}"


class Target(NamedTuple):
    """Where events are handed on to."""

    scheme: str
    host: str
    port: int | None
    path: str
    secret: str

    @classmethod
    def of(cls, url: str, secret: str) -> "Target":
        """From a URL; a bare port or host:port is one on this machine. Raises Usage."""
        if url.isdigit():
            url = f"localhost:{url}"
        parts = urlsplit(url if "://" in url else f"http://{url}")
        try:
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            return cls(parts.scheme, parts.hostname, parts.port, path, secret)
        except ValueError:
            raise Usage(f"{url!r} is no address to forward to; write http://localhost:3000/hooks.") from None

    def send(self, change: Change) -> Record:
        """Hand an event on. The receiver's `status`, or null and the `error`: a failure is shown, not tried again."""
        body = change.text.encode()
        signed = signature.headers([self.secret], str(change.envelope.get("id", "")), int(time.time()), body)
        open_ = HTTPSConnection if self.scheme == "https" else HTTPConnection
        connection = open_(self.host, self.port, timeout=_SECONDS)
        try:
            connection.request("POST", self.path, body, {"User-Agent": _AGENT, **signed})
            return {"status": connection.getresponse().status, "error": None}
        except (OSError, HTTPException) as error:
            return {"status": None, "error": str(error) or type(error).__name__}
        finally:
            connection.close()


def events(run: Run, params: Mapping[str, str | None], types: Sequence[str], target: Target | None) -> Iterator[Record]:
    """Every event from now on, or from where `params` says, as its envelope; with what the target said to it."""
    followed = live.follow(run.connect, _changes, types=types, params=params, say=run.out.note)
    first = next(followed)
    run.out.note("Listening." + (" The signing secret: nullspend webhooks listen --print-secret" if target else ""))
    for changes in itertools.chain([first], followed):
        for change in changes:
            yield {**change.envelope, **({} if target is None else {"forwarded": target.send(change)})}


def _changes(news: News) -> list[Change]:
    return news.changes


def about(envelope: Record) -> str:
    """One line of what an event says: the values that tell one from another."""
    data = envelope.get("data")
    found: Any = data.get("object") if isinstance(data, dict) else None
    if not isinstance(found, dict):
        return ""
    return " ".join(str(found[name]) for name in _TELLING if found.get(name) not in (None, ""))


def overrides(pairs: Sequence[str]) -> Record:
    """The content of repeated `--set K=V`: V is JSON where it can be read so, K may name a value inside: a.b=1.

    Raises Usage for one without `=`.
    """
    content: Record = {}
    for pair in pairs:
        path, equals, text = pair.partition("=")
        if not (path and equals):
            raise Usage(f"{pair!r} sets nothing; write key=value.")
        *outer, last = path.split(".")
        inside = content
        for name in outer:
            inside = inside.setdefault(name, {})
            if not isinstance(inside, dict):
                raise Usage(f"{pair!r} does not fit what was set before it.")
        inside[last] = _value(text)
    return content


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


_TELLING = (
    "message",
    "action_type",
    "agent_id",
    "status",
    "reason",
    "budget_entity_type",
    "budget_entity_id",
    "threshold_percent",
    "provider",
    "model",
    "request_id",
    "period",
)
