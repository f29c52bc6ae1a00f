"""The tools of an organization by name, and descriptions of an MCP server's tools made ready to be registered."""

import json
import sys
from collections.abc import Iterable
from typing import Any

from nullspend_cli import replies
from nullspend_cli.client import Auth, Client
from nullspend_cli.names import id_or_none, only
from nullspend_cli.problems import Usage
from nullspend_cli.replies import Record
from nullspend_cli.run import Run
from nullspend_daemon.contract.ids import Kind
from nullspend_daemon.contract.money import MICRODOLLARS_PER_CENT, parse_money

_READS_ONLY, _PLAIN, _DESTROYS = 0, 1 * MICRODOLLARS_PER_CENT, 10 * MICRODOLLARS_PER_CENT


def called(tool: Record) -> str:
    """`server/tool`."""
    return f"{tool['serverName']}/{tool['toolName']}"


def find(client: Client, text: str) -> Record:
    """The tool with this id, this `server/tool`, or this name alone. Raises Missing, or Usage for several."""
    tools = replies.rows(client.get("/api/tool-costs", auth=Auth.EITHER), Kind.TOOL_COST)
    wanted = id_or_none(Kind.TOOL_COST, text)
    whole = [tool for tool in tools if (tool["id"] == wanted if wanted else called(tool) == text)]
    return only(
        whole or [tool for tool in tools if tool["toolName"] == text],
        f"There is no tool {text!r}.",
        "nullspend tools list",
        f"Several servers have a tool {text!r}:",
        called,
    )


def described(source: str | None, named: Iterable[str]) -> list[Record]:
    """The tools of `--tool NAME[=COST]` and, for `-`, of the JSON on standard input. Raises Usage."""
    if source not in (None, "-"):
        raise Usage(f"Tools are read from standard input only, not from {source!r}.", next=f"Add - < {source}")
    tools = [_named(text) for text in named]
    if source == "-":
        tools += [_from_mcp(tool) for tool in _read_json()]
    if not tools:
        raise Usage("There are no tools to register.", next="nullspend tools discover --help")
    return tools


def _named(text: str) -> Record:
    name, equals, cost = text.partition("=")
    if not name.strip() or (equals and not cost):
        raise Usage(f"{text!r} is not a tool; write NAME or NAME=COST.")
    return {"name": name, "tierCost": parse_money(cost) if cost else 0}


def _read_json() -> list[Any]:
    """The list of tools: alone, under `tools`, or the whole JSON-RPC answer to tools/list."""
    try:
        content: Any = json.load(sys.stdin)
    except ValueError as error:
        raise Usage(f"Standard input is not JSON: {error}.") from None
    for name in ("result", "tools"):
        if isinstance(content, dict) and name in content:
            content = content[name]
    if not isinstance(content, list):
        raise Usage("The JSON is no list of tools.", next="Give what the MCP server answers to tools/list.")
    return content


def _from_mcp(tool: Any) -> Record:
    if not isinstance(tool, dict) or not isinstance(tool.get("name"), str):
        raise Usage(f"A tool without a name: {json.dumps(tool)[:80]}")
    annotations = tool.get("annotations")
    hints = annotations if isinstance(annotations, dict) else {}
    return {
        "name": tool["name"],
        "tierCost": tool.get("tierCost", 0),
        "suggestedCost": tool.get("suggestedCost", _suggested(hints)),
        "description": tool.get("description"),
        "annotations": annotations,
    }


def _suggested(hints: Record) -> int:
    """What a call may be worth, in microdollars, from what the server says of the tool."""
    if hints.get("readOnlyHint") is True and hints.get("openWorldHint") is False:
        return _READS_ONLY
    return _DESTROYS if hints.get("destructiveHint") is True and hints.get("openWorldHint") is True else _PLAIN


def client_for_keys(run: Run, key: str | None) -> Client:
    """Requests with a key of the active organization. Raises Usage when this machine's own key is of another one."""
    if key is None and run.place.daemon and (run.place.org or run.client.kept_org or run.given("person")):
        raise Usage(
            "The key this command uses by itself is of the owner's personal organization.",
            next="nullspend keys create NAME --save, then add --key NAME",
        )
    return run.client_with(key)
