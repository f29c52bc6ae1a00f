"""`events bodies`: what a call sent and got, as text with colour where there is colour."""

import io
import json
from typing import Any

from nullspend_cli.render import json_safe, visible
from nullspend_cli.replies import Record
from nullspend_cli.terminal import Terminal

_PARTS = {"requestBody": "request", "responseBody": "response"}


def page(found: Record, terminal: Terminal) -> str:
    """Both bodies below a heading each; empty when there is none."""
    parts = [
        f"{terminal.styled(title, 'bold')}\n{_shown(found[field], terminal)}"
        for field, title in _PARTS.items()
        if found.get(field) is not None
    ]
    return "\n".join(parts)


def _shown(body: Any, terminal: Terminal) -> str:
    if isinstance(body, dict) and body.get("_format") == "sse":
        return _colored("".join(f"{visible(line)}\n" for line in str(body.get("text", "")).split("\n")), terminal)
    if isinstance(body, str):
        return "".join(f"{visible(line)}\n" for line in body.split("\n"))
    return _colored(json_safe(json.dumps(body, indent=2, ensure_ascii=False)) + "\n", terminal)


def _colored(text: str, terminal: Terminal) -> str:
    """JSON with colour. The text is laid out by nobody and read as markup by nobody: only colours come in."""
    if not terminal.has_color(terminal.stdout):
        return text
    from rich.console import Console
    from rich.highlighter import JSONHighlighter
    from rich.text import Text

    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system="standard", width=max(80, len(text)))
    shown = Text(text, end="")
    JSONHighlighter().highlight(shown)
    console.print(shown, end="", soft_wrap=True)
    return out.getvalue()
