"""The OpenAPI document: valid, complete, and obeyed by the daemon when a fuzzer reads it."""

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from nullspend_daemon.app import DESCRIBED, ROUTES
from nullspend_daemon.http.openapi import build_document
from tests.machine import Daemon, Machine, start_daemon

EXAMPLES = 60 if os.environ.get("NULLSPEND_FULL") == "1" else 12
ENDS_THE_DAEMON = {("POST", "/_local/stop"), ("POST", "/_local/reset"), ("POST", "/_local/clock")}
WEBHOOK = {"url": "http://127.0.0.1:9/nobody-listens", "eventTypes": ["test.ping"]}
NEVER_ENDS = {("GET", "/_local/events")}
EVENT = {"provider": "p", "model": "m", "inputTokens": 1, "outputTokens": 1, "costMicrodollars": 1}
CHECKS = [not_a_server_error, response_schema_conformance, status_code_conformance, content_type_conformance]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return build_document(DESCRIBED)


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(document)


def test_every_route_is_described_with_a_summary_of_its_own(document: dict[str, Any]) -> None:
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    served = {(route.method, route.path) for route in DESCRIBED}
    assert described == {(method, path) for method, path in served if not path.startswith("/app")}, "pages are no API"
    ids = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(ids) == len(set(ids))
    for item in document["paths"].values():
        for operation in item.values():
            assert operation["summary"].endswith((".", ":")), operation
            assert operation["responses"].keys() & {"200", "201", "202", "303"}


def test_the_daemon_serves_the_document_it_is_made_of(daemon: Daemon, document: dict[str, Any]) -> None:
    served = daemon.call("GET", "/_local/openapi.json", auth=None)
    assert served.json == json.loads(json.dumps(document))


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    nowhere = {"NULLSPEND_SLACK_HOST": "127.0.0.1:1"}
    daemon = start_daemon(Machine(tmp_path_factory.mktemp("machine")), "--test-clock", env=nowhere)
    yield daemon
    daemon.end()


class Ground:
    """Real ids for the paths, made anew for each request that would use them up."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.succeeded: dict[str, set[str]] = defaultdict(set)
        self.sent = 0

    def ids_for(self, path: str) -> dict[str, str]:
        """Path parameters that name something real."""
        self.daemon.call("POST", "/_local/plan", {"tier": None}, auth="admin")  # no limit that a case may have set
        if "{orgId}" in path:
            return self.team_ids(path)
        if path.startswith("/api/keys/"):
            return {"id": self.daemon.call("POST", "/api/keys", {"name": "fuzzed"}).json["id"]}
        if path.startswith("/api/budgets/"):
            body = {"entityType": "customer", "entityId": "fuzzed", "maxBudgetMicrodollars": 5}
            return {"id": self.daemon.call("POST", "/api/budgets", body).json["id"]}
        if path.startswith("/api/actions/"):
            return {"id": self.action_id(path)}
        if path.startswith("/api/webhooks/"):
            return {"id": self.daemon.call("POST", "/api/webhooks", WEBHOOK).json["data"]["id"]}
        if path.startswith("/_local/deliveries/"):
            return {"id": self.delivery_id()}
        if path.startswith("/api/cost-events/{id}"):
            return {"id": self.daemon.call("POST", "/api/cost-events", EVENT, auth="key").json["data"]["id"]}
        return {}

    def delivery_id(self) -> str:
        """A new delivery, to an endpoint where nobody listens."""
        webhook = self.daemon.call("POST", "/api/webhooks", WEBHOOK).json["data"]["id"]
        self.daemon.call("POST", "/_local/trigger", {"type": "test.ping"}, auth="admin")
        return self.daemon.call("GET", f"/api/webhooks/{webhook}/deliveries").json["data"][0]["id"]

    def action_id(self, path: str) -> str:
        """A new action, decided where the path wants a result."""
        body = {"agentId": "a", "actionType": "http_post", "payload": {}}
        made = self.daemon.call("POST", "/api/actions", body, auth="key").json["id"]
        if path.endswith("/result"):
            self.daemon.call("POST", f"/api/actions/{made}/approve")
        return str(made)

    def team_ids(self, path: str) -> dict[str, str]:
        """A team of the owner's, with an invitation or a member where the path wants one."""
        slug = f"team-{os.urandom(8).hex()}"
        org = self.daemon.call("POST", "/api/orgs", {"name": "Team", "slug": slug}).json["data"]["id"]
        invitation = {"email": f"{slug}@example.org", "role": "member"}
        if "invitations/{id}" in path:
            made = self.daemon.call("POST", f"/api/orgs/{org}/invitations", invitation).json["data"]
            return {"orgId": org, "id": made["id"]}
        if "{userId}" in path:
            user = self.daemon.call("POST", "/_local/users", {"email": invitation["email"]}, auth="admin").json[
                "userId"
            ]
            token = self.daemon.call("POST", f"/api/orgs/{org}/invitations", invitation).json["data"]["token"]
            cookie = self.daemon.call("POST", "/_local/sessions", {"userId": user}, auth="admin").json["cookie"]
            self.daemon.call("POST", "/api/invite/accept", {"token": token}, auth=None, headers={"Cookie": cookie})
            return {"orgId": org, "userId": user}
        return {"orgId": org, "customerId": "acme"}

    def headers_for(self, path: str, caller: str) -> dict[str, str]:
        state = self.daemon.state
        if path.startswith("/_local"):
            return {"Authorization": f"Bearer {state['adminToken']}"}
        if caller == "key":
            return {"X-NullSpend-Key": state["owner"]["apiKey"]}
        return {"Cookie": state["owner"]["cookie"]}

    def mend(self, path: str, body: Any) -> Any:
        """What no generator can guess: ids that exist, and the owner's own."""
        if not isinstance(body, dict):
            return body
        if path == "/api/budgets" and body.get("entityType") == "user":
            body["entityId"] = self.daemon.state["owner"]["userId"]
        if path == "/api/auth/switch-org":
            body["orgId"] = self.daemon.state["owner"]["orgId"]
        if path == "/api/slack/config":
            body["webhookUrl"] = "https://hooks.slack.com/services/T/B/x"
        if path == "/_local/sessions":
            return {"userId": self.daemon.state["owner"]["userId"]}
        if path == "/api/webhooks":
            body["url"] = WEBHOOK["url"]
        if path in ("/_local/plan", "/_local/trigger"):
            body.pop("orgId", None)
        if path == "/_local/backup":
            return {"path": str(self.daemon.data / os.urandom(8).hex())}
        return body

    def attempt(self, case: Any, name: str, caller: str) -> None:
        """Sends one generated case, every other time with ids that exist, and checks the reply."""
        path = case.operation.path
        self.sent += 1
        if case.path_parameters and self.sent % 2:
            case.path_parameters |= {
                name: value for name, value in self.ids_for(path).items() if name in case.path_parameters
            }
        case.body = self.mend(path, case.body)
        case.headers = {**dict(case.headers or {}), **self.headers_for(path, caller)}
        reply = case.call()
        case.validate_response(reply, checks=CHECKS)
        if 200 <= reply.status_code < 300:
            self.succeeded[caller].add(name)


def fuzz(operation: Any, ground: Ground, name: str, caller: str) -> None:
    """Runs the fuzzer over one operation."""

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy())
    def send(case: Any) -> None:
        ground.attempt(case, name, caller)

    send()


@pytest.mark.slow
@pytest.mark.parametrize("caller", ["session", "key"])
def test_nothing_a_fuzzer_sends_is_a_server_error_or_answered_off_schema(fuzzed: Daemon, caller: str) -> None:
    document = json.loads(json.dumps(build_document(ROUTES)))
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=fuzzed.url)
    ground = Ground(fuzzed)
    reachable: set[str] = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        method, path = operation.method.upper(), operation.path
        if (method, path) in ENDS_THE_DAEMON | NEVER_ENDS or path.startswith("/_local/billing"):
            continue  # the billing pages are HTML for a person with a link
        if callable_by(document, path, method, caller):
            reachable.add(f"{method} {path}")
        fuzz(operation, ground, f"{method} {path}", caller)
    answered = ground.succeeded[caller] & reachable
    missing = sorted(reachable - answered)
    assert len(answered) >= 0.8 * len(reachable), f"never answered with success: {missing}"


def callable_by(document: dict[str, Any], path: str, method: str, caller: str) -> bool:
    """Whether the operation takes this caller's credential at all."""
    wanted = {"session": "session", "key": "apiKey"}[caller]
    needs = document["paths"][path][method.lower()]["security"]
    return any(wanted in need or "adminToken" in need or not need for need in needs)
