"""HTTP to Xyra: requests, retries and answers, with one core for sync and async."""

from __future__ import annotations

import asyncio
import json
import os
import time
import uuid
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from urllib.parse import quote

import httpx2

from xyra.errors import error_of
from xyra.retries import Attempts, retry_after
from xyra.version import __version__

_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "PATCH", "DELETE"})
_FIRST_ERROR = 400
_NOT_FOUND = 404
_NO_CONTENT = 204


class Answer(dict[str, Any]):
    """What Xyra answered, with its headers: `etag_of` reads them."""

    etag: str | None = None
    correlation_id: str | None = None


def etag_of(answer: object) -> str | None:
    """The ETag of what a method has answered, for `if_match`; None where the answer had none."""
    return answer.etag if isinstance(answer, Answer) else None


def segment(value: str) -> str:
    """A value in a path."""
    if not value:
        raise ValueError("a value in a path must not be empty")
    return quote(value, safe="")


def encoded(body: object) -> bytes:
    """JSON, with decimals as text and times in ISO 8601. Raises `ValueError` for NaN and infinities."""
    return json.dumps(body, default=_plain, allow_nan=False, ensure_ascii=False).encode()


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("amounts are finite")
        return format(value, "f")
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("times carry a zone: datetime.now(UTC)")
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, object]", value))
    if isinstance(value, tuple | set | frozenset):
        return list(cast("tuple[object]", value))
    raise TypeError(f"{type(value).__name__} has no form in JSON")


@dataclass(frozen=True, slots=True)
class Request:
    """One request, the same at each of its tries."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    content: bytes | None
    is_repeatable: bool

    def outcome(self, response: httpx2.Response, tries: int) -> Any:
        """What it answers. Raises the error that a refusal is."""
        was_deleted_before = self.method == "DELETE" and tries > 0 and response.status_code == _NOT_FOUND
        if response.status_code == _NO_CONTENT or was_deleted_before:
            return None
        try:
            read = response.json() if response.content else None
        except ValueError:
            read = None
        if response.status_code >= _FIRST_ERROR:
            problem = cast("dict[str, Any]", read) if isinstance(read, dict) else {}
            raise error_of(response.status_code, problem, retry_after(response))
        if read is None and response.content:
            return response.content
        if not isinstance(read, dict):
            return read
        answer = Answer(cast("dict[str, Any]", read))
        answer.etag = response.headers.get("ETag")
        answer.correlation_id = response.headers.get("X-Correlation-Id")
        return answer


@dataclass(frozen=True, slots=True)
class Settings:
    """How a client reaches Xyra."""

    api_key: str = field(repr=False)
    base_url: str
    organization_id: str | None = None
    """Only operators need it."""
    timeout: float = 30.0
    """Seconds that one try may take."""
    maximum_retries: int = 3

    def http_options(self) -> dict[str, Any]:
        return {
            "base_url": self.base_url,
            "timeout": httpx2.Timeout(self.timeout, connect=min(5.0, self.timeout)),
            "headers": {"Authorization": f"Bearer {self.api_key}", "User-Agent": f"xyra-sdk/{__version__}"},
        }

    def request(  # noqa: PLR0913  what a request has
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: object = None,
        form: object = None,
        idempotency_key: str | None = None,
        if_match: str | None = None,
        is_repeatable: bool = True,
    ) -> Request:
        """One key for all tries of a request makes it safe to repeat."""
        headers: dict[str, str] = {}
        content: bytes | None = None
        if body is not None:
            content = encoded(body)
            headers["Content-Type"] = "application/json"
        elif form is not None:
            fields = {
                name: value for name, value in cast("Mapping[str, str | None]", form).items() if value is not None
            }
            content = str(httpx2.QueryParams(fields)).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if method == "POST" and is_repeatable:
            headers["Idempotency-Key"] = idempotency_key or uuid.uuid4().hex
        if if_match is not None:
            headers["If-Match"] = if_match
        given = {name: _text(value) for name, value in (query or {}).items() if value is not None}
        if self.organization_id is not None:
            given.setdefault("organization_id", self.organization_id)
        return Request(method, path, given, headers, content, is_repeatable or method in _REPEATABLE)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(_plain(value)) if isinstance(value, datetime | Decimal) else str(value)


class Connection:
    """Sends requests and waits for their answers."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._http = httpx2.Client(**settings.http_options())
        _connections.add(self)

    def call(self, method: str, path: str, **given: Any) -> Any:
        """The answer to a request. Raises an `ApiError` for a refusal, `Unreachable` where there is none."""
        return self.send(self.settings.request(method, path, **given))

    def send(self, request: Request) -> Any:
        attempts = Attempts(self.settings.maximum_retries, request.is_repeatable)
        while True:
            try:
                response = self._http.request(
                    request.method,
                    request.path,
                    params=request.query,
                    headers=request.headers,
                    content=request.content,
                )
            except httpx2.TransportError as error:
                pause = attempts.pause_after_failure(error)
            else:
                again = attempts.pause_after_answer(response)
                if again is None:
                    return request.outcome(response, attempts.made)
                pause = again
            time.sleep(pause)

    def close(self) -> None:
        self._http.close()

    def after_fork(self) -> None:
        """In a child: what is open is the parent's."""
        _left_to_parents.append(self._http)
        self._http = httpx2.Client(**self.settings.http_options())


_connections: weakref.WeakSet[Connection] = weakref.WeakSet()
_left_to_parents: list[object] = []
"""Clients that a fork copied: closing them in the child would end the parent's requests."""


def _in_child() -> None:
    for connection in list(_connections):
        connection.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


class AsyncConnection:
    """`Connection` for asyncio."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._http = httpx2.AsyncClient(**settings.http_options())

    async def call(self, method: str, path: str, **given: Any) -> Any:
        """The answer to a request. Raises an `ApiError` for a refusal, `Unreachable` where there is none."""
        return await self.send(self.settings.request(method, path, **given))

    async def send(self, request: Request) -> Any:
        attempts = Attempts(self.settings.maximum_retries, request.is_repeatable)
        while True:
            try:
                response = await self._http.request(
                    request.method,
                    request.path,
                    params=request.query,
                    headers=request.headers,
                    content=request.content,
                )
            except httpx2.TransportError as error:
                pause = attempts.pause_after_failure(error)
            else:
                again = attempts.pause_after_answer(response)
                if again is None:
                    return request.outcome(response, attempts.made)
                pause = again
            await asyncio.sleep(pause)

    async def close(self) -> None:
        await self._http.aclose()
