"""People and teams on a real daemon, made over its own API."""

import itertools
from dataclasses import dataclass
from typing import Any

from tests.machine import Daemon, Reply

_numbers = itertools.count(1)
MISSING = "019a0000-0000-7000-8000-000000000000"


@dataclass
class Person:
    """Somebody with a session; `cookie` says in which organization."""

    daemon: Daemon
    user_id: str
    email: str
    cookie: str

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """One request with the session; `headers` are written with underscores."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.daemon.call(method, path, body, auth=None, headers={"Cookie": self.cookie, **given})

    def data(self, method: str, path: str, body: Any = None) -> Any:
        """What stands under `data` in a reply that must be good."""
        reply = self.call(method, path, body)
        assert reply.status < 300, reply.body
        return reply.json["data"]

    def enter(self, org_id: str | None) -> "Person":
        """A new session in an organization; the personal one for None."""
        wanted = {"userId": self.user_id} | ({} if org_id is None else {"orgId": org_id})
        self.cookie = self.daemon.call("POST", "/_local/sessions", wanted, auth="admin").json["cookie"]
        return self

    def accept(self, token: str) -> Reply:
        """Accepts an invitation from an address of its own, so that attempts of other tests do not count."""
        number = next(_numbers)
        return self.call(
            "POST", "/api/invite/accept", {"token": token}, X_Forwarded_For=f"10.1.{number >> 8}.{number & 255}"
        )

    def key(self, name: str = "k") -> str:
        """The value of a new key in the active organization."""
        return str(self.call("POST", "/api/keys", {"name": name}).json["rawKey"])


def person(daemon: Daemon, name: str = "person") -> Person:
    """A new user, in their personal organization."""
    email = f"{name}{next(_numbers)}@example.org"
    user = daemon.call("POST", "/_local/users", {"email": email}, auth="admin").json
    return Person(daemon, user["userId"], email, "").enter(None)


@dataclass
class Team:
    """An organization with its owner and one person of each role that was asked for; all act in it."""

    org_id: str
    slug: str
    owner: Person
    admin: Person
    member: Person
    viewer: Person

    @property
    def path(self) -> str:
        return f"/api/orgs/{self.org_id}"

    def invite(self, email: str, role: str) -> Reply:
        """An invitation by the owner."""
        return self.owner.call("POST", f"{self.path}/invitations", {"email": email, "role": role})

    def add(self, role: str) -> Person:
        """A new person who has accepted an invitation."""
        joining = person(self.owner.daemon, role)
        accepted = joining.accept(self.invite(joining.email, role).json["data"]["token"])
        assert accepted.status == 200, accepted.body
        return joining.enter(self.org_id)


def team(daemon: Daemon) -> Team:
    """A new team of four. The daemon must have been started with `--trust-proxy`."""
    slug = f"team-{next(_numbers)}"
    owner = person(daemon, "owner")
    org_id = owner.data("POST", "/api/orgs", {"name": "Team", "slug": slug})["id"]
    made = Team(org_id, slug, owner.enter(org_id), owner, owner, owner)
    made.admin, made.member, made.viewer = (made.add(role) for role in ("admin", "member", "viewer"))
    return made
