"""What is written from the code: docs/cli.md, docs/errors.md, completions/: `python -m nullspend_cli.reference`."""

import sys
from pathlib import Path
from typing import Any

from nullspend_cli import completion_scripts, main, tree
from nullspend_cli.completion_scripts.words import words_of
from nullspend_cli.problems import exit_code_of
from nullspend_cli.topics import TOPICS
from nullspend_daemon.contract.codes import CODES

_HEAD = """\
# The command

Written from the command tree by `python -m nullspend_cli.reference`; a test fails when it is stale.
Every page is what `nullspend ... --help` prints.

"""


_ERRORS = """\
# Errors

Written from the table of codes by `python -m nullspend_cli.reference`; a test fails when it is stale.

Every error of the API and of the proxy has one shape, and `code` is what a program should look at:

```json
{"error": {"code": "not_found", "message": "...", "details": null}}
```

A `validation_error` lists each wrong value in `details.issues` as `{"path": [...], "message": "..."}`. The command
shows the message, what to run next, and ends with the exit code in the last column.

| Code | HTTP | Meaning | What to do | Exit |
|---|---|---|---|---|
"""


def errors() -> str:
    """The whole of docs/errors.md."""
    return _ERRORS + "".join(
        f"| `{name}` | {', '.join(map(str, code.statuses))} | {code.meaning} | {_advice(code.next)} |"
        f" {exit_code_of(name, code.statuses[0])} |\n"
        for name, code in CODES.items()
    )


def _advice(advice: str) -> str:
    return f"`{advice}`" if advice.startswith("nullspend ") else advice


def page() -> str:
    """The whole of docs/cli.md."""
    root = tree.root_of(main.tree())
    parts = [_HEAD, _block("nullspend", root)]
    for noun in tree.children(root):
        parts.append(_block(f"nullspend {noun.info_name}", noun))
        parts += [_block(f"nullspend {noun.info_name} {verb.info_name}", verb) for verb in tree.children(noun)]
    parts += [f"## Topic: {name}\n\n```text\n{text}```\n\n" for name, text in TOPICS.items()]
    return "".join(parts).rstrip("\n") + "\n"


def _block(title: str, ctx: Any) -> str:
    level = "##" if title.count(" ") < 2 else "###"
    return f"{level} {title}\n\n```text\n{ctx.get_help()}\n```\n\n"


def files() -> dict[str, str]:
    """Every generated file, by its path from the project's root."""
    words = words_of(tree.root_of(main.tree()))
    scripts = {
        f"completions/{name}": completion_scripts.script(shell, words)
        for shell, name in completion_scripts.FILES.items()
    }
    return {"docs/cli.md": page(), "docs/errors.md": errors(), **scripts}


def stale(project: Path) -> list[str]:
    """The generated files that are not what they would be now."""
    return [
        name
        for name, text in files().items()
        if not (project / name).is_file() or (project / name).read_text("utf-8") != text
    ]


def write() -> None:
    """Writes them all; with `--check` only says, by the exit code, whether they are current."""
    project = Path(__file__).resolve().parent.parent
    if "--check" in sys.argv[1:]:
        names = stale(project)
        sys.exit(f"stale: {', '.join(names)}; run python -m nullspend_cli.reference" if names else 0)
    for name, text in files().items():
        (project / name).write_text(text, "utf-8")


if __name__ == "__main__":
    write()
