"""Customer mappings, revenue by month, margins and their crossings over HTTP: orgs 8 and 9."""

import csv
import io
import json
import sqlite3
from typing import Any

import pytest
from dirty_equals import IsStr

from tests.conftest import StartDaemon
from tests.fakes.server import FakeServer, fake_server
from tests.machine import Daemon, Machine, Reply, start_daemon
from tests.people import MISSING, Person, person

DOLLAR = 1_000_000
NOW = "2027-03-15T12:00:00.000Z"
JANUARY, FEBRUARY, MARCH = 1_799_500_000, 1_802_000_000, 1_804_500_000
"""Unix seconds: 2027-01-09, 2027-02-07 and 2027-03-08."""
DECEMBER = 1_796_500_000
"""2026-12-05."""


def refusal(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json["error"]["code"]


def invoice(name: str, dollars: float, created: int, **more: Any) -> dict[str, Any]:
    """A paid invoice as Stripe lists it, its customer expanded."""
    who = {"object": "customer", "id": name, "name": name.upper(), "email": None, "metadata": {}}
    return {
        "object": "invoice",
        "id": f"in_{name}_{created}",
        "customer": who,
        "currency": "usd",
        "amount_paid": round(dollars * 100),
        "created": created,
        **more,
    }


@pytest.fixture
def server() -> Any:
    with fake_server() as fake:
        yield fake


class Shop:
    """Somebody with a Stripe account whose invoices a test writes, on a daemon whose clock it moves."""

    def __init__(self, daemon: Daemon, stripe: FakeServer) -> None:
        self.daemon = daemon
        self.stripe = stripe
        stripe.answer("GET", "/v1/customers", {"object": "list", "data": [], "has_more": False})
        self.owner: Person = person(daemon, "owner")
        self.key = self.owner.key()
        assert self.owner.call("POST", "/api/stripe/connect", {"stripeKey": "rk_test_0123456789"}).status == 201

    def at(self, moment: str) -> None:
        moved = self.daemon.call("POST", "/_local/clock", {"setTo": moment}, auth="admin")
        assert moved.status == 200, moved.body

    def sync(self, *invoices: dict[str, Any]) -> dict[str, Any]:
        listed = {"object": "list", "data": list(invoices), "has_more": False, "url": "/v1/invoices"}
        self.stripe.answer("GET", "/v1/invoices", listed)
        return dict(self.owner.data("GET", "/api/stripe/revenue-sync"))

    def spend(self, customer: str, dollars: float, *, model: str = "gpt-4o", tagged: bool = False) -> None:
        event = {
            "provider": "openai",
            "model": model,
            "inputTokens": 1,
            "outputTokens": 1,
            "costMicrodollars": round(dollars * DOLLAR),
            **({"tags": {"customer": customer}} if tagged else {"customer": customer}),
        }
        headers = {"X-NullSpend-Key": self.key}
        assert self.daemon.call("POST", "/api/cost-events", event, auth=None, headers=headers).status == 201

    def map(self, **stripe_ids: str) -> None:
        for value, stripe_id in stripe_ids.items():
            body = {"stripeCustomerId": stripe_id, "tagValue": value}
            assert self.owner.call("POST", "/api/customer-mappings", body).status == 201

    def rows(self, period: str = "2027-03") -> dict[str, dict[str, Any]]:
        table = self.owner.data("GET", f"/api/margins?period={period}")
        return {row["tagValue"]: row for row in table["customers"]}


def year(start: StartDaemon, stripe: FakeServer) -> Shop:
    """A shop at the beginning of 2027."""
    daemon = start("--test-clock", env={"NULLSPEND_STRIPE_URL": stripe.url})
    daemon.call("POST", "/_local/clock", {"setTo": "2027-01-02T00:00:00.000Z"}, auth="admin")
    return Shop(daemon, stripe)


@pytest.fixture(scope="module")
def quarter(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Three months of a shop with one customer of each kind, read only."""
    with fake_server() as stripe:
        daemon = start_daemon(
            Machine(tmp_path_factory.mktemp("quarter")), "--test-clock", env={"NULLSPEND_STRIPE_URL": stripe.url}
        )
        daemon.call("POST", "/_local/clock", {"setTo": "2027-01-02T00:00:00.000Z"}, auth="admin")
        shop = Shop(daemon, stripe)
        shop.map(healthy="cus_h", moderate="cus_m", risky="cus_r", loser="cus_l", free="cus_f", quiet="cus_q")
        months: tuple[dict[str, float], ...] = (
            {"healthy": 10, "moderate": 10, "risky": 50, "loser": 50},
            {"healthy": 20, "moderate": 40, "risky": 60, "loser": 100},
            {"healthy": 30, "moderate": 70, "risky": 90, "loser": 150},
        )
        for number, costs in enumerate(months):
            shop.at(f"2027-0{number + 1}-05T00:00:00.000Z")
            shop.owner.enter(None)
            for customer, dollars in costs.items():
                shop.spend(customer, dollars, tagged=customer == "healthy")
        shop.spend("free", 3, model="o3")
        shop.spend("free", 4)
        shop.spend("stray", 5)
        shop.at(NOW)
        shop.owner.enter(None)
        paying = ("cus_h", "cus_m", "cus_r", "cus_l")
        shop.sync(
            *(invoice(customer, 100, month) for customer in paying for month in (JANUARY, FEBRUARY, MARCH)),
            invoice("cus_lost", 12.34, MARCH),
            invoice("cus_h", 7, MARCH, currency="eur"),
            invoice("cus_h", 7, MARCH, customer={"id": "cus_h", "deleted": True, "object": "customer"}),
            invoice("cus_h", 7, MARCH, customer=None),
        )
        yield shop
        daemon.end()


def test_the_table_has_each_customer_with_revenue_or_cost_worst_first(quarter: Shop) -> None:
    table = quarter.owner.data("GET", "/api/margins")
    shown = [(row["tagValue"], row["marginPercent"], row["healthTier"]) for row in table["customers"]]
    assert shown == [
        ("loser", -50.0, "critical"),
        ("free", 0.0, "critical"),
        ("risky", 10.0, "at_risk"),
        ("moderate", 30.0, "moderate"),
        ("healthy", 70.0, "healthy"),
    ]
    assert table["summary"] == {
        "blendedMarginPercent": 13.25,
        "totalRevenueMicrodollars": 400 * DOLLAR,
        "totalCostMicrodollars": 347 * DOLLAR,
        "criticalCount": 2,
        "atRiskCount": 1,
        "lastSyncAt": IsStr(regex="2027-03-15T12:00:.*Z"),
        "syncStatus": "active",
        "skippedCurrencies": {"eur": 1},
    }


def test_a_row_has_these_figures(quarter: Shop) -> None:
    assert quarter.rows()["loser"] == {
        "stripeCustomerId": "cus_l",
        "customerName": "CUS_L",
        "avatarUrl": None,
        "tagValue": "loser",
        "revenueMicrodollars": 100 * DOLLAR,
        "costMicrodollars": 150 * DOLLAR,
        "marginMicrodollars": -50 * DOLLAR,
        "marginPercent": -50.0,
        "healthTier": "critical",
        # 50, 0, -50 go down by 50 a month: the next is -100.
        "sparkline": [
            {"period": "2027-01", "marginPercent": 50.0},
            {"period": "2027-02", "marginPercent": 0.0},
            {"period": "2027-03", "marginPercent": -50.0},
            {"period": "2027-04", "marginPercent": -100.0, "projected": True},
        ],
        "projectedTierWorsening": False,
        "budgetSuggestionMicrodollars": 50 * DOLLAR,
    }


def test_projections_are_least_squares_over_three_months(quarter: Shop) -> None:
    rows = quarter.rows()
    # (a + b + c) / 3 + (c - a), by hand from the margins of the three months.
    expected = {
        "healthy": ([90.0, 80.0, 70.0, 60.0], False),
        "moderate": ([90.0, 60.0, 30.0, 0.0], True),
        "risky": ([50.0, 40.0, 10.0, -6.67], True),
    }
    for customer, (points, worse) in expected.items():
        row = rows[customer]
        assert [point["marginPercent"] for point in row["sparkline"]] == points, customer
        assert row["projectedTierWorsening"] is worse, customer
        assert row["budgetSuggestionMicrodollars"] is None


def test_cost_without_revenue_is_critical_at_zero_percent(quarter: Shop) -> None:
    row = quarter.rows()["free"]
    assert (row["marginPercent"], row["healthTier"], row["marginMicrodollars"]) == (0.0, "critical", -7 * DOLLAR)
    assert [point["marginPercent"] for point in row["sparkline"]] == [0.0, 0.0, -100.0], "and nothing is projected"
    assert row["budgetSuggestionMicrodollars"] is None
    assert row["customerName"] is None


def test_an_earlier_month_has_its_own_table(quarter: Shop) -> None:
    rows = quarter.rows("2027-02")
    assert {name: row["marginPercent"] for name, row in rows.items()} == {
        "loser": 0.0,
        "risky": 40.0,
        "moderate": 60.0,
        "healthy": 80.0,
    }
    assert [point["period"] for point in rows["loser"]["sparkline"]] == ["2026-12", "2027-01", "2027-02"]
    assert quarter.rows("2026-01") == {}


@pytest.mark.parametrize("period", ["2027", "2027-13", "2027-3", "march", "2027-03-01", ""])
def test_a_period_is_a_month(quarter: Shop, period: str) -> None:
    for path in ("/api/margins", "/api/margins/loser"):
        refused = quarter.owner.call("GET", f"{path}?period={period}")
        assert (refused.status, refused.json["error"]["details"]["issues"][0]["path"]) == (400, ["period"])


def test_one_customer_has_months_and_models(quarter: Shop) -> None:
    assert quarter.owner.data("GET", "/api/margins/free") == {
        "stripeCustomerId": "cus_f",
        "customerName": None,
        "avatarUrl": None,
        "tagValue": "free",
        "healthTier": "critical",
        "marginPercent": 0.0,
        "revenueMicrodollars": 0,
        "costMicrodollars": 7 * DOLLAR,
        "revenueOverTime": [
            {"period": "2027-01", "revenue": 0, "cost": 0},
            {"period": "2027-02", "revenue": 0, "cost": 0},
            {"period": "2027-03", "revenue": 0, "cost": 7 * DOLLAR},
        ],
        "modelBreakdown": [
            {"model": "gpt-4o", "cost": 4 * DOLLAR, "requestCount": 1},
            {"model": "o3", "cost": 3 * DOLLAR, "requestCount": 1},
        ],
    }
    for missing in ("stray", "nobody", "cus_f", "a%2Fb"):
        assert refusal(quarter.owner.call("GET", f"/api/margins/{missing}")) == (404, "not_found")
    assert refusal(quarter.owner.call("GET", "/api/margins/%ff")) == (400, "validation_error")


def test_who_is_left_over_on_either_side(quarter: Shop) -> None:
    assert quarter.owner.data("GET", "/api/margins/unmatched") == {
        "unmatchedStripeCustomers": [
            {
                "stripeCustomerId": "cus_lost",
                "customerName": "CUS_LOST",
                "customerEmail": None,
                "totalRevenueMicrodollars": 12_340_000,
            }
        ],
        "unmappedTagValues": [{"tagValue": "stray", "totalCostMicrodollars": 5 * DOLLAR, "requestCount": 1}],
        "pendingAutoMatches": [],
        "customerNames": {
            "cus_h": "CUS_H",
            "cus_l": "CUS_L",
            "cus_lost": "CUS_LOST",
            "cus_m": "CUS_M",
            "cus_r": "CUS_R",
        },
    }


def test_the_table_is_a_csv_file_too(quarter: Shop) -> None:
    reply = quarter.owner.call("GET", "/api/margins?format=csv&period=2027-03")
    assert reply.headers["content-type"].startswith("text/csv")
    assert reply.headers["content-disposition"] == 'attachment; filename="margins-2027-03.csv"'
    assert reply.body.decode() == (
        "Customer,Stripe ID,Tag Value,Revenue ($),Cost ($),Margin (%),Margin ($),Health Tier\n"
        "CUS_L,cus_l,loser,100.00,150.00,-50.00,-50.00,critical\n"
        ",cus_f,free,0.00,7.00,0.00,-7.00,critical\n"
        "CUS_R,cus_r,risky,100.00,90.00,10.00,10.00,at_risk\n"
        "CUS_M,cus_m,moderate,100.00,70.00,30.00,30.00,moderate\n"
        "CUS_H,cus_h,healthy,100.00,30.00,70.00,70.00,healthy"
    )
    assert refusal(quarter.owner.call("GET", "/api/margins?format=xml")) == (400, "validation_error")


def test_the_sync_asks_for_paid_invoices_of_this_month_and_three_before(quarter: Shop) -> None:
    asked = quarter.stripe.asked_for("GET", "/v1/invoices")[-1]
    assert asked.query["status"] == "paid"
    # 2026-12-01T00:00:00Z, three months before the March of the test.
    assert asked.query["created[gte]"] == "1796083200"
    assert asked.query["limit"] == "100"
    assert asked.headers["authorization"] == "Bearer rk_test_0123456789"


def test_without_mappings_there_is_nothing_to_show(start: StartDaemon) -> None:
    daemon = start()
    assert daemon.call("GET", "/api/margins").json == {
        "data": {
            "summary": {
                "blendedMarginPercent": 0.0,
                "totalRevenueMicrodollars": 0,
                "totalCostMicrodollars": 0,
                "criticalCount": 0,
                "atRiskCount": 0,
                "lastSyncAt": None,
                "syncStatus": "disconnected",
                "skippedCurrencies": None,
            },
            "customers": [],
        }
    }
    assert daemon.call("GET", "/api/margins/unmatched").json == {
        "data": {
            "unmatchedStripeCustomers": [],
            "unmappedTagValues": [],
            "pendingAutoMatches": [],
            "customerNames": {},
        }
    }


def test_a_cell_that_a_spreadsheet_would_run_is_defused(start: StartDaemon, server: FakeServer) -> None:
    shop = year(start, server)
    hostile = {"=1+1": "cus_1", "+1": "cus_2", "-1": "cus_3", "@x": "cus_4", 'a,"b"': "cus_5"}
    for value, stripe_id in hostile.items():
        shop.owner.call("POST", "/api/customer-mappings", {"stripeCustomerId": stripe_id, "tagValue": value})
        shop.spend(value, 1)
    text = shop.owner.call("GET", "/api/margins?format=csv").body.decode()
    values = {row["Stripe ID"]: row["Tag Value"] for row in csv.DictReader(io.StringIO(text))}
    assert values == {"cus_1": "'=1+1", "cus_2": "'+1", "cus_3": "'-1", "cus_4": "'@x", "cus_5": 'a,"b"'}
    assert 'a,""b""' in text


def test_a_crossing_is_told_once_for_each_customer_month_and_tier(start: StartDaemon, server: FakeServer) -> None:
    shop = year(start, server)
    shop.map(acme="cus_a", better="cus_b", new="cus_n")
    shop.spend("acme", 10)
    shop.spend("better", 90)
    paid = [invoice("cus_a", 100, JANUARY), invoice("cus_b", 100, JANUARY)]
    shop.at("2027-02-10T00:00:00.000Z")
    shop.owner.enter(None)
    shop.spend("acme", 85)
    shop.spend("better", 10)
    shop.spend("new", 500)
    paid += [invoice("cus_a", 100, FEBRUARY), invoice("cus_b", 100, FEBRUARY)]
    shop.sync(*paid)
    expected = {
        "customer": {"stripeId": "cus_a", "name": "CUS_A", "tagValue": "acme"},
        "margin": {"previous": 0.9, "current": 0.15, "previousTier": "healthy", "currentTier": "at_risk"},
        "revenue_microdollars": 100 * DOLLAR,
        "cost_microdollars": 85 * DOLLAR,
        "period": "2027-02",
    }
    assert crossings(shop.daemon) == [expected], "better ones are not told, new ones have no month before"
    shop.sync(*paid)
    assert len(crossings(shop.daemon)) == 1, "told once"
    shop.spend("acme", 30)
    shop.sync(*paid)
    worse = {**expected["margin"], "current": -0.15, "currentTier": "critical"}  # type: ignore[dict-item]
    assert crossings(shop.daemon)[1:] == [{**expected, "margin": worse, "cost_microdollars": 115 * DOLLAR}]


def crossings(daemon: Daemon) -> list[dict[str, Any]]:
    """`data.object` of each crossing in the outbox, oldest first."""
    with sqlite3.connect(f"file:{daemon.data / 'nullspend.db'}?mode=ro", uri=True) as connection:
        rows = connection.execute(
            "SELECT object FROM outbox WHERE type = 'margin.threshold_crossed' ORDER BY seq"
        ).fetchall()
    connection.close()
    return [json.loads(data) for (data,) in rows]


def test_a_sync_replaces_the_window_and_keeps_what_is_older(start: StartDaemon, server: FakeServer) -> None:
    shop = year(start, server)
    shop.map(acme="cus_a")
    shop.sync(invoice("cus_a", 10, DECEMBER), invoice("cus_a", 0.01, JANUARY), invoice("cus_a", 5, JANUARY))
    assert shop.rows("2027-01")["acme"]["revenueMicrodollars"] == 5_010_000, "added up in a month"
    shop.at("2027-04-15T00:00:00.000Z")
    shop.owner.enter(None)
    shop.sync(invoice("cus_a", 2, JANUARY))
    assert shop.rows("2027-01")["acme"]["revenueMicrodollars"] == 2_000_000
    assert shop.rows("2026-12")["acme"]["revenueMicrodollars"] == 10_000_000


def test_the_daemon_syncs_every_two_hours_by_itself(start: StartDaemon, server: FakeServer) -> None:
    shop = year(start, server)
    server.answer("GET", "/v1/invoices", {"object": "list", "data": [], "has_more": False, "url": "/v1/invoices"})
    shop.at("2027-01-02T02:00:01.000Z")
    shop.owner.enter(None)
    first = shop.owner.data("GET", "/api/stripe/connect")["lastSyncAt"]
    assert first is not None
    shop.at("2027-01-02T03:59:00.000Z")
    assert shop.owner.data("GET", "/api/stripe/connect")["lastSyncAt"] == first
    shop.at("2027-01-02T04:01:00.000Z")
    assert shop.owner.data("GET", "/api/stripe/connect")["lastSyncAt"] > first


# -- mappings


def test_a_mapping_is_made_replaced_confirmed_and_deleted(daemon: Daemon) -> None:
    def put(**body: Any) -> Reply:
        return daemon.call("POST", "/api/customer-mappings", {"stripeCustomerId": "cus_9", "tagValue": "v", **body})

    made = put(matchType="auto")
    assert made.status == 201
    first = made.json["data"]
    assert first == {
        "id": IsStr(min_length=36, max_length=36),
        "orgId": daemon.state["owner"]["orgId"],
        "stripeCustomerId": "cus_9",
        "tagKey": "customer",
        "tagValue": "v",
        "matchType": "auto",
        "confidence": None,
        "createdAt": IsStr(),
    }
    pending = daemon.call("GET", "/api/margins/unmatched").json["data"]["pendingAutoMatches"]
    assert [(row["id"], row["tagValue"]) for row in pending] == [(first["id"], "v")]
    confirmed = put(tagValue="w")
    assert (confirmed.status, confirmed.json["data"]) == (
        201,
        {**first, "tagValue": "w", "matchType": "manual", "confidence": 1.0},
    )
    assert put(matchType={"x": 1}).json["data"]["matchType"] == "manual", "anything but auto"
    clash = put(stripeCustomerId="cus_8")
    assert refusal(clash) == (409, "conflict")
    other_tag = put(stripeCustomerId="cus_8", tagKey="region")
    assert other_tag.status == 201
    listed = daemon.call("GET", "/api/customer-mappings").json["data"]
    assert [row["id"] for row in listed] == [first["id"], other_tag.json["data"]["id"]], "oldest first"
    gone = daemon.call("DELETE", f"/api/customer-mappings?id={first['id']}")
    assert (gone.status, gone.json) == (200, {"data": {"deleted": True}})
    assert refusal(daemon.call("DELETE", f"/api/customer-mappings?id={first['id']}")) == (404, "not_found")


@pytest.mark.parametrize("query", ["", "?id=", "?id=x", f"?id=ns_org_{MISSING}"])
def test_a_mapping_is_deleted_by_its_uuid(daemon: Daemon, query: str) -> None:
    refused = daemon.call("DELETE", f"/api/customer-mappings{query}")
    assert (refused.status, refused.json["error"]["details"]["issues"][0]["path"]) == (400, ["id"])


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"tagValue": "v"}, "stripeCustomerId"),
        ({"stripeCustomerId": "cus_1"}, "tagValue"),
        ({"stripeCustomerId": "", "tagValue": "v"}, "stripeCustomerId"),
        ({"stripeCustomerId": "c" * 256, "tagValue": "v"}, "stripeCustomerId"),
        ({"stripeCustomerId": "cus_1", "tagValue": "a\nb"}, "tagValue"),
        ({"stripeCustomerId": "cus_1", "tagValue": 5}, "tagValue"),
        ({"stripeCustomerId": "cus_1", "tagValue": "v", "tagKey": None}, "tagKey"),
    ],
)
def test_what_a_mapping_names_has_its_rules(daemon: Daemon, body: dict[str, Any], path: str) -> None:
    refused = daemon.call("POST", "/api/customer-mappings", body)
    assert (refused.status, refused.json["error"]["details"]["issues"][0]["path"]) == (400, [path])
