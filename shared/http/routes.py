"""Answers requests for which there is no endpoint: 404, or 405 with the methods that the path has."""

import re
from collections.abc import Iterator
from functools import cache

from shared.domain.kernel.errors import MethodNotAllowedError, NotFoundError
from shared.domain.kernel.ids import id_pattern
from shared.http.declaration import ENDPOINTS, Endpoint
from shared.http.error_format import ErrorFormat
from shared.http.serving import Request, answered
from shared.services.storage.idempotency import Answer

UNKNOWN_ROUTE = "zz_unknown_route"
"""The platform tries functions in the order of their names, so this one has to sort last."""

_PARAMETER = re.compile(r"\{(\w+)\}")


async def answer_unknown(request: Request, path: str) -> Answer:
    """Answer 404 for an unknown path.

    On a known one answer 204 for OPTIONS and 405 for other methods, with `Allow`.
    """

    async def answer() -> Answer:
        methods = allowed_methods(path)
        if not methods:
            raise NotFoundError("There is no such path")
        if request.method != "OPTIONS":
            raise MethodNotAllowedError(f"The path has {', '.join(methods)}, not {request.method}", allowed=methods)
        return Answer(204, {"Allow": ", ".join(methods)}, "application/json", b"")

    return await answered(request, UNKNOWN_ROUTE, answer, _error_format(path))


def allowed_methods(path: str) -> list[str]:
    """The methods of a decoded path, sorted; empty for an unknown path."""
    found = {method for endpoint in _endpoints(path) for method in endpoint.methods}
    return sorted(found | {"OPTIONS"}) if found else []


def _error_format(path: str) -> ErrorFormat | None:
    """That of the path's other methods."""
    return next((endpoint.error_format for endpoint in _endpoints(path)), None)


def _endpoints(path: str) -> Iterator[Endpoint]:
    asked = path.removesuffix("/")
    return (endpoint for expression, endpoint in _routes() if expression.fullmatch(asked))


@cache
def _routes() -> list[tuple[re.Pattern[str], Endpoint]]:
    return [(_expression(endpoint), endpoint) for endpoint in ENDPOINTS]


def _expression(endpoint: Endpoint) -> re.Pattern[str]:
    """Matches the endpoint's paths: literals in any case, as the platform does, and ids as we make them."""
    parts = _PARAMETER.split(endpoint.route)
    literals, names = parts[::2], parts[1::2]
    prefixes = endpoint.id_prefixes
    values = [id_pattern(prefixes[name]) if name in prefixes else "[^/]+" for name in names]
    pairs = zip(literals, [*values, ""], strict=True)
    return re.compile("".join(f"(?i:{re.escape(literal)}){value}" for literal, value in pairs))
