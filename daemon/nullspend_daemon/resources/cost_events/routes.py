"""/api/cost-events"""

from nullspend_daemon.http.route import KEY, Envelope, Route, either, session
from nullspend_daemon.resources.cost_events import ingest, service
from nullspend_daemon.resources.cost_events.models import (
    CostEventPage,
    CostEventRecord,
    ListCostEvents,
    ReportBatch,
    ReportCost,
    Stored,
    StoredBatch,
)

ROUTES = [
    Route(
        method="POST",
        path="/api/cost-events",
        auth=KEY,
        body=ReportCost,
        reply=Stored,
        writes=ingest.report_cost,
        status=201,
        envelope=Envelope.DATA,
        idempotent=True,
        also_statuses=(200,),
    ),
    Route(
        method="POST",
        path="/api/cost-events/batch",
        auth=KEY,
        body=ReportBatch,
        reply=StoredBatch,
        writes=ingest.report_batch,
        status=201,
        idempotent=True,
        also_statuses=(200,),
    ),
    Route(
        method="GET",
        path="/api/cost-events",
        auth=either("viewer"),
        query=ListCostEvents,
        reply=CostEventPage,
        reads=service.list_cost_events,
    ),
    Route(
        method="GET",
        path="/api/cost-events/{id}",
        auth=session("viewer"),
        params={"id": service.read_event_id},
        reply=CostEventRecord,
        reads=service.get_cost_event,
        envelope=Envelope.DATA,
        errors=("not_found",),
    ),
]
