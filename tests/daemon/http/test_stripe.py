"""Billing over HTTP with Stripe: the real library against localstripe, and signed events. Orgs 7."""

import hashlib
import hmac
import json
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from dirty_equals import IsInt, IsStr

from tests.conftest import StartDaemon
from tests.fakes.stripe import SECRET_KEY, LocalStripe, local_stripe
from tests.machine import Daemon, Machine, Reply, start_daemon
from tests.people import MISSING, Person, person

WEBHOOK_SECRET = "whsec_0123456789"
ENVIRONMENT = {
    "STRIPE_SECRET_KEY": SECRET_KEY,
    "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
    "STRIPE_PRICE_PRO": "price_1pro",
    "STRIPE_PRICE_ENTERPRISE": "price_1ent",
}


@pytest.fixture(scope="module")
def stripe() -> Iterator[LocalStripe]:
    with local_stripe() as fake:
        fake.add_plan("price_1pro", 4900)
        fake.add_plan("price_1ent", 99_900)
        fake.add_plan("price_other", 100)
        yield fake


@pytest.fixture(scope="module")
def shop(stripe: LocalStripe, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that sells through `stripe`."""
    machine = Machine(tmp_path_factory.mktemp("shop"))
    running = start_daemon(machine, "--trust-proxy", env={**ENVIRONMENT, "NULLSPEND_STRIPE_URL": stripe.url})
    yield running
    running.end()


@pytest.fixture
def owner(shop: Daemon) -> Person:
    return person(shop, "owner")


def refusal(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.json["error"]["code"]


def org_of(one: Person) -> str:
    return str(one.call("GET", "/api/auth/session").json["orgId"])


def checkout(one: Person, price: str = "price_1pro") -> str:
    return str(one.call("POST", "/api/stripe/checkout", {"priceId": price}).json["url"])


def standing(one: Person) -> tuple[str, str, bool] | None:
    row = one.call("GET", "/api/stripe/subscription").json["data"]
    return row and (row["tier"], row["status"], row["cancelAtPeriodEnd"])


def signed(body: bytes, *, secret: str = WEBHOOK_SECRET, at: int | None = None) -> dict[str, str]:
    moment = int(time.time()) if at is None else at
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return {"stripe-signature": f"t={moment},v1={digest}", "Content-Type": "application/json"}


def tell(shop: Daemon, kind: str, thing: dict[str, Any], event_id: str = "") -> Reply:
    """An event as Stripe sends it."""
    event = {"id": event_id or f"evt_{time.monotonic_ns()}", "type": kind, "data": {"object": thing}}
    body = json.dumps(event).encode()
    return shop.call("POST", "/api/stripe/webhook", body, auth=None, headers=signed(body))


def subscribed(subscription_id: str, org_id: str, **more: Any) -> dict[str, Any]:
    return {
        "id": subscription_id,
        "customer": "cus_x",
        "status": "active",
        "metadata": {"orgId": org_id},
        "items": {"data": [{"price": {"id": "price_1pro"}}]},
        "current_period_start": 1_790_000_000,
        "current_period_end": 1_792_592_000,
        "cancel_at_period_end": False,
        **more,
    }


def test_a_checkout_at_stripe_is_synced_with_its_tier(stripe: LocalStripe, shop: Daemon, owner: Person) -> None:
    url = checkout(owner)
    assert url.startswith(f"{stripe.url}/pay/cs_test_")
    session = stripe.sessions[url.rpartition("/")[2]]
    org_id = org_of(owner)
    assert session["metadata"] == {"orgId": org_id, "tier": "pro"}
    sent = session["sent"]
    assert sent["subscription_data[metadata][orgId]"] == org_id
    assert sent["success_url"] == f"{shop.url}/app/billing?success=true&session_id={{CHECKOUT_SESSION_ID}}"
    assert sent["cancel_url"] == f"{shop.url}/app/billing"
    session_id = session["id"]
    assert refusal(owner.call("POST", "/api/stripe/subscription/sync", {"sessionId": session_id})) == (400, "not_found")
    stripe.pay(url)
    bought = owner.data("POST", "/api/stripe/subscription/sync", {"sessionId": session_id})
    assert (bought["tier"], bought["status"], bought["cancelAtPeriodEnd"]) == ("pro", "active", False)
    assert bought["currentPeriodEnd"] > bought["currentPeriodStart"]
    assert refusal(owner.call("POST", "/api/stripe/checkout", {"priceId": "price_1ent"})) == (
        400,
        "subscription_exists",
    )
    portal = owner.call("POST", "/api/stripe/portal").json["url"]
    assert portal == f"{stripe.url}/portal/{session['customer']}"
    assert stripe.portals[-1]["return_url"] == f"{shop.url}/app/billing"


def test_a_session_of_another_org_or_of_nobody_is_forbidden(stripe: LocalStripe, shop: Daemon, owner: Person) -> None:
    theirs = stripe.pay(checkout(person(shop)))
    for session_id in (theirs, "cs_test_nonsense"):
        refused = owner.call("POST", "/api/stripe/subscription/sync", {"sessionId": session_id})
        assert refusal(refused) == (403, "forbidden")
    assert refusal(owner.call("POST", "/api/stripe/portal")) == (400, "no_subscription")
    assert refusal(owner.call("POST", "/api/stripe/checkout", {"priceId": "price_pro"})) == (400, "invalid_input")


def test_a_price_nobody_knows_is_never_taken_for_free(stripe: LocalStripe, owner: Person) -> None:
    url = checkout(owner)
    session = stripe.sessions[url.rpartition("/")[2]]
    session["price"] = "price_other"
    session_id = stripe.pay(url)
    taken = owner.data("POST", "/api/stripe/subscription/sync", {"sessionId": session_id})
    assert taken["tier"] == "pro", "the session says what was bought"
    del session["metadata"]["tier"]
    refused = owner.call("POST", "/api/stripe/subscription/sync", {"sessionId": session_id})
    assert refusal(refused) == (500, "internal_error")
    assert standing(owner) == ("pro", "active", False)


def test_a_stripe_that_is_away_is_a_503_and_the_simulator_stays_out(stripe: LocalStripe, owner: Person) -> None:
    stripe.down = True
    try:
        refused = owner.call("POST", "/api/stripe/checkout", {"priceId": "price_1pro"})
    finally:
        stripe.down = False
    assert refusal(refused) == (503, "service_unavailable")
    assert refused.headers["retry-after"] == "30"
    assert owner.daemon.call("GET", "/_local/billing/checkout/cs_local_1?token=x", auth=None).status == 404


def test_deleting_an_org_cancels_its_subscription_at_stripe(stripe: LocalStripe, owner: Person) -> None:
    org_id = owner.data("POST", "/api/orgs", {"name": "Paying", "slug": f"pay-{owner.user_id[-12:]}"})["id"]
    owner.enter(org_id)
    session_id = stripe.pay(checkout(owner))
    owner.call("POST", "/api/stripe/subscription/sync", {"sessionId": session_id})
    subscription_id = stripe.sessions[session_id]["subscription"]
    assert stripe.call("GET", f"/v1/subscriptions/{subscription_id}")["status"] == "active"
    assert owner.call("DELETE", f"/api/orgs/{org_id}").status == 200
    assert stripe.call("GET", f"/v1/subscriptions/{subscription_id}")["status"] == "canceled"


def test_an_org_goes_even_when_stripe_does_not_answer(stripe: LocalStripe, owner: Person) -> None:
    org_id = owner.data("POST", "/api/orgs", {"name": "Paying", "slug": f"gone-{owner.user_id[-12:]}"})["id"]
    owner.enter(org_id)
    session_id = stripe.pay(checkout(owner))
    owner.call("POST", "/api/stripe/subscription/sync", {"sessionId": session_id})
    stripe.down = True
    try:
        assert owner.call("DELETE", f"/api/orgs/{org_id}").status == 200
    finally:
        stripe.down = False


def test_events_that_localstripe_signs_and_sends_change_the_plan(
    stripe: LocalStripe, shop: Daemon, owner: Person
) -> None:
    session_id = stripe.pay(checkout(owner))
    owner.call("POST", "/api/stripe/subscription/sync", {"sessionId": session_id})
    subscription_id = stripe.sessions[session_id]["subscription"]
    hook = {"url": f"{shop.url}/api/stripe/webhook", "secret": WEBHOOK_SECRET}
    stripe.call_config("POST", "/_config/webhooks/daemon", hook)
    stripe.call("DELETE", f"/v1/subscriptions/{subscription_id}")
    deadline = time.monotonic() + 20
    while standing(owner) != ("pro", "canceled", False):
        assert time.monotonic() < deadline, standing(owner)
        time.sleep(0.05)


def test_each_event_moves_the_subscription_as_the_contract_says(
    stripe: LocalStripe, shop: Daemon, owner: Person
) -> None:
    org_id, sub = org_of(owner), f"sub_{owner.user_id[-12:]}"
    done = {"received": True}
    changed = subscribed(sub, org_id)
    assert tell(shop, "customer.subscription.updated", changed).json == done
    row = owner.call("GET", "/api/stripe/subscription").json["data"]
    assert (row["currentPeriodStart"], row["currentPeriodEnd"]) == (
        "2026-09-21T14:13:20.000Z",
        "2026-10-21T14:13:20.000Z",
    )
    assert standing(owner) == ("pro", "active", False)
    steps: list[tuple[str, dict[str, Any], tuple[str, str, bool]]] = [
        ("invoice.payment_failed", {"subscription": sub}, ("pro", "past_due", False)),
        ("invoice.paid", {"parent": {"subscription_details": {"subscription": sub}}}, ("pro", "active", False)),
        (
            "customer.subscription.updated",
            subscribed(sub, org_id, cancel_at_period_end=True),
            ("pro", "active", True),
        ),
        (
            "customer.subscription.updated",
            subscribed(sub, org_id, items={"data": [{"price": {"id": "price_1ent"}}]}),
            ("enterprise", "active", False),
        ),
        (
            "customer.subscription.updated",
            subscribed(sub, org_id, items={"data": [{"price": {"id": "price_else"}}]}, status="unpaid"),
            ("enterprise", "active", False),
        ),
        (
            "customer.subscription.updated",
            subscribed(sub, org_id, status="past_due", cancel_at_period_end=True),
            ("pro", "past_due", True),
        ),
        ("customer.subscription.deleted", {"id": sub}, ("pro", "canceled", False)),
        ("invoice.paid", {"subscription": sub}, ("pro", "canceled", False)),
        ("charge.refunded", {"id": "ch_1"}, ("pro", "canceled", False)),
    ]
    for kind, thing, expected in steps:
        assert tell(shop, kind, thing).json == done, kind
        assert standing(owner) == expected, kind


def test_a_completed_checkout_is_active_at_once(stripe: LocalStripe, shop: Daemon, owner: Person) -> None:
    session_id = stripe.pay(checkout(owner, "price_1ent"))
    session = {key: stripe.sessions[session_id][key] for key in ("id", "customer", "subscription", "metadata")}
    assert tell(shop, "checkout.session.completed", session).json == {"received": True}
    assert standing(owner) == ("enterprise", "active", False)


def test_an_event_finds_its_org_by_the_customer_when_it_does_not_name_it(
    stripe: LocalStripe, shop: Daemon, owner: Person
) -> None:
    customer = stripe.add_customer("late", orgId=org_of(owner))
    thing = subscribed(f"sub_{owner.user_id[-10:]}", "", metadata={}, customer=customer)
    assert tell(shop, "customer.subscription.updated", thing).json == {"received": True}
    assert standing(owner) == ("pro", "active", False)


def test_an_event_is_taken_once(shop: Daemon, owner: Person) -> None:
    sub, org_id = f"sub_once{owner.user_id[-8:]}", org_of(owner)
    tell(shop, "customer.subscription.updated", subscribed(sub, org_id))
    failed = {"subscription": sub}
    event_id = f"evt_once_{owner.user_id}"
    assert tell(shop, "invoice.payment_failed", failed, event_id).json == {"received": True}
    tell(shop, "invoice.paid", failed)
    again = tell(shop, "invoice.payment_failed", failed, event_id)
    assert (again.status, again.json) == (200, {"received": True, "deduplicated": True})
    assert standing(owner) == ("pro", "active", False)


def test_an_event_that_makes_no_sense_is_received_and_said_to_have_failed(shop: Daemon, owner: Person) -> None:
    nobody = subscribed("sub_nobody", f"ns_org_{MISSING}")
    reply = tell(shop, "customer.subscription.updated", nobody)
    assert reply.status == 200
    assert reply.json == {"received": True, "error": {"code": "processing_failed", "message": IsStr(), "details": None}}
    assert tell(shop, "customer.subscription.deleted", {}).json["error"]["code"] == "processing_failed"


def test_an_event_that_stripe_must_be_asked_about_may_come_again(
    stripe: LocalStripe, shop: Daemon, owner: Person
) -> None:
    session_id = stripe.pay(checkout(owner))
    session = {key: stripe.sessions[session_id][key] for key in ("id", "customer", "subscription", "metadata")}
    event_id = f"evt_retry_{owner.user_id}"
    stripe.down = True
    try:
        refused = tell(shop, "checkout.session.completed", session, event_id)
    finally:
        stripe.down = False
    assert refusal(refused) == (500, "webhook_processing_error")
    assert tell(shop, "checkout.session.completed", session, event_id).json == {"received": True}
    assert standing(owner) == ("pro", "active", False)


def test_only_what_stripe_signed_just_now_is_taken(shop: Daemon, owner: Person) -> None:
    body = json.dumps({"id": "evt_x", "type": "charge.refunded", "data": {"object": {}}}).encode()
    good = signed(body)
    now = int(time.time())

    def answer(headers: dict[str, str], content: bytes = body) -> tuple[int, str]:
        return refusal(shop.call("POST", "/api/stripe/webhook", content, auth=None, headers=headers))

    assert answer({}) == (400, "missing_signature")
    for headers in (
        {"stripe-signature": "nonsense"},
        {"stripe-signature": ""},
        signed(body, secret="whsec_wrong"),
        signed(body, at=now - 301),
        signed(body, at=now + 310),
        {"stripe-signature": good["stripe-signature"].replace("v1=", "v0=")},
    ):
        assert answer(headers)[0] == 400
    assert answer(good, body + b" ") == (400, "signature_invalid")
    rotated = good["stripe-signature"].replace("v1=", f"v1={'0' * 64},v1=")
    assert (
        shop.call("POST", "/api/stripe/webhook", body, auth=None, headers={"stripe-signature": rotated}).status == 200
    )
    from_a_page = {**good, "Origin": "https://evil.example"}
    exempt = shop.call("POST", "/api/stripe/webhook", body, auth=None, headers=from_a_page)
    assert exempt.status == 200, "the signature is what counts, not where it comes from"


def test_without_a_webhook_secret_events_are_refused(start: StartDaemon) -> None:
    daemon = start()
    refused = daemon.call("POST", "/api/stripe/webhook", b"{}", auth=None, headers=signed(b"{}"))
    assert refusal(refused) == (500, "server_error")


# -- the organization's own account


def test_a_restricted_key_is_tried_out_and_kept_encrypted(stripe: LocalStripe, shop: Daemon, owner: Person) -> None:
    assert owner.call("GET", "/api/stripe/connect").json == {"data": None}
    key = "rk_test_abcdefghijklmnop"
    made = owner.call("POST", "/api/stripe/connect", {"stripeKey": f" {key} "})
    assert made.status == 201
    shown = made.json["data"]
    assert shown == {
        "id": IsStr(min_length=36, max_length=36),
        "keyPrefix": "rk_test_abcd...mnop",
        "status": "active",
        "createdAt": IsStr(),
    }
    assert owner.data("GET", "/api/stripe/connect") == {**shown, "lastSyncAt": None, "lastError": None}
    content = (shop.data / "nullspend.db").read_bytes() + (shop.data / "nullspend.db-wal").read_bytes()
    assert key.encode() not in content
    assert refusal(owner.call("POST", "/api/stripe/connect", {"stripeKey": key})) == (409, "conflict")


@pytest.mark.parametrize("key", ["", " ", "pk_test_x", "sk_live_0123456789", "rk", 5, None])
def test_other_keys_are_not_even_tried(owner: Person, key: object) -> None:
    refused = owner.call("POST", "/api/stripe/connect", {"stripeKey": key})
    assert (refused.status, refused.json["error"]["details"]["issues"][0]["path"]) == (400, ["stripeKey"])


def test_a_key_that_stripe_refuses_is_not_kept_and_not_repeated(stripe: LocalStripe, owner: Person) -> None:
    stripe.refused_keys.add("rk_test_revoked0123")
    refused = owner.call("POST", "/api/stripe/connect", {"stripeKey": "rk_test_revoked0123"})
    assert refusal(refused) == (400, "stripe_validation_failed")
    assert b"revoked0123" not in refused.body
    assert owner.call("GET", "/api/stripe/connect").json == {"data": None}


def test_invoices_of_localstripe_become_revenue_and_match_by_themselves(
    stripe: LocalStripe, shop: Daemon, owner: Person
) -> None:
    key = owner.key()
    event = {"provider": "p", "model": "m", "inputTokens": 1, "outputTokens": 1, "costMicrodollars": 9_000_000}
    by_metadata = stripe.add_customer("meta", nullspend_customer=f"acme-{owner.user_id}")
    by_id = stripe.add_customer("same")
    unknown = stripe.add_customer("unknown")
    for customer in (by_metadata, by_id, unknown):
        stripe.subscribe(customer, "price_1pro")
    for customer in (f"acme-{owner.user_id}", by_id):
        sent = {**event, "customer": customer}
        shop.call("POST", "/api/cost-events", sent, auth=None, headers={"X-NullSpend-Key": key})
    assert owner.call("POST", "/api/stripe/connect", {"stripeKey": "rk_test_0123456789"}).status == 201
    synced = owner.data("GET", "/api/stripe/revenue-sync")
    invoices = stripe.call("GET", "/v1/invoices", {"limit": 100})["data"]
    paid = [each for each in invoices if each["status"] == "paid"]
    assert synced == {
        "orgId": org_of(owner),
        "customersProcessed": len({each["customer"] for each in paid}),
        "periodsUpdated": len({each["customer"] for each in paid}),
        "autoMatchesCreated": 2,
        "invoicesFetched": len(paid),
        "invoicesSkipped": 0,
        "skippedCurrencies": {},
        "durationMs": IsInt(ge=0),
    }
    mappings = {
        row["tagValue"]: (row["stripeCustomerId"], row["matchType"], row["confidence"])
        for row in owner.data("GET", "/api/customer-mappings")
    }
    assert mappings == {
        f"acme-{owner.user_id}": (by_metadata, "auto", 1.0),
        by_id: (by_id, "auto", 0.9),
    }
    rows = {row["tagValue"]: row for row in owner.data("GET", "/api/margins")["customers"]}
    assert rows[by_id]["revenueMicrodollars"] == 49_000_000
    assert rows[by_id]["costMicrodollars"] == 9_000_000
    assert rows[by_id]["marginPercent"] == 81.63
    assert rows[by_id]["customerName"] == "same"
    again = owner.data("GET", "/api/stripe/revenue-sync")
    assert (again["autoMatchesCreated"], again["invoicesFetched"]) == (0, len(paid))
    assert owner.data("GET", "/api/margins")["summary"]["totalRevenueMicrodollars"] == 98_000_000, (
        "read anew, not added"
    )


def test_a_sync_that_fails_says_why_and_a_revoked_key_is_marked(stripe: LocalStripe, owner: Person) -> None:
    assert "error" in owner.data("GET", "/api/stripe/revenue-sync"), "nothing is connected yet"
    key = f"rk_test_later{owner.user_id[-12:]}"
    owner.call("POST", "/api/stripe/connect", {"stripeKey": key})
    stripe.down = True
    try:
        failed = owner.call("GET", "/api/stripe/revenue-sync")
    finally:
        stripe.down = False
    assert failed.status == 200
    assert "Stripe is down." in failed.json["data"]["error"]
    connection = owner.data("GET", "/api/stripe/connect")
    assert (connection["status"], connection["lastSyncAt"]) == ("active", None)
    assert "Stripe is down." in connection["lastError"]
    stripe.refused_keys.add(key)
    owner.call("GET", "/api/stripe/revenue-sync")
    assert owner.data("GET", "/api/stripe/connect")["status"] == "revoked"
    assert owner.call("DELETE", "/api/stripe/disconnect").json == {"data": {"deleted": True}}
    assert refusal(owner.call("DELETE", "/api/stripe/disconnect")) == (404, "not_found")
    stripe.refused_keys.discard(key)
    assert owner.call("POST", "/api/stripe/connect", {"stripeKey": key}).status == 201


def test_disconnecting_forgets_revenue_mappings_and_alerts(stripe: LocalStripe, shop: Daemon, owner: Person) -> None:
    owner.call("POST", "/api/stripe/connect", {"stripeKey": "rk_test_0123456789"})
    owner.data("GET", "/api/stripe/revenue-sync")
    owner.call("POST", "/api/customer-mappings", {"stripeCustomerId": "cus_1", "tagValue": "acme"})
    owner.call("DELETE", "/api/stripe/disconnect")
    assert owner.data("GET", "/api/customer-mappings") == []
    assert owner.data("GET", "/api/margins/unmatched")["unmatchedStripeCustomers"] == []
    with sqlite3.connect(f"file:{shop.data / 'nullspend.db'}?mode=ro", uri=True) as connection:
        counts = [
            connection.execute(f"SELECT count(*) FROM {table} WHERE org_id = ?", (org_of(owner),)).fetchone()[0]
            for table in (
                "stripe_connections",
                "stripe_customers",
                "customer_revenue",
                "customer_mappings",
                "margin_alerts",
            )
        ]
    connection.close()
    assert counts == [0, 0, 0, 0, 0]


def test_the_cron_secret_syncs_everybody(start: StartDaemon, stripe: LocalStripe) -> None:
    daemon = start(env={"NULLSPEND_STRIPE_URL": stripe.url, "NULLSPEND_CRON_SECRET": "s3cret"})
    path = "/api/stripe/revenue-sync"

    def with_bearer(secret: str) -> Reply:
        return daemon.call("GET", path, auth=None, headers={"Authorization": f"Bearer {secret}"})

    for secret in ("wrong", ""):
        assert refusal(with_bearer(secret)) == (401, "authentication_required")
    assert with_bearer("s3cret").json == {"data": {"synced": 0, "errors": 0}}
    good, bad = person(daemon), person(daemon)
    good.call("POST", "/api/stripe/connect", {"stripeKey": "rk_test_good"})
    bad.call("POST", "/api/stripe/connect", {"stripeKey": "rk_test_bad"})
    stripe.refused_keys.add("rk_test_bad")
    assert with_bearer("s3cret").json == {"data": {"synced": 1, "errors": 1}}
    assert good.data("GET", "/api/stripe/connect")["lastSyncAt"] is not None
    assert with_bearer("s3cret").json == {"data": {"synced": 1, "errors": 0}}, "a revoked one is left alone"
    unset = start(on=Machine(daemon.machine.home / "other"))
    assert refusal(unset.call("GET", path, auth=None, headers={"Authorization": "Bearer "})) == (
        401,
        "authentication_required",
    )


def test_a_sealed_key_opens_for_its_own_organization_and_secret_only(start: StartDaemon, stripe: LocalStripe) -> None:
    first = start(env={"NULLSPEND_STRIPE_URL": stripe.url})
    mine, other = person(first), person(first)
    for one in (mine, other):
        one.call("POST", "/api/stripe/connect", {"stripeKey": "rk_test_0123456789"})
    with sqlite3.connect(first.data / "nullspend.db") as connection:
        connection.execute(
            "UPDATE stripe_connections SET sealed_key = (SELECT sealed_key FROM stripe_connections WHERE org_id = ?)"
            " WHERE org_id = ?",
            (org_of(mine), org_of(other)),
        )
    connection.close()
    assert "error" not in mine.data("GET", "/api/stripe/revenue-sync")
    moved = other.data("GET", "/api/stripe/revenue-sync")
    assert moved["error"].startswith("The stored key cannot be opened")
    assert other.data("GET", "/api/stripe/connect")["status"] == "active"


def test_without_the_extra_connecting_names_it(start: StartDaemon, machine: Machine) -> None:
    hidden = machine.home / "hidden"
    hidden.mkdir()
    (hidden / "stripe.py").write_text("raise ImportError('not installed')\n")
    path = f"{hidden}:{machine.env['PYTHONPATH']}"
    daemon = start(env={"PYTHONPATH": path, "STRIPE_SECRET_KEY": SECRET_KEY, "STRIPE_PRICE_PRO": "price_1pro"})
    for where, body in (
        ("/api/stripe/connect", {"stripeKey": "rk_test_0123456789"}),
        ("/api/stripe/checkout", {"priceId": "price_1pro"}),
    ):
        refused = daemon.call("POST", where, body)
        assert refusal(refused) == (500, "server_error")
        assert "nullspend-cli[stripe]" in refused.json["error"]["message"]


def test_one_sync_of_an_organization_at_a_time(stripe: LocalStripe, owner: Person) -> None:
    owner.call("POST", "/api/stripe/connect", {"stripeKey": "rk_test_0123456789"})
    stripe.waiting.clear()
    stripe.pause.clear()
    try:
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(owner.data, "GET", "/api/stripe/revenue-sync")
            assert stripe.waiting.wait(20)
            second = owner.data("GET", "/api/stripe/revenue-sync")
            stripe.pause.set()
            done = first.result()
    finally:
        stripe.pause.set()
    assert second["error"] == "A sync of this organization is running."
    assert "error" not in done
