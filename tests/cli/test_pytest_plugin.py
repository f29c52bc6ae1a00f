"""The pytest plugin, in a pytest of its own: a private daemon, a budget over all tests, a test that is denied fails."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from tests.machine import Machine

pytestmark = pytest.mark.slow

# gpt-4o-mini's rates: 1,000 tokens in and 10,000 out cost 150 + 6,000 microdollars.
TESTS = """
import pytest
from openai import OpenAI


def call():
    return OpenAI(api_key="none").chat.completions.create(
        model="fake/small", max_tokens=10000, messages=[{"role": "user", "content": "hello"}],
        extra_body={"fake": {"inputTokens": 1000, "outputTokens": 10000}})

def test_calls_once():
    call()

def test_calls_twice():
    call()
    call()

def test_swallows_its_denial():
    try:
        call()
    except Exception:
        pass

def test_calls_nothing():
    pass
"""
USES_FIXTURES = """
import os
import urllib.request

def test_the_server_is_private(nullspend_server, nullspend_client):
    assert nullspend_server.url.startswith("http://127.0.0.1:")
    assert [key["name"] for key in nullspend_client.get("/api/keys")["data"]] == ["default"]
    nullspend_client.post("/api/keys", {"name": "mine"})
    assert nullspend_server.variables["NULLSPEND_API_KEY"] == nullspend_server.api_key

def test_the_server_is_the_same_for_the_whole_session(nullspend_client):
    assert {key["name"] for key in nullspend_client.get("/api/keys")["data"]} == {"default", "mine"}
"""


def pytest_on(machine: Machine, tests: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    (machine.home / "tmp").mkdir(exist_ok=True)
    (machine.home / "test_agent.py").write_text(tests)
    plugins = ("-p", "nullspend_cli.pytest_plugin", "-p", "xdist.plugin")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugins, "--rootdir", ".", *arguments, "test_agent.py"],
        env={**machine.env, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "TMPDIR": str(machine.home / "tmp")},
        cwd=machine.home,
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_without_options_the_plugin_does_nothing(machine: Machine) -> None:
    done = pytest_on(machine, "def test_nothing():\n    pass\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nullspend" not in done.stdout
    assert list((machine.home / "tmp").iterdir()) == []


def test_the_fixtures_give_a_private_daemon_that_goes_with_the_session(machine: Machine) -> None:
    done = pytest_on(machine, USES_FIXTURES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list((machine.home / "tmp").glob("nullspend-*")) == []


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one process", "two workers"])
def test_tests_share_a_budget_and_the_one_that_passes_it_fails(machine: Machine, workers: tuple[str, ...]) -> None:
    done = pytest_on(
        machine,
        TESTS,
        *("--nullspend-budget", "2c", "--nullspend-upstream", "fake", "--junitxml", "report.xml", *workers),
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "NullSpend denied a call to fake/small: over its budget. The budget of the run is $0.02." in done.stdout
    assert "spent $0.018450 of $0.02 in" in done.stdout
    costs = {
        case.get("name"): sum(
            int(each.get("value") or 0)
            for each in case.iter("property")
            if each.get("name") == "nullspend.cost_microdollars"
        )
        for case in ElementTree.parse(machine.home / "report.xml").getroot().iter("testcase")
    }
    assert sum(costs.values()) == 3 * 6_150
    assert costs["test_calls_nothing"] == 0
    if not workers:
        assert costs == {
            "test_calls_once": 6_150,
            "test_calls_twice": 12_300,
            "test_swallows_its_denial": 0,
            "test_calls_nothing": 0,
        }
    assert list((machine.home / "tmp").glob("nullspend-*")) == []


def test_an_amount_that_is_none_is_a_usage_error(machine: Machine) -> None:
    done = pytest_on(machine, TESTS, "--nullspend-budget", "lots")
    assert done.returncode == 4
    assert "--nullspend-budget 'lots' is no amount above zero; write '$1' or 50c" in done.stderr
