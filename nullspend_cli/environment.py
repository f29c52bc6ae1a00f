"""`daemon env`: the variables of the SDK and of the providers' clients, written for a shell or a file."""

import json
import shlex
from collections.abc import Callable

from nullspend_cli.local import State
from nullspend_cli.places import LOCAL, Place

KEY_HEADER = "X-NullSpend-Key"


def variables(daemon: State, key: str | None, *, key_in_path: bool = False) -> dict[str, str]:
    """The SDK's three variables and those of the openai and anthropic clients, for the default key or a saved one.

    Those clients send the key in a header of their own; with `key_in_path` it stands in their URLs instead, for
    clients that know no such variable. Raises NotSignedIn.
    """
    raw = Place(LOCAL, "", daemon.url, daemon=daemon).saved_key(key) if key else daemon.api_key
    return for_key(daemon, raw, key_in_path=key_in_path)


def for_key(daemon: State, raw: str, *, key_in_path: bool = False) -> dict[str, str]:
    """The same for the value of a key."""
    own = {"NULLSPEND_BASE_URL": daemon.url, "NULLSPEND_API_KEY": raw, "NULLSPEND_PROXY_URL": daemon.url}
    base = f"{daemon.url}/k/{raw}" if key_in_path else daemon.url
    clients = {"OPENAI_BASE_URL": f"{base}/v1", "ANTHROPIC_BASE_URL": base}
    if key_in_path:
        return own | clients
    header = f"{KEY_HEADER}: {raw}"
    return own | clients | {"OPENAI_CUSTOM_HEADERS": header, "ANTHROPIC_CUSTOM_HEADERS": header}


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
