"""Identities on the wire."""

from typing import Annotated, Literal

from nullspend_daemon.contract.ids import Kind
from nullspend_daemon.http.wire import Wire, id_field


class Introspection(Wire):
    """Reply of GET /api/auth/introspect."""

    user_id: str
    key_id: str


class ActiveSession(Wire):
    """Reply of GET /api/auth/session and POST /api/auth/switch-org."""

    user_id: str
    org_id: str
    role: Literal["viewer", "member", "admin", "owner"]


class SwitchOrg(Wire):
    """Body of POST /api/auth/switch-org; the org's id with or without its prefix."""

    org_id: Annotated[str, id_field(Kind.ORG, bare=True)]
