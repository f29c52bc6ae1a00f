"""A server that answers as the hosted service was observed to: written by hand, without anything of the daemon.

Bare ids where the documentation promises prefixes, `data` around some objects and not around others, no version or rate
headers, rows known by (request id, provider) over all organizations, bare ids demanded by switch-org and members, HTML
where an error belongs. It remembers every request, so that a test can see which credential went where.
"""

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from tests.fakes.serving import serving

USER = "11111111-1111-4111-8111-111111111111"
PERSONAL = "22222222-2222-4222-8222-222222222222"
TEAM = "33333333-3333-4333-8333-333333333333"
KEY = "44444444-4444-4444-8444-444444444444"
RAW_KEY = "ns_live_sk_" + "5" * 32
TIME = "2026-04-01T00:00:00.000Z"
_ITEM = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Seen(NamedTuple):
    """One request as it arrived; header names in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


class Answer(NamedTuple):
    """Text goes out as HTML, anything else as JSON."""

    status: int
    body: Any
    headers: tuple[tuple[str, str], ...] = ()


def error(status: int, code: str, message: str, *headers: tuple[str, str]) -> Answer:
    return Answer(status, {"error": {"code": code, "message": message, "details": None}}, headers)


class Hosted:
    """Its state. `busy` answers of 429 come first; every batch after `fails_after` of them breaks down as HTML."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[Seen] = []
        self.token = "token-1"
        self.org = PERSONAL
        self.events: dict[tuple[str, str], dict[str, Any]] = {}
        self.sent: list[str] = []
        self.budgets: list[dict[str, Any]] = []
        self.busy = 0
        self.fails_after: int | None = None
        self.batches = 0
        self.batch_seconds = 0.0
        self.loses_reply = False
        self.key_renamed = "ci"

    def answer(self, seen: Seen) -> Answer:
        what = f"{seen.method} {seen.path}"
        for pattern, auth, reply in _ROUTES:
            found = re.fullmatch(pattern, what)
            if found:
                return self._refused(auth, seen) or reply(self, seen, *found.groups())
        return Answer(404, "<!doctype html><title>404: This page could not be found.</title>")

    def _refused(self, auth: str, seen: Seen) -> Answer | None:
        by_key = auth == "key" or (auth == "either" and "x-nullspend-key" in seen.headers)
        if auth == "none":
            return None
        if by_key:
            if seen.headers.get("x-nullspend-key") != RAW_KEY:
                return error(401, "authentication_required", "Invalid or missing API key.")
            return None
        if f"sb-session={self.token}" not in seen.headers.get("cookie", ""):
            return error(401, "authentication_required", "Auth session missing!")
        return None


def _session(hosted: Hosted, seen: Seen) -> Answer:
    return Answer(200, {"userId": USER, "orgId": hosted.org, "role": "owner"})


def _introspect(hosted: Hosted, seen: Seen) -> Answer:
    return Answer(200, {"userId": f"ns_usr_{USER}", "keyId": f"ns_key_{KEY}"})


def _switch(hosted: Hosted, seen: Seen) -> Answer:
    if not _ITEM.fullmatch(str(seen.body.get("orgId"))):
        return error(400, "validation_error", "Invalid organization ID.")
    hosted.org = seen.body["orgId"]
    cookie = ("Set-Cookie", f"ns-active-org={hosted.org}:owner.0123456789abcdef; Path=/; HttpOnly; SameSite=lax")
    return Answer(200, {"userId": USER, "orgId": hosted.org, "role": "owner"}, (cookie,))


def _keys(hosted: Hosted, seen: Seen) -> Answer:
    """A list, and a session that is renewed on the way, as Supabase does."""
    hosted.token = f"token-{int(hosted.token.partition('-')[2]) + 1}"
    record = {
        "id": f"ns_key_{KEY}",
        "name": hosted.key_renamed,
        "keyPrefix": RAW_KEY[:19],
        "defaultTags": {},
        "allowedModels": None,
        "allowedProviders": None,
        "lastUsedAt": None,
        "createdAt": TIME,
    }
    renewed = ("Set-Cookie", f"sb-session={hosted.token}; Path=/; Max-Age=34560000; HttpOnly")
    return Answer(200, {"data": [record], "cursor": None}, (renewed,))


def _rename(hosted: Hosted, seen: Seen, key: str) -> Answer:
    hosted.key_renamed = seen.body["name"]
    return Answer(200, {"data": {"id": key, "name": hosted.key_renamed, "keyPrefix": RAW_KEY[:19], "createdAt": TIME}})


def _budgets(hosted: Hosted, seen: Seen) -> Answer:
    return Answer(200, {"data": hosted.budgets})


def _set_budget(hosted: Hosted, seen: Seen) -> Answer:
    if "resetInterval" in seen.body and seen.body["resetInterval"] is None:
        return error(400, "validation_error", "Expected string, received null")
    budget = {
        "id": f"ns_bgt_{TEAM}",
        "spendMicrodollars": 0,
        "policy": "strict_block",
        "resetInterval": None,
        "currentPeriodStart": None,
        "thresholdPercentages": [50, 80, 90, 95],
        "velocityLimitMicrodollars": None,
        "velocityWindowSeconds": 60,
        "velocityCooldownSeconds": 60,
        "sessionLimitMicrodollars": None,
        "createdAt": TIME,
        "updatedAt": TIME,
        **seen.body,
    }
    hosted.budgets = [budget]
    return Answer(201, {"data": budget})


def _drop_budget(hosted: Hosted, seen: Seen, budget: str) -> Answer:
    hosted.budgets = []
    return Answer(200, {"deleted": True})


def _batch(hosted: Hosted, seen: Seen) -> Answer:
    if hosted.busy:
        hosted.busy -= 1
        return error(429, "rate_limit_exceeded", "Too many requests", ("Retry-After", "1"))
    hosted.batches += 1
    time.sleep(hosted.batch_seconds)
    if hosted.fails_after is not None and hosted.batches > hosted.fails_after:
        return Answer(500, "<html><body>Application error: a server-side exception has occurred</body></html>")
    new: list[str] = []
    for item in seen.body["events"]:
        hosted.sent.append(item["idempotencyKey"])
        row = item["idempotencyKey"], item["provider"]
        if row not in hosted.events:
            hosted.events[row] = item
            new.append(f"ns_evt_{len(hosted.events):08x}-0000-4000-8000-000000000000")
    if hosted.loses_reply:
        hosted.loses_reply = False
        return Answer(502, "<html><h1>502 Bad Gateway</h1></html>")
    return Answer(201, {"inserted": len(new), "ids": new})


def _events(hosted: Hosted, seen: Seen) -> Answer:
    """Newest first, no way to say since when; figures that only single records have are null here."""
    rows = [
        {
            "id": f"ns_evt_{number:08x}-0000-4000-8000-000000000000",
            "requestId": key,
            "apiKeyId": f"ns_key_{KEY}",
            "keyName": "ci",
            "createdAt": TIME,
            "budgetStatus": None,
            **{name: value for name, value in event.items() if name != "idempotencyKey"},
        }
        for number, ((key, _), event) in enumerate(hosted.events.items(), start=1)
    ]
    return Answer(200, {"data": rows[::-1][: int(seen.query.get("limit", 25))], "cursor": None})


def _health(hosted: Hosted, seen: Seen) -> Answer:
    return Answer(200, {"status": "ok"})


_ROUTES: tuple[tuple[str, str, Any], ...] = (
    (r"GET /api/health", "none", _health),
    (r"GET /api/auth/session", "session", _session),
    (r"GET /api/auth/introspect", "key", _introspect),
    (r"POST /api/auth/switch-org", "session", _switch),
    (r"GET /api/keys", "session", _keys),
    (r"PATCH /api/keys/(ns_key_[^/]+)", "session", _rename),
    (r"GET /api/budgets", "either", _budgets),
    (r"POST /api/budgets", "session", _set_budget),
    (r"DELETE /api/budgets/(ns_bgt_[^/]+)", "session", _drop_budget),
    (r"GET /api/cost-events", "either", _events),
    (r"POST /api/cost-events/batch", "key", _batch),
)


def _handler(hosted: Hosted) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length", 0)))
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = json.loads(content) if content else {}
            seen = Seen(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body)
            hosted.seen.append(seen)
            self._reply(hosted.answer(seen))

        def _reply(self, answer: Answer) -> None:
            text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
            content = text.encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", "text/html" if isinstance(answer.body, str) else "application/json")
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
def hosted_server() -> Iterator[Hosted]:
    """The hosted service on a free port of this machine."""
    hosted = Hosted()
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), _handler(hosted))) as port:
        hosted.url = f"http://127.0.0.1:{port}"
        yield hosted
