"""Members of an organization."""

from typing import Annotated

import typer

from nullspend_cli.group import Noun
from nullspend_cli.options import Limit, Org, Yes
from nullspend_cli.output import Empty
from nullspend_cli.replies import record
from nullspend_cli.run import Run
from nullspend_cli.tables import column
from nullspend_cli.teams import Teams, called
from nullspend_cli.when import show_time
from nullspend_daemon.contract.ids import uuid_of

EXAMPLES = {
    "list": """
nullspend members list
nullspend members list --org acme --format csv
""",
    "update": """
nullspend members update ada@example.com --role admin
""",
    "delete": """
nullspend members delete ada@example.com
nullspend members remove ada@example.com --org acme --yes
""",
}
COLUMNS = (
    column("email", absent="unknown"),
    column("role"),
    column("createdAt", "SINCE", show_time),
    column("userId", "ID", wide=True),
)
_NONE = Empty("There are no members.")

noun = Noun(EXAMPLES, {"remove": "delete"})

_Member = Annotated[str, typer.Argument(metavar="MEMBER", help="Their email or id.")]


@noun.verb()
def list_(run: Run, org: Org = None, limit: Limit = None) -> None:
    """List the members of an organization, the first one first."""
    teams = Teams(run.client)
    found = teams.members(teams.org_id(org))[: run.rows_wanted(limit) or None]
    run.out.table(found, COLUMNS, empty=_NONE, id_field="userId")


@noun.verb()
def update(
    run: Run,
    member: _Member,
    role: Annotated[
        str, typer.Option("--role", metavar="admin|member|viewer", help="Their new role.", show_default=False)
    ],
    org: Org = None,
) -> None:
    """Change a member's role. It counts from their next request on. An owner is made with orgs transfer."""
    teams = Teams(run.client)
    org_id = teams.org_id(org)
    target = teams.member(org_id, member)
    path = f"/api/orgs/{org_id}/members/{uuid_of(str(target['userId']))}"
    changed = record(run.client.patch(path, {"role": role}))
    run.out.result(f"{called(target)} is {_article(role)} now.", changed, id_field="userId")


def _article(role: str) -> str:
    return f"an {role}" if role == "admin" else f"a {role}"


@noun.verb()
def delete(run: Run, member: _Member, org: Org = None, yes: Yes = False) -> None:
    """Remove a member. Their keys in the organization are revoked; what else they made stays."""
    teams = Teams(run.client)
    found = teams.org(org)
    target = teams.member(str(found["id"]), member)
    question = f"Remove {called(target)} from {found['name']}? Their keys in it stop working at once."
    run.out.confirm(question, yes=yes)
    reply = run.client.delete(f"/api/orgs/{found['id']}/members/{uuid_of(str(target['userId']))}")
    run.out.result(
        f"Removed {called(target)} from {found['name']}; their keys in it are revoked.",
        {"userId": target["userId"], **reply},
        id_field="userId",
    )
