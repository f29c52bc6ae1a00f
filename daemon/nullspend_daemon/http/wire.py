"""What bodies and queries are made of: camelCase, strict types, unknown fields ignored, every issue reported."""

import re
from collections.abc import Callable, Sequence
from types import NoneType
from typing import Annotated, Any, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    StringConstraints,
    ValidationError,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, PydanticCustomError, core_schema, from_json

from nullspend_daemon.contract.clock import from_iso
from nullspend_daemon.contract.ids import InvalidId, Kind, parse_id, parse_uuid
from nullspend_daemon.contract.money import MAX_MICRODOLLARS
from nullspend_daemon.errors import InvalidJson, ValidationFailed
from nullspend_daemon.store.pages import Cursor

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


class Wire(BaseModel):
    """A body, a part of one, or a reply."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", strict=True, frozen=True, defer_build=True)

    def given(self, field: str) -> bool:
        """Whether the client sent `field` at all: the difference between "leave it" and "clear it"."""
        return field in self.model_fields_set


class Query(BaseModel):
    """Query parameters. They arrive as text; unknown ones are ignored."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True, defer_build=True)


class PageCursor(Wire):
    """Where the next page of a list starts."""

    created_at: str
    id: str


class _NotNull:
    """Makes `T | None` read as "may be absent": an explicit null is an error, as the contract wants."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        (inner,) = [part for part in get_args(source) if part is not NoneType]
        return handler(inner)


Absent = Annotated[T | None, _NotNull()]
"""A field that may be left out (then None) but may not be null."""


def _whole(value: Any) -> Any:
    """`5.0` is the integer 5; nothing else is coerced."""
    return int(value) if type(value) is float and value.is_integer() else value


def _query_number(value: Any) -> Any:
    """Numbers of a query as JavaScript reads them: blank text is 0."""
    return (value.strip() or "0") if isinstance(value, str) else value


class _Bounds:
    """An integer between two bounds, read by `reader` first; the bounds stand in the JSON Schema as well."""

    def __init__(self, low: int, high: int, reader: Callable[[Any], Any], *, strict: bool) -> None:
        self._inner = core_schema.int_schema(ge=low, le=high, strict=strict)
        self._reader = reader

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._reader, self._inner)


def whole(low: int, high: int) -> Any:
    """An integer of a body from `low` to `high`."""
    return _Bounds(low, high, _whole, strict=True)


def whole_text(low: int, high: int) -> Any:
    """An integer of a query from `low` to `high`, written as text."""
    return _Bounds(low, high, _query_number, strict=False)


Count = Annotated[int, whole(0, MAX_MICRODOLLARS)]
Microdollars = Annotated[int, whole(0, MAX_MICRODOLLARS)]
PositiveMicrodollars = Annotated[int, whole(1, MAX_MICRODOLLARS)]
TagKey = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
TagValue = Annotated[str, StringConstraints(max_length=256, pattern=r"^[^\x00]*$")]
_EMAIL = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+\.[^@\s\x00-\x1f]+")


def _email(text: str) -> str:
    if not _EMAIL.fullmatch(text):
        raise PydanticCustomError("email", "Must be an email address such as ada@example.com")
    return text


Email = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        to_lower=True,
        max_length=254,
    ),
    AfterValidator(_email),
    Field(json_schema_extra={"format": "email"}),
]
"""An email address, in lower case."""
Tags = Annotated[dict[TagKey, TagValue], Field(max_length=10)]


def trimmed(low: int, high: int) -> Any:
    """A text that is trimmed before its length, in characters, is checked."""
    return StringConstraints(strip_whitespace=True, min_length=low, max_length=high)


def sized(low: int, high: int) -> Any:
    """A text of `low` to `high` characters, kept as sent."""
    return StringConstraints(min_length=low, max_length=high)


def _checked(parse: Callable[[str], T]) -> Callable[[str], T]:
    def check(text: Any) -> T:
        if not isinstance(text, str):
            raise PydanticCustomError("string_type", "Input should be a valid string")
        try:
            return parse(text)
        except ValueError as error:
            raise PydanticCustomError("value_error", "{reason}", {"reason": str(error)}) from None

    return check


def id_field(kind: Kind, *, bare: bool = False) -> BeforeValidator:
    """A field that holds an id of `kind`; with `bare` the UUID alone is taken too."""
    return BeforeValidator(_checked(lambda text: parse_id(kind, text, bare=bare)), json_schema_input_type=str)


Moment = Annotated[int, BeforeValidator(_checked(from_iso), json_schema_input_type=str)]
"""An ISO-8601 UTC time of a query or body, as epoch milliseconds."""


def cursor_field(kind: Kind | None) -> BeforeValidator:
    """A page cursor whose id is of `kind`, or a bare UUID for None: the JSON text that the previous page returned."""

    def parse(text: str) -> Cursor:
        try:
            given: Any = from_json(text)
        except ValueError:
            raise ValueError("Cursor must be the JSON text of the previous page's cursor") from None
        if (
            not isinstance(given, dict)
            or not isinstance(given.get("id"), str)
            or not isinstance(given.get("createdAt"), str)
        ):
            raise ValueError("Cursor must hold createdAt and id")
        name = parse_uuid(given["id"]) if kind is None else parse_id(kind, given["id"])
        return Cursor(from_iso(given["createdAt"]), name)

    return BeforeValidator(_checked(parse), json_schema_input_type=str)


KeyCursor = Annotated[Cursor, cursor_field(Kind.KEY)]
ActionCursor = Annotated[Cursor, cursor_field(Kind.ACTION)]
CostEventCursor = Annotated[Cursor, cursor_field(Kind.COST_EVENT)]


def _issues(error: ValidationError) -> ValidationFailed:
    found: list[tuple[Sequence[str | int], str]] = []
    for issue in error.errors(include_url=False, include_context=False, include_input=False):
        path = [part for part in issue["loc"] if part != "[key]"]
        found.append((path, issue["msg"].removeprefix("Value error, ")))
    return ValidationFailed.of(found)


def _refuse_constants(raw: bytes) -> None:
    """NaN and Infinity are no JSON, though the parser of models takes them; a text that holds the words is fine."""
    if b"NaN" in raw or b"Infinity" in raw:
        try:
            from_json(raw, allow_inf_nan=False)
        except ValueError:
            raise InvalidJson() from None


def read_body(model: type[M], raw: bytes) -> M:
    """The body as `model`. Raises InvalidJson, or ValidationFailed with every issue."""
    _refuse_constants(raw)
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        if any(issue["type"] == "json_invalid" for issue in error.errors(include_url=False)):
            raise InvalidJson() from None
        raise _issues(error) from None


def read_query(model: type[M], query: dict[str, str]) -> M:
    """The query as `model`. Raises ValidationFailed with every issue."""
    try:
        return model.model_validate(query)
    except ValidationError as error:
        raise _issues(error) from None


def path_id(kind: Kind, *, bare: bool = False, name: str = "id") -> Callable[[str], str]:
    """A reader of the id that a path holds under `name`. Raises ValidationFailed at `[name]`."""

    def read(text: str) -> str:
        try:
            return parse_id(kind, text, bare=bare)
        except InvalidId as error:
            raise ValidationFailed.at([name], str(error)) from None

    return read


def path_uuid(name: str = "id") -> Callable[[str], str]:
    """A reader of a bare UUID that a path holds under `name`. Raises ValidationFailed at `[name]`."""

    def read(text: str) -> str:
        try:
            return parse_uuid(text)
        except InvalidId as error:
            raise ValidationFailed.at([name], str(error)) from None

    return read
