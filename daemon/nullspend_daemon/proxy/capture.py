"""Keeping what calls sent and got, when the user wants that: redacted, capped, never in a call's way."""

import asyncio
import logging
from functools import partial

from nullspend_daemon.contract.plans import Plan
from nullspend_daemon.errors import NullSpendError
from nullspend_daemon.http.parts import Parts
from nullspend_daemon.ledger.bodies import MOST_CHARACTERS, Bodies, store_bodies
from nullspend_daemon.proxy.sanitizing import without_secrets
from nullspend_daemon.store.plans import plan_of
from nullspend_daemon.store.transaction import Tx

log = logging.getLogger(__name__)


class Recording:
    """The bodies of one call while it runs. A stream is cut at the cap; a larger JSON body is not kept at all."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._chunks: list[bytes] = []
        self._size = 0
        self.is_stream = False

    def add(self, chunk: bytes) -> None:
        """More of the reply, decoded."""
        if self._size <= MOST_CHARACTERS or not self.is_stream:
            self._chunks.append(chunk)
            self._size += len(chunk)

    def bodies(self) -> Bodies:
        """What is stored. Takes a while for large bodies: not for the event loop."""
        response = b"".join(self._chunks).decode("utf-8", "replace")
        if self.is_stream:
            response = response[:MOST_CHARACTERS]
        request = self._request.decode("utf-8", "replace")
        return Bodies(_kept(request), _kept(response) if self._chunks else None, self.is_stream)


def _kept(text: str) -> str | None:
    return without_secrets(text) if len(text) <= MOST_CHARACTERS else None


class Capture:
    """Stores recordings once their event is stored. Whatever goes wrong is a line in the log."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._hosted = parts.settings.hosted
        self._running: set[asyncio.Task[None]] = set()

    def begin(self, request: bytes) -> Recording | None:
        """A recording of a call, or None when bodies are not kept."""
        return Recording(request) if self._parts.settings.capture_bodies else None

    def store(self, recording: Recording, org_id: str, request_id: str) -> None:
        """Store a recording under the request id of its event."""
        task = asyncio.create_task(self._store(recording, org_id, request_id))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def finish(self, seconds: float) -> None:
        """Wait for what is being stored."""
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)

    async def _store(self, recording: Recording, org_id: str, request_id: str) -> None:
        try:
            bodies = await self._parts.in_thread(recording.bodies)
            await self._parts.store.write(partial(self._write, org_id, request_id, bodies), durable=False)
        except NullSpendError as error:
            log.warning("the bodies of %s are not kept: %s", request_id, error.message)
        except Exception:
            log.exception("the bodies of %s are not kept", request_id)

    def _write(self, org_id: str, request_id: str, bodies: Bodies, tx: Tx) -> None:
        if self._hosted and not _allows(plan_of(tx, org_id, hosted=True)):
            return
        store_bodies(tx, org_id, request_id, bodies)


def _allows(plan: Plan) -> bool:
    return plan.body_capture
