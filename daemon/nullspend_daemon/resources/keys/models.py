"""API keys on the wire."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from nullspend_daemon.http.wire import Absent, KeyCursor, PageCursor, Query, Tags, Wire, sized, trimmed, whole_text

Name = Annotated[str, trimmed(1, 50)]
Models = Annotated[list[Annotated[str, sized(1, 100)]], Field(max_length=50)]
Providers = list[Literal["openai", "anthropic"]]


def _reject_reserved(tags: dict[str, str] | None) -> None:
    reserved = [key for key in tags or () if key.startswith("_ns_")]
    if reserved:
        raise PydanticCustomError(
            "reserved", "Tag keys starting with _ns_ are reserved: {keys}", {"keys": ", ".join(reserved)}
        )


class CreateKey(Wire):
    """Body of POST /api/keys."""

    name: Name
    default_tags: Tags = Field(default_factory=dict[str, str])
    allowed_models: Models | None = None
    allowed_providers: Providers | None = None

    @model_validator(mode="after")
    def _check(self) -> "CreateKey":
        _reject_reserved(self.default_tags)
        return self


class UpdateKey(Wire):
    """Body of PATCH /api/keys/:id; what is left out stays."""

    name: Absent[Name] = None
    default_tags: Absent[Tags] = None
    allowed_models: Models | None = None
    allowed_providers: Providers | None = None

    @model_validator(mode="after")
    def _check(self) -> "UpdateKey":
        if not self.model_fields_set:
            raise PydanticCustomError("empty", "At least one field is required.")
        _reject_reserved(self.default_tags)
        return self


class ListKeys(Query):
    """Query of GET /api/keys."""

    limit: Annotated[int, whole_text(1, 100)] = 50
    cursor: KeyCursor | None = None


class KeyRecord(Wire):
    """A key as every reply but the creating one shows it."""

    id: str
    name: str
    key_prefix: str
    default_tags: dict[str, str]
    allowed_models: list[str] | None
    allowed_providers: list[str] | None
    last_used_at: str | None
    created_at: str


class CreatedKey(Wire):
    """The one reply that shows the raw key."""

    id: str
    name: str
    key_prefix: str
    default_tags: dict[str, str]
    allowed_models: list[str] | None
    allowed_providers: list[str] | None
    raw_key: str
    created_at: str


class RevokedKey(Wire):
    """Reply of DELETE /api/keys/:id."""

    id: str
    revoked_at: str


class KeyPage(Wire):
    """Reply of GET /api/keys."""

    data: list[KeyRecord]
    cursor: PageCursor | None
