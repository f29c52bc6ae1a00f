"""/api/audit-log"""

from nullspend_daemon.http.caller import session
from nullspend_daemon.http.route import Route
from nullspend_daemon.resources.audit import service
from nullspend_daemon.resources.audit.models import AuditPage, ListAudit

ROUTES = [
    Route(
        method="GET",
        path="/api/audit-log",
        auth=session("admin"),
        query=ListAudit,
        reply=AuditPage,
        reads=service.list_audit,
    ),
]
