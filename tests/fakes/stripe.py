"""A Stripe on this machine: localstripe as a process of its own, and in front of it what it lacks.

localstripe has customers, plans, subscriptions and invoices, and signs its webhooks. It lacks checkout and the billing
portal, the filters `status` and `created` of invoices, and restricted keys; those few are here. It is started through
its application instead of its command, which listens on every address of the machine and keeps its state in /tmp.
"""

import json
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.fakes.serving import serving

START = """
import sys
from aiohttp import web
from localstripe.resources import Store
Store.dump_to_disk = lambda self: None
from localstripe.server import app
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
"""
SECRET_KEY = "sk_test_0123456789"
CARD = {
    "type": "card",
    "card[number]": "4242424242424242",
    "card[exp_month]": 12,
    "card[exp_year]": 2040,
    "card[cvc]": "123",
}


class LocalStripe:
    """Stripe's API at `url`. A test acts as the people at Stripe's own pages through its methods. While `pause` is
    cleared, lists of invoices take their time; `waiting` says that one was asked for."""

    def __init__(self, backend: str) -> None:
        self.url = ""
        self.sessions: dict[str, dict[str, Any]] = {}
        self.portals: list[dict[str, str]] = []
        self.refused_keys: set[str] = set()
        self.down = False
        self.waiting, self.pause = Event(), Event()
        self.pause.set()
        self._backend = backend

    def call(self, method: str, path: str, fields: dict[str, Any] | None = None) -> dict[str, Any]:
        """One request to localstripe that must be good."""
        content = urlencode(fields or {})
        target = f"{path}?{content}" if method == "GET" and content else path
        status, body = self.forward(method, target, content.encode() if method != "GET" else b"")
        assert status == 200, (method, path, status, body)
        return json.loads(body) if body else {}

    def call_config(self, method: str, path: str, fields: dict[str, str]) -> None:
        """A request to localstripe's own control plane."""
        status, body = self.forward(method, path, urlencode(fields).encode())
        assert status == 200, body

    def forward(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        connection = HTTPConnection(self._backend, timeout=30)
        headers = {"Authorization": f"Bearer {SECRET_KEY}", "Content-Type": "application/x-www-form-urlencoded"}
        try:
            connection.request(method, target, body or None, headers)
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def add_plan(self, price_id: str, cents: int) -> None:
        """A price, which localstripe calls a plan."""
        fields = {"id": price_id, "amount": cents, "currency": "usd", "interval": "month", "name": price_id}
        self.call("POST", "/v1/plans", fields)

    def add_customer(self, name: str, **metadata: str) -> str:
        """A customer with a card; returns their id."""
        fields = {
            "name": name,
            "email": f"{name}@example.com",
            **{f"metadata[{key}]": value for key, value in metadata.items()},
        }
        customer_id = str(self.call("POST", "/v1/customers", fields)["id"])
        self._give_card(customer_id)
        return customer_id

    def subscribe(self, customer_id: str, price_id: str, **metadata: str) -> dict[str, Any]:
        """A subscription, with its first invoice paid."""
        named = {f"metadata[{key}]": value for key, value in metadata.items()}
        return self.call("POST", "/v1/subscriptions", {"customer": customer_id, "items[0][plan]": price_id, **named})

    def pay(self, url: str) -> str:
        """What a person does on the checkout page at `url`; returns the session's id."""
        session = self.sessions[urlsplit(url).path.rpartition("/")[2]]
        self._give_card(session["customer"])
        made = self.subscribe(session["customer"], session["price"], **session["metadata"])
        session.update(subscription=made["id"], status="complete")
        return str(session["id"])

    def _give_card(self, customer_id: str) -> None:
        method = self.call("POST", "/v1/payment_methods", CARD)["id"]
        self.call("POST", f"/v1/payment_methods/{method}/attach", {"customer": customer_id})
        self.call("POST", f"/v1/customers/{customer_id}", {"invoice_settings[default_payment_method]": method})

    def answer(self, method: str, target: str, body: bytes, key: str) -> tuple[int, Any]:
        """The front's answer to one request of the Stripe library."""
        path, query = urlsplit(target).path, dict(parse_qsl(urlsplit(target).query))
        form = dict(parse_qsl(body.decode()))
        if self.down:
            return 500, _error("api_error", "Stripe is down.")
        if key in self.refused_keys or not key.startswith(("sk_test_", "rk_test_")):
            return 401, _error("invalid_request_error", f"Invalid API Key provided: {key}")
        if path == "/v1/checkout/sessions":
            return 200, self._open_checkout(form)
        if path.startswith("/v1/checkout/sessions/"):
            return self._checkout(path.rpartition("/")[2])
        if path == "/v1/billing_portal/sessions":
            self.portals.append(form)
            return 200, {
                "object": "billing_portal.session",
                "id": "bps_1",
                "url": f"{self.url}/portal/{form['customer']}",
            }
        if (method, path) == ("GET", "/v1/invoices"):
            return 200, self._invoices(query)
        status, content = self.forward(method, target, body)
        return status, json.loads(content)

    def _open_checkout(self, form: dict[str, str]) -> dict[str, Any]:
        session_id = f"cs_test_{secrets.token_hex(8)}"
        self.sessions[session_id] = {
            "object": "checkout.session",
            "id": session_id,
            "url": f"{self.url}/pay/{session_id}",
            "customer": form["customer"],
            "price": form["line_items[0][price]"],
            "metadata": {name: form[f"metadata[{name}]"] for name in ("orgId", "tier")},
            "subscription": None,
            "status": "open",
            "sent": form,
        }
        return self.sessions[session_id]

    def _checkout(self, session_id: str) -> tuple[int, Any]:
        session = self.sessions.get(session_id)
        if session is None:
            return 404, _error("invalid_request_error", f"No such checkout session: {session_id}")
        bought = session["subscription"] and self.call("GET", f"/v1/subscriptions/{session['subscription']}")
        return 200, {**session, "subscription": bought}

    def _invoices(self, query: dict[str, str]) -> dict[str, Any]:
        """localstripe's invoices, newest first, filtered as Stripe does, with their customers in place of ids."""
        self.waiting.set()
        self.pause.wait(30)
        since = int(query.get("created[gte]", 0))
        found = self.call("GET", "/v1/invoices", {"limit": 100})["data"]
        paid = [each for each in found if each["status"] == query["status"] and each["created"] >= since]
        for invoice in paid:
            invoice["customer"] = self.call("GET", f"/v1/customers/{invoice['customer']}")
        return {"object": "list", "url": "/v1/invoices", "has_more": False, "data": paid}


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"type": kind, "message": message}}


def _handler(fake: LocalStripe) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            key = self.headers.get("Authorization", "").partition(" ")[2]
            status, content = fake.answer(self.command, self.path, body, key)
            sent = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_DELETE = _serve

        def log_message(self, format: str, *args: object) -> None:
            """Tests print nothing."""

    return Handler


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    for _ in range(400):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("localstripe did not start")


@contextmanager
def local_stripe() -> Iterator[LocalStripe]:
    """localstripe and its front, both on free ports of this machine."""
    port = _free_port()
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", START, str(port)])
    fake = LocalStripe(f"127.0.0.1:{port}")
    try:
        with serving(ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake))) as front:
            fake.url = f"http://127.0.0.1:{front}"
            _wait_for(port)
            yield fake
    finally:
        process.terminate()
        process.wait(20)
