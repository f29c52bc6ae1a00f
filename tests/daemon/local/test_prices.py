"""GET /_local/prices, prices.toml while the daemon runs, and how a cost came about."""

import sqlite3
from urllib.parse import quote

from tests.conftest import StartDaemon
from tests.machine import Daemon, Machine

OWN = """
[[price]]
provider = "acme"
model = "house/model"
input = "2.50"
cached_input = "0.25"
output = "10.00"

[[price]]
provider = "openai"
model = "gpt-4o"
match = "prefix"
input = "1"
output = "2"
"""


def prices(daemon: Daemon, query: str = "") -> list[dict[str, object]]:
    reply = daemon.call("GET", f"/_local/prices{query}", auth="admin")
    assert reply.status == 200
    return reply.json["data"]


def price(daemon: Daemon, provider: str, model: str) -> dict[str, object]:
    reply = daemon.call("GET", f"/_local/prices/{provider}/{quote(model, safe='')}", auth="admin")
    assert reply.status == 200, reply.body
    return reply.json["data"]


def test_a_price_is_rates_by_token_class_with_tiers_and_where_it_was_found(daemon: Daemon) -> None:
    assert price(daemon, "anthropic", "claude-sonnet-4-5-20250929") == {
        "provider": "anthropic",
        "model": "claude-sonnet-4-5-20250929",
        "rates": {
            "input": "3",
            "cached_input": "0.3",
            "cache_write_5m": "3.75",
            "cache_write_1h": "6",
            "output": "15",
        },
        "tiers": [
            {
                "above": 200_000,
                "input": "6",
                "cached_input": "0.6",
                "cache_write_5m": "7.5",
                "cache_write_1h": "12",
                "output": "22.5",
            }
        ],
        "source": "catalogue",
        "contextWindow": 200_000,
    }


def test_models_of_the_fake_provider_cost_what_gpt_4o_mini_costs(daemon: Daemon) -> None:
    assert price(daemon, "fake", "fake/anything/at-all")["rates"] == {
        "input": "0.15",
        "cached_input": "0.075",
        "output": "0.6",
    }


def test_a_model_nobody_prices_is_not_found(daemon: Daemon) -> None:
    reply = daemon.call("GET", "/_local/prices/openai/nobody-knows", auth="admin")
    assert (reply.status, reply.json["error"]["code"]) == (404, "not_found")
    assert daemon.call("GET", "/_local/prices/nobody/gpt-4o", auth="admin").status == 404


def test_the_list_is_filtered_by_provider_and_by_a_part_of_the_name(daemon: Daemon) -> None:
    every = prices(daemon)
    assert len(every) > 1000
    assert {each["provider"] for each in prices(daemon, "?provider=anthropic")} == {"anthropic"}
    found = prices(daemon, "?q=SONNET-4-5&provider=anthropic")
    assert [each["model"] for each in found] == ["claude-sonnet-4-5"]
    assert prices(daemon, "?q=nothing-is-called-this") == []


def test_prices_need_the_admin_token(daemon: Daemon) -> None:
    assert daemon.call("GET", "/_local/prices", auth="session").status == 401
    assert daemon.call("GET", "/_local/prices/openai/gpt-4o", auth="key").status == 401


def test_your_own_prices_come_first_and_a_change_counts_at_once(start: StartDaemon, machine: Machine) -> None:
    machine.config.mkdir(parents=True)
    (machine.config / "prices.toml").write_text(OWN)
    daemon = start()
    assert price(daemon, "acme", "house/model") == {
        "provider": "acme",
        "model": "house/model",
        "rates": {"input": "2.50", "cached_input": "0.25", "output": "10.00"},
        "tiers": [],
        "source": "override",
        "contextWindow": None,
    }
    assert price(daemon, "openai", "gpt-4o-mini")["rates"] == {"input": "1", "output": "2"}
    assert price(daemon, "openai", "gpt-4o-mini")["contextWindow"] == 128_000, "what it does not say is looked up"
    assert [each["model"] for each in prices(daemon, "?provider=acme")] == ["house/model"]
    listed = prices(daemon, "?provider=openai&q=gpt-4o")
    assert [each["model"] for each in listed if each.get("match") == "prefix"] == ["gpt-4o"]
    assert {each["source"] for each in listed if str(each["model"]).startswith("gpt-4o")} == {"override"}
    (machine.config / "prices.toml").write_text(OWN.replace('"10.00"', '"11.00"'))
    assert price(daemon, "acme", "house/model")["rates"]["output"] == "11.00"  # type: ignore[index]
    (machine.config / "prices.toml").unlink()
    assert price(daemon, "openai", "gpt-4o-mini")["source"] == "catalogue"


def test_a_bad_change_is_named_in_the_log_and_the_old_prices_stay(start: StartDaemon, machine: Machine) -> None:
    machine.config.mkdir(parents=True)
    (machine.config / "prices.toml").write_text(OWN)
    daemon = start()
    (machine.config / "prices.toml").write_text(OWN.replace('"2.50"', '"cheap"'))
    assert price(daemon, "acme", "house/model")["rates"]["input"] == "2.50"  # type: ignore[index]
    log = (daemon.data / "daemon.log").read_text()
    assert "price 1 (acme/house/model): input is 'cheap'" in log
    assert "The prices in use stay." in log


def test_a_daemon_does_not_start_with_prices_it_cannot_read(machine: Machine) -> None:
    machine.config.mkdir(parents=True)
    (machine.config / "prices.toml").write_text('[[price]]\nprovider = "acme"\nmodel = "m"\ninput = "1"\n')
    started = machine.run("daemon", "start", "--port", "0")
    assert started.code == 1
    assert "prices.toml cannot be used: price 1 (acme/m): output is missing." in started.err


def test_a_cost_the_client_gave_has_no_arithmetic(daemon: Daemon) -> None:
    event = {"provider": "openai", "model": "gpt-4o", "inputTokens": 1, "outputTokens": 1, "costMicrodollars": 77}
    event_id = daemon.call("POST", "/api/cost-events", event, auth="key").json["data"]["id"]
    assert daemon.call("GET", f"/_local/cost-events/{event_id}/explain", auth="admin").json == {
        "data": {"lines": [], "rounding": "half_up", "source": "client", "margin": None, "costMicrodollars": 77}
    }


def test_a_priced_cost_is_explained_line_by_line_as_it_was_when_it_was_made(daemon: Daemon) -> None:
    event = {"provider": "openai", "model": "gpt-4.1-nano", "inputTokens": 10, "outputTokens": 11}
    event_id = daemon.call("POST", "/api/cost-events", event | {"costMicrodollars": 5}, auth="key").json["data"]["id"]
    kept = (
        '{"source":"catalogue","lines":[{"class":"input","tokens":3,"rate":"0.1","tier":null},'
        '{"class":"cached_input","tokens":7,"rate":"0.025","tier":null},'
        '{"class":"output","tokens":11,"rate":"0.4","tier":200000}]}'
    )
    with sqlite3.connect(daemon.data / "nullspend.db") as store:
        store.execute("UPDATE cost_events SET explanation = ? WHERE id = ?", (kept, event_id))
    store.close()
    found = daemon.call("GET", f"/_local/cost-events/{event_id}/explain", auth="admin").json["data"]
    assert found["source"] == "catalogue"
    assert found["lines"] == [
        {"class": "input", "tokens": 3, "rateUsdPerMillion": "0.1", "tier": None, "microdollars": 0.3},
        {"class": "cached_input", "tokens": 7, "rateUsdPerMillion": "0.025", "tier": None, "microdollars": 0.175},
        {"class": "output", "tokens": 11, "rateUsdPerMillion": "0.4", "tier": 200_000, "microdollars": 4.4},
    ]


def test_only_a_cost_event_can_be_explained(daemon: Daemon) -> None:
    nobody = "/_local/cost-events/ns_evt_019a0000-0000-7000-8000-000000000000/explain"
    assert daemon.call("GET", nobody, auth="admin").status == 404
    assert daemon.call("GET", "/_local/cost-events/nothing/explain", auth="admin").status == 400


def test_a_downloaded_catalogue_that_cannot_be_read_leaves_the_one_of_the_package(
    start: StartDaemon, machine: Machine
) -> None:
    daemon = start()
    (daemon.data / "catalogue.json").write_text("[]")
    assert price(daemon, "openai", "gpt-4o")["source"] == "catalogue"
    assert "catalogue.json cannot be used: it has no prices of anthropic." in (daemon.data / "daemon.log").read_text()
