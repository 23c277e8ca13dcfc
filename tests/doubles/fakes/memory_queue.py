"""Keeps what is sent until a test delivers it: in any order, twice, or all at once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from shared.ports.queue import Message, Pending


@dataclass(slots=True)
class MemoryQueue:
    waiting: dict[str, list[Message]] = field(default_factory=dict)

    async def send(self, queue: str, messages: Sequence[Message]) -> None:
        self.waiting.setdefault(queue, []).extend(messages)

    async def pending(self, queue: str, session_ids: Collection[str]) -> int:
        return (await self.waiting_since(queue, session_ids)).count

    async def waiting_since(self, queue: str, session_ids: Collection[str]) -> Pending:
        """It knows no times."""
        counts = [message.count for message in self.waiting.get(queue, []) if message.session_id in session_ids]
        return Pending(sum(counts), None)
