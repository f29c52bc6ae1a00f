"""The server's dashboard."""

import os
import sys
from typing import Annotated

import typer

from nullspend_cli.group import Single
from nullspend_cli.problems import Usage
from nullspend_cli.run import Run

EXAMPLES = """
nullspend open
nullspend open budgets --context production
nullspend open --print
"""


def open_(
    run: Run,
    page: Annotated[
        str, typer.Argument(metavar="[PAGE]", help="A page of it, such as keys or actions/ID.", show_default=False)
    ] = "",
    print_: Annotated[bool, typer.Option("--print", help="Only print the address.")] = False,
) -> None:
    """Open the context's dashboard in a browser. Where there is none, the address is printed.

    The local daemon has no dashboard: its page names the command that shows the same.
    """
    if not page.isprintable() or ".." in page.split("/") or "\\" in page:
        raise Usage(f"{page!r} is no page.", next="nullspend open --help")
    path = page.strip("/")
    url = f"{run.place.origin}/app" + (f"/{path}" if path else "")
    if print_ or not _opened(url):
        run.out.text(f"{url}\n")
    else:
        run.out.result(f"Opened {url}", {"url": url}, id_field="url")


def _opened(url: str) -> bool:
    """Whether a browser has taken the address. Without a screen there is none but those of text."""
    graphical = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
    if os.name == "posix" and sys.platform != "darwin" and not graphical:
        return False
    import webbrowser

    return webbrowser.open(url)


command = Single(EXAMPLES, open_)
