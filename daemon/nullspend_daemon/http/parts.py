"""What one running daemon is made of, for the handlers that need more than a transaction."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from nullspend_daemon.contract.clock import Clock
from nullspend_daemon.delivery.courier import Courier
from nullspend_daemon.delivery.outgoing import Outgoing
from nullspend_daemon.http.auth import CookieSigner, Keys
from nullspend_daemon.loop.bell import Bell
from nullspend_daemon.loop.store import Store
from nullspend_daemon.pricing.catalogue import Catalogue
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
    catalogue: Catalogue
    signer: CookieSigner
    started_at_ms: int
    admin_token: str = field(repr=False)
    secret: bytes = field(repr=False)
    """The content of secret.key: what is signed or encrypted here derives from it."""
    url: Callable[[], str]
    """Where the daemon listens, as in the state file."""
    ending: asyncio.Event
    """Set when the server is to end: no new connections, running requests are finished, streams are cut."""
    staged: Bell
    """Rings when events have been staged in the outbox."""
    outgoing: Outgoing
    """Sends to addresses that other people chose."""
    courier: Courier
    """Delivers webhooks."""
    run_due: Callable[[], Awaitable[None]]
    """Do everything that is due by now."""
    describe: Callable[[], dict[str, Any]]
    """Build the OpenAPI document of everything that is served."""
    publish_owner: Callable[[Any], None]
    """Write the state file, after the owner's key or session has changed."""

    _kept: dict[Any, Any] = field(default_factory=dict[Any, Any], repr=False)

    @property
    def dash(self) -> str:
        """What links to `/app/...` start with: NULLSPEND_PUBLIC_URL, else the daemon's own address."""
        return self.settings.environment.get("NULLSPEND_PUBLIC_URL", "").rstrip("/") or self.url()

    def keep(self, make: Callable[[], T]) -> T:
        """What `make` made the first time it was given here: the memory of a resource between requests."""
        if make not in self._kept:
            self._kept[make] = make()
        return self._kept[make]

    async def in_thread(self, fn: Callable[[], T]) -> T:
        """Run a blocking function without holding up other requests."""
        return await asyncio.get_running_loop().run_in_executor(None, fn)
