"""/api/health and /api/version"""

from nullspend_daemon.contract.clock import to_iso
from nullspend_daemon.errors import ServiceUnavailable
from nullspend_daemon.http.caller import PUBLIC
from nullspend_daemon.http.route import Call, Record, Reply, Route
from nullspend_daemon.resources.health.models import Health, Verbose, Version
from nullspend_daemon.resources.health.service import SECRET_HEADER, check_components, may_see_components


async def get_health(call: Call[None, Verbose]) -> Record | Reply:
    """Say whether the daemon is well; `?verbose=1` names the components."""
    try:
        components = await call.parts.store.read(check_components)
    except ServiceUnavailable as error:
        components = {"database": {"status": "error", "error": error.message}}
    well = all(component["status"] == "ok" for component in components.values())
    health: Record = {"status": "ok" if well else "degraded"}
    secret = call.settings.environment.get("INTERNAL_HEALTH_SECRET")
    if may_see_components(call.query.verbose, secret, call.headers.get(SECRET_HEADER)):
        health["components"] = components
    return health if well else Reply(503, health)


async def get_version(call: Call[None, None]) -> Record:
    """Say which build this is. A local daemon is not deployed; it has started."""
    return {"commit_sha": None, "commit_ref": None, "env": "local", "deployed_at": to_iso(call.parts.started_at_ms)}


ROUTES = [
    Route(
        method="GET",
        path="/api/health",
        auth=PUBLIC,
        query=Verbose,
        reply=Health,
        runs=get_health,
        also_statuses=(503,),
    ),
    Route(method="GET", path="/api/version", auth=PUBLIC, reply=Version, runs=get_version),
]
