"""/api/budgets"""

from nullspend_daemon.contract.ids import Kind
from nullspend_daemon.http.caller import KEY, either, session
from nullspend_daemon.http.route import Envelope, Route
from nullspend_daemon.http.windows import PeriodQuery
from nullspend_daemon.http.wire import path_id
from nullspend_daemon.resources.budgets import service, sources, velocity
from nullspend_daemon.resources.budgets.models import (
    BudgetList,
    BudgetRecord,
    BudgetSources,
    BudgetStatus,
    Deleted,
    SetBudget,
    VelocityStatus,
)

_ONE = {"id": path_id(Kind.BUDGET)}

ROUTES = [
    Route(method="GET", path="/api/budgets", auth=either("viewer"), reply=BudgetList, reads=service.list_budgets),
    Route(
        method="POST",
        path="/api/budgets",
        auth=session("member"),
        body=SetBudget,
        reply=BudgetRecord,
        writes=service.set_budget,
        status=201,
        envelope=Envelope.DUAL,
        errors=("spend_cap_exceeded", "limit_exceeded"),
    ),
    Route(method="GET", path="/api/budgets/status", auth=KEY, reply=BudgetStatus, reads=service.budget_status),
    Route(
        method="GET",
        path="/api/budgets/velocity-status",
        auth=session("viewer"),
        reply=VelocityStatus,
        reads=velocity.velocity_status,
    ),
    Route(
        method="POST",
        path="/api/budgets/{id}",
        auth=session("admin"),
        params=_ONE,
        reply=BudgetRecord,
        writes=service.reset_budget,
        envelope=Envelope.DUAL,
        errors=("not_found",),
    ),
    Route(
        method="GET",
        path="/api/budgets/{id}/sources",
        auth=session("viewer"),
        params=_ONE,
        query=PeriodQuery,
        reply=BudgetSources,
        reads=sources.list_sources,
        errors=("not_found",),
    ),
    Route(
        method="DELETE",
        path="/api/budgets/{id}",
        auth=session("admin"),
        params=_ONE,
        reply=Deleted,
        writes=service.delete_budget,
        errors=("not_found",),
    ),
]
