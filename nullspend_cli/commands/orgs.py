"""Organizations."""

import re
from typing import Annotated, Any

import typer

from nullspend_cli.group import Noun
from nullspend_cli.options import Limit, Org, Yes
from nullspend_cli.output import Empty
from nullspend_cli.problems import Usage
from nullspend_cli.replies import Record, record
from nullspend_cli.run import Run
from nullspend_cli.tables import Column, column
from nullspend_cli.teams import Teams, called
from nullspend_cli.when import show_time
from nullspend_daemon.contract.ids import Kind, uuid_of

EXAMPLES = {
    "list": """
nullspend orgs list
""",
    "get": """
nullspend orgs get
nullspend orgs get acme --json
""",
    "create": """
nullspend orgs create "Acme Research" --switch
nullspend orgs create Acme --slug acme-europe
""",
    "update": """
nullspend orgs update acme --name "Acme Ltd"
""",
    "delete": """
nullspend orgs delete acme
nullspend orgs delete acme --yes
""",
    "switch": """
nullspend orgs switch acme
nullspend orgs switch Personal
nullspend orgs switch acme --as ada@example.com
""",
    "leave": """
nullspend orgs leave acme
""",
    "transfer": """
nullspend orgs transfer ada@example.com
nullspend orgs transfer ada@example.com --org acme
""",
    "upgrade-url": """
nullspend orgs upgrade-url
nullspend orgs upgrade-url 'https://acme.example/upgrade?customer={customer_id}'
nullspend orgs upgrade-url https://acme.example/gold --customer cus-1
nullspend orgs upgrade-url none
""",
}
COLUMNS = (
    column("name"),
    column("slug"),
    column("role", "YOUR ROLE"),
    column("isPersonal", "PERSONAL"),
    column("createdAt", "CREATED", show_time, wide=True),
    column("id", wide=True),
)
DETAILS = (
    column("id"),
    column("name"),
    column("slug"),
    column("isPersonal", "PERSONAL"),
    column("createdAt", "CREATED", show_time),
    column("updatedAt", "CHANGED", show_time),
)
_NONE = Empty("You are in no organization.", "nullspend orgs create NAME")

noun = Noun(EXAMPLES)

_Org = Annotated[str, typer.Argument(metavar="ORG", help="Its slug, name or id.")]
_ActiveOrg = Annotated[
    str | None,
    typer.Argument(metavar="[ORG]", help="Its slug, name or id; the active one unless given.", show_default=False),
]
_Slug = Annotated[
    str | None,
    typer.Option("--slug", metavar="SLUG", help="Its short name: a-z, 0-9 and -, at least 3.", show_default=False),
]


def _active(active_id: str) -> Column:
    return column("active", "", lambda active: "*" if active else "", value=lambda org: org["id"] == active_id)


@noun.verb()
def list_(run: Run, limit: Limit = None) -> None:
    """List your organizations, oldest first. The one marked * is active: commands act in it."""
    teams = Teams(run.client)
    found = teams.orgs[: run.rows_wanted(limit) or None]
    run.out.table(found, (_active(teams.active_id), *COLUMNS), empty=_NONE)


@noun.verb()
def get(run: Run, org: _ActiveOrg = None) -> None:
    """Show one organization."""
    org_id = Teams(run.client).org_id(org)
    run.out.record(record(run.client.get(f"/api/orgs/{org_id}"), Kind.ORG), DETAILS)


@noun.verb()
def create(
    run: Run,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it, 1 to 50 characters.")],
    slug: _Slug = None,
    switch: Annotated[bool, typer.Option("--switch", help="Make it the active one.")] = False,
) -> None:
    """Create a team organization; you are its owner. The slug is made of the name unless given."""
    body = {"name": name, "slug": slug or _slug_of(name)}
    made = record(run.client.post("/api/orgs", body), Kind.ORG)
    run.out.result(f"Created {made['name']} ({made['slug']}).", made)
    if switch:
        _switch(run, made)
    else:
        run.out.hint(f"To act in it: nullspend orgs switch {made['slug']}")


def _slug_of(name: str) -> str:
    """`Acme Research` is `acme-research`. Raises Usage for a name that makes no slug."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:50].strip("-")
    if len(slug) < 3:
        raise Usage(f"The name {name!r} makes no slug of at least 3 letters or digits.", next="Add --slug SLUG.")
    return slug


@noun.verb()
def update(
    run: Run,
    org: _Org,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Its new name.", show_default=False)
    ] = None,
    slug: _Slug = None,
) -> None:
    """Rename a team organization."""
    body = {field: value for field, value in {"name": name, "slug": slug}.items() if value is not None}
    if not body:
        raise Usage("There is nothing to change.", next="nullspend orgs update --help")
    org_id = Teams(run.client).org_id(org)
    changed = record(run.client.patch(f"/api/orgs/{org_id}", body), Kind.ORG)
    run.out.result(f"Changed the organization: {changed['name']} ({changed['slug']}).", changed)


@noun.verb()
def delete(run: Run, org: _Org, yes: Yes = False) -> None:
    """Delete a team organization with everything in it. Only its owner can."""
    found = Teams(run.client).org(org)
    question = (
        f"Delete {found['name']} ({found['slug']}) for good, with its members, keys, budgets, events, webhooks and "
        "actions?"
    )
    run.out.confirm_by_name(question, str(found["name"]), yes=yes)
    run.client.delete(f"/api/orgs/{found['id']}")
    _forget(run, str(found["id"]))
    run.out.result(f"Deleted {found['name']}.", {"id": found["id"], "deleted": True})


@noun.verb()
def switch(run: Run, org: _Org) -> None:
    """Act in another organization from the next command on."""
    _switch(run, Teams(run.client).org(org))


def _switch(run: Run, org: Record) -> None:
    session = record(run.client.switch_org(str(org["id"])))
    run.client.keep_org(None if org.get("isPersonal") else str(org["id"]))
    run.out.result(f"You act in {org['name']} now, as its {session.get('role')}.", session, id_field="orgId")
    if run.place.org:
        run.out.hint("NULLSPEND_ORG, or `org` in the project file or the context, still comes first.")
    elif not run.place.daemon and not run.place.keeps_session:
        run.out.hint(f"NULLSPEND_SESSION is read anew each time: set NULLSPEND_ORG={org['id']} as well.")
    elif not org.get("isPersonal"):
        run.out.hint("A key belongs to one organization: nullspend keys create NAME --save makes one here.")


def _forget(run: Run, org_id: str) -> None:
    """An organization one is no longer in is not the active one."""
    if run.client.kept_org == org_id:
        run.client.keep_org(None)


@noun.verb()
def leave(run: Run, org: _ActiveOrg = None, yes: Yes = False) -> None:
    """Leave an organization. Your keys in it are revoked; what else you made stays."""
    found = Teams(run.client).org(org)
    run.out.confirm(f"Leave {found['name']}? Your keys in it stop working at once.", yes=yes)
    reply = run.client.post(f"/api/orgs/{found['id']}/leave")
    _forget(run, str(found["id"]))
    run.out.result(f"You have left {found['name']}; your keys in it are revoked.", {"id": found["id"], **reply})


@noun.verb()
def transfer(
    run: Run,
    member: Annotated[str, typer.Argument(metavar="EMAIL", help="An admin or member of it, by email or id.")],
    org: Org = None,
    yes: Yes = False,
) -> None:
    """Make somebody else the owner. You stay as an admin."""
    teams = Teams(run.client)
    found = teams.org(org)
    target = teams.member(str(found["id"]), member)
    question = f"Make {called(target)} the owner of {found['name']}? You become an admin, and only they can undo it."
    run.out.confirm(question, yes=yes)
    body = {"newOwnerUserId": uuid_of(str(target["userId"]))}
    reply = record(run.client.post(f"/api/orgs/{found['id']}/transfer", body))
    run.out.result(
        f"{called(target)} owns {found['name']} now; you are an admin. Everybody's keys keep working.",
        reply,
        id_field="newOwnerUserId",
    )


@noun.verb()
def upgrade_url(
    run: Run,
    url: Annotated[
        str | None,
        typer.Argument(metavar="[URL|none]", help="An https page to set, or none to clear it.", show_default=False),
    ] = None,
    customer: Annotated[
        str | None, typer.Option("--customer", metavar="ID", help="The page of one customer.", show_default=False)
    ] = None,
    org: Org = None,
) -> None:
    """Show or set the page a denied caller is sent to for more budget.

    {customer_id} in it is replaced by the customer of the denied call. A customer's own page comes before the
    organization's.
    """
    base = f"/api/orgs/{Teams(run.client).org_id(org)}"
    path = f"{base}/upgrade-url" if customer is None else f"{base}/customers/{_quoted(customer)}/upgrade-url"
    if url is None:
        shown = record(run.client.get(path))
        if shown.get("upgradeUrl") is None:
            run.out.absent(Empty("There is no upgrade URL.", "nullspend orgs upgrade-url URL"))
        else:
            run.out.record(shown, _URL, id_field="upgradeUrl")
        return
    wanted = None if url.strip().lower() == "none" else url
    changed = record(run.client.patch(path, {"upgradeUrl": wanted}))
    run.out.result(_url_sentence(changed), changed, id_field="upgradeUrl")


_URL = (column("customerId", "CUSTOMER"), column("upgradeUrl", "URL"))


def _url_sentence(changed: dict[str, Any]) -> str:
    whose = f" of {changed['customerId']}" if changed.get("customerId") else ""
    url = changed.get("upgradeUrl")
    return f"The upgrade URL{whose} is {url}." if url else f"There is no upgrade URL{whose} any more."


def _quoted(customer: str) -> str:
    from urllib.parse import quote

    return quote(customer, safe="")
