import json
import sqlite3
from collections.abc import Iterator

import pytest

from tests.cli.steady import DAY, ISO, TIME, UUID, steady
from tests.conftest import StartDaemon
from tests.fakes.server import FakeServer
from tests.machine import Daemon, Machine


@pytest.fixture
def fresh(start: StartDaemon) -> Iterator[Daemon]:
    yield start("--test-clock")


def spend(daemon: Daemon, dollars: str, *more: str) -> None:
    done = daemon.run("events", "report", "--provider", "openai", "--model", "gpt-4o", "--cost", dollars, *more)
    assert done.code == 0, done.err


def test_the_list_shows_whose_how_much_spent_left_and_when_it_starts_again(fresh: Daemon) -> None:
    fresh.run("budgets", "set", "--key", "default", "--max", "$5", "--every", "monthly")
    fresh.run("budgets", "set", "--tag", "team=core", "--max", "500", "--policy", "warn")
    fresh.run("budgets", "set", "--customer", "acme", "--max", "100c", "--policy", "soft")
    fresh.run("budgets", "set", "--user", "--max", "5000000u")
    spend(fresh, "$1.25", "--tag", "team=core", "--customer", "acme")
    listed = fresh.run("budgets", "list")
    assert (listed.code, listed.err) == (0, "")
    assert steady(listed.out) == (
        "ENTITY                 KIND        LIMIT  SPENT     LEFT  USED           POLICY  RESETS      ID\n"
        f"owner@nullspend.local  user        $5.00  $1.25    $3.75  ██░░░░░░  25%  strict  never       ns_bgt_{UUID}\n"
        f"acme                   customer    $1.00  $1.25    $0.00  ████████ 125%  soft    never       ns_bgt_{UUID}\n"
        f"team=core              tag       $500.00  $1.25  $498.75  █░░░░░░░   0%  warn    never       ns_bgt_{UUID}\n"
        f"default                key         $5.00  $1.25    $3.75  ██░░░░░░  25%  strict  {DAY}  ns_bgt_{UUID}\n"
    )


def test_csv_has_plain_numbers_and_json_the_servers_records(fresh: Daemon) -> None:
    fresh.run("budgets", "set", "--customer", "acme", "--max", "$5")
    spend(fresh, "$0.05", "--customer", "acme")
    assert steady(fresh.run("budgets", "list", "--format", "csv").out) == (
        "entity,entityType,maxBudgetMicrodollars,spendMicrodollars,remainingMicrodollars,used,policy,resetsAt,id\n"
        f"acme,customer,5000000,50000,4950000,1,strict_block,,ns_bgt_{UUID}\n"
    )
    (record,) = fresh.run("budgets", "list", "--json").json
    assert json.loads(steady(json.dumps(record))) == {
        "id": f"ns_bgt_{UUID}",
        "entityType": "customer",
        "entityId": "acme",
        "maxBudgetMicrodollars": 5_000_000,
        "spendMicrodollars": 50_000,
        "policy": "strict_block",
        "resetInterval": None,
        "currentPeriodStart": None,
        "thresholdPercentages": [50, 80, 90, 95],
        "velocityLimitMicrodollars": None,
        "velocityWindowSeconds": 60,
        "velocityCooldownSeconds": 60,
        "sessionLimitMicrodollars": None,
        "finalizationReserveMicrodollars": 0,
        "createdAt": ISO,
        "updatedAt": ISO,
    }
    assert fresh.run("budgets", "list", "--fields", "entity,remainingMicrodollars").out == (
        "ENTITY   LEFT\nacme    $4.95\n"
    )


def test_one_budget_shows_all_its_settings(fresh: Daemon) -> None:
    fresh.run(
        *("budgets", "set", "--tag", "team=core", "--max", "$20", "--every", "daily", "--thresholds", "50,80%"),
        *("--velocity", "$1", "--window", "90", "--cooldown", "300", "--session-max", "2", "--reserve", "25c"),
    )
    shown = fresh.run("budgets", "get", "team=core")
    assert steady(shown.out) == (
        "entity       team=core\n"
        "kind         tag\n"
        "limit        $20.00\n"
        "spent        $0.00\n"
        "left         $20.00\n"
        "used         ░░░░░░░░   0%\n"
        "policy       strict\n"
        "warns at     50%, 80%\n"
        "every        daily\n"
        f"period from  {TIME}\n"
        f"resets       {TIME}\n"
        "velocity     $1.00 in 1m 30s, then a pause of 5m\n"
        "session max  $2.00\n"
        "reserve      $0.25\n"
        f"created      {TIME}\n"
        f"changed      {TIME}\n"
        f"id           ns_bgt_{UUID}\n"
    )


def test_setting_one_thing_leaves_all_others_as_they_were(fresh: Daemon) -> None:
    fresh.run(
        *("budgets", "set", "--customer", "acme", "--max", "$20", "--every", "monthly", "--policy", "warn"),
        *("--thresholds", "10", "--velocity", "$1", "--session-max", "$2", "--reserve", "$3"),
    )
    before = fresh.run("budgets", "get", "acme", "--json").json
    changed = fresh.run("budgets", "set", "--customer", "acme", "--session-max", "$4")
    assert changed.err == (
        "Changed the budget of acme: $20.00 monthly, warn.\n"
        "Its period starts anew with every change; what is spent stays.\n"
    )
    after = fresh.run("budgets", "get", "acme", "--json").json
    moved = {"sessionLimitMicrodollars", "currentPeriodStart", "updatedAt"}
    assert {k: v for k, v in after.items() if k not in moved} == {k: v for k, v in before.items() if k not in moved}
    assert after["sessionLimitMicrodollars"] == 4_000_000
    assert after["resetInterval"] == "monthly"


def test_limits_are_removed_with_none(fresh: Daemon) -> None:
    fresh.run(
        *("budgets", "set", "--customer", "acme", "--max", "$20", "--every", "weekly"),
        *("--velocity", "$1", "--session-max", "$2"),
    )
    none = ("--velocity", "none", "--session-max", "none", "--every", "none", "--thresholds", "none")
    after = fresh.run("budgets", "set", "--customer", "acme", *none, "--json").json
    assert (after["velocityLimitMicrodollars"], after["sessionLimitMicrodollars"]) == (None, None)
    assert (after["resetInterval"], after["thresholdPercentages"]) == (None, [])
    assert "warns at     never\n" in fresh.run("budgets", "get", "acme").out


def test_a_new_budget_needs_a_limit_and_one_owner(fresh: Daemon) -> None:
    assert fresh.run("budgets", "set", "--customer", "acme").err == (
        "error: acme has no budget yet; say how much with --max.\nnext: nullspend budgets set --help\n"
    )
    for owners in ((), ("--user", "--customer", "acme"), ("--key", "default", "--tag", "a=b")):
        result = fresh.run("budgets", "set", *owners, "--max", "$1")
        assert (result.code, result.err) == (
            2,
            "error: Say whose budget: one of --key, --user, --tag and --customer.\n"
            "next: nullspend budgets set --help\n",
        )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--max", "five"), "'five' is not an amount of money; write 5, $5, 5.00, 5usd, 250c or 5000000u"),
        (("--max=-5",), "'-5' is negative; an amount of money starts at 0"),
        (("--max", "0.0000001"), "'0.0000001' is finer than a microdollar; at most 6 decimals of a dollar count"),
        (("--max", "NaN"), "'NaN' is not an amount of money; write a number such as $5"),
        (("--max", "none"), "'none' is not an amount of money"),
        (("--max", "1", "--every", "hourly"), "--every 'hourly' is not one of daily, weekly, monthly, yearly, none."),
        (("--max", "1", "--thresholds", "a,b"), "--thresholds 'a,b' is not a list of percentages"),
        (("--max", "1", "--window", "x"), "Invalid value for '--window'"),
    ],
)
def test_what_cannot_be_understood_is_a_usage_error(daemon: Daemon, options: tuple[str, ...], sentence: str) -> None:
    result = daemon.run("budgets", "set", "--customer", "acme", *options)
    assert (result.code, result.out) == (2, "")
    assert sentence in result.err


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (("--max", "0"), "maxBudgetMicrodollars"),
        (("--max", "1", "--policy", "never"), "policy"),
        (("--max", "1", "--thresholds", "80,50"), "thresholdPercentages"),
        (("--max", "1", "--window", "5"), "velocityWindowSeconds"),
        (("--max", "1", "--reserve", "2"), "finalizationReserveMicrodollars"),
    ],
)
def test_what_the_server_refuses_names_the_field(daemon: Daemon, options: tuple[str, ...], field: str) -> None:
    result = daemon.run("budgets", "set", "--customer", "acme", *options)
    assert result.code == 1
    assert f"\n  {field}" in result.err


def test_budgets_are_found_by_whatever_they_are_for(fresh: Daemon) -> None:
    fresh.run("budgets", "set", "--key", "default", "--max", "$1")
    fresh.run("budgets", "set", "--user", "--max", "$2")
    key = fresh.run("keys", "get", "default", "--json").json["id"]
    budget = fresh.run("budgets", "get", "default", "--json").json["id"]
    for name in (key, budget, budget.upper().replace("NS_BGT_", "ns_bgt_")):
        assert fresh.run("budgets", "get", name, "--json").json["maxBudgetMicrodollars"] == 1_000_000
    by_email = fresh.run("budgets", "get", "owner@nullspend.local", "--json").json
    assert by_email["maxBudgetMicrodollars"] == 2_000_000
    missing = fresh.run("budgets", "get", "nobody")
    assert (missing.code, missing.err) == (
        5,
        "error: There is no budget 'nobody'.\nnext: nullspend budgets list\n",
    )


def test_a_name_for_several_budgets_lists_them(fresh: Daemon) -> None:
    fresh.run("keys", "create", "acme")
    fresh.run("budgets", "set", "--key", "acme", "--max", "$1")
    fresh.run("budgets", "set", "--customer", "acme", "--max", "$2")
    result = fresh.run("budgets", "delete", "acme", "--yes")
    assert result.code == 2
    assert steady(result.err) == (
        "error: Several budgets answer to 'acme':\n"
        f"  ns_bgt_{UUID}  customer acme\n"
        f"  ns_bgt_{UUID}  api_key acme\n"
        "next: Give the id instead of the name.\n"
    )


def test_reset_and_delete_name_what_they_do_and_ask(fresh: Daemon) -> None:
    fresh.run("budgets", "set", "--customer", "acme", "--max", "$5")
    spend(fresh, "$1.50", "--customer", "acme")
    assert fresh.run("budgets", "reset", "acme").err == (
        "error: This needs a yes: Reset the budget of acme, $1.50 spent, to zero?\n"
        "next: Add --yes to say it on the command line.\n"
    )
    assert fresh.run("budgets", "reset", "acme", "--yes").err == "Reset the budget of acme: $5.00 to spend.\n"
    assert fresh.run("budgets", "get", "acme", "--json").json["spendMicrodollars"] == 0
    assert "Delete the budget of acme ($5.00, strict)?" in fresh.run("budgets", "rm", "acme").err
    deleted = fresh.run("budgets", "rm", "acme", "--yes", "--json")
    assert deleted.json["deleted"] is True
    assert fresh.run("budgets", "list", "--json").json == []


def test_status_shows_what_limits_one_key(fresh: Daemon) -> None:
    none = fresh.run("budgets", "status")
    assert (none.code, none.out) == (0, "")
    assert none.err == (
        "No budget limits this key or its user.\nnext: nullspend budgets set --key default --max '$5'\n"
    )
    fresh.run("budgets", "set", "--key", "default", "--max", "$5")
    fresh.run("budgets", "set", "--user", "--max", "$10")
    fresh.run("budgets", "set", "--customer", "acme", "--max", "$1")
    spend(fresh, "$1")
    assert fresh.run("budgets", "status").out == (
        "ENTITY                 KIND   LIMIT  SPENT   HELD   FREE  USED           POLICY  RESETS\n"
        "owner@nullspend.local  user  $10.00  $1.00  $0.00  $9.00  █░░░░░░░  10%  strict  never\n"
        "default                key    $5.00  $1.00  $0.00  $4.00  █░░░░░░░  20%  strict  never\n"
    )
    assert [row["entityType"] for row in fresh.run("budgets", "status", "--json").json] == ["user", "api_key"]


def test_status_shows_what_calls_in_flight_hold(fresh: Daemon) -> None:
    fresh.run("budgets", "set", "--key", "default", "--max", "$5")
    spend(fresh, "$1")
    expires = 2**53 - 1
    with sqlite3.connect(fresh.data / "nullspend.db") as database:
        (budget, org) = database.execute("SELECT id, org_id FROM budgets").fetchone()
        database.execute("INSERT INTO holds VALUES ('h', ?, 1500000, NULL, ?, '{}', 0)", (org, expires))
        database.execute("INSERT INTO hold_entities VALUES ('h', ?, 1500000, NULL, ?)", (budget, expires))
    database.close()
    assert fresh.run("budgets", "status").out == (
        "ENTITY   KIND  LIMIT  SPENT   HELD   FREE  USED           POLICY  RESETS\n"
        "default  key   $5.00  $1.00  $1.50  $2.50  █░░░░░░░  20%  strict  never\n"
    )
    assert fresh.run("budgets", "status", "--format", "csv").out.splitlines()[0] == (
        "entity,entityType,limitMicrodollars,spendMicrodollars,reservedMicrodollars,freeMicrodollars,used,policy,resetsAt"
    )
    (held,) = fresh.call("GET", "/_local/holds", auth="admin").json["data"]
    key = fresh.run("keys", "list", "--jq", ".[0].id").out.strip()
    assert held == {
        "entityType": "api_key",
        "entityId": key,
        "reservedMicrodollars": 1_500_000,
        "holds": 1,
        "orgId": org,
    }


def test_another_server_does_not_say_what_is_held(elsewhere: Machine, server: FakeServer) -> None:
    limits = {"limitMicrodollars": 100, "spendMicrodollars": 10, "remainingMicrodollars": 90, "policy": "warn"}
    server.answer(
        "GET", "/api/budgets/status", {"entities": [{"entityType": "user", "entityId": "ns_usr_x", **limits}]}
    )
    assert elsewhere.run("budgets", "status").out == (
        "ENTITY    KIND      LIMIT      SPENT       FREE  USED           POLICY  RESETS\n"
        "ns_usr_x  user  $0.000100  $0.000010  $0.000090  █░░░░░░░  10%  warn    never\n"
    )


def test_velocity_shows_the_counters_and_the_breaker(fresh: Daemon) -> None:
    none = fresh.run("budgets", "velocity")
    assert (none.code, none.out, none.err) == (
        0,
        "",
        "No budget has a velocity limit.\nnext: nullspend budgets set --key default --velocity '$1'\n",
    )
    fresh.run("budgets", "set", "--key", "default", "--max", "$5", "--velocity", "$1")
    fresh.run("budgets", "set", "--tag", "team=core", "--max", "$5", "--velocity", "$2", "--window", "90")
    with sqlite3.connect(fresh.data / "nullspend.db") as database:
        database.execute(
            "UPDATE budget_velocity SET current_count = 3, current_microdollars = 1250000, tripped_at = 1767225600000"
            " WHERE budget_id IN (SELECT id FROM budgets WHERE entity_type = 'tag')"
        )
    database.close()
    assert fresh.run("budgets", "velocity").out == (
        "ENTITY     LIMIT  IN      THIS WINDOW  LAST WINDOW  CALLS  BREAKER\n"
        "default    $1.00  1m            $0.00        $0.00      0  closed\n"
        "team=core  $2.00  1m 30s        $1.25        $0.00      3  open until 2026-01-01 00:01:00Z\n"
    )
    assert fresh.run("budgets", "velocity", "-q").out.splitlines()[1] == "tag:team=core"


def test_a_hosted_servers_velocity_names_entities_by_bare_ids(elsewhere: Machine, server: FakeServer) -> None:
    state = {"window_size_ms": 60000, "current_count": 1, "current_spend": 5, "prev_spend": 0, "tripped_at": None}
    key = "019a0000-0000-7000-8000-000000000001"
    server.answer("GET", "/api/budgets/velocity-status", {"velocityState": [{"entity_key": f"api_key:{key}", **state}]})
    server.answer("GET", "/api/budgets", {"data": []})
    assert elsewhere.run("budgets", "velocity", "--jq", ".[].entityId").out == f"ns_key_{key}\n"


def test_a_week_passes_at_once_and_the_budget_starts_again(fresh: Daemon) -> None:
    fresh.run("budgets", "set", "--customer", "acme", "--max", "$5", "--every", "weekly")
    spend(fresh, "$4", "--customer", "acme")
    moved = fresh.run("clock", "advance", "8d")
    assert steady(moved.err) == f"The clock went by 8d to {TIME}.\n"
    assert fresh.run("budgets", "get", "acme", "--json").json["spendMicrodollars"] == 0


def test_a_budget_of_a_revoked_key_shows_its_id(fresh: Daemon) -> None:
    fresh.run("keys", "create", "gone")
    fresh.run("budgets", "set", "--key", "gone", "--max", "$5")
    fresh.run("keys", "delete", "gone", "--yes")
    assert steady(fresh.run("budgets", "list").out).splitlines()[1].startswith(f"ns_key_{UUID}  key ")


def test_with_a_key_only_names_are_ids_and_nothing_fails(fresh: Daemon) -> None:
    fresh.run("budgets", "set", "--key", "default", "--max", "$5")
    fresh.run("contexts", "create", "keyed", "--url", fresh.url, "--with-key", input=fresh.key + "\n")
    listed = fresh.run("budgets", "list", "-c", "keyed")
    assert (listed.code, listed.err) == (0, "")
    assert steady(listed.out).splitlines()[1].startswith(f"ns_key_{UUID}  key ")
