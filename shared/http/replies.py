"""Answers are serialised through the type that their endpoint declares."""

from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any

import msgspec
from pydantic import TypeAdapter
from pydantic_core import CoreConfig, SchemaSerializer, SchemaValidator

from shared import json
from shared.domain.kernel.value import of_own_values
from shared.http.declaration import Endpoint
from shared.http.tenancy import Call
from shared.services.storage.idempotency import Answer


class Reply(msgspec.Struct, frozen=True):
    """What a handler answers with.

    `content` is anything that pydantic can validate as the declared type: an entity, a mapping or a value of the type.
    A field that the declared type does not have is not sent.
    """

    content: object = None
    status: int | None = None
    """One of the declared statuses; by default the first."""
    etag: str | None = None
    headers: Mapping[str, str] = {}
    media_type: str | None = None
    """The declared one, or one of the declared other forms; by default the first."""
    when_repeated: "Reply | None" = None
    """What a repetition of the request is answered with, where this answer shows a credential."""

    def answer(self, declared: Endpoint) -> Answer:
        """The reply as its endpoint sends it.

        Raises `UndeclaredAnswerError`, and pydantic's errors for content that does not fit the declared type.
        """
        answer = self._answer(declared)
        if not declared.secret_answer:
            return answer
        if self.when_repeated is None:
            raise UndeclaredAnswerError(f"{declared.name} shows a credential and says nothing that can be kept")
        return msgspec.structs.replace(answer, kept=self.when_repeated._answer(declared))  # noqa: SLF001  of the same class

    def _answer(self, declared: Endpoint) -> Answer:
        status = next(iter(declared.answers)) if self.status is None else self.status
        if status not in declared.answers:
            raise UndeclaredAnswerError(f"{declared.name} declares no answer {status}")
        headers = dict(self.headers)
        if self.etag is not None:
            headers["ETag"] = f'"{self.etag}"'
        media_type = self.media_type or declared.media_type
        body_type = declared.other_forms.get(media_type, declared.answers[status])
        return Answer(status, headers, media_type, serialised(body_type, self.content))


Handler = Callable[[Call[Any, Any, Any]], Awaitable[Reply]]


class UndeclaredAnswerError(Exception):
    """A bug: a handler answered with a status that its endpoint does not declare."""


def serialised(declared: Any, content: object) -> bytes:  # noqa: ANN401  whatever pydantic takes for a type
    """The content as JSON of the declared type. None becomes an empty body; bytes stay as they are."""
    validator, serializer = _form(declared)
    # Pydantic selects the fields; msgspec writes them, since only it can insert text that is JSON already.
    shown = serializer.to_python(validator.validate_python(content), mode="answer", by_alias=True, warnings="error")
    if shown is None:
        return b""
    return shown if isinstance(shown, bytes) else json.encode(shown)


@cache
def _form(declared: Any) -> tuple[SchemaValidator, SchemaSerializer]:  # noqa: ANN401
    """What makes values of a type, and what writes them."""
    adapter = TypeAdapter(declared)
    hiding = CoreConfig(hide_input_in_errors=True)  # errors are logged
    return SchemaValidator(of_own_values(adapter.core_schema), hiding), adapter.serializer
