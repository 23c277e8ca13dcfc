"""What a handler answers."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from shared import json
from shared.http.tenancy import Call
from shared.services.storage.idempotency import Answer


@dataclass(frozen=True, slots=True)
class Reply:
    body: BaseModel | Mapping[str, Any] | bytes | None = None
    status: int = 200
    etag: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"

    def answer(self) -> Answer:
        headers = dict(self.headers)
        if self.etag is not None:
            headers["ETag"] = f'"{self.etag}"'
        return Answer(self.status, headers, self.media_type, _serialised(self.body))


def _serialised(body: BaseModel | Mapping[str, Any] | bytes | None) -> bytes:
    if body is None:
        return b""
    if isinstance(body, bytes):
        return body
    if isinstance(body, BaseModel):
        return body.model_dump_json().encode()
    return json.encode(body)


Handler = Callable[[Call[Any, Any]], Awaitable[Reply]]
