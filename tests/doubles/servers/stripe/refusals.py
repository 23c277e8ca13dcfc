"""Errors as Stripe answers them."""

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass
class StripeFault(Exception):  # noqa: N818  an error of Stripe's, not of the double
    """`is_saved` says whether the answer is kept under the request's idempotency key."""

    status: int
    type: str
    message: str
    code: str | None = None
    param: str | None = None
    decline_code: str | None = None
    objects: Json = field(default_factory=dict)
    is_saved: bool = True

    def body(self) -> Json:
        said = {"code": self.code, "param": self.param, "decline_code": self.decline_code}
        error = {"type": self.type, "message": self.message} | {name: text for name, text in said.items() if text}
        return {"error": error | self.objects}


def invalid(message: str, *, code: str | None = None, param: str | None = None, **objects: Json) -> StripeFault:
    """What is refused once the request is being executed."""
    return StripeFault(400, "invalid_request_error", message, code, param, objects=objects)


def invalid_form(message: str, code: str | None, param: str) -> StripeFault:
    """What is refused before anything is executed."""
    return StripeFault(400, "invalid_request_error", message, code, param, is_saved=False)


def missing(kind: str, object_id: str, param: str) -> StripeFault:
    message = f"No such {kind}: '{object_id}'"
    return StripeFault(404, "invalid_request_error", message, "resource_missing", param)


def not_served(what: str) -> StripeFault:
    return StripeFault(501, "api_error", f"the double does not serve {what}", is_saved=False)
