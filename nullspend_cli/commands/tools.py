"""Tool costs."""

from typing import Annotated

import typer

from nullspend_cli import toolbox
from nullspend_cli.client import Auth
from nullspend_cli.group import Noun
from nullspend_cli.options import Limit, Yes, money_option
from nullspend_cli.output import Empty
from nullspend_cli.problems import Usage
from nullspend_cli.render import money
from nullspend_cli.replies import record, rows
from nullspend_cli.run import Run
from nullspend_cli.tables import column
from nullspend_cli.when import show_time
from nullspend_daemon.contract.ids import Kind

EXAMPLES = {
    "list": """
nullspend tools list
nullspend tools list --format csv > tools.csv
""",
    "set": """
nullspend tools set github/search --cost 2c
nullspend tools set github/search --cost 0
""",
    "reset": """
nullspend tools reset github/search
""",
    "discover": """
nullspend tools discover github --tool search=2c --tool read_file
nullspend tools discover github - < tools.json
""",
}
COLUMNS = (
    column("serverName", "SERVER"),
    column("toolName", "TOOL"),
    column("costMicrodollars", "COST", money, right=True),
    column("suggestedCost", "SUGGESTED", money, right=True),
    column("source", "SET BY", lambda source: "hand" if source == "manual" else "discovery"),
    column("description", wide=True),
    column("lastSeenAt", "LAST SEEN", show_time, wide=True),
    column("id", wide=True),
)
_NONE = Empty("There are no tools yet.", "nullspend tools discover SERVER --tool NAME")

noun = Noun(EXAMPLES)

_Tool = Annotated[
    str, typer.Argument(metavar="TOOL", help="SERVER/TOOL, the tool's name if it is the only one, or its id.")
]


@noun.verb()
def list_(run: Run, limit: Limit = None) -> None:
    """List the tools of the organization and what a call of each costs."""
    found = rows(run.client.get("/api/tool-costs", auth=Auth.EITHER), Kind.TOOL_COST)
    run.out.table(found[: run.rows_wanted(limit) or None], COLUMNS, empty=_NONE)


@noun.verb("set")
def set_(
    run: Run, tool: _Tool, cost: Annotated[int | None, money_option("--cost", "What one call costs.")] = None
) -> None:
    """Set what a call of a tool costs. It stays so through every discovery, until tools reset."""
    if cost is None:
        raise Usage("Say what a call costs with --cost.", next="nullspend tools set --help")
    found = toolbox.find(run.client, tool)
    body = {"serverName": found["serverName"], "toolName": found["toolName"], "costMicrodollars": cost}
    changed = record(run.client.post("/api/tool-costs", body), Kind.TOOL_COST)
    run.out.result(f"A call of {toolbox.called(found)} costs {money(changed['costMicrodollars'])} now.", changed)


@noun.verb()
def reset(run: Run, tool: _Tool, yes: Yes = False) -> None:
    """Set a tool's cost to zero and let discovery set it again. The tool stays listed."""
    found = toolbox.find(run.client, tool)
    name = toolbox.called(found)
    run.out.confirm(f"Reset the cost of {name}, {money(found['costMicrodollars'])} a call, to zero?", yes=yes)
    reply = run.client.delete(f"/api/tool-costs/{found['id']}")
    run.out.result(f"Reset the cost of {name}; the next discovery sets it.", {"id": found["id"], **reply})


@noun.verb()
def discover(
    run: Run,
    server: Annotated[str, typer.Argument(metavar="SERVER", help="The MCP server's name, without a slash.")],
    tools: Annotated[
        str | None,
        typer.Argument(metavar="[-]", help="Read its tools/list as JSON from standard input.", show_default=False),
    ] = None,
    tool: Annotated[
        list[str] | None,
        typer.Option("--tool", metavar="NAME[=COST]", help="One of its tools; repeatable.", show_default=False),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="NAME", help="A saved key, instead of the context's own.", show_default=False),
    ] = None,
) -> None:
    """Register the tools of an MCP server. Costs set by hand stay; other tools get the cost given here, else 0.

    The JSON is what the server answers to tools/list. What it says of each tool suggests a cost: nothing for one that
    only reads a closed world, 10 cents for a destructive one in the open world, 1 cent for any other.
    """
    body = {"serverName": server, "tools": toolbox.described(tools, tool or [])}
    reply = toolbox.client_for_keys(run, key).post("/api/tool-costs/discover", body, auth=Auth.KEY, once=True)
    registered = reply.get("registered", 0)
    run.out.result(
        f"Registered {registered} tool{'' if registered == 1 else 's'} of {server}.", reply, id_field="registered"
    )
