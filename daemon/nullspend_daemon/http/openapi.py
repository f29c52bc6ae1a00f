"""The OpenAPI 3.1 document, from the same route declarations and models that serve and validate."""

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from nullspend_daemon import API_VERSION, __version__
from nullspend_daemon.contract.codes import CODES
from nullspend_daemon.http.route import Call, Envelope, Record, Route

_REF = "#/components/schemas/{model}"
_ERROR_REF = {"$ref": "#/components/schemas/Error"}
_SECURITY: dict[str, dict[str, Any]] = {
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-NullSpend-Key"},
    "bearerKey": {"type": "http", "scheme": "bearer", "description": "An API key, on /api/* only."},
    "session": {"type": "apiKey", "in": "cookie", "name": "nullspend_session"},
    "cronSecret": {"type": "http", "scheme": "bearer", "description": "NULLSPEND_CRON_SECRET."},
    "adminToken": {"type": "http", "scheme": "bearer", "description": "The state file's adminToken."},
}
_BY_AUTH: dict[str, tuple[str, ...]] = {
    "key": ("apiKey", "bearerKey"),
    "session": ("session",),
    "org": ("session",),
    "cron": ("cronSecret", "session"),
    "either": ("apiKey", "bearerKey", "session"),
    "admin": ("adminToken",),
    "signature": (),
    "page": (),
    "proxy": ("apiKey",),
    "public": (),
}
_EVERY_STATUS = frozenset({"slack_webhook_error"})
"""Codes whose second status every route that names them may answer with."""
_ALWAYS = ("csrf_rejected", "invalid_origin", "misdirected_request", "internal_error", "service_unavailable")
_WITH_BODY = ("invalid_json", "validation_error", "bad_request", "payload_too_large", "unsupported_media_type")
_WITH_PROXY = ("unauthorized", "rate_limited", "bad_request", "payload_too_large", "not_found")
_WITH_KEY = ("authentication_required", "forbidden", "configuration_error", "rate_limit_exceeded")
_ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "details"],
            "properties": {
                "code": {"type": "string", "enum": sorted(CODES)},
                "message": {"type": "string"},
                "details": {"type": ["object", "null"]},
            },
        }
    },
}


async def get_document(call: Call[None, None]) -> Record:
    """Describe every endpoint of this daemon."""
    return call.parts.keep(call.parts.describe)


def build_document(routes: Sequence[Route]) -> Record:
    """The document for `routes`."""
    schemas = _Schemas(routes)
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "NullSpend",
            "version": f"{API_VERSION}+local.{__version__}",
            "description": "Budgets, keys and cost events of AI agents. Money is integers of microdollars.",
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in sorted({_tag(route) for route in routes})],
        "paths": paths,
        "components": {"schemas": {**schemas.definitions, "Error": _ERROR_SCHEMA}, "securitySchemes": _SECURITY},
    }


class _Schemas:
    """JSON Schemas of every model a route names: replies as they are sent, bodies as they are read."""

    def __init__(self, routes: Sequence[Route]) -> None:
        wanted: list[tuple[type[BaseModel], Any]] = []
        for route in routes:
            wanted.append((route.reply, "serialization"))
            if route.body is not None:
                wanted.append((route.body, "validation"))
        self._references, top = models_json_schema(list(dict.fromkeys(wanted)), by_alias=True, ref_template=_REF)
        self.definitions: dict[str, Any] = _without_null_defaults(top.get("$defs", {}))

    def reply(self, route: Route) -> dict[str, Any]:
        """The schema of a route's reply, envelope included."""
        record: dict[str, Any] = dict(self._references[(route.reply, "serialization")])
        if route.envelope is Envelope.RAW:
            return record
        data = {"type": "object", "required": ["data"], "properties": {"data": record}}
        return data if route.envelope is Envelope.DATA else {"allOf": [record, data]}

    def body(self, model: type[BaseModel]) -> dict[str, Any]:
        """The schema of a body."""
        return dict(self._references[(model, "validation")])


def _without_null_defaults(schema: Any) -> Any:
    """A field that may be absent has no default to show; null would not even be valid there."""
    if isinstance(schema, dict):
        kept = {key: value for key, value in schema.items() if not (key == "default" and value is None)}
        return {key: _without_null_defaults(value) for key, value in kept.items()}
    return [_without_null_defaults(each) for each in schema] if isinstance(schema, list) else schema


def _operation(route: Route, schemas: _Schemas) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.summary,
        "tags": [_tag(route)],
        "security": [{name: []} for name in _BY_AUTH[route.auth.kind]] or [{}],
        "responses": _responses(route, schemas),
    }
    parameters = [*_path_parameters(route), *_query_parameters(route), *_header_parameters(route)]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = {
            "required": not route.body_optional,
            "content": {"application/json": {"schema": schemas.body(route.body)}},
        }
    return operation


def _operation_id(route: Route) -> str:
    words = re.findall(r"[a-z0-9]+", route.path.lower())
    return "_".join([route.method.lower(), *words])


def _tag(route: Route) -> str:
    parts = route.path.strip("/").split("/")
    return "local" if parts[0] == "_local" else parts[1] if len(parts) > 1 else parts[0]


def _path_parameters(route: Route) -> Iterable[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", route.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _query_parameters(route: Route) -> Iterable[dict[str, Any]]:
    if route.query is None:
        return
    schema = route.query.model_json_schema(by_alias=True)
    definitions: dict[str, Any] = schema.get("$defs", {})
    required = schema.get("required", [])
    for name, each in schema["properties"].items():
        if name == "tags":
            yield {
                "name": "tag.<key>",
                "in": "query",
                "description": "An exact tag value; several are joined by AND.",
                "schema": {"type": "string"},
            }
            continue
        yield {"name": name, "in": "query", "required": name in required, "schema": _plain(each, definitions)}


def _plain(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A query parameter's schema: absent is left out, never null, and nothing refers elsewhere."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[-1]]
    options = [option for option in schema.get("anyOf", []) if option.get("type") != "null"]
    if len(options) == 1:
        schema = {**{key: value for key, value in schema.items() if key != "anyOf"}, **options[0]}
    return _without_null_defaults({key: value for key, value in schema.items() if key != "title"})


def _header_parameters(route: Route) -> Iterable[dict[str, Any]]:
    if route.idempotent:
        yield {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "A repeat within 24 hours replays the first reply.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[A-Za-z0-9_.:-]+$"},
        }


def _responses(route: Route, schemas: _Schemas) -> dict[str, Any]:
    content: dict[str, Any] = {} if route.streams else {"application/json": {"schema": schemas.reply(route)}}
    if route.document_type is not None:
        content[route.document_type] = {"schema": {"type": "string"}}
    responses = {
        str(status): {"description": HTTPStatus(status).phrase, "content": content}
        for status in (route.status, *route.also_statuses)
    }
    for status, codes in sorted(_errors(route).items()):
        responses.setdefault(
            str(status),
            {
                "description": ", ".join(codes),
                "content": {"application/json": {"schema": _ERROR_REF}},
            },
        )
    return responses


def _errors(route: Route) -> dict[int, list[str]]:
    """The codes a route may answer with, by status."""
    codes = [*_ALWAYS, *route.errors]
    if route.auth.kind == "proxy":
        codes += _WITH_PROXY
    elif route.body is not None:
        codes += _WITH_BODY
    if route.query is not None or route.params or route.auth.kind == "org":
        codes.append("validation_error")
    if route.auth.kind in ("key", "either"):
        codes += _WITH_KEY
    elif route.auth.kind in ("session", "org", "cron", "admin"):
        codes += ["authentication_required", "forbidden", "rate_limit_exceeded"]
    if route.idempotent:
        codes.append("request_in_progress")
    found: dict[int, list[str]] = {}
    for code in dict.fromkeys(codes):
        statuses = CODES[code].statuses
        for status in statuses if code in _EVERY_STATUS else statuses[:1]:
            found.setdefault(status, []).append(code)
    return found
