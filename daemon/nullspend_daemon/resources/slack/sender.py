"""Sends what Slack has to be told: from the table, after the commit, each organization at its own pace.

Nothing waits for Slack, and nothing fails when Slack does. A message is taken off the table once it is sent: after a
kill it is sent again rather than never.
"""

import asyncio
import logging
import random
from contextlib import suppress

from pydantic_core import from_json

from nullspend_daemon.delivery.outgoing import Answer, NotSent
from nullspend_daemon.errors import ServiceUnavailable, SlackWebhookError
from nullspend_daemon.http.parts import Parts
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.loop.bell import Bell
from nullspend_daemon.resources.slack import alert_messages
from nullspend_daemon.resources.slack.hosts import Slack, slack_of
from nullspend_daemon.resources.slack.notes import Note, note_of, through_webhook
from nullspend_daemon.resources.slack.service import need
from nullspend_daemon.store import slack_queue
from nullspend_daemon.store.transaction import Row, Tx

log = logging.getLogger(__name__)

RETRIES = 3
FIRST_WAIT_MS, LONGEST_WAIT_MS = 1_000, 8_000
_WORTH_ANOTHER_TRY = frozenset({429, 500, 502, 503, 504})
_IDLE_SECONDS, _BUSY_SECONDS = 60.0, 0.5
_MOST_REPLY_BYTES = 65_536


class Sender:
    """Works the queue off. One of these runs in a daemon."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._store = parts.store
        self._bell = Bell(parts.database, slack_queue.TOPIC)
        self._working: dict[str, asyncio.Task[None]] = {}

    async def run_forever(self) -> None:
        """Send what is due, at once after each commit that adds to it, and later what has to be tried again."""
        try:
            while True:
                rung = self._bell.next()
                waits = await self._look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(waits):
                        await rung.wait()
        finally:
            for task in list(self._working.values()):
                task.cancel()

    async def _look(self) -> float:
        """Start what is due; returns how long to wait for the next look, in seconds."""
        try:
            await self._start()
            empty = await self._store.read(slack_queue.is_empty)
        except ServiceUnavailable as error:
            log.warning("messages to Slack wait: %s", error.message)
            return _IDLE_SECONDS
        return _IDLE_SECONDS if empty else _BUSY_SECONDS

    async def finish_due(self) -> None:
        """Send everything that is due now and wait until it is sent, or given up. Raises ServiceUnavailable."""
        await self._start()
        await asyncio.gather(*self._working.values())

    async def _start(self) -> None:
        for org_id in await self._store.read(slack_queue.orgs_due):
            if org_id not in self._working:
                task = asyncio.create_task(self._work_off(org_id))
                self._working[org_id] = task
                task.add_done_callback(lambda _, org_id=org_id: self._working.pop(org_id, None))

    async def _work_off(self, org_id: str) -> None:
        """Send one organization's messages in their order, until none is due."""
        try:
            while (queued := await self._store.read(lambda tx: slack_queue.next_due(tx, org_id))) is not None:
                await self._send(queued)
        except ServiceUnavailable as error:
            log.warning("messages to Slack wait: %s", error.message)

    async def _send(self, queued: Row) -> None:
        parts, slack = self._parts, slack_of(self._parts.settings)
        try:
            note = await self._store.read(lambda tx: note_of(tx, slack, parts.dash, queued))
        except ServiceUnavailable:
            raise
        except Exception:  # one message that cannot be made must not keep the others from being sent
            log.exception("a message to Slack about event %s could not be made", queued["event_seq"])
            note = None
        sent = None if note is None else await _attempt(parts, slack, note)
        await self._store.write(lambda tx: _settle(tx, queued, note, sent), durable=False)


class Sent:
    """How one try ended: `problem` is empty when Slack took the message; `thread` is what replies to it name."""

    def __init__(self, problem: str = "", *, worth_another_try: bool = False, thread: str | None = None) -> None:
        self.problem = problem
        self.worth_another_try = worth_another_try
        self.thread = thread


async def _attempt(parts: Parts, slack: Slack, note: Note) -> Sent:
    try:
        answer = await parts.outgoing.post(
            slack.target(note.url), note.body, note.headers, most_bytes=_MOST_REPLY_BYTES
        )
    except NotSent as error:
        return Sent(str(error), worth_another_try=True)
    if not answer.is_success:
        return Sent(f"it answered {answer.status}", worth_another_try=answer.status in _WORTH_ANOTHER_TRY)
    return _of_api(answer) if note.is_api else Sent()


def _of_api(answer: Answer) -> Sent:
    """The Web API says in its body whether it worked, and which thread the message opens."""
    try:
        said = from_json(answer.text)
    except ValueError:
        return Sent("its answer is no JSON")
    if not isinstance(said, dict) or said.get("ok") is not True:
        reason = said.get("error") if isinstance(said, dict) else None
        return Sent(f"it refused the message ({reason})", worth_another_try=reason == "ratelimited")
    return Sent(thread=str(said["ts"]) if "ts" in said else None)


def _settle(tx: Tx, queued: Row, note: Note | None, sent: Sent | None) -> None:
    """Take a message off the queue, or note when it is tried again."""
    if note is not None and sent is not None and sent.problem:
        if note.retries and sent.worth_another_try and queued["attempts"] < RETRIES:
            slack_queue.postpone(tx, queued["seq"], _jitter(queued["attempts"]))
            return
        log.warning("Slack did not take a message of %s: %s", queued["org_id"], sent.problem)
    elif note is not None and sent is not None and note.opens_thread_of is not None:
        tx.execute("UPDATE actions SET slack_thread = ? WHERE id = ?", (sent.thread, note.opens_thread_of))
    slack_queue.drop(tx, queued["seq"])


def _jitter(attempts: int) -> int:
    """Full jitter, in ms: anything up to 1, 2, 4, at most 8 seconds."""
    return random.randint(0, min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2**attempts))


async def send_trial(call: Call[None, None]) -> Record:
    """Send a test message, also while Slack is switched off."""
    parts, slack = call.parts, slack_of(call.settings)
    config = await parts.store.read(lambda tx: need(tx, call.caller.org_id))
    note = through_webhook(config["webhook_url"], alert_messages.trial(parts.dash), retries=False)
    try:
        answer = await parts.outgoing.post(slack.target(note.url), note.body, note.headers)
    except NotSent as error:
        raise SlackWebhookError(f"Slack could not be reached: {error}.", refused=False) from None
    if not answer.is_success:
        raise SlackWebhookError(f"Slack answered {answer.status}.", refused=answer.status < 500)
    return {"success": True}
