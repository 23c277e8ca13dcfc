"""Entries of the audit trail, and the head of a trail, as they are stored."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from shared import json
from shared.domain.kernel.audit import BOOKKEEPING, ActorType, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.times import Instant, to_text

HEAD = "audit_head"
"""The id of the head in the partition of its trail."""
PREFIX = "aud"


class Sealed(BaseModel):
    """A personal value that can be read as long as its subject's key exists."""

    model_config = ConfigDict(frozen=True)

    subject: str
    text: str
    """Nonce and ciphertext, in Base64."""


Side = Literal["before", "after"]


class AuditEntry(Entity):
    """One change, as an organization's trail tells it.

    `mac` is its keyed hash, made beside the change. On arrival it gets a `number`, and a `hash` over that number, the
    hash of the entry before it and its own `mac`.
    """

    kind: ClassVar[str] = "audit_entry"
    audit: ClassVar[Audit] = BOOKKEEPING

    trail: str
    """The organization, or `operator`."""
    at: Instant
    actor_type: ActorType
    actor_id: str
    root_id: str | None = None
    session_id: str | None = None
    ip: str | Sealed | None = None
    action: str
    target_type: str
    target_id: str
    before: str | None = None
    """JSON as text, because numbers in Cosmos documents become doubles."""
    after: str | None = None
    sealed: Mapping[str, Sealed | tuple[Sealed, ...]] = {}
    """The personal values, by side and path: `after/email`."""
    correlation_id: str | None = None
    key_id: str = ""
    """The vault's key that made `mac` and `hash`."""
    mac: str = ""
    number: int = 0
    """Counts from 1 in the trail; 0 until it has arrived."""
    previous: str = ""
    """The hash of the entry before it; empty for the first one."""
    hash: str = ""

    def content(self) -> bytes:
        """All that `mac` covers: what the entry says, in the form in which it is stored."""
        fields = self.model_dump(mode="json", exclude={"mac", "number", "previous", "hash"})
        return json.encode_canonical(fields)

    def document(self) -> dict[str, Any]:
        """With the place by which lists are ordered: the time, then the number."""
        return {**super().document(), "place": f"{to_text(self.at)} {self.number:012d}"}

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return len(self.content()) + 300


class AuditHead(Entity):
    """The end of a trail: how many entries it has, and the hash of the last one, under a keyed hash of its own."""

    kind: ClassVar[str] = "audit_head"
    audit: ClassVar[Audit] = BOOKKEEPING

    id: str = HEAD
    count: int = 0
    hash: str = ""
    key_id: str = ""
    mac: str = ""


def sealed_name(side: Side, path: str) -> str:
    """The name of a personal value in `AuditEntry.sealed`."""
    return f"{side}/{path}"


def holder_of(fields: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    """What holds the field at a path such as `own_settings.billing_contacts`, and the field. Empty where it is not."""
    *outer, field = path.split(".")
    for name in outer:
        inner = fields.get(name)
        fields = inner if isinstance(inner, dict) else {}
    return fields, field


def fields_text(fields: Mapping[str, Any] | None) -> str | None:
    """Fields in the form in which an entry keeps them."""
    return None if fields is None else json.encode(fields).decode()
