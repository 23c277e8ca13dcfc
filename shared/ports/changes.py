"""Changes of things that are stored beside the usage totals in which they count."""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

C = TypeVar("C")


@dataclass(slots=True)
class ChangeResult(Generic[C]):
    """What became of the changes of one call."""

    committed: list[C] = field(default_factory=list)
    superseded: list[C] = field(default_factory=list)
    """Not committed, as what they change has changed since it was read."""
    refused: list[tuple[C, str]] = field(default_factory=list)
    """Not accepted by the store, with the reason; repeating does not help."""
    outbox_entries: set[tuple[str, str, str]] = field(default_factory=set)
    """(container, partition, id) of each outbox entry that was committed."""
