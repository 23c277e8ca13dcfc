"""Entities as a store gives them: with their version, one by one or page by page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Self, TypeVar

from shared.domain.kernel.entity import Entity

E = TypeVar("E", bound=Entity)


class Stored(NamedTuple, Generic[E]):
    """An entity with the version (`etag`) that a guarded write names."""

    entity: E
    etag: str


@dataclass(frozen=True, slots=True)
class Page(Generic[E]):
    """A part of a list.

    `cursor` is where the next part starts, None at the end.
    """

    stored: Sequence[Stored[E]]
    cursor: str | None

    @classmethod
    def of_one(cls, stored: Stored[E] | None, wanted: Mapping[str, Any]) -> Self:
        """A whole list of at most one entity, which has to have the wanted fields."""
        has_all = stored is not None and all(getattr(stored.entity, name) == value for name, value in wanted.items())
        return cls([stored] if stored is not None and has_all else [], None)

    def where(self, is_wanted: Callable[[E], bool]) -> "Page[E]":
        """The same page without what is not wanted: it may be shorter than its limit without being the last one."""
        return Page([stored for stored in self.stored if is_wanted(stored.entity)], self.cursor)

    @property
    def entities(self) -> list[E]:
        """Without their versions."""
        return [entity for entity, _ in self.stored]
