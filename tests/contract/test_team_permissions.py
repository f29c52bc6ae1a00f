"""The permission matrix of everything that has to do with teams, and whether the whole matrix is complete.

Each row of the other table, in test_permissions.py, is typed from the contract too; together they hold every endpoint
there is, each with what it answers to every kind of caller.
"""

import itertools
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from nullspend_daemon.app import PAGES, ROUTES
from tests.contract import test_permissions as others
from tests.contract.endpoints import endpoints
from tests.fakes.server import FakeServer, fake_server
from tests.machine import Daemon, Machine, Reply, start_daemon

# The callers are those of test_permissions.py, and: removed: a session of somebody who was a member of the org and was
# removed · leaver: the key they had there. {team} is an org in which everybody has the same role as in the active one;
# {mate} is one more member of it. A cell is a status of success, 401 authentication_required, 403 forbidden,
# 404 not_found, or another code (none: no_subscription, sign: missing_signature); `-` is what would end the daemon that
# these tests share, or never end itself.
MATRIX = """
                        nobody bad revoked leaver key other viewer member admin owner stranger removed token
GET    /api/orgs                           401 401  401 401    401 401      200    200    200   200    200 200     401
POST   /api/orgs                           401 401  401 401    401 401      201    201    201   201    201 201     401
GET    /api/orgs/{team}                    401 401  401 401    401 401      200    200    200   200    403 403     401
PATCH  /api/orgs/{team}                    401 401  401 401    401 401      403    403    200   200    403 403     401
DELETE /api/orgs/{team}                    401 401  401 401    401 401      403    403    403   200    403 403     401
GET    /api/orgs/{team}/members            401 401  401 401    401 401      200    200    200   200    403 403     401
PATCH  /api/orgs/{team}/members/{mate}     401 401  401 401    401 401      403    403    200   200    403 403     401
DELETE /api/orgs/{team}/members/{mate}     401 401  401 401    401 401      403    403    200   200    403 403     401
GET    /api/orgs/{team}/invitations        401 401  401 401    401 401      403    403    200   200    403 403     401
POST   /api/orgs/{team}/invitations        401 401  401 401    401 401      403    403    201   201    403 403     401
DELETE /api/orgs/{team}/invitations/{invitation}   401 401 401 401 401 401  403    403    200   200    403 403     401
POST   /api/orgs/{team}/leave              401 401  401 401    401 401      200    200    200   403    403 403     401
POST   /api/orgs/{team}/transfer           401 401  401 401    401 401      403    403    403   200    403 403     401
GET    /api/orgs/{team}/upgrade-url        401 401  401 401    401 401      200    200    200   200    403 403     401
PATCH  /api/orgs/{team}/upgrade-url        401 401  401 401    401 401      403    403    403   200    403 403     401
GET    /api/orgs/{team}/customers/acme/upgrade-url   401 401 401 401 401 401 200   200    200   200    403 403     401
PATCH  /api/orgs/{team}/customers/acme/upgrade-url   401 401 401 401 401 401 403   403    403   200    403 403     401
POST   /api/invite/accept                  401 401  401 401    401 401      404    404    404   404    404 404     401
GET    /api/audit-log                      401 401  401 401    401 401      403    403    200   200    200 200     401
GET    /api/tool-costs                     401 401  401 401    200 200      200    200    200   200    200 200     401
POST   /api/tool-costs                     401 401  401 401    401 401      403    403    200   200    404 404     401
DELETE /api/tool-costs/{tool}              401 401  401 401    401 401      403    403    200   200    404 404     401
POST   /api/tool-costs/discover            401 401  401 401    201 201      401    401    401   401    401 401     401
POST   /api/stripe/checkout                401 401  401 401    401 401      403    403    403   200    200 200     401
POST   /api/stripe/portal                  401 401  401 401    401 401      403    403    403   200    none none   401
GET    /api/stripe/subscription            401 401  401 401    401 401      200    200    200   200    200 200     401
POST   /api/stripe/subscription/sync       401 401  401 401    401 401      403    403    200   200    403 403     401
POST   /api/stripe/webhook                sign sign sign sign   sign sign   sign   sign   sign  sign   sign sign    sign
GET    /api/stripe/connect                 401 401  401 401    401 401      200    200    200   200    200 200     401
POST   /api/stripe/connect                 401 401  401 401    401 401      403    403    201   201    201 201     401
DELETE /api/stripe/disconnect              401 401  401 401    401 401      403    403    200   200    404 404     401
GET    /api/stripe/revenue-sync            401 401  401 401    401 401      403    200    200   200    200 200     401
GET    /api/customer-mappings              401 401  401 401    401 401      200    200    200   200    200 200     401
POST   /api/customer-mappings              401 401  401 401    401 401      403    403    201   201    201 201     401
DELETE /api/customer-mappings?id={mapping} 401 401  401 401    401 401      403    403    200   200    404 404     401
GET    /api/margins                        401 401  401 401    401 401      200    200    200   200    200 200     401
GET    /api/margins/mapped                 401 401  401 401    401 401      200    200    200   200    404 404     401
GET    /api/margins/unmatched              401 401  401 401    401 401      200    200    200   200    200 200     401
GET    /api/policy                         401 401  401 401    200 200      401    401    401   401    401 401     401
POST   /api/slack/callback                 200 200  200 200    200 200      200    200    200   200    200 200     200
GET    /_local/prices                      401 401  401 401    401 401      401    401    401   401    401 401     200
GET    /_local/prices/openai/gpt-4o        401 401  401 401    401 401      401    401    401   401    401 401     200
GET    /_local/cost-events/{event}/explain 401 401  401 401    401 401      401    401    401   401    401 401     200
POST   /_local/deliveries/{delivery}/resend    401 401 401 401 401 401   401    401    401   401    401 401     404
GET    /_local/events                      401 401  401 401    401 401      401    401    401   401    401 401     -
GET    /_local/info                        200 200  200 200    200 200      200    200    200   200    200 200     200
GET    /_local/openapi.json                200 200  200 200    200 200      200    200    200   200    200 200     200
POST   /_local/users                       401 401  401 401    401 401      401    401    401   401    401 401     201
POST   /_local/sessions                    401 401  401 401    401 401      401    401    401   401    401 401     201
DELETE /_local/sessions?userId={nobody}    401 401  401 401    401 401      401    401    401   401    401 401     200
POST   /_local/reset                       401 401  401 401    401 401      401    401    401   401    401 401     -
POST   /_local/plan                        401 401  401 401    401 401      401    401    401   401    401 401     200
GET    /_local/clock                       401 401  401 401    401 401      401    401    401   401    401 401     200
POST   /_local/clock                       401 401  401 401    401 401      401    401    401   401    401 401     200
POST   /_local/backup                      401 401  401 401    401 401      401    401    401   401    401 401     200
POST   /_local/stop                        401 401  401 401    401 401      401    401    401   401    401 401     -
GET    /_local/billing/checkout/{session}  200 200  200 200    200 200      200    200    200   200    200 200     200
POST   /_local/billing/checkout/{session}  303 303  303 303    303 303      303    303    303   303    303 303     303
GET    /_local/billing/portal/cs_0         404 404  404 404    404 404      404    404    404   404    404 404     404
POST   /_local/billing/portal/cs_0         404 404  404 404    404 404      404    404    404   404    404 404     404
GET    /app/billing                        200 200  200 200    200 200      200    200    200   200    200 200     200
"""
PROXY = """
                        nobody bad revoked leaver key other viewer member admin owner stranger removed token
POST   /v1/chat/completions                un  un   un  un     200 200      un     un     un    un     un  un      un
POST   /v1/messages                        un  un   un  un     200 200      un     un     un    un     un  un      un
POST   /v1/messages/count_tokens           un  un   un  un     200 200      un     un     un    un     un  un      un
POST   /v1/responses                       un  un   un  un     200 200      un     un     un    un     un  un      un
GET    /v1/responses/resp_0                un  un   un  un     up  up       un     un     un    un     un  un      un
POST   /v1/responses/resp_0/cancel         un  un   un  un     up  up       un     un     un    un     un  un      un
POST   /v1/embeddings                      un  un   un  un     200 200      un     un     un    un     un  un      un
POST   /v1/completions                     un  un   un  un     200 200      un     un     un    un     un  un      un
GET    /v1/models                          un  un   un  un     200 200      un     un     un    un     un  un      un
GET    /v1/models/fake/m                   un  un   un  un     200 200      un     un     un    un     un  un      un
POST   /v1/mcp/budget/check                un  un   un  un     200 200      un     un     un    un     un  un      un
POST   /v1/mcp/events                      un  un   un  un     200 200      un     un     un    un     un  un      un
GET    /v1/policy                          un  un   un  un     200 200      un     un     un    un     un  un      un
GET    /health                             200 200  200 200    200 200      200    200    200   200    200 200     200
GET    /health/ready                       200 200  200 200    200 200      200    200    200   200    200 200     200
GET    /health/metrics                     200 200  200 200    200 200      200    200    200   200    200 200     200
"""
"""un: unauthorized, the proxy's word where the API says authentication_required · up: the provider's own 404."""
STATUSES = {
    "401": (401, "authentication_required"),
    "403": (403, "forbidden"),
    "404": (404, "not_found"),
    "none": (400, "no_subscription"),
    "sign": (400, "missing_signature"),
    "un": (401, "unauthorized"),
    "up": (404, None),
}
NOBODY = "ns_usr_019a0000-0000-7000-8000-000000000000"
_numbers = itertools.count(1)
Rows = list[tuple[str, str, str, str]]


def rows(matrix: str) -> Rows:
    """(method, path, caller, cell) of every cell that can be tried."""
    header, *lines = [line.split() for line in matrix.strip().splitlines()]
    return [
        (method, path, caller, cell)
        for method, path, *cells in lines
        for caller, cell in zip(header, cells, strict=True)
        if cell != "-"
    ]


@dataclass
class Town:
    """A daemon with a team and its neighbours, and the headers each caller sends."""

    daemon: Daemon
    stripe: FakeServer
    org_id: str = ""
    users: dict[str, str] = field(default_factory=dict[str, str])
    headers: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])

    def call(self, caller: str, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.daemon.call(method, path, body, auth=None, headers={**self.headers[caller], **given})

    def add(self, name: str, org_id: str | None) -> str:
        """A user with a session in an org; the personal one for None. Returns their id."""
        body = {"email": f"{name}{next(_numbers)}@example.org"}
        self.users[name] = self.daemon.call("POST", "/_local/users", body, auth="admin").json["userId"]
        if org_id is not None:
            self.join(org_id, name, name)
        self.enter(name, org_id)
        return self.users[name]

    def enter(self, name: str, org_id: str | None) -> None:
        wanted = {"userId": self.users[name]} | ({} if org_id is None else {"orgId": org_id})
        cookie = self.daemon.call("POST", "/_local/sessions", wanted, auth="admin").json["cookie"]
        self.headers[name] = {"Cookie": cookie}

    def join(self, org_id: str, name: str, role: str) -> None:
        with sqlite3.connect(self.daemon.data / "nullspend.db") as connection:
            connection.execute(
                "INSERT INTO memberships VALUES (?, ?, ?, 0)",
                (org_id, self.users[name], role if role in ("viewer", "member", "admin") else "member"),
            )
        connection.close()

    def key_of(self, name: str) -> str:
        return str(self.call(name, "POST", "/api/keys", {"name": name}).json["rawKey"])

    def team(self) -> str:
        """A new org in which each role is held by the same person as in the active one."""
        body = {"name": "Team", "slug": f"team-{next(_numbers)}"}
        org_id = str(self.call("owner", "POST", "/api/orgs", body).json["data"]["id"])
        for role in ("viewer", "member", "admin"):
            self.join(org_id, role, role)
        return org_id

    def made(self, noun: str, given: dict[str, str]) -> str:
        """The id of a new thing for a path; of the team that the path names already, if it is one of a team."""
        if noun == "team":
            return self.team()
        if noun == "mate":
            user = {"email": f"mate{next(_numbers)}@example.org"}
            self.users["mate"] = self.daemon.call("POST", "/_local/users", user, auth="admin").json["userId"]
            self.join(given["team"], "mate", "member")
            return self.users["mate"]
        if noun == "invitation":
            body = {"email": f"i{next(_numbers)}@example.org", "role": "viewer"}
            return str(self.call("owner", "POST", f"/api/orgs/{given['team']}/invitations", body).json["data"]["id"])
        if noun == "tool":
            self.call("key", "POST", "/api/tool-costs/discover", TOOLS)
            return str(self.call("owner", "GET", "/api/tool-costs").json["data"][0]["id"])
        if noun == "mapping":
            number = next(_numbers)
            body = {"stripeCustomerId": f"cus_{number}", "tagValue": f"v{number}"}
            return str(self.call("owner", "POST", "/api/customer-mappings", body).json["data"]["id"])
        if noun == "event":
            return str(self.call("key", "POST", "/api/cost-events", others.EVENT).json["data"]["id"])
        if noun == "delivery":
            return "ns_del_019a0000-0000-7000-8000-000000000000"
        if noun == "session":
            self.plan("owner", None)
            url = str(self.call("owner", "POST", "/api/stripe/checkout", {"priceId": "price_pro"}).json["url"])
            return url.rpartition("/")[2]
        return NOBODY

    def plan(self, caller: str, tier: str | None) -> None:
        org_id = self.call(caller, "GET", "/api/auth/session").json["orgId"]
        self.daemon.call("POST", "/_local/plan", {"tier": tier, "orgId": org_id}, auth="admin")

    def ready(self, method: str, path: str, caller: str) -> None:
        """What has to be there, or gone, for a call to succeed."""
        if (method, path) == ("POST", "/api/stripe/portal"):
            self.plan("owner", "pro")
        if (method, path) == ("POST", "/api/stripe/checkout"):
            self.plan("owner", None)
        if (method, path) == ("POST", "/api/stripe/connect") and caller in self.users:
            self.call(caller, "DELETE", "/api/stripe/disconnect")
            self.call("owner", "DELETE", "/api/stripe/disconnect")
        if (method, path) == ("DELETE", "/api/stripe/disconnect"):
            self.call("owner", "POST", "/api/stripe/connect", {"stripeKey": "rk_test_0123456789"})
            for outside in ("stranger", "removed"):
                self.call(outside, "DELETE", "/api/stripe/disconnect")
        if (method, path) == ("POST", "/api/tool-costs"):
            self.call("key", "POST", "/api/tool-costs/discover", TOOLS)
        if path == "/api/margins/mapped":
            self.call("owner", "POST", "/api/customer-mappings", {"stripeCustomerId": "cus_m", "tagValue": "mapped"})

    def body(self, method: str, path: str, given: dict[str, str]) -> Any:
        """A body that a caller who may do it succeeds with."""
        number = next(_numbers)
        bodies: dict[str, Any] = {
            "POST /api/orgs": {"name": "New", "slug": f"new-{number}"},
            "PATCH /api/orgs/{team}": {"name": "Renamed"},
            "PATCH /api/orgs/{team}/members/{mate}": {"role": "viewer"},
            "POST /api/orgs/{team}/invitations": {"email": f"n{number}@example.org", "role": "member"},
            "POST /api/orgs/{team}/transfer": {"newOwnerUserId": self.users["member"]},
            "PATCH /api/orgs/{team}/upgrade-url": {"upgradeUrl": None},
            "PATCH /api/orgs/{team}/customers/acme/upgrade-url": {"upgradeUrl": None},
            "POST /api/invite/accept": {"token": "ns_inv_" + "0" * 48},
            "POST /api/tool-costs": {"serverName": "srv", "toolName": "t", "costMicrodollars": 1},
            "POST /api/tool-costs/discover": {"serverName": "other", "tools": TOOLS["tools"]},
            "POST /api/stripe/checkout": {"priceId": "price_pro"},
            "POST /api/stripe/connect": {"stripeKey": "rk_test_0123456789"},
            "POST /api/customer-mappings": {"stripeCustomerId": f"cus_{number}", "tagValue": f"v{number}"},
            "POST /_local/users": {"email": f"u{number}@example.org"},
            "POST /_local/sessions": {"userId": self.users["stranger"]},
            "POST /_local/reset": {},
            "POST /_local/plan": {"tier": None, "orgId": self.org_id},
            "POST /_local/clock": {"advanceMs": 1},
            "POST /_local/backup": {"path": str(self.daemon.data / f"copy-{number}")},
            "POST /_local/stop": {},
        }
        if (method, path) == ("POST", "/api/stripe/subscription/sync"):
            return {"sessionId": self.paid()}
        if method == "POST" and path.startswith("/_local/billing/"):
            return self.form(given.get("session", ""))
        return bodies.get(f"{method} {path}")

    def form(self, session: str) -> bytes:
        """The pressed button of a checkout page that goes back without paying."""
        shown = self.call("nobody", "GET", f"/_local/billing/checkout/{session}", Accept="application/json")
        return f"action=cancel&token={shown.json.get('formToken')}".encode()

    def paid(self) -> str:
        """A checkout session of the active org that was paid."""
        session = self.made("session", {})
        token = self.form(session).replace(b"cancel", b"pay")
        self.call("nobody", "POST", f"/_local/billing/checkout/{session}", token)
        return session.partition("?")[0]


TOOLS: dict[str, Any] = {"serverName": "srv", "tools": [{"name": "t", "tierCost": 1}]}


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with fake_server() as stripe:
        stripe.answer("GET", "/v1/customers", {"object": "list", "data": [], "has_more": False})
        stripe.answer("GET", "/v1/invoices", {"object": "list", "data": [], "has_more": False, "url": "/v1/invoices"})
        daemon = start_daemon(
            Machine(tmp_path_factory.mktemp("city")),
            "--trust-proxy",
            "--test-clock",
            "--upstream",
            "fake",
            env={"NULLSPEND_STRIPE_URL": stripe.url},
        )
        yield _peopled(Town(daemon, stripe))
        daemon.end()


def _peopled(town: Town) -> Town:
    town.headers["nobody"] = {}
    town.headers["bad"] = {"X-NullSpend-Key": "ns_live_sk_nonsense"}
    town.headers["token"] = {"Authorization": f"Bearer {town.daemon.state['adminToken']}"}
    town.add("owner", None)
    org_id = town.call("owner", "POST", "/api/orgs", {"name": "Active", "slug": "active"}).json["data"]["id"]
    town.org_id = org_id
    town.enter("owner", org_id)
    for name in ("viewer", "member", "admin", "removed"):
        town.add(name, org_id)
    town.add("stranger", None)
    for name, holder in (("key", "owner"), ("other", "stranger"), ("leaver", "removed"), ("revoked", "owner")):
        town.headers[name] = {"X-NullSpend-Key": town.key_of(holder)}
    for key in town.call("owner", "GET", "/api/keys").json["data"][:1]:
        assert town.call("owner", "DELETE", f"/api/keys/{key['id']}").status == 200
    removed = town.call("admin", "DELETE", f"/api/orgs/{org_id}/members/{town.users['removed']}")
    assert removed.json == {"success": True}
    return town


@pytest.mark.parametrize(("method", "path", "caller", "cell"), rows(MATRIX))
def test_each_caller_gets_what_the_matrix_says(city: Town, method: str, path: str, caller: str, cell: str) -> None:
    city.ready(method, path, caller)
    given: dict[str, str] = {}
    target = path
    for noun in re.findall(r"\{(\w+)\}", path):
        given[noun] = city.made(noun, given)
        target = target.replace(f"{{{noun}}}", given[noun])
    headers = {"X_Forwarded_For": f"10.0.{next(_numbers) % 250}.1"} if path == "/api/invite/accept" else {}
    reply = city.call(caller, method, target, city.body(method, path, given), **headers)
    status, code = STATUSES.get(cell, (int(cell) if cell.isdigit() else 0, None))
    assert reply.status == status, reply.body
    if code is not None and not reply.headers["content-type"].startswith("text/html"):
        assert reply.json["error"]["code"] == code


MESSAGES = {"model": "fake/m", "messages": [{"role": "user", "content": "x"}], "max_tokens": 5}
TOOL = {"toolName": "t", "serverName": "s"}
CALLS: dict[str, Any] = {
    "/v1/chat/completions": MESSAGES,
    "/v1/messages": MESSAGES,
    "/v1/messages/count_tokens": MESSAGES,
    "/v1/responses": {"model": "fake/m", "input": "x"},
    "/v1/embeddings": {"model": "fake/m", "input": "x"},
    "/v1/completions": {"model": "fake/m", "prompt": "x"},
    "/v1/mcp/budget/check": {**TOOL, "estimateMicrodollars": 1},
    "/v1/mcp/events": {"events": [{**TOOL, "durationMs": 1, "costMicrodollars": 1, "status": "ok"}]},
}


@pytest.mark.parametrize(("method", "path", "caller", "cell"), rows(PROXY))
def test_each_caller_of_the_proxy_gets_what_the_matrix_says(
    city: Town, method: str, path: str, caller: str, cell: str
) -> None:
    reply = city.call(caller, method, path, CALLS.get(path))
    status, code = STATUSES.get(cell, (int(cell) if cell.isdigit() else 0, None))
    assert reply.status == status, reply.body
    if code is not None:
        assert reply.json["error"]["code"] == code
    if cell == "up":
        assert "type" in reply.json["error"], "not the daemon's own answer"


# -- the whole matrix


def shape(path: str) -> str:
    """A path with its parameters' names, and the values the matrix gives them, left out."""
    without_query = path.partition("?")[0]
    for pattern, instead in (
        (r"\{[^}]*\}", "{}"),
        (r"/sessions/s1$", "/sessions/{}"),
        (r"/attribution/x$", "/attribution/{}"),
        (r"/customers/acme/", "/customers/{}/"),
        (r"/margins/mapped$", "/margins/{}"),
        (r"/prices/openai/gpt-4o$", "/prices/{}/{}"),
        (r"/(checkout|portal)/cs_0$", r"/\1/{}"),
        (r"^/app.*", "/app{}"),
        (r"^/v1/responses/resp_0", "/v1/responses/{}"),
        (r"^/v1/models/fake/m", "/v1/models/{}"),
    ):
        without_query = re.sub(pattern, instead, without_query)
    return without_query


def in_the_matrix() -> set[tuple[str, str]]:
    """Method and shape of every row of all tables."""
    lines = [line.split() for text in (MATRIX, PROXY, others.MATRIX) for line in text.strip().splitlines()[1:]]
    return {(method, shape(path)) for method, path, *_ in lines}


def test_every_route_that_is_served_stands_in_the_matrix() -> None:
    served = {(route.method, shape(route.path)) for route in (*ROUTES, *PAGES)}
    assert sorted(served - in_the_matrix()) == []


def test_every_endpoint_of_the_contract_stands_in_the_matrix() -> None:
    promised = {(each.method, shape(each.path)) for each in endpoints()}
    assert sorted(promised - in_the_matrix()) == []


def test_every_row_of_the_matrix_is_served() -> None:
    served = {(route.method, shape(route.path)) for route in (*ROUTES, *PAGES)}
    of_the_api = {(method, path) for method, path in in_the_matrix() if not path.startswith(("/v1/", "/health"))}
    assert sorted(of_the_api - served) == [], "those of the proxy are asked for above"
