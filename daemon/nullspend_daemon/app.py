"""Putting a daemon together: settings -> store -> routes -> background; serving it; ending it."""

import asyncio
import logging
import os
import secrets
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from nullspend_daemon import API_VERSION, __version__, background
from nullspend_daemon.contract.clock import Clock, SystemClock, TestClock, to_iso
from nullspend_daemon.delivery.addresses import Reach
from nullspend_daemon.delivery.courier import Courier
from nullspend_daemon.delivery.outgoing import Outgoing
from nullspend_daemon.errors import StartupError
from nullspend_daemon.http.auth import SESSION_COOKIE, Authenticator, CookieSigner, Keys
from nullspend_daemon.http.dispatch import Dispatcher
from nullspend_daemon.http.limits import Limiter
from nullspend_daemon.http.middleware import shield
from nullspend_daemon.http.openapi import build_document
from nullspend_daemon.http.parts import Parts
from nullspend_daemon.http.route import Route
from nullspend_daemon.http.server import Runner
from nullspend_daemon.ledger.recovery import recover
from nullspend_daemon.local import app_pages, datadir
from nullspend_daemon.local import routes as local_routes
from nullspend_daemon.local.bootstrap import Owner, bootstrap
from nullspend_daemon.local.control import kept_offset
from nullspend_daemon.loop.bell import Bell
from nullspend_daemon.loop.store import Store
from nullspend_daemon.pricing.catalogue import Catalogue
from nullspend_daemon.pricing.overrides import BadPrices
from nullspend_daemon.proxy import described
from nullspend_daemon.proxy.sending import configured
from nullspend_daemon.proxy.server import Proxy
from nullspend_daemon.proxy.upstreams import Upstreams
from nullspend_daemon.resources.actions import routes as actions
from nullspend_daemon.resources.audit import routes as audit
from nullspend_daemon.resources.billing import routes as billing
from nullspend_daemon.resources.budgets import routes as budgets
from nullspend_daemon.resources.cost_events import routes as cost_events
from nullspend_daemon.resources.customers import routes as customers
from nullspend_daemon.resources.customers.sync import sync_due, sync_forever
from nullspend_daemon.resources.health import routes as health
from nullspend_daemon.resources.keys import routes as keys
from nullspend_daemon.resources.margins import routes as margins
from nullspend_daemon.resources.orgs import routes as orgs
from nullspend_daemon.resources.policy import routes as policy
from nullspend_daemon.resources.session import routes as session
from nullspend_daemon.resources.slack import routes as slack
from nullspend_daemon.resources.slack.sender import Sender
from nullspend_daemon.resources.tool_costs import routes as tool_costs
from nullspend_daemon.resources.webhooks import routes as webhooks
from nullspend_daemon.settings import Settings
from nullspend_daemon.store import identity, outbox
from nullspend_daemon.store.database import Database

log = logging.getLogger(__name__)

GRACE_SECONDS = 10.0
"""How long running requests may take to finish once the daemon is asked to end."""

ROUTES: list[Route] = [
    *health.ROUTES,
    *session.ROUTES,
    *keys.ROUTES,
    *budgets.ROUTES,
    *cost_events.ROUTES,
    *actions.ROUTES,
    *slack.ROUTES,
    *webhooks.ROUTES,
    *orgs.ROUTES,
    *audit.ROUTES,
    *tool_costs.ROUTES,
    *billing.ROUTES,
    *customers.ROUTES,
    *margins.ROUTES,
    *policy.ROUTES,
    *local_routes.ROUTES,
]
DESCRIBED: list[Route] = [*ROUTES, *described.DESCRIBED]
"""What the OpenAPI document describes: the proxy's endpoints too, which have a way of their own."""
PAGES: list[Route] = [*app_pages.ROUTES]
"""Served as well, for people with a browser; no part of the API and its description."""


@dataclass(slots=True)
class Daemon:
    """One daemon from start to end. `run` returns when it has ended."""

    settings: Settings
    on_ready: Callable[[dict[str, Any]], None]
    started_at_ms: int = 0
    url: str = ""
    _ending: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Serve until a signal or POST /_local/stop. Raises StartupError with a sentence."""
        datadir.prepare(self.settings.data_dir)
        held = datadir.lock(self.settings)
        try:
            await self._run_locked()
        finally:
            held.release()

    async def _run_locked(self) -> None:
        secret = datadir.load_secret(self.settings.secret_path)
        clock: Clock = TestClock() if self.settings.test_clock else SystemClock()
        catalogue, upstreams = _catalogue(self.settings, clock), configured(self.settings)
        database = Database(self.settings.database_path, clock)
        database.open()
        try:
            if isinstance(clock, TestClock):
                clock.advance(database.read(kept_offset))
            self.started_at_ms = clock.now_ms()
            if recovered := database.write(recover):
                log.warning("%d calls were cut off when the daemon last ended; each is an event at its hold", recovered)
            owner = bootstrap(database, self.settings.default_key_path)
            await self._serve(self._assemble(database, catalogue, clock, secret), upstreams, owner)
        finally:
            await asyncio.get_running_loop().run_in_executor(None, database.close)
            self.settings.state_path.unlink(missing_ok=True)

    async def _serve(self, parts: Parts, upstreams: Upstreams, owner: Owner) -> None:
        proxy, to_slack = Proxy(parts, upstreams), Sender(parts)

        async def run_due() -> None:
            await background.run_due(parts.store, self.settings)
            await sync_due(parts)
            await to_slack.finish_due()
            await parts.courier.settle()

        parts.run_due = run_due
        runner = Runner(self._application(parts, proxy), shutdown_timeout=GRACE_SECONDS)
        await runner.setup()
        working = [
            asyncio.create_task(background.run_forever(parts.store, self.settings)),
            asyncio.create_task(sync_forever(parts)),
            asyncio.create_task(to_slack.run_forever()),
        ]
        try:
            self.url = await _listen(runner, self.settings)
            parts.publish_owner(owner)
            working.append(asyncio.create_task(background.keep_prices(parts.catalogue)))
            working.append(asyncio.create_task(parts.courier.run()))
            self._catch_signals()
            self.on_ready(self._readiness())
            await self._ending.wait()
        finally:
            for task in working:
                task.cancel()
            # Together: no new calls come in while the live ones finish; what is left of them in the end is cut off.
            await asyncio.gather(runner.cleanup(), proxy.end(GRACE_SECONDS - 1))
            await parts.courier.close()
            await parts.outgoing.close()

    def _assemble(self, database: Database, catalogue: Catalogue, clock: Clock, secret: bytes) -> Parts:
        store = Store(database)
        keys = Keys(store, clock)
        database.on(identity.TOPIC, keys.forget)
        admin_token = secrets.token_hex(32)
        outgoing = Outgoing(self._reach)
        return Parts(
            settings=self.settings,
            clock=clock,
            database=database,
            store=store,
            keys=keys,
            catalogue=catalogue,
            signer=CookieSigner(secret),
            started_at_ms=self.started_at_ms,
            admin_token=admin_token,
            secret=secret,
            url=lambda: self.url,
            ending=self._ending,
            staged=Bell(database, outbox.TOPIC),
            outgoing=outgoing,
            courier=Courier(database, store, outgoing, clock),
            run_due=lambda: background.run_due(store, self.settings),
            describe=lambda: build_document(DESCRIBED),
            publish_owner=lambda current: datadir.write_state(
                self.settings.state_path, self._state(current, admin_token)
            ),
        )

    def _application(self, parts: Parts, proxy: Proxy) -> web.Application:
        settings, clock = self.settings, parts.clock
        by_address = None if settings.ip_rate_limit is None else Limiter(settings.ip_rate_limit, clock)
        by_key = Limiter(settings.key_rate_limit, clock)
        authenticator = Authenticator(
            parts.store,
            parts.keys,
            parts.signer,
            by_key,
            admin_token=parts.admin_token,
            cron_secret=settings.environment.get("NULLSPEND_CRON_SECRET"),
        )
        dispatcher = Dispatcher(parts, authenticator)
        application = web.Application(middlewares=[shield(settings, by_address)], client_max_size=0)
        for route in (*ROUTES, *PAGES):
            application.router.add_route(route.method, route.path, dispatcher.serve(route))
        proxy.add_to(application)
        return application

    def _reach(self) -> Reach:
        """Messages go to this machine and over plain http only while nobody else can make this daemon send them."""
        local = self.settings.loopback_only and not self.settings.hosted
        return Reach(local=local, own_port=urlsplit(self.url).port or 0)

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for name in ("SIGINT", "SIGTERM"):
            try:
                loop.add_signal_handler(getattr(signal, name), self._ending.set)
            except NotImplementedError:  # Windows: POST /_local/stop is the way there
                return

    def _readiness(self) -> dict[str, Any]:
        return {
            "url": self.url,
            "pid": os.getpid(),
            "dataDir": str(self.settings.data_dir),
            "version": __version__,
        }

    def _state(self, owner: Owner, admin_token: str) -> dict[str, Any]:
        return {
            **self._readiness(),
            "apiVersion": API_VERSION,
            "startedAt": to_iso(self.started_at_ms),
            "hosted": self.settings.hosted,
            "testClock": self.settings.test_clock,
            "adminToken": admin_token,
            "owner": {
                "userId": owner.user_id,
                "email": owner.email,
                "orgId": owner.org_id,
                "cookie": f"{SESSION_COOKIE}={owner.session_token}",
                "apiKey": owner.api_key,
            },
        }


def _catalogue(settings: Settings, clock: Clock) -> Catalogue:
    """The prices of this run. Raises StartupError when prices.toml is not what somebody meant to write."""
    catalogue = Catalogue(settings.prices_path, settings.catalogue_path, clock)
    try:
        catalogue.check()
    except BadPrices as error:
        raise StartupError(str(error)) from error
    return catalogue


async def _listen(runner: web.AppRunner, settings: Settings) -> str:
    """Start accepting; returns the URL. Raises StartupError when the address cannot be had."""
    site = web.TCPSite(runner, settings.host.strip("[]"), settings.port)
    try:
        await site.start()
    except OSError as error:
        raise StartupError(
            f"{settings.host}:{settings.port} cannot be listened on: {error.strerror}. "
            "Choose another port with --port, or --port 0 for any free one."
        ) from error
    host, port = runner.addresses[0][:2]
    if settings.host in ("0.0.0.0", "::"):  # shown: where this machine reaches it
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
