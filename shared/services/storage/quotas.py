"""Quotas: what an organization has is counted in the batch that stores or deletes it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared import json
from shared.containers import TENANTS, Container
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import ConflictError, LimitExceededError
from shared.domain.kernel.ids import is_id
from shared.domain.tenancy.entitlements import Entitlements
from shared.domain.tenancy.limits import (
    COUNT_OF_KIND,
    COUNTS,
    MEASURED_KINDS,
    STORED_BYTES,
    OrganizationLimits,
    QuotaUse,
)
from shared.ports.clock import Clock
from shared.ports.store import (
    AlreadyExistsError,
    Create,
    Document,
    Operation,
    Replace,
    StaleEtagError,
    Store,
    every_item,
)
from shared.services.storage.locks import NamedLocks
from shared.services.storage.operations import creating, replacing
from shared.services.storage.retrying import look_twice, retry_lost_races
from shared.services.storage.stored import Stored

_USE: Final = QuotaUse().id
_LIMITS: Final = OrganizationLimits().id
_ENTITLEMENTS: Final = Entitlements().id


class CountedBatches:
    """Writes batches of a container, and counts in each what it adds to an organization's quotas.

    With a clock, the hard limits of the organization's plans hold, too.

    The counter is guarded by its ETag, so that of creations at the same time no more succeed than there is room for. An
    organization without a counter, as all of earlier versions are, is counted once, at its first write.
    """

    def __init__(self, store: Store, container: Container, clock: Clock | None = None) -> None:
        self._store = store
        self._clock = clock
        self._container = container
        self._locks = NamedLocks()

    async def write(self, partition: str, before: Entity | None, operations: Sequence[Operation]) -> list[str]:
        """As `Store.batch`; `before` is what the first operation replaces or deletes.

        Raises `LimitExceededError`, and `ConflictError` where the counter is changed by many at once.
        """
        added = _added(before, operations) if self._container is TENANTS and is_id(partition, "org") else {}
        if not added:
            return await self._store.batch(self._container.name, partition, operations)
        return await look_twice(
            lambda: self._write_counted(partition, before is not None, added, operations), errors=(LimitExceededError,)
        )

    async def _write_counted(
        self, partition: str, is_change: bool, added: Mapping[str, int], operations: Sequence[Operation]
    ) -> list[str]:
        async def attempt() -> list[str] | AlreadyExistsError | StaleEtagError:
            use, limits, entitlements = await counted_of(self._store, partition)
            if self._clock is not None:
                use.entity.check_plan(added, entitlements.at(self._clock.now()))
            changed = use.entity.adding(added, limits, is_change=is_change)
            counting = replacing(use, changed) if use.etag else creating(changed)
            try:
                return (await self._store.batch(TENANTS.name, partition, [*operations, counting]))[:-1]
            except (AlreadyExistsError, StaleEtagError) as error:
                if error.index == len(operations):
                    raise  # the counter has changed: decide again
                return error

        async with self._locks.held(partition):
            written = await retry_lost_races(
                attempt, ConflictError("Much is created in this organization at once; try again")
            )
        if isinstance(written, list):
            return written
        raise written


async def counted_of(store: Store, organization_id: str) -> tuple[Stored[QuotaUse], OrganizationLimits, Entitlements]:
    """What the organization uses, without an ETag where that was never counted, and what it may use: one request."""
    items = await store.get_many(TENANTS.name, organization_id, [_USE, _LIMITS, _ENTITLEMENTS])
    use, limits, entitlements = items.get(_USE), items.get(_LIMITS), items.get(_ENTITLEMENTS)
    kept = None if use is None else QuotaUse.read(use.document)
    if kept is None or not kept.is_complete:
        kept = await _recounted(store, organization_id)
    return (
        Stored(kept, "" if use is None else use.etag),
        OrganizationLimits() if limits is None else OrganizationLimits.read(limits.document),
        Entitlements() if entitlements is None else Entitlements.read(entitlements.document),
    )


async def quotas_of(store: Store, organization_id: str) -> tuple[Stored[QuotaUse], OrganizationLimits]:
    """As `counted_of`, without what plans allow."""
    use, limits, _ = await counted_of(store, organization_id)
    return use, limits


@dataclass(frozen=True, slots=True)
class Recounted:
    """The use of quotas as it was kept and as it is."""

    kept: QuotaUse
    counted: QuotaUse

    @property
    def differences(self) -> Mapping[str, tuple[int, int]]:
        """Quota -> what was kept, and what there is."""
        return {
            name: (self.kept.of(name), self.counted.of(name))
            for name in COUNTS
            if self.kept.of(name) != self.counted.of(name)
        }


async def recount(store: Store, organization_id: str) -> Recounted:
    """Count what an organization has, and put its counter right under its ETag: safe while things are made.

    Raises `ConflictError` where that never came to rest, `UnavailableError`.
    """

    async def attempt() -> Recounted:
        item = await store.get(TENANTS.name, organization_id, _USE)
        counted = await _recounted(store, organization_id)
        if item is None:
            return Recounted(counted, counted)
        kept = QuotaUse.read(item.document)
        found = Recounted(kept, counted)
        # Also where nothing differs: the counter may have moved while things were counted.
        await store.batch(TENANTS.name, organization_id, [replacing(Stored(kept, item.etag), counted)])
        return found

    return await retry_lost_races(attempt, ConflictError("Much is created in this organization at once; try again"))


async def _recounted(store: Store, organization_id: str) -> QuotaUse:
    used = Counter[str]()
    for kind in sorted(MEASURED_KINDS):
        async for item in every_item(store, TENANTS.name, organization_id, kind):
            used.update(_use_of(item.document))
    return QuotaUse(used={name: used[name] for name in COUNTS})


def _added(before: Entity | None, operations: Sequence[Operation]) -> Mapping[str, int]:
    """Quota -> what the operations add to it, without those that stay the same."""
    added = Counter[str]()
    if before is not None and before.kind in MEASURED_KINDS:
        added.subtract(_use_of(before.document()))
    for operation in operations:
        match operation:
            case Create(document) | Replace(document):
                added.update(_use_of(document))
    return {name: amount for name, amount in added.items() if amount}


def _use_of(document: Document) -> Mapping[str, int]:
    kind = document["kind"]
    if kind not in MEASURED_KINDS:
        return {}
    use = {STORED_BYTES: len(json.encode(document))}
    if kind in COUNT_OF_KIND and document.get("status") != "deleted":
        use[COUNT_OF_KIND[kind]] = 1
    return use
