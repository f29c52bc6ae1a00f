"""/api/tool-costs"""

from nullspend_daemon.contract.ids import Kind
from nullspend_daemon.http.caller import KEY, either, session
from nullspend_daemon.http.route import Envelope, Route
from nullspend_daemon.http.wire import path_id
from nullspend_daemon.resources.tool_costs import service
from nullspend_daemon.resources.tool_costs.models import (
    Discover,
    Registered,
    Reset,
    SetToolCost,
    ToolCostList,
    ToolCostRecord,
)

ROUTES = [
    Route(
        method="GET",
        path="/api/tool-costs",
        auth=either("viewer"),
        reply=ToolCostList,
        reads=service.list_tool_costs,
    ),
    Route(
        method="POST",
        path="/api/tool-costs",
        auth=session("admin"),
        body=SetToolCost,
        reply=ToolCostRecord,
        writes=service.set_tool_cost,
        envelope=Envelope.DATA,
        errors=("not_found",),
    ),
    Route(
        method="DELETE",
        path="/api/tool-costs/{id}",
        auth=session("admin"),
        params={"id": path_id(Kind.TOOL_COST)},
        reply=Reset,
        writes=service.reset_tool_cost,
        errors=("not_found",),
    ),
    Route(
        method="POST",
        path="/api/tool-costs/discover",
        auth=KEY,
        body=Discover,
        reply=Registered,
        writes=service.discover,
        status=201,
        idempotent=True,
    ),
]
