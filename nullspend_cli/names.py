"""Names for ids and ids for names, so that a person never needs to copy an id."""

import functools
from collections.abc import Callable, Sequence

from nullspend_cli import replies
from nullspend_cli.client import Auth, Client
from nullspend_cli.problems import Missing, NotSignedIn, ServerError, Usage
from nullspend_cli.replies import Record
from nullspend_cli.when import show_time
from nullspend_daemon.contract.ids import InvalidId, Kind, parse_id


class Names:
    """Looks names up on one server, each list at most once."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @functools.cached_property
    def keys(self) -> list[Record]:
        """All active keys of the organization."""
        return list(self._client.pages("/api/keys", Kind.KEY))

    @functools.cached_property
    def budgets(self) -> list[Record]:
        """All budgets of the organization."""
        return replies.rows(self._client.get("/api/budgets", auth=Auth.EITHER), Kind.BUDGET)

    @functools.cached_property
    def webhooks(self) -> list[Record]:
        """All webhook endpoints of the organization."""
        return replies.rows(self._client.get("/api/webhooks"), Kind.WEBHOOK)

    def webhook(self, text: str) -> Record:
        """The endpoint with this id, URL or description. Raises Missing, or Usage when several fit."""
        wanted = id_or_none(Kind.WEBHOOK, text)
        found = [
            endpoint
            for endpoint in self.webhooks
            if (endpoint["id"] == wanted if wanted else text in (endpoint["url"], endpoint.get("description")))
        ]
        return only(
            found,
            f"There is no webhook endpoint {text!r}.",
            "nullspend webhooks list",
            f"Several webhook endpoints answer to {text!r}:",
            lambda endpoint: f"{endpoint['id']}  {endpoint['url']}  created {show_time(endpoint.get('createdAt'))}",
        )

    @functools.cached_property
    def _key_names(self) -> dict[str, str]:
        return {str(key["id"]): str(key["name"]) for key in or_none(lambda: self.keys)}

    @functools.cached_property
    def _user_names(self) -> dict[str, str]:
        """Emails where a local daemon knows them."""
        if self._client.place.daemon is None:
            return {}
        users = or_none(lambda: replies.rows(self._client.get("/_local/users", auth=Auth.ADMIN)))
        return {str(user["userId"]): str(user["email"]) for user in users}

    def entity(self, entity_type: str, entity_id: str) -> str:
        """What a budget is for, in words: the key's name, the user's email, the tag, the customer; else the id."""
        if entity_type == "api_key":
            return self._key_names.get(entity_id, entity_id)
        if entity_type == "user":
            return self._user_names.get(entity_id, entity_id)
        return entity_id

    def key(self, text: str) -> Record:
        """The active key with this id or name. Raises Missing, or Usage when several have the name."""
        wanted = id_or_none(Kind.KEY, text)
        found = [key for key in self.keys if (key["id"] == wanted if wanted else key["name"] == text)]
        return only(
            found,
            f"There is no active key {text!r}.",
            "nullspend keys list",
            f"Several keys are called {text!r}:",
            _key_line,
        )

    def key_id(self, text: str) -> str:
        """The id of a key; an id is taken as it is, so that events of revoked keys can be found too."""
        return id_or_none(Kind.KEY, text) or str(self.key(text)["id"])

    def budget(self, text: str) -> Record:
        """The budget with this id, or of this key, email, tag or customer. Raises Missing, or Usage for several."""
        wanted = id_or_none(Kind.BUDGET, text)
        found = [budget for budget in self.budgets if budget["id"] == wanted or text in self._entity_forms(budget)]
        return only(
            found,
            f"There is no budget {text!r}.",
            "nullspend budgets list",
            f"Several budgets answer to {text!r}:",
            lambda budget: (
                f"{budget['id']}  {budget['entityType']} {self.entity(budget['entityType'], budget['entityId'])}"
            ),
        )

    def _entity_forms(self, budget: Record) -> tuple[str, str]:
        entity_type, entity_id = str(budget["entityType"]), str(budget["entityId"])
        return entity_id, self.entity(entity_type, entity_id)

    @property
    def me(self) -> str:
        """The id of the signed-in user."""
        return str(self._whoami["userId"])

    @property
    def org_id(self) -> str:
        """The id of the organization the session is in."""
        return str(self._whoami["orgId"])

    @functools.cached_property
    def _whoami(self) -> Record:
        return replies.record(self._client.get("/api/auth/session"))


def id_or_none(kind: Kind, text: str) -> str | None:
    """`text` as an id, or None when it is a name. Raises Usage for an id of that kind that is not whole."""
    if not text.startswith(kind.value):
        return None
    try:
        return parse_id(kind, text)
    except InvalidId:
        raise Usage(f"{text!r} is not a whole id: {kind.value} and a UUID of 36 characters belong together.") from None


def _key_line(key: Record) -> str:
    return f"{key['id']}  {key.get('keyPrefix', '')}  created {show_time(key.get('createdAt'))}"


def only(found: Sequence[Record], missing: str, next: str, several: str, describe: Callable[[Record], str]) -> Record:
    """The one record that was found. Raises Missing for none, Usage with a line each for several."""
    if not found:
        raise Missing(missing, next=next)
    if len(found) > 1:
        raise Usage(several, lines=tuple(describe(item) for item in found), next="Give the id instead of the name.")
    return found[0]


def or_none(look: Callable[[], list[Record]]) -> list[Record]:
    """What `look` finds; nothing when this credential may not see it, because a name is only a comfort."""
    try:
        return look()
    except (NotSignedIn, ServerError):
        return []
