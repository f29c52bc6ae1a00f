"""prices list, get, update; events explain; policy get: what a person sees of prices."""

import json
import sqlite3
import time

import pytest

from tests.conftest import StartDaemon
from tests.fakes.server import FakeServer, Scripted
from tests.machine import Daemon, Machine

CATALOGUE = """[
  {"id": "openai", "name": "OpenAI", "api_pattern": "x", "models": [
    {"id": "gpt-4o", "match": {"equals": "gpt-4o"}, "prices": {"input_mtok": 2, "output_mtok": 8}}]},
  {"id": "anthropic", "name": "Anthropic", "api_pattern": "y", "models": [
    {"id": "claude-x", "match": {"starts_with": "claude-x"},
     "prices": {"input_mtok": {"base": 3, "tiers": [{"start": 200000, "price": 6}]}, "output_mtok": 15}}]}
]"""
OWN = '[[price]]\nprovider = "acme"\nmodel = "house"\ninput = "0.5"\noutput = "2"\n'


@pytest.fixture
def own_prices(machine: Machine) -> Machine:
    machine.config.mkdir(parents=True)
    (machine.config / "prices.toml").write_text(OWN)
    return machine


def test_the_list_shows_dollars_a_million_tokens_and_where_they_are_from(daemon: Daemon) -> None:
    listed = daemon.run("prices", "list", "sonnet-4-5", "--provider", "anthropic")
    assert listed.code == 0
    assert listed.out == (
        "PROVIDER   MODEL              INPUT  CACHED  WRITE 5M  WRITE 1H  OUTPUT  DEARER ABOVE  SOURCE\n"
        "anthropic  claude-sonnet-4-5  $3.00   $0.30     $3.75     $6.00  $15.00       200,000  catalogue\n"
    )


def test_the_list_is_as_long_as_the_limit_and_says_how_to_see_the_rest(daemon: Daemon) -> None:
    listed = daemon.run("prices", "list", "--provider", "openai", "--limit", "3")
    assert len(listed.out.splitlines()) == 4
    assert "--limit 0 shows all." in listed.err
    assert len(daemon.run("prices", "list", "--limit", "0", "-q").out.splitlines()) > 1000
    nothing = daemon.run("prices", "list", "nobody-knows")
    assert (nothing.code, nothing.out) == (0, "")
    assert "No price is known by that name." in nothing.err


def test_one_price_is_shown_with_its_tiers_and_its_context_window(daemon: Daemon) -> None:
    shown = daemon.run("prices", "get", "anthropic/claude-sonnet-4-5-20250929")
    assert "output          $15.00\n" in shown.out
    assert "dearer above    200,000 input tokens\n" in shown.out
    assert "\nabove 200,000 input tokens\ninput     $6.00\ncached    $0.60\nwrite 5m  $7.50\n" in shown.out
    assert "context window  200,000 tokens\n" in shown.out
    assert daemon.run("prices", "get", "fake/anything", "--json").json["rates"]["output"] == "0.6"


def test_a_model_alone_is_enough_where_only_one_provider_has_it(start: StartDaemon, own_prices: Machine) -> None:
    daemon = start()
    assert "source    prices.toml\n" in daemon.run("prices", "get", "house").out
    several = daemon.run("prices", "get", "claude-haiku-4-5")
    assert (several.code, several.out) == (2, "")
    assert "  anthropic/claude-haiku-4-5\n" in several.err and "  google/claude-haiku-4-5\n" in several.err
    missing = daemon.run("prices", "get", "acme/other")
    assert (missing.code, missing.out) == (5, "")
    assert "No price of acme/other is known." in missing.err
    assert daemon.run("prices", "get", "nothing-at-all").code == 5


def test_a_hosted_server_has_no_prices_to_show(elsewhere: Machine) -> None:
    done = elsewhere.run("prices", "list")
    assert done.code != 0
    assert done.out == ""


def test_update_downloads_a_catalogue_that_a_running_daemon_takes_up(
    start: StartDaemon, machine: Machine, server: FakeServer
) -> None:
    daemon = start()
    server.answer("GET", "/data.json", Scripted(200, CATALOGUE))
    done = daemon.run("prices", "update", env={"NULLSPEND_PRICES_URL": f"{server.url}/data.json"})
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("2 prices of 2 providers: 1 changed, 1 new, ")
    assert (machine.data / "catalogue.json").stat().st_mode & 0o777 == 0o600
    assert [each["model"] for each in daemon.run("prices", "list", "--json").json] == ["claude-x", "gpt-4o"]
    assert daemon.run("prices", "get", "openai/gpt-4o", "--json").json["rates"] == {"input": "2", "output": "8"}
    assert daemon.run("prices", "update", "--bundled").code == 0
    assert daemon.run("prices", "get", "openai/gpt-4o", "--json").json["rates"]["input"] == "2.5"


def test_a_download_counts_for_a_call_even_when_nobody_asks_for_the_list(
    start: StartDaemon, server: FakeServer
) -> None:
    daemon = start()
    server.answer("GET", "/data.json", Scripted(200, CATALOGUE))
    assert daemon.run("prices", "update", "--url", f"{server.url}/data.json").code == 0
    deadline = time.monotonic() + 20
    while "claude-x" not in daemon.run("policy", "get", "--json").out:
        assert time.monotonic() < deadline


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Scripted(404, {}), "could not be downloaded: "),
        (Scripted(200, "<html>"), "answered cannot be used: it is no price catalogue"),
        (Scripted(200, "[]"), "answered cannot be used: it has no prices of anthropic."),
    ],
)
def test_what_is_no_catalogue_replaces_nothing(
    machine: Machine, server: FakeServer, answer: Scripted, sentence: str
) -> None:
    server.answer("GET", "/data.json", answer)
    done = machine.run("prices", "update", "--url", f"{server.url}/data.json")
    assert (done.code, done.out) == (1, "")
    assert sentence in done.err and "The prices stay as they are." in done.err
    assert not (machine.data / "catalogue.json").exists()


def test_prices_come_over_https_only(machine: Machine) -> None:
    done = machine.run("prices", "update", "--url", "http://prices.example/data.json")
    assert done.code == 1
    assert "is no https address" in done.err
    assert machine.run("prices", "update", "--bundled", "--url", "https://x").code == 2


def test_explain_shows_tokens_times_rate_the_tier_and_the_one_rounding(daemon: Daemon) -> None:
    report = ("events", "report", "--provider", "openai", "--model", "m", "--cost", "187110u", "-q")
    event_id = daemon.run(*report).out.strip()
    kept = {
        "source": "catalogue",
        "lines": [
            {"class": "input", "tokens": 5000, "rate": "6", "tier": 200_000},
            {"class": "cached_input", "tokens": 7, "rate": "0.025", "tier": None},
        ],
    }
    with sqlite3.connect(daemon.data / "nullspend.db") as store:
        store.execute("UPDATE cost_events SET explanation = ? WHERE id = ?", (json.dumps(kept), event_id))
    store.close()
    assert daemon.run("events", "explain", event_id).out == (
        "input         5,000 tokens x     $6 a million = 30,000  (above 200,000 input tokens)\n"
        "cached input      7 tokens x $0.025 a million =  0.175\n"
        "sum           30,000.175, rounded once, half up\n"
        "cost          187,110 microdollars, $0.187110\n"
        "rates from    the price catalogue, as it was then\n"
    )
    assert [line["microdollars"] for line in daemon.run("events", "explain", event_id, "--json").json["lines"]] == [
        30_000,
        0.175,
    ]


def test_explain_says_who_gave_a_cost_that_has_no_arithmetic(daemon: Daemon) -> None:
    event_id = daemon.run("events", "report", "--tool", "search", "--cost", "2c", "-q").out.strip()
    assert daemon.run("events", "explain", event_id).out == (
        "cost  20,000 microdollars, $0.02\nfrom  whoever reported it\n"
    )
    assert daemon.run("events", "explain", "ns_evt_019a0000-0000-7000-8000-000000000000").code == 5


def test_policy_shows_what_a_key_may_spend(start: StartDaemon) -> None:
    daemon = start()
    daemon.run("budgets", "set", "--key", "default", "--max", "$5", "--session-max", "$1")
    daemon.run("events", "report", "--provider", "openai", "--model", "m", "--cost", "$1.25")
    shown = daemon.run("policy", "get").out
    assert "may spend    $3.75\n" in shown
    assert "limit        $5.00\n" in shown
    assert "session max  $1.00\n" in shown
    assert "\ncheapest of each\n  openai: " in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert daemon.run("policy", "get", "--jq", ".budget.remaining_microdollars").out == "3750000\n"
