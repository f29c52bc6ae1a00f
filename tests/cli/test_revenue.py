"""What tools, billing, customers and margins print: to a person, as data, when there is nothing, when it is wrong."""

import itertools
import json
import re
import sys

import pexpect
import pytest

from tests.cli.steady import ISO, TIME, UUID, steady
from tests.fakes.server import FakeServer
from tests.machine import Daemon, Machine, Result

_numbers = itertools.count(1)


class Desk:
    """Somebody at a terminal, in an organization of their own with a saved key."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        number = next(_numbers)
        self.email = f"ada{number}@example.com"
        daemon.run("users", "create", self.email)
        self.run("orgs", "create", "Acme", "--slug", f"acme-{number}", "--switch")

    def run(self, *arguments: str, **options: object) -> Result:
        return self.daemon.run(*arguments, "--as", self.email, **options)  # type: ignore[arg-type]

    def does(self, *arguments: str, **options: object) -> Result:
        done = self.run(*arguments, **options)
        assert done.code == 0, done.err
        return done


@pytest.fixture
def desk(daemon: Daemon) -> Desk:
    return Desk(daemon)


TOOLS = {
    "result": {
        "tools": [
            {"name": "read", "description": "Reads", "annotations": {"readOnlyHint": True, "openWorldHint": False}},
            {"name": "drop", "annotations": {"destructiveHint": True, "openWorldHint": True}},
            {"name": "search"},
        ]
    }
}


def test_tools_are_discovered_listed_set_and_reset(desk: Desk) -> None:
    empty = desk.run("tools", "list")
    assert (empty.code, empty.out, empty.err) == (
        0,
        "",
        "There are no tools yet.\nnext: nullspend tools discover SERVER --tool NAME\n",
    )
    wrong_key = desk.run("tools", "discover", "github", "--tool", "search")
    assert (wrong_key.code, wrong_key.err) == (
        2,
        "error: The key this command uses by itself is of the owner's personal organization.\n"
        "next: nullspend keys create NAME --save, then add --key NAME\n",
    )
    desk.does("keys", "create", f"mcp-{desk.email}", "--save")
    key = ("--key", f"mcp-{desk.email}")
    found = desk.does("tools", "discover", "github", "-", *key, input=json.dumps(TOOLS))
    assert (found.out, found.err) == ("", "Registered 3 tools of github.\n")
    assert desk.does("tools", "discover", "files", "--tool", "copy=2c", *key, "--json").json == {"registered": 1}
    assert steady(desk.does("tools", "list").out) == (
        "SERVER  TOOL     COST  SUGGESTED  SET BY     DESCRIPTION  LAST SEEN          ID\n"
        f"files   copy    $0.02      $0.00  discovery               {TIME}  ns_tc_{UUID}\n"
        f"github  drop    $0.00      $0.10  discovery               {TIME}  ns_tc_{UUID}\n"
        f"github  read    $0.00      $0.00  discovery  Reads        {TIME}  ns_tc_{UUID}\n"
        f"github  search  $0.00      $0.01  discovery               {TIME}  ns_tc_{UUID}\n"
    )
    assert desk.does("tools", "set", "search", "--cost", "5c").err == "A call of github/search costs $0.05 now.\n"
    by_id = desk.does("tools", "list", "-q").out.splitlines()[0]
    assert desk.does("tools", "set", by_id, "--cost", "0", "--json").json["costMicrodollars"] == 0
    unasked = desk.run("tools", "reset", "github/search")
    assert (unasked.code, unasked.err) == (
        2,
        "error: This needs a yes: Reset the cost of github/search, $0.05 a call, to zero?\n"
        "next: Add --yes to say it on the command line.\n",
    )
    assert desk.does("tools", "reset", "github/search", "-y").err == (
        "Reset the cost of github/search; the next discovery sets it.\n"
    )
    desk.does("tools", "discover", "gitlab", "--tool", "search", *key)
    several = desk.run("tools", "set", "search", "--cost", "1c")
    assert (several.code, several.err) == (
        2,
        "error: Several servers have a tool 'search':\n  github/search\n  gitlab/search\n"
        "next: Give the id instead of the name.\n",
    )


@pytest.mark.parametrize(
    ("arguments", "given", "sentence"),
    [
        (("tools", "set", "x"), "", "Say what a call costs with --cost."),
        (("tools", "set", "nothing", "--cost", "1c"), "", "There is no tool 'nothing'."),
        (("tools", "discover", "s"), "", "There are no tools to register."),
        (
            ("tools", "discover", "s", "tools.json"),
            "",
            "Tools are read from standard input only, not from 'tools.json'.",
        ),
        (("tools", "discover", "s", "--tool", "=2c"), "", "'=2c' is not a tool; write NAME or NAME=COST."),
        (("tools", "discover", "s", "-"), "{", "Standard input is not JSON: "),
        (("tools", "discover", "s", "-"), "{}", "The JSON is no list of tools."),
        (("tools", "discover", "s", "-"), "[{}]", "A tool without a name: {}"),
        (("billing", "checkout", "gold"), "", "There is no plan 'gold' to buy; there are pro and enterprise."),
        (("billing", "portal", "--complete", "pay"), "", "'pay' cannot be done there; there are cancel, "),
        (("billing", "portal"), "", "The organization has no subscription. "),
        (("billing", "connect"), "", "The restricted Stripe key is empty."),
        (("billing", "disconnect", "-y"), "", "No Stripe account is connected."),
        (("billing", "sync", "cs_nothing"), "", "This checkout session is not of your organization."),
        (("customers", "delete", "nobody", "-y"), "", "There is no mapping of 'nobody'."),
        (("customers", "set", "x"), "", "Missing option '--stripe'."),
        (("margins", "get", "nobody"), "", "No Stripe customer is mapped to 'nobody'."),
        (("margins", "list", "--month", "March"), "", "Request validation failed."),
    ],
)
def test_what_is_wrong_is_a_sentence(daemon: Daemon, arguments: tuple[str, ...], given: str, sentence: str) -> None:
    result = daemon.run(*arguments, input=given)
    assert result.code != 0
    assert result.out == ""
    assert result.err.startswith(f"error: {sentence}"), result.err


def test_a_plan_is_bought_cancelled_and_renewed(desk: Desk) -> None:
    assert desk.does("billing", "get").out == (
        "plan            none: nothing is limited\n"
        "largest budget  any\n"
        "budgets         any\n"
        "keys            any\n"
        "webhooks        any\n"
        "seats           any\n"
        "stripe account  not connected\n"
    )
    page = desk.does("billing", "checkout")
    assert re.fullmatch(r"page  http://127\.0\.0\.1:\d+/_local/billing/checkout/\w+\?token=\w+\n", page.out)
    assert page.err == "Pay there. Then: nullspend billing get\n"
    assert desk.does("billing", "checkout", "-q").out.startswith("http://127.0.0.1:")
    assert steady(desk.does("billing", "checkout", "--complete").err) == f"The pro plan is active, until {TIME}.\n"
    assert steady(desk.does("billing", "get").out) == (
        "plan            Pro\n"
        "status          active\n"
        f"ends            {TIME}\n"
        "cancelled       no\n"
        "largest budget  $50,000.00\n"
        "budgets         any\n"
        "keys            any\n"
        "webhooks        25\n"
        "seats           any\n"
        "stripe account  not connected\n"
    )
    again = desk.run("billing", "checkout", "enterprise")
    assert (again.code, again.err) == (
        1,
        "error: The organization is on the pro plan already. Change it with nullspend billing portal.\n"
        "next: nullspend billing portal\n",
    )
    for action, sentence in (
        ("cancel", f"The pro plan is active, ends {TIME}.\n"),
        ("fail-payment", f"The pro plan is past_due, ends {TIME}.\n"),
        ("renew", f"The pro plan is active, until {TIME}.\n"),
        ("cancel-now", f"The pro plan is canceled, until {TIME}.\n"),
    ):
        assert steady(desk.does("billing", "portal", "--complete", action).err) == sentence
    state = desk.does("billing", "get", "--json").json
    assert (state["plan"], state["subscription"]["status"], state["limits"]["budgets"]) == ("Free", "canceled", 3)
    for number in range(3):
        desk.does("budgets", "set", "--tag", f"n={number}", "--max", "1")
    refused = desk.run("budgets", "set", "--tag", "n=4", "--max", "1")
    assert (refused.code, refused.err) == (
        1,
        "error: Maximum of 3 budgets allowed on the Free plan. Upgrade for more.\nnext: nullspend billing get\n",
    )
    assert desk.does("billing", "checkout", "enterprise", "--complete", "--json").json["tier"] == "enterprise"
    assert desk.does("budgets", "set", "--tag", "n=4", "--max", "1").code == 0


def test_a_page_that_is_not_the_simulators_is_not_pressed(elsewhere: Machine, server: FakeServer) -> None:
    server.answer("POST", "/api/stripe/checkout", {"url": "https://checkout.stripe.com/c/pay/cs_1"})
    refused = elsewhere.run("billing", "checkout", "--complete", "--price", "price_x")
    assert (refused.code, refused.err) == (
        1,
        "error: Only the local daemon's billing simulator can be completed from here, "
        "and this page is checkout.stripe.com's.\nnext: Open https://checkout.stripe.com/c/pay/cs_1\n",
    )
    assert server.asked[-1].body == {"priceId": "price_x"}
    env = {"STRIPE_PRICE_PRO": "price_of_env"}
    assert (
        elsewhere.run("billing", "checkout", "--jq", ".url", env=env).out == "https://checkout.stripe.com/c/pay/cs_1\n"
    )
    assert server.asked[-1].body == {"priceId": "price_of_env"}


def test_a_stripe_key_is_typed_unseen_and_never_shown(elsewhere: Machine, server: FakeServer) -> None:
    made = {"id": UUID, "keyPrefix": "rk_test_0123...6789", "status": "active", "createdAt": ISO}
    server.answer("POST", "/api/stripe/connect", {"data": made})
    terminal = pexpect.spawn(
        sys.executable,
        ["-m", "nullspend_cli", "-v", "billing", "connect"],
        env={**elsewhere.env, "TERM": "xterm", "NULLSPEND_DEBUG": "api"},
        cwd=str(elsewhere.home),
        encoding="utf-8",
        timeout=30,
    )
    terminal.expect_exact("restricted Stripe key:")
    terminal.sendline("rk_test_0123456789")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert "rk_test_0123456789" not in str(terminal.before)
    assert "Connected the Stripe account of rk_test_0123...6789." in str(terminal.before)
    assert server.asked[-1].body == {"stripeKey": "rk_test_0123456789"}
    piped = elsewhere.run("billing", "connect", "--json", input="rk_test_0123456789\n")
    assert piped.json == made


def test_a_sync_that_stops_fails_after_saying_what_it_did(elsewhere: Machine, server: FakeServer) -> None:
    done = {
        "orgId": UUID,
        "customersProcessed": 2,
        "periodsUpdated": 3,
        "autoMatchesCreated": 1,
        "invoicesFetched": 5,
        "invoicesSkipped": 1,
        "skippedCurrencies": {"eur": 1},
        "durationMs": 9,
    }
    server.answer("GET", "/api/stripe/revenue-sync", {"data": done}, {"data": {**done, "error": "Stripe is down."}})
    good = elsewhere.run("billing", "sync-revenue")
    assert (good.code, good.err) == (0, "")
    assert good.out == (
        "customers       2\nmonths          3\ninvoices        5\nskipped         1\n"
        "not in dollars  eur=1\nnew matches     1\n"
    )
    bad = elsewhere.run("billing", "sync-revenue")
    assert (bad.code, bad.out) == (1, good.out)
    assert bad.err == "error: The sync stopped: Stripe is down.\nnext: nullspend billing get\n"


def test_customers_are_mapped_listed_and_unmapped(desk: Desk) -> None:
    empty = desk.run("customers", "list")
    assert (empty.out, empty.err) == ("", "No customers are mapped yet.\nnext: nullspend margins unmatched\n")
    assert desk.does("customers", "set", "acme", "--stripe", "cus_1").err == "cus_1 pays for customer acme.\n"
    desk.does("customers", "set", "emea", "--stripe", "cus_1", "--tag-key", "region")
    assert steady(desk.does("customers", "list").out) == (
        "CUSTOMER  AT STRIPE  TAG       MATCHED  CONFIDENCE  CREATED            ID\n"
        f"acme      cus_1      customer  by hand  1.0         {TIME}  {UUID}\n"
        f"emea      cus_1      region    by hand  1.0         {TIME}  {UUID}\n"
    )
    clash = desk.run("customers", "set", "acme", "--stripe", "cus_2")
    assert (clash.code, clash.err) == (1, "error: customer=acme is mapped to another Stripe customer already.\n")
    several = desk.run("customers", "delete", "cus_1", "-y")
    assert several.code == 2
    assert steady(several.err) == (
        "error: Several mappings answer to 'cus_1':\n"
        f"  {UUID}  customer=acme  cus_1\n  {UUID}  region=emea  cus_1\n"
        "next: Give the id instead of the name.\n"
    )
    unasked = desk.run("customers", "delete", "acme")
    assert unasked.err.startswith("error: This needs a yes: Delete the mapping of customer acme to cus_1?\n")
    assert desk.does("customers", "rm", "acme", "-y").err == "Deleted the mapping of acme.\n"
    assert [row["tagValue"] for row in desk.does("customers", "list", "--json").json] == ["emea"]


SUMMARY = {
    "blendedMarginPercent": 41.67,
    "totalRevenueMicrodollars": 1_200_000_000,
    "totalCostMicrodollars": 700_000_000,
    "criticalCount": 1,
    "atRiskCount": 1,
    "lastSyncAt": "2027-03-15T12:00:00.000Z",
    "syncStatus": "active",
    "skippedCurrencies": {"eur": 2},
}


def customer(name: str, revenue: int, cost: int, percent: float, tier: str, trend: list[float]) -> dict[str, object]:
    points = [{"period": f"2027-0{month}", "marginPercent": each} for month, each in enumerate(trend[:3], 1)]
    points += [{"period": "2027-04", "marginPercent": each, "projected": True} for each in trend[3:]]  # type: ignore[misc]
    return {
        "stripeCustomerId": f"cus_{name}",
        "customerName": name.title(),
        "avatarUrl": None,
        "tagValue": name,
        "revenueMicrodollars": revenue * 1_000_000,
        "costMicrodollars": cost * 1_000_000,
        "marginMicrodollars": (revenue - cost) * 1_000_000,
        "marginPercent": percent,
        "healthTier": tier,
        "sparkline": points,
        "projectedTierWorsening": tier == "at_risk",
        "budgetSuggestionMicrodollars": 50_000_000 if tier == "critical" else None,
    }


@pytest.fixture
def shop(elsewhere: Machine, server: FakeServer) -> Machine:
    rows = [
        customer("loser", 100, 150, -50.0, "critical", [50, 0, -50, -100]),
        customer("risky", 100, 90, 10.0, "at_risk", [50, 40, 10, -6.67]),
        customer("fine", 1000, 460, 54.0, "healthy", [100, 80, 54]),
    ]
    server.answer("GET", "/api/margins", {"data": {"summary": SUMMARY, "customers": rows}})
    return elsewhere


def test_margins_are_listed_worst_first_with_trends_and_a_sum(shop: Machine, server: FakeServer) -> None:
    listed = shop.run("margins", "list", "--month", "2027-03")
    assert listed.out == (
        "CUSTOMER  NAME     REVENUE     COST   MARGIN         %  HEALTH    TREND  OUTLOOK  BUDGET TO SET  AT STRIPE\n"
        "loser     Loser    $100.00  $150.00  -$50.00  -50.00 %  critical  ▆▄▂ ▁                  $50.00  cus_loser\n"
        "risky     Risky    $100.00   $90.00   $10.00   10.00 %  at risk   ▆▅▄ ▄  worse                   cus_risky\n"
        "fine      Fine   $1,000.00  $460.00  $540.00   54.00 %  healthy   █▇▆                            cus_fine\n"
    )
    assert listed.err == (
        "Together 41.67 % of $1,200.00 is left after $700.00. Critical: 1, at risk: 1. "
        "Revenue as of 2027-03-15 12:00Z. Not in dollars, so not counted: 2 in eur.\n"
    )
    assert server.asked[-1].query == {"period": "2027-03"}
    ascii_only = shop.run("margins", "list", "--fields", "tagValue,sparkline", env={"PYTHONIOENCODING": "ascii"})
    assert ascii_only.out == "CUSTOMER  TREND\nloser     *=. _\nrisky     *+= =\nfine      @#*\n"
    assert [row["tagValue"] for row in shop.run("margins", "list", "--json").json] == ["loser", "risky", "fine"]
    assert shop.run("margins", "list", "-q").out == "loser\nrisky\nfine\n"
    csv = shop.run("margins", "list", "--format", "csv", "--fields", "tagValue,marginPercent,marginMicrodollars").out
    assert (
        csv == "tagValue,marginPercent,marginMicrodollars\n"
        "loser,-50.0,-50000000\nrisky,10.0,10000000\nfine,54.0,540000000\n"
    )


def test_a_table_of_margins_fits_80_columns(shop: Machine) -> None:
    terminal = pexpect.spawn(
        sys.executable,
        ["-m", "nullspend_cli", "margins", "list"],
        env={**shop.env, "TERM": "xterm", "LANG": "C.UTF-8"},
        cwd=str(shop.home),
        dimensions=(24, 80),
        encoding="utf-8",
        timeout=30,
    )
    terminal.expect(pexpect.EOF)
    terminal.close()
    shown = str(terminal.before)
    assert "\x1b[31mcritical\x1b[0m" in shown and "\x1b[33mat risk\x1b[0m" in shown
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown).replace("\r", "").splitlines()
    assert max(map(len, plain[:4])) <= 80, plain


def test_one_customers_margin_has_months_and_models(elsewhere: Machine, server: FakeServer) -> None:
    found = {
        "stripeCustomerId": "cus_1",
        "customerName": "A B",
        "avatarUrl": None,
        "tagValue": "a/b",
        "healthTier": "moderate",
        "marginPercent": 25.0,
        "revenueMicrodollars": 4_000_000,
        "costMicrodollars": 3_000_000,
        "revenueOverTime": [{"period": "2027-03", "revenue": 4_000_000, "cost": 3_000_000}],
        "modelBreakdown": [{"model": "gpt-4o", "cost": 3_000_000, "requestCount": 1200}],
    }
    server.answer("GET", "/api/margins/a%2Fb", {"data": found})
    assert elsewhere.run("margins", "get", "a/b").out == (
        "customer   a/b\n"
        "name       A B\n"
        "at stripe  cus_1\n"
        "revenue    $4.00\n"
        "cost       $3.00\n"
        "margin     25.00 %\n"
        "health     moderate\n"
        "months     2027-03 $4.00 - $3.00\n"
        "models     gpt-4o $3.00 (1,200 calls)\n"
    )
    assert elsewhere.run("margins", "get", "a/b", "--json").json == found


def test_who_is_left_over_is_one_table(elsewhere: Machine, server: FakeServer) -> None:
    left = {
        "unmatchedStripeCustomers": [
            {
                "stripeCustomerId": "cus_1",
                "customerName": "Payer",
                "customerEmail": "p@example.com",
                "totalRevenueMicrodollars": 5_000_000,
            }
        ],
        "unmappedTagValues": [{"tagValue": "acme", "totalCostMicrodollars": 2_000_000, "requestCount": 7}],
        "pendingAutoMatches": [
            {"id": UUID, "stripeCustomerId": "cus_2", "customerName": None, "tagValue": "beta", "confidence": 0.9}
        ],
        "customerNames": {"cus_1": "Payer"},
    }
    server.answer("GET", "/api/margins/unmatched", {"data": left})
    shown = elsewhere.run("margins", "unmatched")
    assert shown.out == (
        "WHAT                CUSTOMER  AT STRIPE  NAME   REVENUE   COST  CALLS  EMAIL          SURE  ID\n"
        "pays, not matched             cus_1      Payer    $5.00                p@example.com\n"
        "costs, not matched  acme                                 $2.00      7\n"
        f"guessed match       beta      cus_2                                                   0.9   {UUID}\n"
    )
    assert shown.err == "To match two: nullspend customers set CUSTOMER --stripe ID\n"
    assert elsewhere.run("margins", "unmatched", "-q").out == "cus_1\nacme\nbeta\n"
    server.answer("GET", "/api/margins/unmatched", {"data": {name: [] for name in left}})
    nobody = elsewhere.run("margins", "unmatched")
    assert (nobody.out, nobody.err) == ("", "Everybody is matched.\n")
