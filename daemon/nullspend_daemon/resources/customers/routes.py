"""/api/stripe/connect, disconnect, revenue-sync; /api/customer-mappings"""

from nullspend_daemon.http.caller import cron, session
from nullspend_daemon.http.route import Envelope, Route
from nullspend_daemon.resources.customers import connection, mappings, sync
from nullspend_daemon.resources.customers.models import (
    Connect,
    Connected,
    ConnectionReply,
    Deleted,
    DeleteMapping,
    MappingList,
    MappingRecord,
    SetMapping,
    Synced,
)

ROUTES = [
    Route(
        method="GET",
        path="/api/stripe/connect",
        auth=session("viewer"),
        reply=ConnectionReply,
        reads=connection.get_connection,
    ),
    Route(
        method="POST",
        path="/api/stripe/connect",
        auth=session("admin"),
        body=Connect,
        reply=Connected,
        runs=connection.connect,
        status=201,
        envelope=Envelope.DATA,
        errors=("conflict", "stripe_validation_failed", "server_error"),
    ),
    Route(
        method="DELETE",
        path="/api/stripe/disconnect",
        auth=session("admin"),
        reply=Deleted,
        writes=connection.disconnect,
        envelope=Envelope.DATA,
        errors=("not_found",),
    ),
    Route(
        method="GET",
        path="/api/stripe/revenue-sync",
        auth=cron("member"),
        reply=Synced,
        runs=sync.revenue_sync,
        envelope=Envelope.DATA,
    ),
    Route(
        method="GET",
        path="/api/customer-mappings",
        auth=session("viewer"),
        reply=MappingList,
        reads=mappings.list_mappings,
    ),
    Route(
        method="POST",
        path="/api/customer-mappings",
        auth=session("admin"),
        body=SetMapping,
        reply=MappingRecord,
        writes=mappings.set_mapping,
        status=201,
        envelope=Envelope.DATA,
        errors=("conflict",),
    ),
    Route(
        method="DELETE",
        path="/api/customer-mappings",
        auth=session("admin"),
        query=DeleteMapping,
        reply=Deleted,
        writes=mappings.delete_mapping,
        envelope=Envelope.DATA,
        errors=("not_found",),
    ),
]
