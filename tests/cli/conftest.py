"""Fixtures of the command's tests."""

from collections.abc import Iterator

import pytest

from tests.fakes.server import FakeServer, fake_server
from tests.machine import Machine


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server that answers what the test tells it to."""
    with fake_server() as fake:
        yield fake


@pytest.fixture
def elsewhere(machine: Machine, server: FakeServer) -> Machine:
    """A machine whose environment names the fake server, with a key and a session for it."""
    machine.more = {
        "NULLSPEND_BASE_URL": server.url,
        "NULLSPEND_API_KEY": "ns_live_sk_00000000000000000000000000000001",
        "NULLSPEND_SESSION": "sb-auth=first; ns-active-org=one",
    }
    return machine
