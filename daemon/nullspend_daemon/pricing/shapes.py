"""The five kinds of exchange the proxy reads."""

from typing import Any, Literal

Shape = Literal["chat", "completions", "embeddings", "responses", "messages"]
"""/v1/chat/completions, /v1/completions, /v1/embeddings, /v1/responses; messages is Anthropic's /v1/messages."""
Json = dict[str, Any]


def as_object(value: Any) -> Json:
    """`value` when it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """`value` when it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def text_or_none(value: Any) -> str | None:
    """`value` when it is a text that is not empty."""
    return value if isinstance(value, str) and value else None


def model_of(body: Json) -> str:
    """The model a request names; `unknown` when it names none."""
    model = body.get("model")
    return model if isinstance(model, str) else "unknown"
