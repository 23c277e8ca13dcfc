"""Secrets in memory."""

from shared.domain.kernel.errors import ConflictError, NotFoundError


class MemorySecrets:
    def __init__(self, values: dict[str, str] | None = None) -> None:
        self.values = values or {}

    async def get(self, name: str) -> str:
        if name not in self.values:
            raise NotFoundError(f"There is no secret {name}")
        return self.values[name]

    async def set_if_absent(self, name: str, value: str) -> str:
        return self.values.setdefault(name, value)

    async def replace(self, name: str, value: str, *, expected: str) -> None:
        if await self.get(name) != expected:
            raise ConflictError(f"The secret {name} has changed meanwhile")
        self.values[name] = value
