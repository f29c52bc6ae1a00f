"""A server that answers what a test tells it to, over real HTTP, and remembers what it was asked."""

import json
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from tests.fakes.serving import serving

_USER = "ns_usr_019a0000-0000-7000-8000-000000000000"


class Asked(NamedTuple):
    """One request as it arrived; header names in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class Scripted(NamedTuple):
    """One answer: text goes out as it is, anything else as JSON."""

    status: int
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()


class FakeServer:
    """Answers each method and path with its answers in order, the last one again and again."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._answers: dict[tuple[str, str], deque[Scripted]] = {}
        self.url = ""

    def answer(self, method: str, path: str, *answers: Scripted | dict[str, Any]) -> None:
        """What to say to a request; a plain dictionary is a 200."""
        scripted = [answer if isinstance(answer, Scripted) else Scripted(200, answer) for answer in answers]
        self._answers[method, path] = deque(scripted)

    def knows_everybody(self) -> None:
        """Accepts whatever key and session it is shown."""
        self.answer("GET", "/api/auth/introspect", {"userId": _USER, "keyId": f"ns_key_{_USER[7:]}"})
        self.answer("GET", "/api/auth/session", {"userId": _USER, "orgId": f"ns_org_{_USER[7:]}", "role": "owner"})

    def next_answer(self, method: str, path: str) -> Scripted:
        waiting = self._answers.get((method, path))
        if not waiting:
            message = f"There is no {path}."
            return Scripted(404, {"error": {"code": "not_found", "message": message, "details": None}})
        return waiting.popleft() if len(waiting) > 1 else waiting[0]

    def asked_for(self, method: str, path: str) -> list[Asked]:
        """The requests of one kind, in their order."""
        return [asked for asked in self.asked if (asked.method, asked.path) == (method, path)]


def _handler(server: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length", 0)))
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = json.loads(content) if content else None
            server.asked.append(Asked(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body))
            self._reply(server.next_answer(self.command, parts.path))

        def _reply(self, answer: Scripted) -> None:
            is_text = isinstance(answer.body, str)
            content = answer.body.encode() if is_text else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", "text/html" if is_text else "application/json")
            self.send_header("Content-Length", str(len(content)))
            for name, value in answer.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = _serve

        def log_message(self, format: str, *args: object) -> None:
            """Tests print nothing."""

    return Handler


@contextmanager
def fake_server() -> Iterator[FakeServer]:
    """A fake server on a free port of this machine."""
    fake = FakeServer()
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake))) as port:
        fake.url = f"http://127.0.0.1:{port}"
        yield fake
