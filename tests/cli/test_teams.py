"""orgs, members, invites, audit: what each prints, in a pipe, in 80 columns, as data, when there is nothing, when it is
wrong. Everything here is on one daemon; each test has an organization of its own."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time

import pexpect
import pytest

from tests.cli.steady import ISO, TIME, UUID, steady
from tests.fakes.server import FakeServer, Scripted
from tests.machine import Daemon, Machine, Result

_numbers = itertools.count(1)
TOKEN = re.compile(r"ns_inv_[0-9a-f]{48}")
START = re.compile(r"ns_inv_[0-9a-f]{8}\b")


def same(text: str) -> str:
    """As `steady`, and with every token the same one."""
    text = steady(TOKEN.sub("ns_inv_" + "0" * 48, text))
    return re.sub(r"user-[0-9a-f]{8}-[0-9a-z]{8}", "user-00000000-00000000", START.sub("ns_inv_00000000", text))


class Desk:
    """Somebody at a terminal, acting in an organization of their own called Acme N."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        number = next(_numbers)
        self.email = f"ada{number}@example.com"
        self.slug = f"acme-{number}"
        daemon.run("users", "create", self.email)
        made = self.run("orgs", "create", "Acme", "--slug", self.slug, "--switch")
        assert made.code == 0, made.err

    def run(self, *arguments: str, **options: object) -> Result:
        return self.daemon.run(*arguments, "--as", self.email, **options)  # type: ignore[arg-type]


@pytest.fixture
def desk(daemon: Daemon) -> Desk:
    return Desk(daemon)


def test_organizations_are_listed_with_the_active_one_marked(desk: Desk) -> None:
    listed = desk.run("orgs", "list")
    assert (listed.code, listed.err) == (0, "")
    wide = len(desk.slug)
    assert same(listed.out) == (
        f"   NAME      SLUG                    YOUR ROLE  PERSONAL  CREATED            ID\n"
        f"   Personal  user-00000000-00000000  owner      yes       {TIME}  ns_org_{UUID}\n"
        f"*  Acme      {desk.slug}{' ' * (22 - wide)}  owner      no        {TIME}  ns_org_{UUID}\n"
    )
    assert [org["name"] for org in desk.run("orgs", "list", "--json").json] == ["Personal", "Acme"]
    assert same(desk.run("orgs", "list", "-q").out) == f"ns_org_{UUID}\n" * 2
    assert same(desk.run("orgs", "list", "--format", "csv", "--fields", "active,slug,role").out) == (
        f"active,slug,role\nfalse,user-00000000-00000000,owner\ntrue,{desk.slug},owner\n"
    )


def test_one_organization_is_shown_by_slug_name_or_id(desk: Desk) -> None:
    shown = desk.run("orgs", "get")
    assert same(shown.out) == (
        f"id        ns_org_{UUID}\nname      Acme\nslug      {desk.slug}\npersonal  no\n"
        f"created   {TIME}\nchanged   {TIME}\n"
    )
    org_id = desk.run("orgs", "get", "-q").out.strip()
    for name in (desk.slug, "Acme", org_id):
        assert desk.run("orgs", "get", name).out == shown.out
    missing = desk.run("orgs", "get", "nothing")
    assert (missing.code, missing.err) == (
        5,
        "error: You are in no organization 'nothing'.\nnext: nullspend orgs list\n",
    )
    foreign = desk.run("orgs", "get", f"ns_org_{UUID}")
    assert (foreign.code, foreign.err) == (
        4,
        "error: You are not a member of this organization.\nnext: nullspend auth status\n",
    )


def test_an_organization_is_renamed_only_in_what_is_given(desk: Desk) -> None:
    renamed = desk.run("orgs", "update", desk.slug, "--name", "Acme Ltd")
    assert (renamed.out, renamed.err) == ("", f"Changed the organization: Acme Ltd ({desk.slug}).\n")
    nothing = desk.run("orgs", "update", desk.slug)
    assert (nothing.code, nothing.err) == (
        2,
        "error: There is nothing to change.\nnext: nullspend orgs update --help\n",
    )
    wrong = desk.run("orgs", "update", desk.slug, "--slug", "X")
    assert (wrong.code, wrong.out) == (1, "")
    assert "\n  slug: " in wrong.err


def test_a_slug_is_made_of_the_name_where_that_is_possible(desk: Desk) -> None:
    name = f"Émile & Söhne {next(_numbers)}"
    made = desk.run("orgs", "create", name, "--json").json
    assert (made["name"], made["slug"]) == (name, "mile-s-hne-" + name.split()[-1])
    no_slug = desk.run("orgs", "create", "日本")
    assert (no_slug.code, no_slug.err) == (
        2,
        "error: The name '日本' makes no slug of at least 3 letters or digits.\nnext: Add --slug SLUG.\n",
    )
    taken = desk.run("orgs", "create", "Again", "--slug", desk.slug)
    assert (taken.code, taken.err) == (1, f"error: The slug {desk.slug} is taken; choose another one.\n")


def test_deleting_asks_for_the_name(desk: Desk) -> None:
    question = f"Delete Acme ({desk.slug}) for good, with its members, keys, budgets, events, webhooks and actions?"
    unasked = desk.run("orgs", "delete", desk.slug)
    assert (unasked.code, unasked.err) == (
        2,
        f"error: This needs a yes: {question}\nnext: Add --yes to say it on the command line.\n",
    )
    for typed, ends in (("yes", 2), ("acme", 2), ("Acme", 0)):
        terminal = at_a_terminal(desk, "orgs", "delete", desk.slug)
        terminal.expect_exact("Type its name, Acme, to go on:")
        terminal.sendline(typed)
        terminal.expect(pexpect.EOF)
        terminal.close()
        assert terminal.exitstatus == ends, terminal.before
    assert [org["name"] for org in desk.run("orgs", "list", "--json").json] == ["Personal"]


def at_a_terminal(desk: Desk, *arguments: str) -> "pexpect.spawn[str]":
    """The command in a real terminal of 80 columns."""
    return pexpect.spawn(
        sys.executable,
        ["-m", "nullspend_cli", *arguments, "--as", desk.email],
        env={**desk.daemon.machine.env, "TERM": "xterm", "NO_COLOR": "1"},
        cwd=str(desk.daemon.machine.home),
        dimensions=(24, 80),
        encoding="utf-8",
        timeout=30,
    )


def on_screen(desk: Desk, *arguments: str) -> list[str]:
    """What a terminal of 80 columns shows."""
    terminal = at_a_terminal(desk, *arguments)
    terminal.expect(pexpect.EOF)
    terminal.close()
    return [line.rstrip() for line in str(terminal.before).replace("\r", "").splitlines()]


def test_on_a_terminal_of_80_columns_nothing_wraps(desk: Desk) -> None:
    desk.run("invites", "create", "somebody.with.a.very.long.name@a-company-with-a-long-name.example.com")
    for noun in ("orgs", "members", "invites", "audit"):
        lines = on_screen(desk, noun, "list")
        assert max(len(line) for line in lines) <= 80, (noun, lines)
    assert same("\n".join(on_screen(desk, "members", "list"))) == (
        f"EMAIL{' ' * (len(desk.email) - 5)}  ROLE   SINCE\n{desk.email}  owner  {TIME}"
    )


def test_members_are_listed_changed_and_removed_by_email(desk: Desk) -> None:
    listed = desk.run("members", "list")
    assert same(listed.out) == (
        f"EMAIL{' ' * (len(desk.email) - 5)}  ROLE   SINCE              ID\n"
        f"{desk.email}  owner  {TIME}  ns_usr_{UUID}\n"
    )
    (row,) = desk.run("members", "list", "--json").json
    assert json.loads(steady(json.dumps(row))) == {
        "userId": f"ns_usr_{UUID}",
        "role": "owner",
        "createdAt": ISO,
        "email": desk.email,
    }
    assert same(desk.run("members", "list", "--format", "csv").out) == (
        f"email,role,createdAt,userId\n{desk.email},owner,{ISO},ns_usr_{UUID}\n"
    )
    for command in (
        ("members", "update", "x@example.com", "--role", "viewer"),
        ("members", "remove", "x@example.com", "-y"),
    ):
        missing = desk.run(*command)
        assert (missing.code, missing.err) == (
            5,
            "error: No member of this organization is 'x@example.com'.\nnext: nullspend members list\n",
        )
    alone = desk.run("members", "update", desk.email.upper(), "--role", "viewer")
    assert (alone.code, alone.err.splitlines()[0]) == (
        4,
        "error: You cannot change your own membership. To go, use nullspend orgs leave.",
    )
    no_role = desk.run("members", "update", desk.email)
    assert (no_role.code, no_role.err) == (
        2,
        "error: Missing option '--role'.\nnext: nullspend members update --help\n",
    )


def test_an_invitation_is_printed_with_its_token_and_how_to_accept_it(desk: Desk) -> None:
    made = desk.run("invites", "create", "bob@example.com", "--role", "viewer")
    token = TOKEN.search(made.out)
    assert token
    assert same(made.out) == (
        f"token    ns_inv_{'0' * 48}\nemail    bob@example.com\nrole     viewer\nexpires  {TIME}\nid       {UUID}\n"
    )
    assert made.err == (
        "This is the only time the token is shown. To accept it:\n"
        "  nullspend users create bob@example.com\n"
        f"  nullspend invites accept {token[0]} --as bob@example.com\n"
    )
    listed = desk.run("invites", "list")
    assert same(listed.out) == (
        "EMAIL            ROLE    STATUS   EXPIRES            INVITED            TOKEN            ID\n"
        f"bob@example.com  viewer  pending  {TIME}  {TIME}  ns_inv_00000000  {UUID}\n"
    )
    assert token[0] not in listed.out + desk.run("invites", "list", "--json").out
    unwritten = desk.run("invites", "create", "bob")
    assert "  email: Must be an email address such as ada@example.com\n" in unwritten.err
    twice = desk.run("invites", "create", "bob@example.com")
    assert (twice.code, twice.err) == (
        1,
        "error: bob@example.com is invited already. Revoke that invitation to send a new one.\n",
    )
    assert desk.run("invites", "revoke", token[0], "--yes").err == "Revoked the invitation of bob@example.com.\n"
    empty = desk.run("invites", "list")
    assert (empty.out, empty.err) == (
        "",
        "There are no open invitations.\nnext: nullspend invites create EMAIL\n",
    )
    assert desk.run("invites", "list", "--json").out == "[]\n"
    gone = desk.run("invites", "delete", "bob@example.com")
    assert (gone.code, gone.err) == (
        5,
        "error: There is no open invitation 'bob@example.com'.\nnext: nullspend invites list\n",
    )


def test_as_json_an_invitation_is_the_record_with_its_token_and_nothing_else_is_said(desk: Desk) -> None:
    made = desk.run("invites", "create", "bob@example.com", "--json")
    assert made.err == ""
    assert made.json["token"].startswith(made.json["tokenPrefix"])


def test_a_personal_organization_is_shared_with_nobody(desk: Desk) -> None:
    assert desk.run("orgs", "switch", "Personal").err == "You act in Personal now, as its owner.\n"
    refused = desk.run("invites", "create", "bob@example.com")
    assert (refused.code, refused.err.splitlines()[0]) == (
        4,
        "error: A personal organization cannot be shared. Create a team with nullspend orgs create.",
    )
    assert desk.run("invites", "create", "bob@example.com", "--org", desk.slug).code == 0, "--org names another one"


def test_an_upgrade_url_is_set_shown_and_cleared(desk: Desk) -> None:
    nothing = desk.run("orgs", "upgrade-url")
    assert (nothing.code, nothing.out, nothing.err) == (
        0,
        "",
        "There is no upgrade URL.\nnext: nullspend orgs upgrade-url URL\n",
    )
    assert desk.run("orgs", "upgrade-url", "--json").out == "null\n"
    url = "https://acme.example/u?c={customer_id}"
    assert desk.run("orgs", "upgrade-url", url).err == f"The upgrade URL is {url}.\n"
    assert desk.run("orgs", "upgrade-url").out == f"url  {url}\n"
    of_one = desk.run("orgs", "upgrade-url", "https://acme.example/gold", "--customer", "cus:1")
    assert of_one.err == "The upgrade URL of cus:1 is https://acme.example/gold.\n"
    assert desk.run("orgs", "upgrade-url", "--customer", "cus:1", "--json").json == {
        "customerId": "cus:1",
        "upgradeUrl": "https://acme.example/gold",
    }
    assert desk.run("orgs", "upgrade-url", "none").err == "There is no upgrade URL any more.\n"
    wrong = desk.run("orgs", "upgrade-url", "http://acme.example")
    assert (wrong.code, wrong.err) == (
        1,
        "error: Request validation failed.\n  upgradeUrl: Must start with https://\nnext: Correct the named fields.\n",
    )


def test_the_audit_log_names_people_and_filters_by_action(desk: Desk) -> None:
    desk.run("keys", "create", "ci")
    listed = desk.run("audit", "list")
    pad = " " * (len(desk.email) - 3)
    more = " " * (len(f"name=Acme, slug={desk.slug}") - 7)
    assert same(listed.out) == (
        f"TIME               WHO{pad}  ACTION           DETAILS{more}  OBJECT{' ' * 37}  ID\n"
        f"{TIME}  {desk.email}  api_key.created  name=ci{more}  ns_key_{UUID}  {UUID}\n"
        f"{TIME}  {desk.email}  org.created      name=Acme, slug={desk.slug}  ns_org_{UUID}  {UUID}\n"
    )
    only = desk.run("audit", "list", "--action", "api_key.created", "--json").json
    assert [row["metadata"] for row in only] == [{"name": "ci"}]
    nothing = desk.run("audit", "list", "--action", "no.such")
    assert (nothing.code, nothing.out, nothing.err) == (0, "", "Nothing has been changed yet.\n")


def test_the_audit_log_is_followed_until_ctrl_c(desk: Desk) -> None:
    arguments = ["audit", "tail", "--every", "0.1", "--format", "jsonl", "--as", desk.email]
    process = subprocess.Popen(
        [sys.executable, "-m", "nullspend_cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **desk.daemon.machine.env},
        cwd=desk.daemon.machine.home,
    )
    assert process.stdout and process.stderr
    first = json.loads(process.stdout.readline())
    desk.run("keys", "create", "one")
    desk.run("keys", "create", "two")
    seen = [json.loads(process.stdout.readline()) for _ in range(2)]
    process.send_signal(signal.SIGINT)
    process.wait(20)
    for stream in (process.stdout, process.stderr):
        stream.close()
    assert (first["action"], process.returncode) == ("org.created", 130)
    assert [row["metadata"]["name"] for row in seen] == ["one", "two"]


def test_a_followed_log_is_a_table_for_a_person(desk: Desk) -> None:
    terminal = at_a_terminal(desk, "audit", "tail", "--every", "0.1")
    terminal.expect_exact("TIME")
    terminal.expect_exact("org.created")
    time.sleep(0.2)
    terminal.sendintr()
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 130


def test_the_active_organization_lasts_per_person_and_ends_with_the_membership(desk: Desk) -> None:
    daemon = desk.daemon
    owner = daemon.run("orgs", "list", "--json").json
    assert [org["name"] for org in owner] == ["Personal"], "another person's choice is not the owner's"
    switched = daemon.run("orgs", "create", "Owners", "--slug", f"owners-{next(_numbers)}", "--switch", "--json")
    assert switched.code == 0
    slug = switched.out and daemon.run("orgs", "get", "--json").json["slug"]
    assert slug.startswith("owners-")
    assert daemon.run("keys", "list", "--json").json == []
    assert daemon.run("orgs", "get", "--json", env={"NULLSPEND_ORG": owner[0]["id"]}).json["name"] == "Personal"
    again = daemon.run("orgs", "switch", slug, env={"NULLSPEND_ORG": owner[0]["id"]})
    assert "NULLSPEND_ORG, or `org` in the project file or the context, still comes first.\n" in again.err
    assert daemon.run("orgs", "delete", slug, "--yes").code == 0
    assert daemon.run("orgs", "get", "--json").json["name"] == "Personal"


# -- what hosted servers answer


HOSTED = "11111111-1111-4111-8111-111111111111"
ADA = "22222222-2222-4222-8222-222222222222"


@pytest.fixture
def hosted(elsewhere: Machine, server: FakeServer) -> Machine:
    """A server with bare ids where the docs promise prefixes."""
    org = {"id": f"ns_org_{HOSTED}", "name": "Acme", "slug": "acme", "isPersonal": False, "role": "owner"}
    server.answer("GET", "/api/orgs", {"data": [org]})
    server.answer("GET", "/api/auth/session", {"userId": ADA, "orgId": HOSTED, "role": "owner"})
    member = {"userId": ADA, "email": None, "role": "member", "createdAt": "2026-04-01T00:00:00.000Z"}
    server.answer("GET", f"/api/orgs/ns_org_{HOSTED}/members", {"data": [member]})
    return elsewhere


def test_ids_in_members_transfer_and_switch_are_sent_bare(hosted: Machine, server: FakeServer) -> None:
    base = f"/api/orgs/ns_org_{HOSTED}"
    server.answer("PATCH", f"{base}/members/{ADA}", {"data": {"userId": ADA, "role": "admin", "createdAt": "x"}})
    server.answer("DELETE", f"{base}/members/{ADA}", {"success": True})
    server.answer("POST", f"{base}/transfer", {"success": True, "newOwnerUserId": ADA})
    switched = {"userId": ADA, "orgId": HOSTED, "role": "owner"}
    server.answer("POST", "/api/auth/switch-org", Scripted(200, switched, (("Set-Cookie", "ns-active-org=two"),)))
    for who in (ADA, f"ns_usr_{ADA}"):
        assert hosted.run("members", "update", who, "--role", "admin", "--json").json["userId"] == f"ns_usr_{ADA}"
    assert hosted.run("members", "delete", ADA, "--yes", "--json").json["userId"] == f"ns_usr_{ADA}"
    moved = hosted.run("orgs", "transfer", ADA, "--yes", "--json")
    assert moved.json["newOwnerUserId"] == f"ns_usr_{ADA}"
    assert server.asked_for("POST", f"{base}/transfer")[0].body == {"newOwnerUserId": ADA}
    gone_to = hosted.run("orgs", "switch", "acme", "--json")
    assert gone_to.json["orgId"] == f"ns_org_{HOSTED}"
    assert server.asked_for("POST", "/api/auth/switch-org")[0].body == {"orgId": HOSTED}


def test_a_session_of_the_environment_cannot_keep_a_switch_and_says_so(hosted: Machine, server: FakeServer) -> None:
    server.answer("POST", "/api/auth/switch-org", {"userId": ADA, "orgId": HOSTED, "role": "owner"})
    done = hosted.run("orgs", "switch", "acme")
    assert done.err == (
        "You act in Acme now, as its owner.\n"
        f"NULLSPEND_SESSION is read anew each time: set NULLSPEND_ORG=ns_org_{HOSTED} as well.\n"
    )


def test_a_switch_on_a_context_is_kept_with_its_session(machine: Machine, server: FakeServer) -> None:
    org = {"id": f"ns_org_{HOSTED}", "name": "Acme", "slug": "acme", "isPersonal": False}
    server.answer("GET", "/api/orgs", {"data": [org]})
    server.answer(
        "POST",
        "/api/auth/switch-org",
        Scripted(
            200, {"userId": ADA, "orgId": HOSTED, "role": "owner"}, (("Set-Cookie", "ns-active-org=two; Path=/"),)
        ),
    )
    server.answer("GET", "/api/auth/session", {"userId": ADA, "orgId": HOSTED, "role": "owner"})
    machine.run("contexts", "create", "prod", "--url", server.url, "--with-session", "--use", input="a=1\n")
    assert machine.run("orgs", "switch", "acme").code == 0
    server.asked.clear()
    machine.run("orgs", "list")
    assert {asked.headers["cookie"] for asked in server.asked} == {"a=1; ns-active-org=two"}


def test_the_audit_log_of_a_hosted_server_reads_the_same(hosted: Machine, server: FakeServer) -> None:
    row = {
        "id": HOSTED,
        "actorId": ADA,
        "action": "member.removed",
        "resourceType": "membership",
        "resourceId": ADA,
        "metadata": None,
        "createdAt": "2026-04-01T00:00:00.000Z",
    }
    server.answer("GET", "/api/audit-log", {"data": [row], "cursor": None})
    (shown,) = hosted.run("audit", "list", "--json").json
    assert (shown["id"], shown["actorId"], shown["resourceId"]) == (HOSTED, f"ns_usr_{ADA}", f"ns_usr_{ADA}")


def test_acting_as_somebody_else_needs_this_machines_daemon(hosted: Machine, server: FakeServer) -> None:
    refused = hosted.run("orgs", "list", "--as", "ada@example.com")
    assert (refused.code, server.asked) == (1, [])
    assert refused.err.startswith("error: Only a local daemon can do this; the context 'environment' is ")


def test_what_a_server_sends_is_never_markup(hosted: Machine, server: FakeServer) -> None:
    evil = {
        "id": f"ns_org_{HOSTED}",
        "name": "\x1b[31mred\u202e",
        "slug": "[bold]x",
        "isPersonal": False,
        "role": "owner",
    }
    server.answer("GET", "/api/orgs", {"data": [evil]})
    shown = hosted.run("orgs", "list").out
    assert "\\x1b[31mred\\u202e" in shown and "[bold]x" in shown and "\x1b" not in shown


def test_without_a_daemon_each_noun_says_how_to_start_one(machine: Machine) -> None:
    for noun in ("orgs", "members", "invites", "audit", "tools", "customers", "margins"):
        result = machine.run(noun, "list")
        assert result.code == 7
        assert result.err.endswith("next: nullspend daemon start\n")
