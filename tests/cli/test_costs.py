import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.steady import steady
from tests.conftest import StartDaemon
from tests.fakes.server import FakeServer
from tests.machine import Daemon, Machine, start_daemon

EVENT = {"provider": "openai", "model": "gpt-4o", "inputTokens": 10, "outputTokens": 5, "costMicrodollars": 0}


def event(cost: int, **fields: Any) -> dict[str, Any]:
    return {**EVENT, "costMicrodollars": cost, **fields}


OLD = [
    event(
        3_000_000,
        customer="acme",
        sessionId="s1",
        tags={"team": "core"},
        costBreakdown={"input": 2, "output": 1, "cached": 0},
    ),
    event(1_000_000, provider="anthropic", model="claude", sessionId="s1", traceId="a" * 32),
]
NEW = [
    event(500_000, eventType="tool", provider="mcp", model="web/search", customer="globex", tags={"team": "=web"}),
    event(250_000, tags={"team": "core", "_ns_estimated": "true"}, customer="acme", sessionId="s2", traceId="b" * 32),
    event(250_000, model="o3", source="sdk"),
]


def lines(events: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(each) + "\n" for each in events)


@pytest.fixture(scope="module")
def spent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with $4 of spend three days ago and $1 today."""
    daemon = start_daemon(Machine(tmp_path_factory.mktemp("machine")), "--test-clock")
    daemon.run("events", "report", "-", input=lines(OLD))
    daemon.run("clock", "advance", "3d")
    daemon.run("keys", "create", "agent", "--save")
    daemon.run("events", "report", "-", "--key", "agent", input=lines(NEW))
    yield daemon
    daemon.end()


def shown(daemon: Daemon, *arguments: str) -> str:
    done = daemon.run("costs", *arguments)
    assert (done.code, done.err) == (0, "")
    return done.out


def test_a_period_at_a_glance(spent: Daemon) -> None:
    assert steady(shown(spent, "summary", "--period", "7d")) == (
        "$5.00 in 5 calls, $1.00 a call, 2026-01-01 to 2026-01-01\n"
        "\n"
        "$4.00 │            ███\n"
        "      │            ███\n"
        "      │            ███\n"
        "      │            ███\n"
        "      │            ███         ▄▄▄\n"
        "      │            ███         ███\n"
        "$0.00 └────────────────────────────\n"
        "       2026-01-01        2026-01-01\n"
        "\n"
        "MODEL             CALLS   COST  SHARE\n"
        "openai/gpt-4o         2  $3.25  65.0%  ██████████████████████████████\n"
        "anthropic/claude      1  $1.00  20.0%  █████████░░░░░░░░░░░░░░░░░░░░░\n"
        "mcp/web/search        1  $0.50  10.0%  ████░░░░░░░░░░░░░░░░░░░░░░░░░░\n"
        "openai/o3             1  $0.25   5.0%  ██░░░░░░░░░░░░░░░░░░░░░░░░░░░░\n"
        "\n"
        "PROVIDER   CALLS   COST  SHARE\n"
        "openai         3  $3.50  70.0%  ██████████████████████████████\n"
        "anthropic      1  $1.00  20.0%  ████████░░░░░░░░░░░░░░░░░░░░░░\n"
        "mcp            1  $0.50  10.0%  ████░░░░░░░░░░░░░░░░░░░░░░░░░░\n"
        "\n"
        "KEY      CALLS   COST  SHARE\n"
        "default      2  $4.00  80.0%  ██████████████████████████████\n"
        "agent        3  $1.00  20.0%  ███████░░░░░░░░░░░░░░░░░░░░░░░\n"
        "\n"
        "SOURCE  CALLS   COST  SHARE\n"
        "api         4  $4.75  95.0%  ██████████████████████████████\n"
        "sdk         1  $0.25   5.0%  █░░░░░░░░░░░░░░░░░░░░░░░░░░░░░\n"
        "\n"
        "TOOL          CALLS   COST  SHARE\n"
        "web/search        1  $0.50  10.0%  ███░░░░░░░░░░░░░░░░░░░░░░░░░░░\n"
        "(not a tool)      4  $4.50  90.0%  ██████████████████████████████\n"
        "\n"
        "made of input $0.000002, output $0.000001\n"
    )


def test_days_of_nothing_are_a_sentence_for_a_person_and_rows_for_a_program(start: StartDaemon) -> None:
    daemon = start()
    empty = daemon.run("costs", "daily", "--period", "7d")
    assert (empty.code, empty.out) == (0, "")
    assert empty.err == "Nothing was spent then.\nnext: nullspend costs summary --period 90d\n"
    assert len(daemon.run("costs", "daily", "--period", "7d", "--json").json) == 7


def test_days_without_spend_are_shown_and_the_days_add_up(spent: Daemon) -> None:
    assert steady(shown(spent, "daily", "--period", "7d")).splitlines()[3:] == [
        "2026-01-01  $0.00    0.0%  ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░",
        "2026-01-01  $4.00   80.0%  ██████████████████████████████",
        "2026-01-01  $0.00    0.0%  ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░",
        "2026-01-01  $0.00    0.0%  ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░",
        "2026-01-01  $1.00   20.0%  ███████░░░░░░░░░░░░░░░░░░░░░░░",
        "TOTAL       $5.00  100.0%",
    ]
    for period, days in (("7d", 7), ("30d", 30), ("90d", 90)):
        listed = spent.run("costs", "daily", "--period", period, "--json").json
        assert len(listed) == days
        assert sum(day["totalCostMicrodollars"] for day in listed) == 5_000_000
        assert [day["date"] for day in listed] == sorted(day["date"] for day in listed)


@pytest.mark.parametrize(
    ("dimension", "rows"),
    [
        (["model"], ["openai/gpt-4o 2 $3.25 65.0%", "anthropic/claude 1 $1.00 20.0%", "mcp/web/search 1 $0.50 10.0%"]),
        (["key"], ["default 2 $4.00 80.0%", "agent 3 $1.00 20.0%"]),
        (["customer"], ["acme 2 $3.25 65.0%", "(none) 2 $1.25 25.0%", "globex 1 $0.50 10.0%"]),
        (["tag", "team"], ["core 2 $3.25 65.0%", "(none) 2 $1.25 25.0%", "=web 1 $0.50 10.0%"]),
        (["source"], ["api 4 $4.75 95.0%", "sdk 1 $0.25 5.0%"]),
        (["session"], ["s1 2 $4.00 94.1%", "s2 1 $0.25 5.9%"]),
        (["tool"], ["web/search 1 $0.50 10.0%", "(not a tool) 4 $4.50 90.0%"]),
        (["trace"], ["a" * 32 + " 1 $1.00 20.0%", "b" * 32 + " 1 $0.25 5.0%", "(other or none) 3 $3.75 75.0%"]),
        (["provider"], ["openai 3 $3.50 70.0%", "anthropic 1 $1.00 20.0%", "mcp 1 $0.50 10.0%"]),
    ],
)
def test_costs_are_grouped_by(spent: Daemon, dimension: list[str], rows: list[str]) -> None:
    found = [re.sub(r" +", " ", line.rstrip("█░ ")) for line in shown(spent, "by", *dimension).splitlines()[1:]]
    assert found[: len(rows)] == rows
    assert found[-1].startswith("TOTAL ")
    assert found[-1].endswith(" 100.0%")


def test_what_the_limit_leaves_out_stands_in_a_row_of_its_own(spent: Daemon) -> None:
    assert shown(spent, "by", "model", "--limit", "1") == (
        "MODEL          CALLS   COST   SHARE\n"
        "openai/gpt-4o      2  $3.25   65.0%  ██████████████████████████████\n"
        "(others)           3  $1.75   35.0%  ████████████████░░░░░░░░░░░░░░\n"
        "TOTAL              5  $5.00  100.0%\n"
    )


def test_programs_get_the_servers_records_without_the_rows_of_the_table(spent: Daemon) -> None:
    (first, *rest) = spent.run("costs", "by", "customer", "--json").json
    assert first == {
        "key": "acme",
        "keyId": None,
        "totalCostMicrodollars": 3_250_000,
        "requestCount": 2,
        "avgCostMicrodollars": 1_625_000,
    }
    assert [row["key"] for row in rest] == ["(none)", "globex"]
    assert shown(spent, "by", "tag", "team", "-q") == "core\n(none)\n=web\n"
    assert shown(spent, "by", "source", "--format", "csv").splitlines()[0] == (
        "source,requestCount,totalCostMicrodollars,sharePercent"
    )
    assert shown(spent, "by", "tag", "team", "--format", "csv").splitlines()[3].startswith("'=web,1,500000,10.0")
    assert len(shown(spent, "by", "model", "--format", "jsonl").splitlines()) == 4


@pytest.mark.parametrize(
    ("filters", "cost", "calls"),
    [
        (["--customer", "acme"], 3_250_000, 2),
        (["--key", "agent"], 1_000_000, 3),
        (["--since", "1d"], 1_000_000, 3),
        (["--until", "1d"], 4_000_000, 2),
        (["--tag", "team=core"], 3_250_000, 2),
        (["--model", "o3"], 250_000, 1),
        (["--session", "s1", "--provider", "openai"], 3_000_000, 1),
        (["--source", "sdk"], 250_000, 1),
        (["--trace", "b" * 32], 250_000, 1),
        (["--budget-status", "denied"], 0, 0),
        (["--exclude-estimated"], 4_750_000, 4),
        (["--customer", "acme", "--exclude-estimated"], 3_000_000, 1),
    ],
)
def test_costs_are_narrowed_by(spent: Daemon, filters: list[str], cost: int, calls: int) -> None:
    totals = spent.run("costs", "summary", "--json", *filters).json["totals"]
    assert (totals["totalCostMicrodollars"], totals["totalRequests"]) == (cost, calls)
    for dimension in (["model"], ["key"], ["tag", "team"], ["customer"]):
        groups = spent.run("costs", "by", *dimension, "--json", *filters).json
        assert sum(group["totalCostMicrodollars"] for group in groups) == cost
    days = spent.run("costs", "daily", "--json", *filters).json
    assert sum(day["totalCostMicrodollars"] for day in days) == cost


def test_events_added_up_by_the_command_say_what_the_server_says(spent: Daemon) -> None:
    by_server = spent.run("costs", "summary", "--json").json
    by_command = spent.run("costs", "summary", "--json", "--since", "30d").json
    for name in ("daily", "providers", "keys", "sources", "traces", "totals", "costBreakdown"):
        assert by_command[name] == by_server[name], name
    for name in ("models", "tools"):
        kept = ("provider", "model", "totalCostMicrodollars", "requestCount")
        narrowed = [{field: row[field] for field in kept if field in row} for row in by_server[name]]
        assert by_command[name] == narrowed
    for dimension in (["key"], ["customer"], ["tag", "team"]):
        ask = ("costs", "by", *dimension, "--json")
        assert spent.run(*ask, "--since", "30d").json == spent.run(*ask).json


def test_one_group_by_day_and_model(spent: Daemon) -> None:
    page = shown(spent, "by", "customer", "acme")
    assert page.startswith("acme: $3.25 in 2 calls, $1.625000 a call\n")
    assert "gpt-4o      2  $3.25  100.0%" in page
    assert spent.run("costs", "by", "key", "agent", "--json").json["requestCount"] == 3
    assert spent.run("costs", "by", "tag", "team", "=web", "--json").json["totalCostMicrodollars"] == 500_000
    assert spent.run("costs", "by", "customer", "nobody").err.startswith("Nothing was spent then.\n")


def test_tag_keys_are_listed(spent: Daemon) -> None:
    assert shown(spent, "tags") == "TAG\nteam\n"
    assert spent.run("costs", "tags", "--json").json == [{"key": "team"}]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["by", "colour"], "error: Costs are not grouped by 'colour'; there are key, model, provider, tag, customer, "),
        (["by", "tag"], "error: Which tag? Write costs by tag KEY.\nnext: nullspend costs tags\n"),
        (["by", "model", "o3"], "error: costs by model takes no value.\nnext: nullspend costs summary --model 'o3'\n"),
        (["by", "key", "a", "b"], "error: 'b' is one word too many.\n"),
        (["summary", "--period", "1d"], "error: Invalid value for '--period': '1d' is not one of 7d, 30d, 90d\n"),
    ],
)
def test_what_cannot_be_asked_is_a_sentence(spent: Daemon, words: list[str], error: str) -> None:
    done = spent.run("costs", *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(error)


def test_nothing_spent_says_what_to_try(start: Any) -> None:
    fresh = start()
    for verb in (["summary"], ["by", "model"], ["by", "session"]):
        done = fresh.run("costs", *verb)
        assert (done.code, done.out) == (0, "")
        assert done.err == "Nothing was spent then.\nnext: nullspend costs summary --period 90d\n"
    assert fresh.run("costs", "tags").err.startswith("No event of the last 7 days has a tag.\n")


def test_where_a_budgets_money_went(spent: Daemon) -> None:
    spent.run("budgets", "set", "--key", "agent", "--max", "$5")
    done = spent.run("budgets", "sources", "agent")
    assert (done.code, done.out) == (
        0,
        "SOURCE  CALLS   COST   SHARE\n"
        "api         2  $0.75   75.0%  ██████████████████████████████\n"
        "sdk         1  $0.25   25.0%  ██████████░░░░░░░░░░░░░░░░░░░░\n"
        "TOTAL       3  $1.00  100.0%\n",
    )
    assert spent.run("budgets", "sources", "agent", "--json", "--period", "7d").json == [
        {"source": "api", "totalCostMicrodollars": 750_000, "requestCount": 2},
        {"source": "sdk", "totalCostMicrodollars": 250_000, "requestCount": 1},
    ]


def test_a_hosted_servers_bare_ids_are_shown_with_their_prefix(elsewhere: Machine, server: FakeServer) -> None:
    bare = "019a0000-0000-7000-8000-000000000001"
    group = {"key": "agent", "keyId": bare, "totalCostMicrodollars": 5, "requestCount": 1, "avgCostMicrodollars": 5}
    totals = {"totalCostMicrodollars": 5, "totalRequests": 1}
    server.answer("GET", "/api/cost-events/attribution", {"data": {"groups": [group], "totals": totals}})
    assert elsewhere.run("costs", "by", "key", "--json").json[0]["keyId"] == f"ns_key_{bare}"
    keys = [{"apiKeyId": bare, "keyName": "agent", "totalCostMicrodollars": 5, "requestCount": 1}]
    server.answer(
        "GET",
        "/api/cost-events/summary",
        {"data": {"keys": keys, "daily": [], "models": [], "totals": {**totals, "period": "30d"}}},
    )
    assert elsewhere.run("costs", "summary", "--json").json["keys"][0]["apiKeyId"] == f"ns_key_{bare}"
