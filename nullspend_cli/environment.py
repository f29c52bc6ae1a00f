"""`daemon env`: the variables of the SDKs, written for a shell or a file."""

import json
import shlex
from collections.abc import Callable

from nullspend_cli.local import State
from nullspend_cli.places import LOCAL, Place


def variables(daemon: State, key: str | None) -> dict[str, str]:
    """The SDKs' three variables for a daemon, with its default key or a saved one. Raises NotSignedIn."""
    raw = Place(LOCAL, "", daemon.url, daemon=daemon).saved_key(key) if key else daemon.api_key
    return {"NULLSPEND_BASE_URL": daemon.url, "NULLSPEND_API_KEY": raw, "NULLSPEND_PROXY_URL": daemon.url}


def _powershell(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _fish(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


_LINES: dict[str, Callable[[str, str], str]] = {
    "export": lambda name, value: f"export {name}={shlex.quote(value)}\n",
    "dotenv": lambda name, value: f"{name}={shlex.quote(value)}\n",
    "fish": lambda name, value: f"set -gx {name} {_fish(value)}\n",
    "powershell": lambda name, value: f"$env:{name} = {_powershell(value)}\n",
}
FORMATS = ("export", "dotenv", "json", "fish", "powershell")


def lines(variables: dict[str, str], format: str) -> str:
    """The variables in one of FORMATS."""
    if format == "json":
        return json.dumps(variables, indent=2) + "\n"
    return "".join(_LINES[format](name, value) for name, value in variables.items())
