"""Health and version on the wire."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from nullspend_daemon.http.wire import Query


class Verbose(Query):
    """Query of GET /api/health."""

    verbose: str = ""


class Component(BaseModel):
    """How one part of the daemon is."""

    status: Literal["ok", "error"]
    error: str | None = None


class Health(BaseModel):
    """Reply of GET /api/health."""

    status: Literal["ok", "degraded"]
    components: dict[str, Component] | None = None


class Version(BaseModel):
    """Reply of GET /api/version: snake_case by contract."""

    model_config = ConfigDict(frozen=True)

    commit_sha: str | None
    commit_ref: str | None
    env: Literal["production", "preview", "development", "local"]
    deployed_at: str
