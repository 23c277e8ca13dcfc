"""Values that no two entities of a partition may share.

Each is claimed by an item of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Generic, Protocol, TypeVar

from pydantic import Field

from shared.domain.kernel.audit import FOLLOWS, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import ConflictError, FieldError
from shared.domain.kernel.ids import named_id

E_contra = TypeVar("E_contra", bound=Entity, contravariant=True)


class Claim(Entity):
    """A claim of a value, with an id made from the value.

    So a second claim of the same value conflicts.
    """

    holder_id: str


@dataclass(frozen=True, slots=True)
class UniqueField(Generic[E_contra]):
    """Which value of an entity is unique in its partition."""

    field: str
    claim_of: Callable[[E_contra], Claim]

    def taken(self) -> ConflictError:
        detail = "is taken"
        return ConflictError(
            f"The {self.field.replace('_', ' ')} {detail}", errors=(FieldError(f"/{self.field}", detail),)
        )


class NameClaim(Claim):
    """The claim of a name by an entity of the kind `of`.

    Upper and lower case are the same.
    """

    kind: ClassVar[str] = "name"
    audit: ClassVar[Audit] = FOLLOWS
    of: str
    holder_id: str = Field(alias="thing_id")


class Named(Protocol):
    """An entity with a name."""

    kind: ClassVar[str]

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...


def name_claim(entity: Named) -> NameClaim:
    """The claim of the entity's name among those of its kind."""
    claim_id = named_id("name", entity.kind, entity.name.casefold())
    return NameClaim(id=claim_id, of=entity.kind, holder_id=entity.id)
