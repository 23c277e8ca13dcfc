"""Reading the audit trail: a part of it, with the personal values that can still be read."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared import json
from shared.containers import TENANTS
from shared.domain.kernel.times import to_text
from shared.services.storage import OPERATOR, Between, Page, Records, Store
from shared.services.storage.audit.entries import AuditEntry, Sealed, Side, holder_of, sealed_name
from shared.services.storage.audit.personal import PersonalKeys


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """What is looked for: all that is given has to hold."""

    start: datetime | None = None
    end: datetime | None = None
    """Exclusive."""
    actor: str | None = None
    action: str | None = None
    target: str | None = None

    @property
    def equals(self) -> dict[str, str]:
        wanted = {"actor_id": self.actor, "action": self.action, "target_id": self.target}
        return {field: value for field, value in wanted.items() if value is not None}

    @property
    def between(self) -> Between | None:
        if self.start is None and self.end is None:
            return None
        start, end = (None if time is None else to_text(time) for time in (self.start, self.end))
        return Between("place", start, end)  # it begins with the time


@dataclass(frozen=True, slots=True)
class ReadEntry:
    """An entry as it is shown."""

    entry: AuditEntry
    ip: str | None
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


class AuditReader:
    def __init__(self, store: Store, personal: PersonalKeys) -> None:
        self._entries = Records(store, TENANTS, AuditEntry, prefix="aud", called="audit entry")
        self._personal = personal

    async def page(
        self, organization_id: str | None, query: AuditQuery, limit: int, cursor: str | None
    ) -> tuple[Sequence[ReadEntry], str | None]:
        """Newest first; without an organization, the operator's own trail."""
        page: Page[AuditEntry] = await self._entries.page(
            organization_id or OPERATOR,
            equals=query.equals,
            between=query.between,
            order_by="place",
            descending=True,
            limit=limit,
            cursor=cursor,
        )
        await self._know_keys(page.entities)
        return [await self._read(entry) for entry in page.entities], page.cursor

    async def _know_keys(self, entries: Sequence[AuditEntry]) -> None:
        """Read the keys of all people on the page at once; opening finds them in memory then."""
        sealed = {each.subject: each for entry in entries for each in _sealed_in(entry)}
        await asyncio.gather(*(self._personal.open(each) for each in sealed.values()))

    async def _read(self, entry: AuditEntry) -> ReadEntry:
        ip = await self._personal.open(entry.ip) if isinstance(entry.ip, Sealed) else entry.ip
        return ReadEntry(entry, ip, await self._side(entry, "before"), await self._side(entry, "after"))

    async def _side(self, entry: AuditEntry, side: Side) -> Mapping[str, Any] | None:
        text = entry.before if side == "before" else entry.after
        if text is None:
            return None
        fields: dict[str, Any] = json.decode(text)
        for name, sealed in entry.sealed.items():
            if name.startswith(sealed_name(side, "")):
                holder, field = holder_of(fields, name.removeprefix(sealed_name(side, "")))
                holder[field] = await self._opened(sealed)
        return fields

    async def _opened(self, sealed: Sealed | Sequence[Sealed]) -> str | list[str]:
        if isinstance(sealed, Sealed):
            return await self._personal.open(sealed)
        return [await self._personal.open(each) for each in sealed]


def _sealed_in(entry: AuditEntry) -> list[Sealed]:
    found = [entry.ip] if isinstance(entry.ip, Sealed) else []
    for each in entry.sealed.values():
        found += [each] if isinstance(each, Sealed) else each
    return found
