"""Tool costs on the wire."""

from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from nullspend_daemon.http.wire import Microdollars, Wire

DEEPEST = 10
ServerName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, pattern=r"^[^/]*$")]
ToolName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


def _check_depth(annotations: dict[str, Any]) -> dict[str, Any]:
    """Raises PydanticCustomError for objects and lists nested more than ten deep."""
    level: list[Any] = [annotations]
    depth = 0
    while level := [each for each in level if isinstance(each, dict | list)]:
        depth += 1
        if depth > DEEPEST:
            raise PydanticCustomError("depth", "Must not be nested more than {most} deep", {"most": DEEPEST})
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
    return annotations


Annotations = Annotated[dict[str, Any], AfterValidator(_check_depth)]


class DiscoveredTool(Wire):
    """A tool as its server describes it."""

    name: ToolName
    tier_cost: Microdollars
    suggested_cost: Microdollars = 0
    description: str | None = None
    annotations: Annotations | None = None


def _check_names(tools: list[DiscoveredTool]) -> list[DiscoveredTool]:
    names = [tool.name for tool in tools]
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise PydanticCustomError("names", "Tool names must be unique: {names}", {"names": ", ".join(twice)})
    return tools


class Discover(Wire):
    """Body of POST /api/tool-costs/discover."""

    server_name: ServerName
    tools: Annotated[list[DiscoveredTool], Field(min_length=1, max_length=500), AfterValidator(_check_names)]


class Registered(Wire):
    """Reply of POST /api/tool-costs/discover."""

    registered: int


class SetToolCost(Wire):
    """Body of POST /api/tool-costs."""

    server_name: ServerName
    tool_name: ToolName
    cost_microdollars: Microdollars


class ToolCostRecord(Wire):
    """A tool."""

    id: str
    user_id: str
    server_name: str
    tool_name: str
    cost_microdollars: int
    suggested_cost: int
    source: Literal["discovered", "manual"]
    description: str | None
    annotations: dict[str, Any] | None
    last_seen_at: str | None
    created_at: str
    updated_at: str


class ToolCostList(Wire):
    """Reply of GET /api/tool-costs."""

    data: list[ToolCostRecord]


class Reset(Wire):
    """Reply of DELETE /api/tool-costs/:id."""

    deleted: Literal[True]
