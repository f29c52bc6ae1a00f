"""Signing in with a keyring that works, one that silently forgets, and none."""

import json
import os
import stat
from pathlib import Path

import pytest

from tests.fakes.server import FakeServer
from tests.machine import Machine

RINGS = Path(__file__).parents[1] / "fakes" / "rings"
KEY = "ns_live_sk_00000000000000000000000000000001"


def use_ring(machine: Machine, name: str) -> Path:
    """Puts a keyring on the machine; returns the file it keeps its secrets in."""
    file = machine.home / "ring.json"
    machine.more = {
        "PYTHON_KEYRING_BACKEND": f"fake_rings.{name}",
        "FAKE_RING": str(file),
        "PYTHONPATH": os.pathsep.join((machine.env["PYTHONPATH"], str(RINGS))),
    }
    return file


def login(machine: Machine, server: FakeServer, *secrets: str) -> str:
    server.knows_everybody()
    done = machine.run("auth", "login", "--server", server.url, "-c", "prod", input="\n".join(secrets))
    assert done.code == 0, done.err
    return done.err


def test_a_keyring_that_works_keeps_the_key_and_no_file_is_made(machine: Machine, server: FakeServer) -> None:
    ring = use_ring(machine, "Working")
    assert "The API key is kept in the system keyring.\n" in login(machine, server, KEY)
    assert json.loads(ring.read_text()) == {f"nullspend prod@{server.url}#key": KEY}
    assert not (machine.config / "credentials.json").exists()
    server.answer("GET", "/api/policy", {"budget": None})
    assert machine.run("policy", "get").code == 0
    assert server.asked[-1].headers["x-nullspend-key"] == KEY
    found = {finding["check"]: finding for finding in machine.run("doctor", "--json").json}
    assert (found["keyring"]["status"], found["keyring"]["finding"]) == ("ok", "keeps a secret and gives it back")
    assert machine.run("auth", "logout").err == "Forgot the API key of prod.\n"
    assert json.loads(ring.read_text()) == {}


@pytest.mark.parametrize("ring", ["Forgetful", "keyring.backends.fail.Keyring"])
def test_where_no_keyring_keeps_it_a_private_file_does_and_says_so(
    machine: Machine, server: FakeServer, ring: str
) -> None:
    use_ring(machine, ring)
    if "." in ring:
        machine.more["PYTHON_KEYRING_BACKEND"] = ring
    said = login(machine, server, KEY)
    file = machine.config / "credentials.json"
    assert "The API key is kept in a file only you can read.\n" in said
    assert f"No keyring keeps it here, so it is {file}.\n" in said
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    server.answer("GET", "/api/policy", {"budget": None})
    assert machine.run("policy", "get").code == 0


def test_a_cookie_too_long_for_a_keyring_goes_to_the_file_and_the_key_does_not(
    machine: Machine, server: FakeServer
) -> None:
    ring = use_ring(machine, "Working")
    cookie = f"sb-session={'c' * 5000}"
    said = login(machine, server, KEY, f"Cookie: {cookie}")
    assert "The API key is kept in the system keyring.\n" in said
    assert "The Cookie header is kept in a file only you can read.\n" in said
    assert cookie not in ring.read_text()
    server.answer("GET", "/api/keys", {"data": []})
    assert machine.run("keys", "list").code == 0
    assert server.asked[-1].headers["cookie"] == cookie
