"""Entities: what is stored as one document with an id and a kind."""

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict

from shared.domain.kernel.audit import Audit


class Entity(BaseModel):
    """An immutable entity; `changed` makes a changed copy."""

    # Errors name the field but not its value: it may be a password's hash, or a customer's data.
    model_config = ConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, validate_by_name=True, validate_by_alias=True
    )

    kind: ClassVar[str]
    audit: ClassVar[Audit | None] = None
    """What the audit trail says of its changes. Every kind declares it; a test finds one that does not."""
    id: str

    def document(self) -> dict[str, Any]:
        return {**self.model_dump(mode="json", by_alias=True), "kind": self.kind}

    @classmethod
    def read(cls, document: dict[str, Any]) -> Self:
        return cls.model_validate(document)

    def changed(self, **changes: Any) -> Self:  # noqa: ANN401  fields of any type, validated below
        return self.model_validate({**dict(self), **changes})
