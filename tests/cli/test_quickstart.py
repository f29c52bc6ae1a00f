"""From nothing to a budget that stops an agent."""

import time
from collections.abc import Iterator

import pytest

from tests.machine import Machine


@pytest.fixture
def mine(machine: Machine) -> Iterator[Machine]:
    """A machine whose daemon the command itself starts; it is stopped at the end."""
    yield machine
    machine.run("daemon", "stop")


def test_quickstart_shows_a_denial_and_leaves_nothing_of_it(mine: Machine) -> None:
    mine.run("daemon", "start", "--port", "0")
    started = time.monotonic()
    first = mine.run("quickstart")
    assert time.monotonic() - started < 30
    assert first.code == 0, first.err
    assert "10 calls passed, call 11 was denied (budget_exceeded)" in first.err
    assert all(len(line) <= 80 for line in first.err.splitlines())
    again = mine.run("quickstart", "--json").json
    assert (again["denial"]["calls"], again["denial"]["code"]) == (10, "budget_exceeded")
    keys = {key["name"] for key in mine.run("keys", "list", "--json").json}
    assert keys == {"default", "quickstart"}
    (budget,) = mine.run("budgets", "list", "--json").json
    assert (budget["entityId"], budget["maxBudgetMicrodollars"]) == (again["key"]["id"], 5_000_000)
    assert budget["spendMicrodollars"] == 6000, "the calls that were denied had a key of their own"
