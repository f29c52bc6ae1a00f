"""Billing over HTTP without Stripe: the simulator, its pages, plans that really change. Orgs 3 and 7, local.md."""

import json
import re
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from dirty_equals import IsStr

from tests.conftest import StartDaemon
from tests.machine import Daemon, Reply
from tests.people import Person, Team, person, team

UUID = IsStr(regex=r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = IsStr(regex=r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
DAY_MS = 86_400_000


@pytest.fixture
def owner(town: Daemon) -> Person:
    """Somebody in their personal organization, which has its own subscription."""
    return person(town, "owner")


def refusal(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json["error"]["code"]


def checkout(owner: Person, price: str = "price_pro") -> str:
    reply = owner.call("POST", "/api/stripe/checkout", {"priceId": price})
    assert reply.status == 200, reply.body
    assert list(reply.json) == ["url"]
    return str(reply.json["url"])


def portal(owner: Person) -> str:
    return str(owner.call("POST", "/api/stripe/portal").json["url"])


def page(owner: Person, url: str, *, form: dict[str, str] | None = None, accept: str = "text/html") -> Reply:
    """The page as a browser gets it; with `form` a button is pressed. No cookie, no token but the URL's."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=30)
    headers = {"Accept": accept}
    if form is not None:
        headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://{parts.netloc}"}
    content = None if form is None else urlencode(form)
    connection.request("GET" if form is None else "POST", f"{parts.path}?{parts.query}", content, headers)
    reply = connection.getresponse()
    shown = Reply(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())
    connection.close()
    return shown


def press(owner: Person, url: str, action: str) -> Reply:
    (token,) = re.findall(r'name="token" value="([0-9a-f]+)"', page(owner, url).body.decode())
    return page(owner, url, form={"token": token, "action": action})


def subscription(owner: Person) -> Any:
    return owner.call("GET", "/api/stripe/subscription").json["data"]


def test_without_a_subscription_there_is_none(owner: Person) -> None:
    assert owner.call("GET", "/api/stripe/subscription").json == {"data": None}
    assert refusal(owner.call("POST", "/api/stripe/portal")) == (400, "no_subscription")


@pytest.mark.parametrize(("price", "tier"), [("price_pro", "pro"), ("price_enterprise", "enterprise")])
def test_a_checkout_is_paid_on_its_page_and_taken_over(owner: Person, price: str, tier: str) -> None:
    url = checkout(owner, price)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/_local/billing/checkout/cs_local_\w+\?token=[0-9a-f]{64}", url)
    paid = press(owner, url, "pay")
    assert paid.status == 303
    back = re.fullmatch(
        rf"{owner.daemon.url}/app/billing\?success=true&session_id=(cs_local_\w+)", paid.headers["location"]
    )
    assert back, paid.headers
    bought = subscription(owner)
    assert bought == {
        "id": UUID,
        "tier": tier,
        "status": "active",
        "currentPeriodStart": TIME,
        "currentPeriodEnd": TIME,
        "cancelAtPeriodEnd": False,
        "createdAt": TIME,
    }
    assert owner.data("POST", "/api/stripe/subscription/sync", {"sessionId": back[1]}) == bought
    assert refusal(owner.call("POST", "/api/stripe/checkout", {"priceId": price})) == (400, "subscription_exists")


def test_a_checkout_that_is_not_for_sale(owner: Person) -> None:
    assert refusal(owner.call("POST", "/api/stripe/checkout", {"priceId": "price_gold"})) == (400, "invalid_input")
    for body in ({}, {"priceId": ""}, {"priceId": 5}):
        assert refusal(owner.call("POST", "/api/stripe/checkout", body)) == (400, "validation_error")


def test_looking_at_a_page_changes_nothing(owner: Person) -> None:
    url = checkout(owner)
    for _ in range(3):
        shown = page(owner, url)
        assert shown.status == 200
        assert shown.headers["content-type"].startswith("text/html")
    assert subscription(owner) is None
    for button in ("pay", "cancel"):
        target = f"{url}&action={button}"
        assert page(owner, target).status == 200
    assert subscription(owner) is None


def test_a_page_opens_with_its_own_token_only(owner: Person) -> None:
    url = checkout(owner)
    mine, _, token = url.partition("?token=")
    other = checkout(owner).partition("?token=")[2]
    for wrong in (mine, f"{mine}?token=", f"{mine}?token={other}", f"{mine}?token={token[:-1]}"):
        assert page(owner, wrong).status == 404
    assert page(owner, f"{mine.replace('/checkout/', '/portal/')}?token={token}").status == 404
    assert press(owner, url, "cancel").headers["location"] == f"{owner.daemon.url}/app/billing"
    assert subscription(owner) is None, "going back buys nothing"


def test_a_form_is_good_once(owner: Person) -> None:
    url = checkout(owner)
    (token,) = re.findall(r'name="token" value="([0-9a-f]+)"', page(owner, url).body.decode())
    assert page(owner, url, form={"token": "0" * 64, "action": "pay"}).status == 403
    assert page(owner, url, form={"token": token, "action": "steal"}).status == 400
    assert page(owner, url, form={"action": "pay"}).status == 403
    assert subscription(owner) is None
    assert page(owner, url, form={"token": token, "action": "pay"}).status == 303
    assert page(owner, url, form={"token": token, "action": "pay"}).status == 403
    assert "paid" in page(owner, url).body.decode()


def test_a_form_of_another_site_is_refused(owner: Person) -> None:
    parts = urlsplit(checkout(owner))
    for headers, status in (({"Origin": "https://evil.example"}, 403), ({"Sec-Fetch-Site": "cross-site"}, 403)):
        path = f"{parts.path}?{parts.query}"
        assert owner.daemon.call("POST", path, b"action=pay", auth=None, headers=headers).status == status


def test_a_page_is_shown_to_nobody_who_frames_it_and_loads_nothing(owner: Person) -> None:
    org_name = "<script>alert(1)</script>"
    org = owner.data("POST", "/api/orgs", {"name": org_name, "slug": f"x-{owner.user_id[-12:]}"})
    shown = page(owner.enter(org["id"]), checkout(owner))
    assert org_name not in shown.body.decode()
    assert "&lt;script&gt;" in shown.body.decode()
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert shown.headers["referrer-policy"] == "same-origin"
    assert shown.headers["cache-control"] == "private, no-store"


def test_a_program_gets_the_page_as_json(owner: Person) -> None:
    url = checkout(owner)
    shown = page(owner, url, accept="application/json").json
    assert shown == {
        "kind": "checkout",
        "state": "open",
        "tier": "pro",
        "formToken": IsStr(regex=r"[0-9a-f]{64}"),
        "actions": ["pay", "cancel"],
    }
    wrong = page(owner, url, form={"token": "x", "action": "pay"}, accept="application/json")
    assert refusal(wrong) == (403, "forbidden")


def test_the_portal_cancels_renews_and_fails_payments(town: Daemon, owner: Person) -> None:
    press(owner, checkout(owner), "pay")
    begun = subscription(owner)
    steps = [
        ("fail-payment", "past_due", False),
        ("renew", "active", False),
        ("cancel", "active", True),
        ("renew", "active", False),
        ("cancel-now", "canceled", False),
    ]
    for action, status, ends in steps:
        done = press(owner, portal(owner), action)
        assert (done.status, done.headers["location"]) == (303, f"{town.url}/app/billing")
        now = subscription(owner)
        assert (now["status"], now["cancelAtPeriodEnd"], now["id"]) == (status, ends, begun["id"]), action
    press(owner, checkout(owner, "price_enterprise"), "pay")
    assert (subscription(owner)["tier"], subscription(owner)["status"]) == ("enterprise", "active")


def test_a_period_renews_by_itself_and_a_cancelled_one_ends(town: Daemon, owner: Person) -> None:
    press(owner, checkout(owner), "pay")
    first = subscription(owner)
    town.call("POST", "/_local/clock", {"advanceMs": 32 * DAY_MS}, auth="admin")
    owner.enter(None)
    second = subscription(owner)
    assert (second["status"], second["currentPeriodStart"]) == ("active", first["currentPeriodEnd"])
    press(owner, portal(owner), "cancel")
    town.call("POST", "/_local/clock", {"advanceMs": 32 * DAY_MS}, auth="admin")
    owner.enter(None)
    assert (subscription(owner)["status"], subscription(owner)["cancelAtPeriodEnd"]) == ("canceled", False)


def test_a_page_lapses_after_a_day(town: Daemon, owner: Person) -> None:
    url = checkout(owner)
    town.call("POST", "/_local/clock", {"advanceMs": DAY_MS}, auth="admin")
    assert page(owner, url).status == 404


def test_a_session_of_another_org_cannot_be_told_from_none(owner: Person, town: Daemon) -> None:
    url = checkout(person(town))
    session = urlsplit(url).path.rpartition("/")[2]
    for session_id in (session, "cs_local_nonsense"):
        refused = owner.call("POST", "/api/stripe/subscription/sync", {"sessionId": session_id})
        assert refusal(refused) == (403, "forbidden")
    mine = urlsplit(checkout(owner)).path.rpartition("/")[2]
    unpaid = owner.call("POST", "/api/stripe/subscription/sync", {"sessionId": mine})
    assert refusal(unpaid) == (400, "not_found")
    assert refusal(owner.call("POST", "/api/stripe/subscription/sync", {})) == (400, "validation_error")


def test_each_org_has_its_own_plan(town: Daemon) -> None:
    made: Team = team(town)
    press(made.owner, checkout(made.owner), "pay")
    assert subscription(made.viewer)["tier"] == "pro"
    assert subscription(made.owner.enter(None)) is None


def test_without_a_row_nothing_is_limited_and_with_hosted_the_plan_is_free(start: StartDaemon) -> None:
    hosted = start("--hosted")
    budget = {"entityType": "tag", "entityId": "a=1", "maxBudgetMicrodollars": 5_000_000_001}
    assert refusal(hosted.call("POST", "/api/budgets", budget)) == (400, "spend_cap_exceeded")
    assert hosted.call("GET", "/api/stripe/subscription").json == {"data": None}


def fill(owner: Person) -> None:
    """More of everything than the free plan allows."""
    for number in range(4):
        body = {"entityType": "tag", "entityId": f"n={number}", "maxBudgetMicrodollars": 6_000_000_000}
        assert owner.call("POST", "/api/budgets", body).status == 201
    for number in range(11):
        assert owner.call("POST", "/api/keys", {"name": f"k{number}"}).status == 201


def held(owner: Person) -> tuple[int, int]:
    return len(owner.data("GET", "/api/budgets")), len(owner.data("GET", "/api/keys"))


def over_the_limit(owner: Person) -> dict[str, tuple[int, str] | int]:
    """What creating, raising and lowering answer now."""

    def budget(entity: str, amount: int) -> Reply:
        body = {"entityType": "tag", "entityId": entity, "maxBudgetMicrodollars": amount}
        return owner.call("POST", "/api/budgets", body)

    replies = {
        "new budget": budget("n=new", 1),
        "new budget above the cap": budget("n=new", 6_000_000_000),
        "raised": budget("n=0", 6_000_000_001),
        "lowered to the cap": budget("n=1", 5_000_000_000),
        "new key": owner.call("POST", "/api/keys", {"name": "new"}),
    }
    return {name: refusal(reply) if reply.status >= 400 else reply.status for name, reply in replies.items()}


@pytest.mark.parametrize("how", ["cancel-now", "by hand"])
def test_a_downgrade_deletes_nothing_and_refuses_what_is_new(town: Daemon, owner: Person, how: str) -> None:
    press(owner, checkout(owner), "pay")
    fill(owner)
    raw = owner.key("worker")
    if how == "cancel-now":
        press(owner, portal(owner), "cancel-now")
    else:
        org = owner.call("GET", "/api/auth/session").json["orgId"]
        town.call("POST", "/_local/plan", {"tier": "free", "orgId": org}, auth="admin")
    before = held(owner)
    assert before == (4, 12)
    assert over_the_limit(owner) == {
        "new budget": (409, "limit_exceeded"),
        "new budget above the cap": (400, "spend_cap_exceeded"),
        "raised": (400, "spend_cap_exceeded"),
        "lowered to the cap": 201,
        "new key": (409, "limit_exceeded"),
    }
    assert held(owner) == before
    event = {
        "provider": "p",
        "model": "m",
        "inputTokens": 1,
        "outputTokens": 1,
        "costMicrodollars": 9,
        "tags": {"n": "2"},
    }
    headers = {"X-NullSpend-Key": raw}
    assert town.call("POST", "/api/cost-events", event, auth=None, headers=headers).status == 201
    spent = {row["entityId"]: row["spendMicrodollars"] for row in owner.data("GET", "/api/budgets")}
    assert spent["n=2"] == 9, "a budget above the cap still counts"


def test_after_a_downgrade_the_proxy_still_enforces_what_is_above_the_cap(town: Daemon, owner: Person) -> None:
    press(owner, checkout(owner), "pay")
    fill(owner)
    headers = {"X-NullSpend-Key": owner.key("worker")}
    press(owner, portal(owner), "cancel-now")
    spent = {
        "provider": "p",
        "model": "m",
        "inputTokens": 1,
        "outputTokens": 1,
        "costMicrodollars": 6_000_000_000,
        "tags": {"n": "3"},
    }
    assert town.call("POST", "/api/cost-events", spent, auth=None, headers=headers).status == 201

    def call(tag: str) -> Reply:
        body = {"model": "fake/m", "messages": [{"role": "user", "content": "x"}], "max_tokens": 5}
        tagged = {**headers, "X-NullSpend-Tags": json.dumps({"n": tag})}
        return town.call("POST", "/v1/chat/completions", body, auth=None, headers=tagged)

    assert call("2").status == 200
    denied = call("3")
    assert refusal(denied) == (429, "tag_budget_exceeded")
    assert denied.json["error"]["details"]["budget_limit_microdollars"] == 6_000_000_000
    assert denied.headers["x-nullspend-denied"] == "1"


def test_a_failed_payment_keeps_the_plan_and_its_end_takes_it(owner: Person) -> None:
    press(owner, checkout(owner), "pay")
    for number in range(3):
        owner.call("POST", "/api/budgets", {"entityType": "tag", "entityId": f"n={number}", "maxBudgetMicrodollars": 1})
    fourth = {"entityType": "tag", "entityId": "n=4", "maxBudgetMicrodollars": 1}
    press(owner, portal(owner), "fail-payment")
    assert owner.call("POST", "/api/budgets", fourth).status == 201, "past_due is still paid for"
    press(owner, portal(owner), "cancel-now")
    fifth = {**fourth, "entityId": "n=5"}
    assert refusal(owner.call("POST", "/api/budgets", fifth)) == (409, "limit_exceeded")
    press(owner, portal(owner), "renew")
    assert owner.call("POST", "/api/budgets", fifth).status == 201


def test_a_plan_can_be_set_and_taken_by_hand(start: StartDaemon) -> None:
    daemon = start()
    made = daemon.call("POST", "/_local/plan", {"tier": "pro", "status": "trialing"}, auth="admin").json["data"]
    assert (made["tier"], made["status"]) == ("pro", "trialing")
    budget: dict[str, Any] = {"entityType": "tag", "entityId": "a=1", "maxBudgetMicrodollars": 5_000_000_001}
    assert refusal(daemon.call("POST", "/api/budgets", budget)) == (400, "spend_cap_exceeded"), (
        "any other status is free"
    )
    daemon.call("POST", "/_local/plan", {"tier": "pro"}, auth="admin")
    assert daemon.call("POST", "/api/budgets", budget).status == 201
    capped = daemon.call("POST", "/api/budgets", {**budget, "maxBudgetMicrodollars": 50_000_000_001})
    assert refusal(capped) == (400, "spend_cap_exceeded")
    daemon.call("POST", "/_local/plan", {"tier": "enterprise"}, auth="admin")
    assert daemon.call("POST", "/api/budgets", {**budget, "maxBudgetMicrodollars": 9_007_199_254_740_991}).status == 201
    assert daemon.call("POST", "/_local/plan", {"tier": None}, auth="admin").json == {"data": None}
    assert daemon.call("GET", "/api/stripe/subscription").json == {"data": None}


@pytest.mark.parametrize(
    ("path", "commands"),
    [
        ("/app/billing", ["nullspend billing get"]),
        ("/app/billing?success=true&session_id=cs_1", ["nullspend billing sync cs_1", "nullspend billing get"]),
        ("/app", ["nullspend top"]),
        ("/app/members", ["nullspend members list"]),
        ("/app/margins/acme", ["nullspend margins get acme"]),
        ("/app/margins/a%20b", ["nullspend margins get &#x27;a b&#x27;"]),
        ("/app/margins/%1b%5b31m", ["nullspend margins get CUSTOMER"]),
        ("/app/nothing/of/the/kind", ["nullspend help"]),
    ],
)
def test_an_app_page_names_the_command_and_shows_no_data(town: Daemon, path: str, commands: list[str]) -> None:
    shown = town.call("GET", path, auth=None)
    assert shown.status == 200
    assert re.findall(r"<pre>(.*?)</pre>", shown.body.decode()) == commands
    assert town.call("POST", path, b"{}", auth=None).status == 405
    navigation = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert town.call("GET", path, auth=None, headers=navigation).status == 200, "a link from Slack may lead here"


def test_every_command_an_app_page_names_is_one(town: Daemon) -> None:
    from nullspend_cli.main import tree
    from nullspend_cli.tree import exists, root_of
    from nullspend_daemon.local.app_pages import LISTS

    root = root_of(tree())
    assert [command for command in LISTS.values() if not exists(command, root)] == []
