"""Requests to one NullSpend server: the right credential for each endpoint, retries, pages, the error envelope."""

import json
import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from nullspend_cli import active_org, answers, cookies, replies, transport
from nullspend_cli.patience import USUAL, Patience
from nullspend_cli.places import ORG_COOKIE, Place, how_to_sign_in, no_credential, session_expired
from nullspend_cli.problems import Missing, Problem, ServerError, Unreachable
from nullspend_cli.replies import Record
from nullspend_cli.trace import Trace
from nullspend_cli.transport import Answer
from nullspend_daemon import API_VERSION, __version__
from nullspend_daemon.contract.ids import Kind, uuid_of

PAGE_ROWS = 100


class Auth(StrEnum):
    """Which credential an endpoint takes."""

    KEY = "key"
    SESSION = "session"
    EITHER = "either"
    ADMIN = "admin"
    VOUCHED = "vouched"
    """A session, and on this machine the word of its owner that what comes back is for them."""
    NONE = "none"


class Client:
    """Talks to `place`. `person` and the place's organization choose whose session is used; keys are not affected."""

    def __init__(
        self,
        place: Place,
        trace: Trace,
        *,
        person: str | None = None,
        key: str | None = None,
        waiting: Callable[[str], AbstractContextManager[Any]] = lambda _: nullcontext(),
        note: Callable[[str], None] = lambda _: None,
        patience: Patience = USUAL,
    ) -> None:
        self.place = place
        self._trace = trace
        self._person = person
        self._key = key
        self._waiting = waiting
        self._note = note
        self._patience = patience
        self._session: str | None = None

    def with_key(self, key: str) -> "Client":
        """The same client with another API key."""
        return Client(self.place, self._trace, person=self._person, key=key, waiting=self._waiting, note=self._note)

    def get(self, path: str, params: Mapping[str, Any] | None = None, *, auth: Auth = Auth.SESSION) -> Record:
        """The JSON object at `path`. Parameters that are None are left out."""
        return self._call("GET", _with_query(path, params), None, auth, repeatable=True)

    def post(
        self, path: str, body: Record | None = None, *, auth: Auth = Auth.SESSION, once: str | bool = False
    ) -> Record:
        """The reply to a POST. With `once` it carries an idempotency key, given or new, so a repeat does no harm."""
        key = once if isinstance(once, str) else f"cli_{os.urandom(16).hex()}"
        headers = {"Idempotency-Key": key} if once else {}
        return self._call("POST", path, body or {}, auth, repeatable=bool(once), headers=headers)

    def patch(self, path: str, body: Record) -> Record:
        """The reply to a PATCH with the session."""
        return self._call("PATCH", path, body, Auth.SESSION, repeatable=True)

    def delete(self, path: str) -> Record:
        """The reply to a DELETE with the session."""
        return self._call("DELETE", path, None, Auth.SESSION, repeatable=False)

    def submit(self, target: str, form: Mapping[str, str]) -> str:
        """Sends a form of one of the server's own pages, and returns the address it leads to. Raises ServerError."""
        headers = {**self._headers(Auth.NONE, None), "Content-Type": "application/x-www-form-urlencoded"}
        answer = self._send("POST", target, urlencode(form).encode(), headers)
        if answer.status != 303:
            raise self._error(answer, Auth.NONE)
        return answer.headers.get("location", "")

    def pages(
        self,
        path: str,
        kind: Kind | None,
        params: Mapping[str, Any] | None = None,
        *,
        limit: int = 0,
        auth: Auth = Auth.SESSION,
        after: Record | None = None,
    ) -> Iterator[Record]:
        """The rows of a cursor list, newest first, as many as `limit` (0 is all), fetched as they are wanted. `after`
        is the cursor to go on from."""
        cursor, left = after and json.dumps(after), limit or None
        while left is None or left > 0:
            rows_wanted = PAGE_ROWS if left is None else min(left, PAGE_ROWS)
            reply = self.get(path, {**(params or {}), "limit": rows_wanted, "cursor": cursor}, auth=auth)
            found = replies.rows(reply, kind)[:rows_wanted]
            yield from found
            left = None if left is None else left - len(found)
            cursor = reply.get("cursor")
            if not cursor or not found:
                return
            cursor = cursor if isinstance(cursor, str) else json.dumps(cursor)

    @contextmanager
    def stream(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        auth: Auth = Auth.SESSION,
        headers: Mapping[str, str] | None = None,
        quiet_seconds: float = 60.0,
    ) -> Generator[Iterator[bytes]]:
        """The body of a GET as it arrives, on a connection of its own. Raises ServerError, Unreachable, NotSignedIn."""
        target = _with_query(path, params)
        sent = self._headers(auth, None, {"Accept": "*/*", **(headers or {})})
        url, started = self.place.origin + target, time.monotonic()
        self._trace.request("GET", url, sent, None)
        with transport.streaming(self.place.origin, target, sent, quiet_seconds, ca_file=self.place.ca_file) as reply:
            elapsed = (time.monotonic() - started) * 1000
            self._trace.reply("GET", url, reply.status, elapsed, reply.headers, b"")
            if reply.status >= 300:
                raise self._error(reply.answer(), auth)
            yield reply.chunks()

    def request(
        self,
        method: str,
        target: str,
        content: bytes | None,
        auth: Auth,
        *,
        repeatable: bool,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request with its retries; the answer may be an error. Raises Unreachable or NotSignedIn."""
        for attempt in range(self._patience.attempts):
            last = attempt + 1 == self._patience.attempts
            try:
                answer = self._send(method, target, content, self._headers(auth, content, headers or {}))
            except Unreachable as error:
                if last or not (repeatable and error.reply_lost):
                    raise
                continue
            self._apply_cookies(answer, auth)
            wait = answers.wait_seconds(answer, attempt, repeatable=repeatable, longest=self._patience.longest_wait)
            if last or wait is None:
                return answer
            with self._waiting(f"The server asks to wait {wait:.0f} s" if wait >= 1 else "Trying again"):
                time.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def check(self, answer: Answer, auth: Auth) -> None:
        """Raises ServerError or Unreachable for an answer that is no success."""
        if answer.status >= 300:
            raise self._error(answer, auth)

    def good(self, answer: Answer, auth: Auth) -> Record:
        """The JSON object of a success. Raises as `check` does, and Problem for what is no JSON object."""
        self.check(answer, auth)
        return answers.json_object(answer, self.place.origin)

    def _call(
        self,
        method: str,
        target: str,
        body: Record | None,
        auth: Auth,
        *,
        repeatable: bool,
        headers: Mapping[str, str] | None = None,
    ) -> Record:
        content = None if body is None else json.dumps(body).encode()
        return self.good(self.request(method, target, content, auth, repeatable=repeatable, headers=headers), auth)

    def _send(self, method: str, target: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        url = self.place.origin + target
        self._trace.request(method, url, headers, body)
        started = time.monotonic()
        with self._waiting(f"Waiting for {self.place.origin}"):
            answer = self._answer(method, target, headers, body)
        elapsed = (time.monotonic() - started) * 1000
        self._trace.reply(method, url, answer.status, elapsed, answer.headers, answer.body)
        return answer

    def _answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        try:
            return transport.send(
                self.place.origin,
                method,
                target,
                headers,
                body,
                ca_file=self.place.ca_file,
                quiet_seconds=self._patience.quiet_seconds,
            )
        except Unreachable as error:
            error.next = self._unreachable_next()
            raise

    def _unreachable_next(self) -> str:
        return "nullspend daemon status" if self.place.daemon else "nullspend doctor"

    def _headers(self, auth: Auth, body: bytes | None, given: Mapping[str, str] | None = None) -> dict[str, str]:
        headers = {
            "Accept": "application/json",
            "User-Agent": f"nullspend-cli/{__version__}",
            "NullSpend-Version": API_VERSION,
            **self._credential(auth),
        }
        if body is not None:
            headers["Content-Type"] = "application/json"
        own = {name.lower() for name in given or ()}
        return {**{name: value for name, value in headers.items() if name.lower() not in own}, **(given or {})}

    def _credential(self, auth: Auth) -> dict[str, str]:
        """The header that signs in. Raises NotSignedIn when the place has nothing that fits."""
        if auth is Auth.NONE:
            return {}
        if auth is Auth.ADMIN:
            return {"Authorization": f"Bearer {self.place.admin_token}"}
        if auth is not Auth.KEY:
            session = self._session_cookie()
            if session and auth is Auth.VOUCHED and self.place.daemon:
                return {"Cookie": session, "Authorization": f"Bearer {self.place.admin_token}"}
            if session:
                return {"Cookie": session}
        key = None if auth in (Auth.SESSION, Auth.VOUCHED) else self._key or self.place.key
        if key:
            return {"X-NullSpend-Key": key}
        raise no_credential(self.place, "key" if auth is Auth.KEY else "session")

    def _session_cookie(self) -> str | None:
        """The session in use: that of `--as`, or the place's own, in the organization the place asks for."""
        if self._session is None:
            place = self.place
            minted = self._person or (place.daemon and place.org)
            self._session = self._mint_session() if minted else place.session
            if self._session:
                self._enter_org()
        return self._session

    def _enter_org(self) -> None:
        """Makes the organization of the place, or the one `orgs switch` chose on this machine, the session's own."""
        place = self.place
        wanted = place.org if place.daemon is None else None if place.org else self.kept_org
        if wanted is None:
            return
        try:
            self.switch_org(wanted)
        except ServerError as error:
            if place.daemon is None or error.status != 403:
                raise
            self.keep_org(None)
            self._note(f"You are not a member of {wanted} any more; this is your personal organization.")

    def switch_org(self, org_id: str) -> Record:
        """Makes an organization the session's active one. Raises ServerError for one the person is not in."""
        return self._call("POST", "/api/auth/switch-org", {"orgId": uuid_of(org_id)}, Auth.SESSION, repeatable=True)

    @property
    def kept_org(self) -> str | None:
        """The organization `orgs switch` chose for this person on this machine's daemon."""
        daemon = self.place.daemon
        if daemon is None or (self._person is None and self.place.session != daemon.cookie):
            return None  # a cookie of somebody's own says itself where it is
        return active_org.kept(self.place.vault, self._person)

    def keep_org(self, org_id: str | None) -> None:
        """Makes an organization, or with None the personal one, the active one from the next command on. Against
        another server the session's cookie has done so already."""
        if self.place.daemon:
            active_org.keep(self.place.vault, self._person, org_id)

    def _mint_session(self) -> str:
        """A session of the local daemon for another person or organization."""
        daemon = self.place.daemon
        who = {"email": self._person} if self._person else {"userId": daemon.user_id if daemon else ""}
        org = {"orgId": self.place.org} if self.place.org else {}
        try:
            return str(self.post("/_local/sessions", {**who, **org}, auth=Auth.ADMIN)["cookie"])
        except ServerError as error:
            if error.code == "not_found" and self._person and not org:
                raise Missing(f"This daemon knows nobody as {self._person}.", next="nullspend users list") from None
            raise

    def _apply_cookies(self, answer: Answer, auth: Auth) -> None:
        """Takes over what the server sets, so that a renewed session or a changed organization lasts. An organization
        that was asked for from outside (NULLSPEND_ORG, a project file) is not the one chosen for good."""
        if not answer.cookies or auth not in (Auth.SESSION, Auth.EITHER) or self._session is None:
            return
        renewed = cookies.merged(self._session, answer.cookies)
        if renewed == self._session:
            return
        self._session = renewed
        if not self.place.org:
            if not self._person:
                self.place.keep_session(renewed)
        elif self.place.daemon is None and self.place.session:
            self.place.keep_session(cookies.merged(self.place.session, cookies.without(answer.cookies, ORG_COOKIE)))

    def _error(self, answer: Answer, auth: Auth) -> Problem:
        origin = self.place.origin
        if 300 <= answer.status < 400:
            return Unreachable(
                f"{origin} answers with a redirect to {answer.headers.get('location', 'nowhere')}, "
                "which is not followed: credentials stay with their own server."
            )
        if answers.is_gateways(answer):
            return Unreachable(
                f"No NullSpend server answers behind {origin}: its gateway says {answer.status}.",
                next=self._unreachable_next(),
            )
        envelope = answers.envelope(answer, origin)
        if answer.status == 401 and self.place.daemon is None:
            return self._refused(envelope, auth)
        return ServerError(answer.status, envelope, next=answers.patience(answer) or None)

    def _refused(self, envelope: Record, auth: Auth) -> Problem:
        """A 401: the session has run out, or the key is not one the server knows."""
        if auth is Auth.SESSION or (auth is Auth.EITHER and self._session):
            expired = session_expired(self.place)
            return ServerError(401, envelope, message=expired.message, next=expired.next)
        next = how_to_sign_in(self.place, "key") if auth in (Auth.KEY, Auth.EITHER) else ""
        return ServerError(401, envelope, next=next or None)


def _with_query(path: str, params: Mapping[str, Any] | None) -> str:
    given = {name: value for name, value in (params or {}).items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path
