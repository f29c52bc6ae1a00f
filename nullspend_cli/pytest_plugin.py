"""The pytest plugin: a private daemon for a test session, and a cap on what the tests may spend.

Loaded in every pytest run of an environment that has this package, so nothing is imported before it is used.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from nullspend_cli.capped.testing import Server
    from nullspend_cli.client import Client

_OPTION, _UPSTREAMS = "nullspend_budget", "nullspend_upstream"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--nullspend-budget` and `--nullspend-upstream`."""
    group = parser.getgroup("nullspend", "what the tests' calls to OpenAI and Anthropic may cost")
    group.addoption(
        "--nullspend-budget",
        dest=_OPTION,
        metavar="MONEY",
        help="cap the whole run: calls go through a private daemon, and a test that would overspend fails",
    )
    group.addoption(
        "--nullspend-upstream",
        dest=_UPSTREAMS,
        metavar="NAME=URL|fake",
        action="append",
        default=[],
        help="where the private daemon sends calls, as `nullspend daemon run --upstream`; repeatable",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Starts the private daemon when there is a budget."""
    given = config.getoption(_OPTION)
    if given is None:
        return
    from nullspend_cli.capped.testing import CappedTests, amount

    budget = amount(given)
    if budget is None:
        raise pytest.UsageError(f"--nullspend-budget {given!r} is no amount above zero; write '$1' or 50c")
    config.pluginmanager.register(CappedTests(config, budget, _upstreams(config)), "nullspend-capped")


def _upstreams(config: pytest.Config) -> list[str]:
    return config.getoption(_UPSTREAMS) or []


@pytest.fixture(scope="session")
def nullspend_server(request: pytest.FixtureRequest) -> "Iterator[Server]":
    """A private daemon for this session: `url`, `api_key`, `variables`; gone when the session ends.

    With `--nullspend-budget` it is the daemon that enforces the budget.
    """
    from nullspend_cli.capped.testing import private_server, server_of

    capped = request.config.pluginmanager.get_plugin("nullspend-capped")
    if capped is not None:
        yield server_of(capped.daemon)
        return
    with private_server(_upstreams(request.config)) as server:
        yield server


@pytest.fixture
def nullspend_client(nullspend_server: "Server") -> "Client":
    """Requests to the private daemon as its owner: `get`, `post`, `patch`, `delete`, `pages`, each by its path."""
    return nullspend_server.client
