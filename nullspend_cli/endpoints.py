"""Which credential each endpoint takes, for requests that are typed by hand."""

import re

from nullspend_cli.client import Auth

_ID = r"[^/]+"
_TABLE: tuple[tuple[str, str, Auth], ...] = (
    ("POST", r"/api/cost-events(/batch)?", Auth.KEY),
    ("POST", rf"/api/actions(/{_ID}/result)?", Auth.KEY),
    ("POST", r"/api/tool-costs/discover", Auth.KEY),
    ("GET", r"/api/budgets/status|/api/auth/introspect|/api/policy", Auth.KEY),
    ("GET", r"/api/budgets|/api/cost-events(/summary)?|/api/tool-costs", Auth.EITHER),
    ("GET", rf"/api/actions/{_ID}(/costs)?", Auth.EITHER),
    ("GET", r"/api/(health|version)|/health.*|/app.*|/_local/(info|openapi\.json)", Auth.NONE),
    ("", r"/_local/.*", Auth.ADMIN),
    ("", r"/v1/.*", Auth.KEY),
)


def auth_of(method: str, path: str) -> Auth:
    """What the endpoint takes; a session where nothing else is known."""
    for its_method, pattern, auth in _TABLE:
        if its_method in ("", method) and re.fullmatch(pattern, path):
            return auth
    return Auth.SESSION
