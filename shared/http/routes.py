"""Requests that no function takes: the methods that their path has, or that there is no such path."""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from shared import correlation
from shared.domain.kernel.errors import MethodNotAllowedError, NotFoundError
from shared.domain.kernel.ids import id_pattern
from shared.http.declaration import ENDPOINTS, Endpoint
from shared.http.problems import problem_answer
from shared.http.serving import Request
from shared.services.storage.idempotency import Answer

UNKNOWN_ROUTE = "zz_unknown_route"
"""The platform tries functions in the order of their names, so this one comes last."""

_PARAMETER = re.compile(r"\{(\w+)\}")


def answer_unknown(request: Request, path: str) -> Answer:
    """204 for OPTIONS and 405 for a method that the path does not have, with `Allow`; else 404."""
    methods = allowed_methods(path)
    with correlation.correlated(correlation.accept(request.headers.get(correlation.HEADER.lower()))) as correlation_id:
        headers = {correlation.HEADER: correlation_id, **({"Allow": ", ".join(methods)} if methods else {})}
        if methods and request.method == "OPTIONS":
            return Answer(204, headers, "application/json", b"")
        answer = problem_answer(_refusal(request.method, methods), UNKNOWN_ROUTE)
    body = b"" if request.method == "HEAD" else answer.body
    return replace(answer, headers=answer.headers | headers, body=body)


def _refusal(method: str, methods: Sequence[str]) -> MethodNotAllowedError | NotFoundError:
    if methods:
        return MethodNotAllowedError(f"The path does not have {method}, but {', '.join(methods)}")
    return NotFoundError("There is no such path")


def allowed_methods(path: str) -> list[str]:
    """Of a decoded path, in the order of the alphabet; none where it leads nowhere."""
    found = {method for expression, methods in _routes() if expression.fullmatch(path.strip("/")) for method in methods}
    return sorted(found | {"OPTIONS"}) if found else []


@cache
def _routes() -> list[tuple[re.Pattern[str], Sequence[str]]]:
    return [(_expression(endpoint), endpoint.methods) for endpoint in ENDPOINTS]


def _expression(endpoint: Endpoint) -> re.Pattern[str]:
    """Literals are matched without regard to case, as the platform does."""
    parts = _PARAMETER.split(endpoint.route)
    literals, names = parts[::2], parts[1::2]
    prefixes = endpoint.id_prefixes
    values = [id_pattern(prefixes[name]) if name in prefixes else "[^/]+" for name in names]
    expression = "".join(re.escape(literal) + value for literal, value in zip(literals, [*values, ""], strict=True))
    return re.compile(expression, re.IGNORECASE)
