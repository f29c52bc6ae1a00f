"""What the pytest plugin does once it is used: each test is a session with a key of its own, below one budget."""

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from nullspend_cli import local
from nullspend_cli.capped import allowance, spending
from nullspend_cli.capped.allowance import Allowance, Limits
from nullspend_cli.capped.caretaker import client_of
from nullspend_cli.capped.ground import Ground, placeholders, variables
from nullspend_cli.client import Auth, Client
from nullspend_cli.render import money
from nullspend_daemon.contract.money import MoneyError, parse_money

COST, DENIED = "nullspend.cost_microdollars", "nullspend.denied"
"""The names of a test's properties in a JUnit report."""
_LONGEST_NAME = 50
_SHOWN = 10
_WORKER_INPUT = "nullspend_folder"


class Server(NamedTuple):
    """A daemon as a test sees it. `variables` are what clients of the providers and the SDK read."""

    url: str
    api_key: str
    variables: dict[str, str]
    client: Client


def server_of(daemon: local.State) -> Server:
    """A running daemon with its default key."""
    return Server(daemon.url, daemon.api_key, variables(daemon.url, daemon.api_key, "pytest"), client_of(daemon))


@contextmanager
def private_server(upstreams: Sequence[str]) -> Generator[Server]:
    """A daemon of its own for the duration."""
    ground = Ground(allowance.new_name("pytest"), upstreams=upstreams, private=True)
    try:
        server = server_of(ground.daemon)
        yield server._replace(variables={**placeholders(upstreams), **server.variables})
    finally:
        ground.leave()


def amount(text: str) -> int | None:
    """Microdollars, or None when the text is no amount above zero."""
    try:
        return parse_money(text) or None
    except MoneyError:
        return None


class CappedTests:
    """The plugin of a run with a budget. With pytest-xdist the first process starts the daemon, the workers use it."""

    def __init__(self, config: pytest.Config, budget: int, upstreams: Sequence[str]) -> None:
        self._budget = budget
        self._ground: Ground | None = None
        self._kept: dict[str, str | None] = {}
        given: dict[str, Any] = getattr(config, "workerinput", {})
        found = local.running(Path(given[_WORKER_INPUT])) if given else None
        self.daemon = found or self._start(upstreams)
        self._client = client_of(self.daemon)
        self._began = str(self._client.get("/_local/info", auth=Auth.NONE)["now"])
        self._current: Allowance | None = None
        # Clients that are made while test modules are imported are capped too; no test is charged for their calls.
        self._set({**placeholders(upstreams), **variables(self.daemon.url, self.daemon.api_key, "pytest")})

    def _start(self, upstreams: Sequence[str]) -> local.State:
        self._ground = Ground(allowance.new_name("pytest"), upstreams=upstreams, private=True)
        daemon = self._ground.daemon
        budget = {"entityType": "user", "entityId": daemon.user_id, **Limits(self._budget).fields}
        client_of(daemon).post("/api/budgets", budget)
        return daemon

    def _set(self, environment: dict[str, str]) -> None:
        for name, value in environment.items():
            self._kept.setdefault(name, os.environ.get(name))
            os.environ[name] = value

    def pytest_configure_node(self, node: Any) -> None:
        """pytest-xdist starts a worker: it is told where the daemon is."""
        node.workerinput[_WORKER_INPUT] = self.daemon.data_dir

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """A test has a key of its own in its environment, from its first fixture to its last."""
        self._current = allowance.make(self._client, _key_name(item.nodeid), Limits())
        self._set(variables(self.daemon.url, self._current.raw, _session(item.nodeid)))
        try:
            return (yield)
        finally:
            self._current = None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[Any]:
        """Adds what the test has cost to its properties, and fails it when one of its calls was denied."""
        report: pytest.TestReport = yield
        if call.when == "call" and self._current is not None:
            spent = spending.read(self._client, self._current.key_id, self._began)
            item.user_properties += [(COST, spent.cost), (DENIED, len(spent.denials))]
            report.user_properties = item.user_properties
            if spent.denials:
                self._deny(report, spent)
        return report

    def _deny(self, report: pytest.TestReport, spent: spending.Spending) -> None:
        first = spent.denials[0]
        sentence = (
            f"NullSpend denied a call to {first.model}: {first.words}. The budget of the run is {money(self._budget)}."
        )
        if report.passed:
            report.outcome, report.longrepr = "failed", sentence
        else:
            report.sections.append(("nullspend", sentence))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """What the run and its dearest tests have cost."""
        costs = sorted(_costs(terminalreporter.stats), reverse=True)
        spent = sum(cost for cost, _ in costs)
        terminalreporter.section("nullspend")
        terminalreporter.write_line(f"spent {money(spent)} of {money(self._budget)} in {len(costs)} tests that called")
        for cost, test in costs[:_SHOWN]:
            terminalreporter.write_line(f"{money(cost):>12}  {test}")

    def pytest_unconfigure(self) -> None:
        """Puts the environment back and ends the daemon."""
        for name, value in self._kept.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if self._ground:
            self._ground.leave()


def _key_name(test: str) -> str:
    return test if len(test) <= _LONGEST_NAME else f"...{test[3 - _LONGEST_NAME :]}"


def _session(test: str) -> str:
    """The test's id as a header can carry it."""
    return test.encode("ascii", "replace").decode()[-256:]


def _costs(stats: dict[str, list[Any]]) -> Iterator[tuple[int, str]]:
    """(microdollars, test) of every test that has cost something."""
    for outcome in ("passed", "failed", "xfailed", "xpassed"):
        for report in stats.get(outcome, []):
            cost = dict(report.user_properties).get(COST, 0) if report.when == "call" else 0
            if cost:
                yield cost, report.nodeid
