"""Waiting for a person's decision on one action."""

import time

from nullspend_cli import approvals
from nullspend_cli.client import Client
from nullspend_cli.problems import Unreachable
from nullspend_cli.replies import Record

_NEAR_SECONDS, _FAR_SECONDS = 0.3, 2.0


def wait(client: Client, action_id: str, seconds: float | None) -> Record:
    """The action once it is decided, or as it is after `seconds`; None waits for ever.

    A server that is away for a while is waited for; raises Unreachable when it still is at the end.
    """
    every = _NEAR_SECONDS if client.place.daemon else _FAR_SECONDS
    end = None if seconds is None else time.monotonic() + seconds
    while True:
        try:
            action = approvals.get(client, action_id)
            if action.get("status") != approvals.PENDING or _is_over(end):
                return action
        except Unreachable:
            if _is_over(end):
                raise
        time.sleep(every if end is None else max(0.0, min(every, end - time.monotonic())))


def _is_over(end: float | None) -> bool:
    return end is not None and time.monotonic() >= end
