"""The command's own settings."""

from typing import Annotated

import typer

from nullspend_cli import settings
from nullspend_cli.group import Noun
from nullspend_cli.options import Limit
from nullspend_cli.output import Empty
from nullspend_cli.problems import Usage
from nullspend_cli.run import Run
from nullspend_cli.settings import SETTINGS, setting_named
from nullspend_cli.tables import Row, column

EXAMPLES = {
    "list": """
nullspend config list
""",
    "get": """
nullspend config get limit
""",
    "set": """
nullspend config set limit 20
nullspend config set pager off
""",
    "unset": """
nullspend config unset limit
""",
}
COLUMNS = (column("name"), column("value"), column("setBy", "SET BY"), column("help", "MEANING"))

noun = Noun(EXAMPLES)

_Name = Annotated[str, typer.Argument(metavar="NAME", help="One of those `config list` shows.")]


def _row(run: Run, name: str) -> Row:
    project = run.state.project
    set_by = project.file if name in project.defaults else "config.toml" if name in run.state.config else "default"
    return {
        "name": name,
        "value": run.state.setting(name),
        "setBy": set_by,
        "help": SETTINGS[name].help,
    }


@noun.verb()
def list_(run: Run, limit: Limit = None) -> None:
    """List all settings, their values and where they come from."""
    found = [_row(run, name) for name in SETTINGS][: run.rows_wanted(limit) or None]
    run.out.table(found, COLUMNS, empty=Empty(""), id_field="name", footer=f"From {settings.config_path()}.")


@noun.verb()
def get(run: Run, name: _Name) -> None:
    """Show one setting."""
    run.out.record(_row(run, setting_named(name).name), COLUMNS, id_field="name")


@noun.verb("set")
def set_(run: Run, name: _Name, value: Annotated[str, typer.Argument(metavar="VALUE", help="Its new value.")]) -> None:
    """Change a setting."""
    checked = _checked(name, value)
    settings.change(lambda document: document.update({name: checked}))
    run.out.result(f"{name} is now {checked}.", {"name": name, "value": checked}, id_field="name")


def _checked(name: str, value: str) -> str | int:
    setting = setting_named(name)
    try:
        return setting.read(value)
    except ValueError as error:
        raise Usage(f"{name} is {error}, not {value!r}.") from None


@noun.verb()
def unset(run: Run, name: _Name) -> None:
    """Go back to a setting's default."""
    default = setting_named(name).default
    settings.change(lambda document: document.pop(name, None))
    run.out.result(f"{name} is {default} again.", {"name": name, "value": default}, id_field="name")
