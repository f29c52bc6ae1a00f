"""Who the command is to a server: the user behind the session, and the key."""

from collections.abc import Callable

from nullspend_cli.client import Auth, Client
from nullspend_cli.names import Names
from nullspend_cli.places import Place, how_to_sign_in
from nullspend_cli.problems import NotSignedIn, ServerError
from nullspend_cli.replies import Record, record


def who(client: Client, names: Names) -> Record:
    """Server, user, role, organization and key, and whether session and key are accepted. Raises NotSignedIn or
    ServerError without any of them."""
    place = client.place
    session, no_session = _asked(lambda: record(client.get("/api/auth/session")))
    key, no_key = _asked(lambda: record(client.get("/api/auth/introspect", auth=Auth.KEY)))
    if not session and not key:
        raise no_session or no_key or NotSignedIn(f"Not signed in to {place.origin}.")
    known = {**key, **session}
    return {
        "context": place.name,
        "server": place.origin,
        "chosenBy": place.why,
        "email": _email(names, str(known.get("userId"))),
        **known,
        "keyName": next((item["name"] for item in names.keys if item["id"] == key.get("keyId")), None)
        if session
        else None,
        "session": _state(session, no_session),
        "apiKey": _state(key, no_key),
    }


def _state(found: Record, refusal: Exception | None) -> str:
    return "valid" if found else "refused" if isinstance(refusal, ServerError) else "none"


def check(place: Place, found: Record) -> None:
    """Raises NotSignedIn when the server refuses one of the credentials that are kept for it."""
    for field, kind, words in (("session", "session", "session"), ("apiKey", "key", "API key")):
        if found[field] == "refused":
            raise NotSignedIn(f"{place.origin} refuses the {words}.", next=how_to_sign_in(place, kind))


def _email(names: Names, user_id: str) -> str | None:
    name = names.entity("user", user_id)
    return None if name == user_id else name


def _asked(ask: Callable[[], Record]) -> tuple[Record, NotSignedIn | ServerError | None]:
    """What the server says, or nothing and the refusal; half a sign-in is still one."""
    try:
        return ask(), None
    except NotSignedIn as problem:
        return {}, problem
    except ServerError as problem:
        if problem.status not in (401, 403):
            raise
        return {}, problem
