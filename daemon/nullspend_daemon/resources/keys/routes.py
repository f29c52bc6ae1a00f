"""/api/keys"""

from nullspend_daemon.contract.ids import Kind
from nullspend_daemon.http.caller import session
from nullspend_daemon.http.route import Envelope, Route
from nullspend_daemon.http.wire import path_id
from nullspend_daemon.resources.keys import service
from nullspend_daemon.resources.keys.models import (
    CreatedKey,
    CreateKey,
    KeyPage,
    KeyRecord,
    ListKeys,
    RevokedKey,
    UpdateKey,
)

_ONE = {"id": path_id(Kind.KEY)}

ROUTES = [
    Route(
        method="GET",
        path="/api/keys",
        auth=session("viewer"),
        query=ListKeys,
        reply=KeyPage,
        reads=service.list_keys,
    ),
    Route(
        method="POST",
        path="/api/keys",
        auth=session("member"),
        body=CreateKey,
        reply=CreatedKey,
        writes=service.create_key,
        status=201,
        envelope=Envelope.DUAL,
        errors=("limit_exceeded",),
    ),
    Route(
        method="PATCH",
        path="/api/keys/{id}",
        auth=session("admin"),
        params=_ONE,
        body=UpdateKey,
        reply=KeyRecord,
        writes=service.update_key,
        envelope=Envelope.DUAL,
        errors=("not_found",),
    ),
    Route(
        method="DELETE",
        path="/api/keys/{id}",
        auth=session("admin"),
        params=_ONE,
        reply=RevokedKey,
        writes=service.revoke_key,
        envelope=Envelope.DUAL,
        errors=("not_found",),
    ),
]
