"""Organizations, their members and invitations, by the names people use for them."""

import functools

from nullspend_cli import replies
from nullspend_cli.client import Auth, Client
from nullspend_cli.names import id_or_none, only, or_none
from nullspend_cli.problems import Missing
from nullspend_cli.replies import Record
from nullspend_daemon.contract.ids import InvalidId, Kind, parse_id


class Teams:
    """Looks them up on one server, each list at most once."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @functools.cached_property
    def orgs(self) -> list[Record]:
        """The organizations of the signed-in person, with their role in each."""
        return replies.rows(self._client.get("/api/orgs"), Kind.ORG)

    @functools.cached_property
    def active_id(self) -> str:
        """The organization that commands act in."""
        return str(replies.record(self._client.get("/api/auth/session"))["orgId"])

    def org(self, text: str | None) -> Record:
        """The organization with this id, slug or name; the active one for None. Raises Missing, or Usage for several.

        An id of an organization the person is not in is taken as it is: the server says what that means.
        """
        wanted = self.active_id if text is None else id_or_none(Kind.ORG, text)
        found = [org for org in self.orgs if (org["id"] == wanted if wanted else text in (org["slug"], org["name"]))]
        if wanted and not found:
            return {"id": wanted, "name": wanted, "slug": wanted}
        return only(
            found,
            f"You are in no organization {text!r}.",
            "nullspend orgs list",
            f"Several organizations are called {text!r}:",
            lambda org: f"{org['id']}  {org['slug']}",
        )

    def org_id(self, text: str | None) -> str:
        """As `org`, but only its id."""
        return self.active_id if text is None else str(self.org(text)["id"])

    def members(self, org_id: str) -> list[Record]:
        """The members of an organization, the first one first."""
        return replies.rows(self._client.get(f"/api/orgs/{org_id}/members"))

    def member(self, org_id: str, text: str) -> Record:
        """The member with this email or id. Raises Missing."""
        wanted = _user_id(text)
        found = [
            member
            for member in self.members(org_id)
            if (member["userId"] == wanted if wanted else _same(member.get("email"), text))
        ]
        if not found:
            raise Missing(f"No member of this organization is {text!r}.", next="nullspend members list")
        return found[0]

    def invitations(self, org_id: str) -> list[Record]:
        """The open invitations of an organization, oldest first."""
        return replies.rows(self._client.get(f"/api/orgs/{org_id}/invitations"))

    def invitation(self, org_id: str, text: str) -> Record:
        """The open invitation for this email, or with this id or start of a token. Raises Missing."""
        found = [
            invitation
            for invitation in self.invitations(org_id)
            if _same(invitation["email"], text) or text.lower() == invitation["id"] or _starts(invitation, text)
        ]
        return only(
            found,
            f"There is no open invitation {text!r}.",
            "nullspend invites list",
            f"Several invitations answer to {text!r}:",
            lambda invitation: f"{invitation['id']}  {invitation['email']}",
        )

    @functools.cached_property
    def emails(self) -> dict[str, str]:
        """Email by user id: everybody on this machine's daemon, elsewhere the members of the active organization.
        Empty where the person may not see them, because a name is only a comfort."""
        if self._client.place.daemon:
            people = or_none(lambda: replies.rows(self._client.get("/_local/users", auth=Auth.ADMIN)))
        else:
            people = or_none(lambda: self.members(self.active_id))
        return {str(person["userId"]): str(person["email"]) for person in people if person.get("email")}

    def who(self, user_id: object) -> str:
        """A person's email, else their id."""
        return self.emails.get(str(user_id), str(user_id))


def called(member: Record) -> str:
    """A member's email, else their id: the server may not know it."""
    return str(member.get("email") or member["userId"])


def _user_id(text: str) -> str | None:
    try:
        return parse_id(Kind.USER, text, bare=True)
    except InvalidId:
        return id_or_none(Kind.USER, text)


def _same(email: object, text: str) -> bool:
    return isinstance(email, str) and email.lower() == text.strip().lower()


def _starts(invitation: Record, text: str) -> bool:
    prefix = str(invitation.get("tokenPrefix") or "")
    return bool(prefix) and text.startswith(prefix)
