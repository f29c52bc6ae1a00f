"""From headers to a caller: API keys, sessions with their active org, the admin token."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from nullspend_daemon.contract.clock import Clock
from nullspend_daemon.contract.ids import Kind
from nullspend_daemon.errors import Forbidden, NullSpendError, RateLimitExceeded, Unauthenticated
from nullspend_daemon.http.caller import Auth, Caller
from nullspend_daemon.http.limits import Limiter, Verdict
from nullspend_daemon.http.wire import path_id
from nullspend_daemon.loop.store import Store
from nullspend_daemon.store import identity
from nullspend_daemon.store.identity import KeyIdentity, Role, SessionIdentity

KEY_HEADER = "X-NullSpend-Key"
SESSION_COOKIE = "nullspend_session"
ORG_COOKIE = "ns-active-org"
ORG_COOKIE_SECONDS = 365 * 24 * 3600
_RAW_KEY = re.compile(r"ns_live_sk_[0-9a-f]{32}")
_STAMP_EVERY_MS = 60_000
_MOST_KEYS = 10_000


class Keys:
    """Live keys by the hash of their raw form, kept in memory and forgotten at each commit that touches an identity."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, KeyIdentity] = {}
        self._generation = 0
        self._stamped: dict[str, int] = {}

    def forget(self) -> None:
        """Called on the writer thread before a change is acknowledged: the next request reads anew."""
        self._generation += 1
        self._known = {}

    async def find(self, raw: str) -> KeyIdentity | None:
        """The key behind a raw key, or None when it is malformed, unknown or revoked. Raises ServiceUnavailable."""
        if _RAW_KEY.fullmatch(raw) is None:
            return None
        key_hash = identity.digest(raw)
        found = self._known.get(key_hash)
        if found is None:
            generation = self._generation
            found = await self._store.read(lambda tx: identity.find_key(tx, key_hash))
            if found is None:
                return None
            # What was read while a change was being committed may be the old state: use it once, keep it never.
            if generation == self._generation and len(self._known) < _MOST_KEYS:
                self._known[key_hash] = found
        self._stamp(found.key_id)
        return found

    def _stamp(self, key_id: str) -> None:
        now_ms = self._clock.now_ms()
        if now_ms - self._stamped.get(key_id, 0) < _STAMP_EVERY_MS:
            return
        if len(self._stamped) >= _MOST_KEYS:
            self._stamped.clear()
        self._stamped[key_id] = now_ms
        # Best effort: nobody waits for it, and a failure is no failure of the request.
        stamping = self._store.write(lambda tx: identity.stamp_key(tx, key_id), durable=False)
        stamping.add_done_callback(lambda future: future.cancelled() or future.exception())


class CookieSigner:
    """The active-org cookie: `<org id>:<role>.<16 hex of its HMAC-SHA256>`."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(self, org_id: str, role: Role) -> str:
        """The cookie's value for an org and the role in it."""
        content = f"{org_id}:{role}"
        return f"{content}.{self._mac(content)}"

    def org_of(self, value: str | None) -> str | None:
        """The org a cookie names, or None when it is missing or was not signed here."""
        content, _, mac = (value or "").rpartition(".")
        if not value or not mac.isascii() or not hmac.compare_digest(mac, self._mac(content)):
            return None
        return content.partition(":")[0]

    def _mac(self, content: str) -> str:
        return hmac.new(self._secret, content.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()[:16]


@dataclass(slots=True)
class Admission:
    """A caller who was let in, and what their reply must carry."""

    caller: Caller
    rate: Verdict | None = None
    active_org: tuple[str, Role] | None = None


NOBODY = Caller("", "", None, None)
_UNCHECKED = frozenset({"public", "signature", "page"})
_PATH_ORG = path_id(Kind.ORG, name="orgId")


class Authenticator:
    """Applies a route's `Auth` to a request."""

    def __init__(
        self,
        store: Store,
        keys: Keys,
        signer: CookieSigner,
        limiter: Limiter,
        *,
        admin_token: str,
        cron_secret: str | None,
    ) -> None:
        self.keys = keys
        self.signer = signer
        self._store = store
        self._limiter = limiter
        self._admin_token = admin_token
        self._cron_secret = cron_secret

    async def admit(self, auth: Auth, request: web.Request) -> Admission:
        """Who is calling. Raises Unauthenticated, Forbidden, RateLimitExceeded or ServiceUnavailable."""
        if auth.kind in _UNCHECKED:
            return Admission(NOBODY)
        if auth.kind == "admin":
            return self._admit_admin(request)
        if auth.kind == "cron" and "Authorization" in request.headers:
            return self._admit_cron(request)
        if auth.kind in ("session", "cron"):
            return await self._admit_session(auth, request)
        if auth.kind == "org":
            return await self._admit_org_member(auth, request)
        raw = raw_key(request)
        if raw is None and auth.kind == "either":
            return await self._admit_session(auth, request)
        return await self._admit_key(raw or "")

    def _admit_admin(self, request: web.Request) -> Admission:
        if not bears_token(request.headers, self._admin_token):
            raise Unauthenticated("The admin token of the state file is needed: Authorization: Bearer <adminToken>.")
        return Admission(NOBODY)

    async def _admit_key(self, raw: str) -> Admission:
        key = await self.keys.find(raw)
        if key is None:
            raise Unauthenticated("Invalid or missing API key.")
        rate = self._limiter.count(key.key_id)
        if not rate.allowed:
            raise RateLimitExceeded("Too many requests with this API key.", headers=rate.headers())
        if not key.owner_is_member:
            refusal: NullSpendError = Forbidden("The API key's owner is no longer a member of its organization.")
            refusal.headers.update(rate.headers())
            raise refusal
        return Admission(Caller(key.user_id, key.org_id, None, key), rate)

    def _admit_cron(self, request: web.Request) -> Admission:
        if not self._cron_secret or not bears_token(request.headers, self._cron_secret):
            raise Unauthenticated("The bearer is not NULLSPEND_CRON_SECRET.")
        return Admission(NOBODY)

    async def _admit_session(self, auth: Auth, request: web.Request) -> Admission:
        token = request.cookies.get(SESSION_COOKIE, "")
        named = self.signer.org_of(request.cookies.get(ORG_COOKIE))
        token_hash = identity.digest(token)
        found = await self._store.read(lambda tx: identity.find_session(tx, token_hash, named)) if token else None
        if found is None:
            raise Unauthenticated("There is no valid session.")
        if found.renew:
            await self._store.write(lambda tx: identity.renew_session(tx, token_hash), durable=False)
        org_id = found.org_id or await self._store.write(lambda tx: identity.ensure_personal_org(tx, found.user_id))
        identity.require_role(found.role, auth.role)
        return Admission(Caller(found.user_id, org_id, found.role, None), active_org=_rewritten(found, org_id, named))

    async def _admit_org_member(self, auth: Auth, request: web.Request) -> Admission:
        """As a session, but role and org are those of the path; an unknown org has no members."""
        admission = await self._admit_session(Auth("session"), request)
        org_id, user_id = _PATH_ORG(request.match_info["orgId"]), admission.caller.user_id
        role: Role | None = await self._store.read(lambda tx: identity.role_in(tx, org_id, user_id))
        admission.caller = Caller(user_id, org_id, identity.require_role(role, auth.role), None)
        return admission


def _rewritten(found: SessionIdentity, org_id: str, named: str | None) -> tuple[str, Role] | None:
    """The cookie to set when the one that came names no org the person is in."""
    return None if named == org_id else (org_id, found.role)


def bears_token(headers: Mapping[str, str], wanted: str) -> bool:
    """Whether a request carries `Authorization: Bearer <wanted>`."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(token.encode("utf-8", "surrogateescape"), wanted.encode())


def raw_key(request: web.Request) -> str | None:
    """The raw key a request carries: the key header, even empty; else a Bearer key on /api/*; else None."""
    given = request.headers.get(KEY_HEADER)
    if given is not None or not request.path.startswith("/api/"):
        return given
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" and token.startswith("ns_live_sk_") else None
