"""/api/actions"""

from nullspend_daemon.contract.ids import Kind
from nullspend_daemon.http.caller import KEY, either, session
from nullspend_daemon.http.route import Envelope, Route
from nullspend_daemon.http.wire import path_id
from nullspend_daemon.resources.actions import deciding, reading, service
from nullspend_daemon.resources.actions.models import (
    ActionCosts,
    ActionPage,
    ActionRecord,
    ApproveAction,
    Approved,
    CreateAction,
    Created,
    ListActions,
    Marked,
    MarkResult,
    Rejected,
)

_ONE = {"id": path_id(Kind.ACTION)}
_UNDECIDABLE = ("not_found", "invalid_action_transition", "action_expired", "stale_action")

ROUTES = [
    Route(
        method="GET",
        path="/api/actions",
        auth=session("viewer"),
        query=ListActions,
        reply=ActionPage,
        runs=reading.list_actions,
    ),
    Route(
        method="POST",
        path="/api/actions",
        auth=KEY,
        body=CreateAction,
        reply=Created,
        writes=service.create_action,
        status=201,
        also_statuses=(200,),
        envelope=Envelope.DUAL,
        idempotent=True,
        key_in_body=True,
    ),
    Route(
        method="GET",
        path="/api/actions/{id}",
        auth=either("viewer"),
        params=_ONE,
        reply=ActionRecord,
        runs=reading.get_action,
        envelope=Envelope.DUAL,
        errors=("not_found",),
    ),
    Route(
        method="POST",
        path="/api/actions/{id}/approve",
        auth=session("admin"),
        params=_ONE,
        body=ApproveAction,
        body_optional=True,
        reply=Approved,
        runs=deciding.approve_action,
        envelope=Envelope.DUAL,
        errors=(*_UNDECIDABLE, "budget_entity_not_found", "spend_cap_exceeded"),
    ),
    Route(
        method="POST",
        path="/api/actions/{id}/reject",
        auth=session("admin"),
        params=_ONE,
        reply=Rejected,
        runs=deciding.reject_action,
        envelope=Envelope.DUAL,
        errors=_UNDECIDABLE,
    ),
    Route(
        method="POST",
        path="/api/actions/{id}/result",
        auth=KEY,
        params=_ONE,
        body=MarkResult,
        reply=Marked,
        writes=service.mark_result,
        envelope=Envelope.DUAL,
        idempotent=True,
        key_in_body=True,
        errors=("not_found", "invalid_action_transition"),
    ),
    Route(
        method="GET",
        path="/api/actions/{id}/costs",
        auth=either("viewer"),
        params=_ONE,
        reply=ActionCosts,
        runs=reading.action_costs,
        errors=("not_found",),
    ),
]
