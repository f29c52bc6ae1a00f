"""Identifiers: a prefix that names the kind, and a lowercase UUID. New UUIDs are version 7, so they sort by time.

Ids are stored and passed around in the form the API shows; a prefix is never added or cut on the way.
"""

import random
import re
import secrets
import threading
from enum import StrEnum

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_RANDOM_BITS = 74


class Kind(StrEnum):
    """What an id names; the value is its prefix."""

    ACTION = "ns_act_"
    KEY = "ns_key_"
    COST_EVENT = "ns_evt_"
    BUDGET = "ns_bgt_"
    WEBHOOK = "ns_wh_"
    DELIVERY = "ns_del_"
    USER = "ns_usr_"
    TOOL_COST = "ns_tc_"
    ORG = "ns_org_"
    WEBHOOK_EVENT = "evt_"


class InvalidId(ValueError):
    """Text that is no id of the wanted kind. The message says which prefix was expected."""


# Ids are unique, not secret: one seed from the system, and no system call an id, since each lets go of the interpreter.
_random = random.Random(secrets.token_bytes(32))


class _Sequence:
    """Keeps UUIDs of one process ascending, also those made in the same millisecond."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last_ms = -1
        self._last_random = 0

    def next(self, now_ms: int) -> tuple[int, int]:
        with self._lock:
            if now_ms == self._last_ms:
                # A step instead of a fresh draw: rows of one millisecond keep the order they were made in.
                self._last_random = (self._last_random + 1 + _random.getrandbits(32)) & ((1 << _RANDOM_BITS) - 1)
            else:
                self._last_ms, self._last_random = now_ms, _random.getrandbits(_RANDOM_BITS - 2)
            return self._last_ms, self._last_random


_sequence = _Sequence()


def new_uuid(now_ms: int) -> str:
    """A version 7 UUID for `now_ms` (epoch milliseconds)."""
    ms, random = _sequence.next(now_ms)
    value = (ms & 0xFFFFFFFFFFFF) << 80 | 7 << 76 | (random >> 62) << 64 | 0b10 << 62 | random & ((1 << 62) - 1)
    return _dashed(f"{value:032x}")


def random_hex() -> str:
    """32 random hex digits, the form of a trace id."""
    return f"{_random.getrandbits(128):032x}"


def random_uuid() -> str:
    """A version 4 UUID, for what is in no order."""
    value = _random.getrandbits(128) & ~(0xF << 76 | 0b11 << 62) | 4 << 76 | 0b10 << 62
    return _dashed(f"{value:032x}")


def _dashed(text: str) -> str:
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_id(kind: Kind, now_ms: int) -> str:
    """A new id of `kind` for `now_ms` (epoch milliseconds)."""
    return kind.value + new_uuid(now_ms)


def parse_uuid(text: str) -> str:
    """The canonical lowercase form of a bare UUID. Raises InvalidId."""
    if _UUID.fullmatch(text) is None:
        raise InvalidId("Invalid UUID")
    return text.lower()


def parse_id(kind: Kind, text: str, *, bare: bool = False) -> str:
    """The canonical form of an id of `kind`; with `bare` a UUID without prefix is taken too. Raises InvalidId."""
    if text.startswith(kind.value):
        return kind.value + parse_uuid(text[len(kind.value) :])
    if bare and _UUID.fullmatch(text):
        return kind.value + text.lower()
    raise InvalidId(f'Expected ID with prefix "{kind.value}"')


def uuid_of(prefixed: str) -> str:
    """The UUID behind the prefix, for the few places of the hosted service that take only that."""
    return prefixed[-36:]
