"""What one running daemon is made of, for the handlers that need more than a transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from nullspend_daemon.contract.clock import Clock
from nullspend_daemon.http.auth import CookieSigner, Keys
from nullspend_daemon.http.route import Route
from nullspend_daemon.http.store import Store
from nullspend_daemon.settings import Settings
from nullspend_daemon.store.database import Database

T = TypeVar("T")


@dataclass(slots=True)
class Parts:
    """The parts of a running daemon, put together by the app."""

    settings: Settings
    clock: Clock
    database: Database
    store: Store
    keys: Keys
    signer: CookieSigner
    started_at_ms: int
    admin_token: str = field(repr=False)
    stop: Callable[[], None]
    """Ask the server to end: no new connections, running requests are finished."""
    run_due: Callable[[], Awaitable[None]]
    """Do everything that is due by now."""
    routes: Sequence[Route]
    """All routes served, for the OpenAPI document."""
    publish_owner: Callable[[Any], None]
    """Write the state file, after the owner's key or session has changed."""

    async def in_thread(self, fn: Callable[[], T]) -> T:
        """Run a blocking function without holding up other requests."""
        return await asyncio.get_running_loop().run_in_executor(None, fn)
