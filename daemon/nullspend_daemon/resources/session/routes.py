"""/api/auth"""

from nullspend_daemon.http.caller import KEY, session
from nullspend_daemon.http.route import Route
from nullspend_daemon.resources.session import service
from nullspend_daemon.resources.session.models import ActiveSession, Introspection, SwitchOrg

ROUTES = [
    Route(method="GET", path="/api/auth/introspect", auth=KEY, reply=Introspection, runs=service.introspect),
    Route(method="GET", path="/api/auth/session", auth=session(), reply=ActiveSession, runs=service.get_session),
    Route(
        method="POST",
        path="/api/auth/switch-org",
        auth=session(),
        body=SwitchOrg,
        reply=ActiveSession,
        reads=service.switch_org,
    ),
]
