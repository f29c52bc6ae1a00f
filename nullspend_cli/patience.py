"""How often a server is asked, and how long is waited for it."""

from typing import NamedTuple


class Patience(NamedTuple):
    """`longest_wait` is the wait, in seconds, that a busy server may ask for; `quiet_seconds` how long it may be silent
    in a reply, None for what NULLSPEND_TIMEOUT says."""

    attempts: int
    longest_wait: float
    quiet_seconds: float | None = None


USUAL = Patience(3, 10.0)
"""A person looks on."""
LONG = Patience(10, 120.0)
"""Work that runs by itself: the hosted service's windows are a minute long."""
SHORT = Patience(1, 0.0, 5.0)
"""A screen that asks again anyway."""
