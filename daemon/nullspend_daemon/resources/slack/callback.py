"""POST /api/slack/callback: a button was pressed. Signed by Slack; every outcome is a 200 that Slack can show."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from pydantic_core import from_json

from nullspend_daemon.approvals.decisions import Decided, Decision, Verdict, decide
from nullspend_daemon.contract.clock import SystemClock
from nullspend_daemon.contract.ids import InvalidId, Kind, parse_id
from nullspend_daemon.contract.signature import TOLERANCE_SECONDS
from nullspend_daemon.errors import ActionExpired, NullSpendError
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.resources.slack import blocks
from nullspend_daemon.resources.slack.blocks import dollars, escape
from nullspend_daemon.resources.slack.hosts import slack_of
from nullspend_daemon.resources.slack.service import find
from nullspend_daemon.store.transaction import Row, Tx

_VERDICTS: dict[str, Verdict] = {"approve_action": "approved", "reject_action": "rejected"}
_EMOJI = {"approved": ":white_check_mark:", "rejected": ":no_entry:"}


class NotTaken(Exception):
    """Why a pressed button has no effect, as a sentence for the person."""


@dataclass(frozen=True, slots=True)
class Press:
    """One pressed button."""

    verdict: Verdict
    action_id: str
    user_id: str
    by: str


@dataclass(frozen=True, slots=True)
class Seen:
    """The action a button is about, and what its organization says about Slack."""

    action: Row
    only_user: str | None


async def receive(call: Call[None, None]) -> Record:
    """Take a pressed button of a Slack message: approve or reject the action."""
    try:
        _check_signature(call)
        press = _press(call.raw_body)
        if press is None:
            return {"ok": True}
        seen = await call.parts.store.read(lambda tx: _see(tx, press))
        if seen.only_user is not None and seen.only_user != press.user_id:
            return _told_alone("Only the person this channel belongs to can decide here.")
        return await _decide(call, press, seen)
    except NotTaken as reason:
        return _replaced(f":warning: {reason}")


async def _decide(call: Call[None, None], press: Press, seen: Seen) -> Record:
    decision = Decision(
        org_id=seen.action["org_id"],
        action_id=press.action_id,
        verdict=press.verdict,
        by=press.by,
        seen=seen.action["status"],
    )
    kind = f"{escape(seen.action['action_type'])} of {escape(seen.action['agent_id'])}"
    try:
        decided = await call.parts.store.write(lambda tx: decide(tx, decision, hosted=call.settings.hosted))
    except ActionExpired:
        return _replaced(f":hourglass: Expired before anybody decided: {kind}")
    except NullSpendError as error:
        raise NotTaken(f"{kind} was not {press.verdict}: {escape(error.message)}") from None
    return _replaced(f"{_EMOJI[press.verdict]} {_sentence(decided, press, kind)}")


def _sentence(decided: Decided, press: Press, kind: str) -> str:
    increase = decided.increase
    more = "" if increase is None else f". The limit is now {dollars(increase.new_limit)}"
    return f"{press.verdict.capitalize()} by {escape(press.by)}: {kind}{more}"


def _check_signature(call: Call[None, None]) -> None:
    """Raises NotTaken unless Slack signed the body within the last five minutes."""
    secret = slack_of(call.settings).signing_secret
    if secret is None:
        raise NotTaken("This server takes no buttons: SLACK_SIGNING_SECRET is not set.")
    stamp, given = call.headers.get("X-Slack-Request-Timestamp", ""), call.headers.get("X-Slack-Signature", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise NotTaken("The request is not signed.")
    signed = b"v0:" + stamp.encode() + b":" + call.raw_body
    expected = "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    if not given.isascii() or not hmac.compare_digest(expected, given):
        raise NotTaken("The signature does not match.")
    # Slack's time is the machine's, whatever the test clock says.
    if abs(SystemClock().now_ms() // 1000 - int(stamp)) > TOLERANCE_SECONDS:
        raise NotTaken("The request is too old.")


def _press(raw: bytes) -> Press | None:
    """The pressed button; None for one that decides nothing, such as a link. Raises NotTaken."""
    try:
        payload = from_json(parse_qs(raw.decode(), strict_parsing=True)["payload"][0])
        button, user = payload["actions"][0], payload["user"]
        verdict = _VERDICTS.get(str(button["action_id"]))
        if verdict is None:
            return None
        action_id = parse_id(Kind.ACTION, str(button["value"]), bare=True)
        return Press(verdict, action_id, str(user["id"]), _name(user))
    except (ValueError, KeyError, IndexError, TypeError, InvalidId):
        raise NotTaken("The request cannot be read.") from None


def _name(user: dict[str, Any]) -> str:
    return str(user.get("username") or user.get("name") or user["id"])


def _see(tx: Tx, press: Press) -> Seen:
    action = tx.one("SELECT * FROM actions WHERE id = ?", (press.action_id,))
    config = None if action is None else find(tx, action["org_id"])
    if action is None or config is None or not config["is_active"]:
        raise NotTaken("There is no such action, or its organization does not use Slack any more.")
    return Seen(action, config["slack_user_id"])


def _replaced(text: str) -> Record:
    return {"replace_original": True, **blocks.message(text, blocks.section(text))}


def _told_alone(text: str) -> Record:
    return {
        "response_type": "ephemeral",
        "replace_original": False,
        **blocks.message(text, blocks.section(f":lock: {text}")),
    }
