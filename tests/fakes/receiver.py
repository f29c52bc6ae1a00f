"""A webhook receiver over real HTTP that behaves as it is told: answers, fails, hangs, redirects, closes."""

import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.fakes.serving import serving

OK = 200
HANG = "hang"
"""Take the message and say nothing until the receiver ends."""
CLOSE = "close"
"""Take the message and close the connection without a word."""


@dataclass(frozen=True)
class Received:
    """One message as it arrived; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        """The event's id, as the header says it."""
        return self.headers["x-nullspend-webhook-id"]

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def timestamp(self) -> int:
        """When it was signed, unix seconds."""
        return int(self.headers["x-nullspend-webhook-timestamp"])


def is_signed(received: Received, secret: str) -> bool:
    """The documented recipe: HMAC-SHA256 of `<t>.<raw body>` with the whole secret, one of the v1 parts must be it."""
    parts = [part.split("=", 1) for part in received.headers["x-nullspend-signature"].split(",")]
    (timestamp,) = [value for name, value in parts if name == "t"]
    signed = timestamp.encode() + b"." + received.body
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return any(hmac.compare_digest(expected, value) for name, value in parts if name == "v1")


@dataclass
class Receiver:
    """Answers messages with `script` in order, the last entry again and again: a status, HANG, CLOSE or a URL."""

    script: list[int | str] = field(default_factory=lambda: [OK])
    received: list[Received] = field(default_factory=list[Received])
    port: int = 0
    body: bytes = b"thank you"
    _lock: threading.Condition = field(default_factory=threading.Condition)
    _ended: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hooks"

    @property
    def ids(self) -> list[str]:
        """The ids of the events that came, repeats included."""
        return [each.id for each in self.received]

    def wait_for(self, count: int, timeout: float = 30) -> list[Received]:
        """All messages, once there are at least `count`."""
        ends = time.monotonic() + timeout
        with self._lock:
            while len(self.received) < count:
                left = ends - time.monotonic()
                assert left > 0, f"{len(self.received)} of {count} messages came"
                self._lock.wait(left)
            return list(self.received)

    def take(self, received: Received) -> int | str:
        """Remember a message; what to do with it."""
        with self._lock:
            self.received.append(received)
            self._lock.notify_all()
            return self.script.pop(0) if len(self.script) > 1 else self.script[0]


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            deed = receiver.take(Received(self.path, headers, body, time.monotonic()))
            if deed == HANG:
                receiver._ended.wait()
            if deed in (HANG, CLOSE):
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
            elif isinstance(deed, int):
                self.answer(deed)
            else:
                self.answer(307, ("Location", str(deed)))

        def answer(self, status: int, *more: tuple[str, str]) -> None:
            self.send_response(status)
            for name, value in (("Content-Length", str(len(receiver.body))), *more):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(receiver.body)

        def log_message(self, format: str, *args: object) -> None:
            """Tests print nothing."""

    return Handler


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A daemon that is killed while it sends is what the tests are about."""


@contextmanager
def receiver(*script: int | str, port: int = 0) -> Iterator[Receiver]:
    """A receiver on a port of this machine."""
    made = Receiver(list(script) or [OK])
    with serving(_Server(("127.0.0.1", port), _handler(made)), before_the_end=made._ended.set) as made.port:
        yield made
