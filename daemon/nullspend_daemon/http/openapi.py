"""The OpenAPI 3.1 document, from the same route declarations and models that serve and validate."""

from collections.abc import Sequence
from typing import Any

from nullspend_daemon.http.route import Call, Record, Route


async def get_document(call: Call[None, None]) -> Record:
    """Describe every endpoint of this daemon."""
    return build_document(call.parts.routes)


def build_document(routes: Sequence[Route]) -> dict[str, Any]:
    """The document for `routes`."""
    raise TypeError(len(routes))
