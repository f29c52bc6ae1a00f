"""Who may call a route, and who does."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from nullspend_daemon.store.identity import KeyIdentity, Role


class Auth(NamedTuple):
    """Who may call a route.

    key: an API key. session: a person with at least `role` in their active org. org: the same in the org that the
    path names. either: a key, or a session. cron: the cron secret, or a session. admin: the state file's token.
    signature and page: whoever holds what the handler itself checks, a signed body or a token in the URL. proxy: an
    API key, by the proxy's own rules. public: anybody.
    """

    kind: Literal["key", "session", "org", "either", "cron", "admin", "signature", "page", "proxy", "public"]
    role: Role = "viewer"


KEY = Auth("key")
PUBLIC = Auth("public")
ADMIN = Auth("admin")
SIGNATURE = Auth("signature")
PAGE = Auth("page")
PROXY = Auth("proxy")


def session(role: Role = "viewer") -> Auth:
    """A session whose role in the active org is at least `role`."""
    return Auth("session", role)


def org_member(role: Role = "viewer") -> Auth:
    """A session whose role in the org of the path's `{orgId}` is at least `role`; that org is the caller's."""
    return Auth("org", role)


def cron(role: Role) -> Auth:
    """The bearer of NULLSPEND_CRON_SECRET, or a session of at least `role`; with a bearer only that counts."""
    return Auth("cron", role)


def either(role: Role = "viewer") -> Auth:
    """A key, or a session of at least `role`; when the key header is present only the key counts."""
    return Auth("either", role)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling, in which org. `key` is None for a session; `role` is None for whatever is no session."""

    user_id: str
    org_id: str
    role: Role | None
    key: KeyIdentity | None

    @property
    def api_key(self) -> KeyIdentity:
        """The key of a key-authenticated call."""
        if self.key is None:
            raise LookupError("this route is not called with a key")
        return self.key
