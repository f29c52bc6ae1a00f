"""/api/policy"""

from nullspend_daemon.http.caller import KEY
from nullspend_daemon.http.route import Route
from nullspend_daemon.resources.policy import service
from nullspend_daemon.resources.policy.models import Policy

ROUTES = [Route(method="GET", path="/api/policy", auth=KEY, reply=Policy, reads=service.get_policy)]
