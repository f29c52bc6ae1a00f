"""The life of a team of five, lived through with the command alone."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import StartDaemon
from tests.machine import Daemon, Result

pytestmark = pytest.mark.slow

OWNER = "owner@nullspend.local"


class Person:
    """Somebody at this machine's terminal."""

    def __init__(self, daemon: Daemon, name: str) -> None:
        self.daemon = daemon
        self.email = f"{name}@example.com"
        done = daemon.run("users", "create", self.email)
        assert done.code == 0, done.err

    def runs(self, *arguments: str) -> Result:
        return self.daemon.run(*arguments, "--as", self.email)

    def does(self, *arguments: str) -> Result:
        done = self.runs(*arguments)
        assert done.code == 0, done.err
        return done


def roles(person: Person) -> dict[str, str]:
    return {row["email"]: row["role"] for row in person.does("members", "list", "--json").json}


def test_the_life_of_a_team(start: StartDaemon) -> None:
    daemon = start()
    ada, bob, cleo, dan, eve = (Person(daemon, name) for name in ("ada", "bob", "cleo", "dan", "eve"))

    # Ada makes the team and acts in it from then on.
    assert ada.does("orgs", "create", "Acme Research", "--switch").err == (
        "Created Acme Research (acme-research).\n"
        "You act in Acme Research now, as its owner.\n"
        "A key belongs to one organization: nullspend keys create NAME --save makes one here.\n"
    )
    assert roles(ada) == {ada.email: "owner"}

    # She invites the others; each invitation prints its token once, with the command that accepts it.
    for person, role in ((bob, "member"), (cleo, "admin"), (dan, "viewer"), (eve, "member")):
        invited = ada.does("invites", "create", person.email, "--role", role)
        (token,) = re.findall(r"^token +(ns_inv_[0-9a-f]{48})$", invited.out, re.MULTILINE)
        assert invited.err == (
            "This is the only time the token is shown. To accept it:\n"
            f"  nullspend invites accept {token} --as {person.email}\n"
        )
        if person is bob:
            wrong = ada.runs("invites", "accept", token)
            assert wrong.code == 4
            assert wrong.err.splitlines()[0] == "error: This invitation is for another email address."
        assert person.does("invites", "accept", token).err == (
            f"You are in Acme Research now, as its {role}. Commands act in it.\n"
        )
        if person is bob:
            again = person.runs("invites", "accept", token)
            assert (again.code, again.err.splitlines()[0]) == (1, "error: This invitation is accepted already.")
    assert roles(eve) == {
        ada.email: "owner",
        bob.email: "member",
        cleo.email: "admin",
        dan.email: "viewer",
        eve.email: "member",
    }

    # Each may do what the role says, and no more.
    bobs = bob.does("keys", "create", "bobs", "--jq", ".rawKey").out.strip()
    assert dan.runs("keys", "create", "dans").code == 4
    assert bob.runs("members", "update", dan.email, "--role", "member").code == 4
    assert eve.runs("audit", "list").code == 4

    # Promotion and demotion count from the next command on.
    assert cleo.does("members", "update", bob.email, "--role", "admin").err == "bob@example.com is an admin now.\n"
    assert bob.does("members", "update", dan.email, "--role", "member").err == "dan@example.com is a member now.\n"
    assert dan.does("keys", "create", "dans").code == 0
    assert cleo.runs("members", "update", bob.email, "--role", "viewer").code == 4, "an admin may not touch another"
    assert ada.does("members", "update", bob.email, "--role", "viewer").code == 0
    assert bob.runs("members", "update", dan.email, "--role", "viewer").code == 4

    # A transfer and the removal of its target at the same moment: one of them is first, and there is one owner.
    with ThreadPoolExecutor(2) as pool:
        given = pool.submit(ada.runs, "orgs", "transfer", eve.email, "--yes")
        removed = pool.submit(cleo.runs, "members", "delete", eve.email, "--yes")
    codes = (given.result().code, removed.result().code)
    left = roles(cleo)
    assert list(left.values()).count("owner") == 1
    if codes[0] == 0:
        assert codes[1] != 0 and (left[eve.email], left[ada.email]) == ("owner", "admin")
        owner, admin = eve, ada
    else:
        assert codes[1] == 0 and eve.email not in left
        owner, admin = ada, cleo

    # Who is removed or leaves is told what happens; their keys stop at once, what they made stays.
    unasked = owner.runs("members", "delete", bob.email)
    assert (unasked.code, unasked.err) == (
        2,
        "error: This needs a yes: Remove bob@example.com from Acme Research? Their keys in it stop working at once.\n"
        "next: Add --yes to say it on the command line.\n",
    )
    assert daemon.call("GET", "/api/budgets", auth=None, headers={"X-NullSpend-Key": bobs}).status == 200
    assert owner.does("members", "remove", bob.email, "--yes").err == (
        "Removed bob@example.com from Acme Research; their keys in it are revoked.\n"
    )
    assert daemon.call("GET", "/api/budgets", auth=None, headers={"X-NullSpend-Key": bobs}).status == 401
    back_home = bob.does("orgs", "list", "--json")
    assert [org["name"] for org in back_home.json] == ["Personal"]
    assert "any more; this is your personal organization.\n" in back_home.err
    assert bob.does("orgs", "list").err == ""

    leaving = dan.runs("orgs", "leave")
    assert (leaving.code, leaving.err.splitlines()[0]) == (
        2,
        "error: This needs a yes: Leave Acme Research? Your keys in it stop working at once.",
    )
    assert dan.does("orgs", "leave", "--yes").err == "You have left Acme Research; your keys in it are revoked.\n"
    assert [org["name"] for org in dan.does("orgs", "list", "--json").json] == ["Personal"]
    assert admin.runs("orgs", "delete", "acme-research", "--yes").code == 4

    # The audit log knows who did what, in order.
    told = [(row["action"], row["metadata"]) for row in owner.does("audit", "list", "--limit", "0", "--json").json]
    assert told[0] == ("member.left", None)
    assert told[1] == ("member.removed", None)
    assert told[-1] == ("org.created", {"name": "Acme Research", "slug": "acme-research"})
    assert [name for name, _ in told].count("invitation.accepted") == 4
    assert ("member.role_changed", {"newRole": "viewer"}) in told

    # The end: it asks for the name; afterwards nobody is in it.
    unnamed = owner.runs("orgs", "delete", "acme-research")
    assert unnamed.code == 2
    assert "Delete Acme Research (acme-research) for good" in unnamed.err
    assert owner.does("orgs", "delete", "acme-research", "--yes").err == "Deleted Acme Research.\n"
    for person in (ada, cleo, eve):
        assert [org["name"] for org in person.does("orgs", "list", "--json").json] == ["Personal"]


def test_of_two_who_accept_one_token_one_wins(start: StartDaemon) -> None:
    daemon = start()
    ada = Person(daemon, "ada")
    daemon.run("orgs", "create", "Acme", "--switch")
    token = daemon.run("invites", "create", ada.email, "--jq", ".token").out.strip()
    with ThreadPoolExecutor(2) as pool:
        codes = sorted(pool.map(lambda _: ada.runs("invites", "accept", token).code, range(2)))
    assert codes == [0, 1]
    assert [row["email"] for row in daemon.run("members", "list", "--json").json] == [OWNER, ada.email]
