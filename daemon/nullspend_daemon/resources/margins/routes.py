"""/api/margins"""

from nullspend_daemon.http.caller import session
from nullspend_daemon.http.route import Envelope, Route
from nullspend_daemon.resources.margins import service, unmatched
from nullspend_daemon.resources.margins.models import (
    CustomerDetail,
    MarginQuery,
    MarginTable,
    MarginTableQuery,
    Unmatched,
)

ROUTES = [
    Route(
        method="GET",
        path="/api/margins",
        auth=session("viewer"),
        query=MarginTableQuery,
        reply=MarginTable,
        reads=service.get_table,
        envelope=Envelope.DATA,
        document_type="text/csv",
    ),
    # Before the one with a name in the path: "unmatched" is no customer there.
    Route(
        method="GET",
        path="/api/margins/unmatched",
        auth=session("viewer"),
        reply=Unmatched,
        reads=unmatched.get_unmatched,
        envelope=Envelope.DATA,
    ),
    Route(
        method="GET",
        path="/api/margins/{customer}",
        auth=session("viewer"),
        params={"customer": str},
        query=MarginQuery,
        reply=CustomerDetail,
        reads=service.get_customer,
        envelope=Envelope.DATA,
        errors=("not_found",),
    ),
]
