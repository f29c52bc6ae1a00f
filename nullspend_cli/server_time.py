"""What time it is on a server: a local daemon with a test clock is ahead of this machine."""

import time

from nullspend_cli.client import Auth, Client
from nullspend_cli.problems import Problem
from nullspend_daemon.contract.clock import from_iso


def ahead_ms(client: Client) -> int:
    """How far the server's clock is ahead of this machine's; 0 where the server does not tell. Raises Unreachable."""
    if client.place.daemon is None:
        return 0
    now = client.get("/_local/info", auth=Auth.NONE).get("now")
    try:
        return from_iso(str(now)) - machine_ms()
    except ValueError:
        raise Problem(f"{client.place.origin} does not say what time it is.") from None


def machine_ms() -> int:
    """This machine's time, epoch ms."""
    return time.time_ns() // 1_000_000
