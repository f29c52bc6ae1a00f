"""Images, files and sounds inside a request: what is no text and must not be counted by its bytes."""

from collections.abc import Iterator
from typing import Any

from nullspend_daemon.pricing.shapes import Json, as_object

_NO_TEXT = frozenset(
    {
        "image",
        "image_url",
        "input_image",
        "computer_screenshot",
        "file",
        "input_file",
        "document",
        "input_audio",
        "video_url",
        "container_upload",
        "item_reference",
    }
)


def base64_parts(body: Json) -> list[int]:
    """The length in bytes of each image, file or sound that the request carries in base64."""
    return [len(text) for node in _objects(body) if (text := _base64_of(node)) is not None]


def _objects(body: Json) -> Iterator[Json]:
    """Every JSON object in `body`, however deep."""
    waiting: list[Any] = [body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(value for value in node.values() if isinstance(value, dict | list))
        else:
            waiting.extend(value for value in node if isinstance(value, dict | list))


def _base64_of(node: Json) -> str | None:
    """The base64 text of one part: a data URL, a file's data, a sound's data, or Anthropic's base64 source."""
    image = node.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    if isinstance(url, str) and url.startswith("data:"):
        return url
    if isinstance(node.get("file_data"), str):
        return node["file_data"]
    source, sound = as_object(node.get("source")), as_object(node.get("input_audio"))
    data = source.get("data") if source.get("type") == "base64" else sound.get("data")
    return data if isinstance(data, str) else None


def parts_without_text(node: Any, path: str) -> Iterator[str]:
    """The places below `node` that hold an image, a file, a sound, or a reference to something stored."""
    waiting = [(node, path)]
    while waiting:
        node, path = waiting.pop()
        if isinstance(node, dict):
            if node.get("type") in _NO_TEXT:
                yield path
            waiting.extend((value, f"{path}.{name}") for name, value in node.items() if isinstance(value, dict | list))
        elif isinstance(node, list):
            inside = [(value, f"{path}[{index}]") for index, value in enumerate(node)]
            waiting.extend(reversed(inside))
