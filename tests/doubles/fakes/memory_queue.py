"""Keeps what is sent until a test delivers it: in any order, twice, or all at once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from shared.ports.queue import Message


@dataclass(slots=True)
class MemoryQueue:
    waiting: dict[str, list[Message]] = field(default_factory=dict)

    async def send(self, queue: str, messages: Sequence[Message]) -> None:
        self.waiting.setdefault(queue, []).extend(messages)

    async def pending(self, queue: str, session_ids: Collection[str]) -> int:
        return sum(message.count for message in self.waiting.get(queue, []) if message.session_id in session_ids)
