"""The command run inside the test's own process: for questions that many commands have to answer."""

import os
from collections.abc import Callable

import pytest

from nullspend_cli import main
from tests.machine import Machine, Result

Inside = Callable[..., Result]


def inside(machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    """A function that runs `nullspend ARGUMENTS` on `machine`, its output going to a pipe."""
    for name in [name for name in os.environ if name.startswith("NULLSPEND_") or name in ("CI", "NO_COLOR")]:
        monkeypatch.delenv(name)
    for name, value in machine.env.items():
        if name != "PYTHONPATH":
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(machine.home)

    def run(*arguments: str) -> Result:
        capsys.readouterr()
        code = main.run(list(arguments))
        out, err = capsys.readouterr()
        return Result(code, out, err)

    return run
