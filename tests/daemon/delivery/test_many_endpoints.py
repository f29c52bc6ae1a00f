"""Many events to five endpoints, one of them dead: the other four get everything."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.conftest import StartDaemon
from tests.fakes.receiver import CLOSE, receiver

EVENTS = 10_000 if os.environ.get("NULLSPEND_FULL") == "1" else 2_000
BATCH = 100
EVENT = {"provider": "p", "model": "m", "inputTokens": 1, "outputTokens": 1, "costMicrodollars": 5}


@pytest.fixture
def receivers() -> Iterator[list[Any]]:
    """Four that answer, and one that closes every connection without a word."""
    with ExitStack() as stack:
        yield [stack.enter_context(receiver(*script)) for script in ((), (), (), (), (CLOSE,))]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_one_dead_endpoint_of_five_keeps_nothing_from_the_others(start: StartDaemon, receivers: list[Any]) -> None:
    daemon = start()
    for there in receivers:
        body = {"url": there.url, "eventTypes": ["cost_event.created"]}
        assert daemon.call("POST", "/api/webhooks", body).status == 201
    for first in range(0, EVENTS, BATCH):
        events = [{**EVENT, "idempotencyKey": f"r{first + number}"} for number in range(BATCH)]
        assert daemon.call("POST", "/api/cost-events/batch", {"events": events}, auth="key").status == 201
    wanted = {f"r{number}" for number in range(EVENTS)}
    ends = time.monotonic() + 500
    while any(len(there.received) < EVENTS for there in receivers[:4]):
        assert time.monotonic() < ends, [len(there.received) for there in receivers]
        time.sleep(0.1)
    for there in receivers[:4]:
        assert {message.json["data"]["object"]["request_id"] for message in there.received} == wanted
        assert len(set(there.ids)) == EVENTS
    assert receivers[4].received, "the dead one was tried as well"
