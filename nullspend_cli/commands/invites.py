"""Invitations."""

from typing import Annotated

import typer

from nullspend_cli.group import Noun
from nullspend_cli.options import Limit, Org, Yes
from nullspend_cli.output import Empty
from nullspend_cli.replies import Record, record
from nullspend_cli.run import Run
from nullspend_cli.tables import column
from nullspend_cli.teams import Teams
from nullspend_cli.when import show_time

EXAMPLES = {
    "list": """
nullspend invites list
nullspend invites list --org acme --json
""",
    "create": """
nullspend invites create ada@example.com
nullspend invites create ada@example.com --role viewer --org acme
TOKEN=$(nullspend invites create ada@example.com --jq .token)
""",
    "delete": """
nullspend invites delete ada@example.com
nullspend invites revoke ada@example.com --yes
""",
    "accept": """
nullspend invites accept ns_inv_0123456789abcdef
nullspend invites accept --as ada@example.com < token.txt
""",
}
COLUMNS = (
    column("email"),
    column("role"),
    column("status", wide=True),
    column("expiresAt", "EXPIRES", show_time),
    column("createdAt", "INVITED", show_time, wide=True),
    column("tokenPrefix", "TOKEN", wide=True),
    column("id", wide=True),
)
_CREATED = (
    column("token"),
    column("email"),
    column("role"),
    column("expiresAt", "EXPIRES", show_time),
    column("id"),
)
_NONE = Empty("There are no open invitations.", "nullspend invites create EMAIL")

noun = Noun(EXAMPLES, {"revoke": "delete"})


@noun.verb()
def list_(run: Run, org: Org = None, limit: Limit = None) -> None:
    """List the open invitations of an organization, oldest first."""
    teams = Teams(run.client)
    run.out.table(teams.invitations(teams.org_id(org))[: run.rows_wanted(limit) or None], COLUMNS, empty=_NONE)


@noun.verb()
def create(
    run: Run,
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="Their address; nothing is sent there.")],
    role: Annotated[
        str, typer.Option("--role", metavar="admin|member|viewer", help="What they may do once they accept.")
    ] = "member",
    org: Org = None,
) -> None:
    """Invite somebody to an organization and print the token they accept it with, this once.

    It works for that email address only, once, for seven days.
    """
    org_id = Teams(run.client).org_id(org)
    made = record(run.client.post(f"/api/orgs/{org_id}/invitations", {"email": email, "role": role}))
    run.out.record(made, _CREATED)
    run.out.hint("This is the only time the token is shown. To accept it:")
    for line in _how_to_accept(run, made):
        run.out.hint(f"  {line}")


def _how_to_accept(run: Run, made: Record) -> list[str]:
    accept = f"nullspend invites accept {made['token']}"
    if run.place.daemon is None:
        return [accept]
    known = made["email"] in Teams(run.client).emails.values()
    return [*([] if known else [f"nullspend users create {made['email']}"]), f"{accept} --as {made['email']}"]


@noun.verb()
def delete(
    run: Run,
    invitation: Annotated[str, typer.Argument(metavar="INVITATION", help="The email it is for, its token or id.")],
    org: Org = None,
    yes: Yes = False,
) -> None:
    """Revoke an open invitation; its token stops working."""
    teams = Teams(run.client)
    org_id = teams.org_id(org)
    found = teams.invitation(org_id, invitation)
    run.out.confirm(f"Revoke the invitation of {found['email']} as {found['role']}?", yes=yes)
    reply = run.client.delete(f"/api/orgs/{org_id}/invitations/{found['id']}")
    run.out.result(f"Revoked the invitation of {found['email']}.", {"id": found["id"], **reply})


@noun.verb()
def accept(
    run: Run,
    token: Annotated[
        str | None,
        typer.Argument(
            metavar="[TOKEN]", help="What invites create printed; asked for unless given.", show_default=False
        ),
    ] = None,
) -> None:
    """Join the organization you were invited to. It becomes the active one."""
    given = run.out.terminal.secret("invitation token") if token is None else token
    joined = record(run.client.post("/api/invite/accept", {"token": given}))
    run.client.keep_org(str(joined["orgId"]))
    name = Teams(run.client).org(str(joined["orgId"]))["name"]
    run.out.result(f"You are in {name} now, as its {joined['role']}. Commands act in it.", joined, id_field="orgId")
    if run.place.org:
        run.out.hint("NULLSPEND_ORG, or `org` in the project file or the context, still comes first.")
