"""What usage is worth to caps: the sums of each context, written in one batch with the events."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import groupby

import msgspec

from shared.adapters.usage.batches import A, Batch, Stored, values_of
from shared.adapters.usage.stored_totals import read_items
from shared.domain.credits.metered_usage import MeteredSums, sums_id
from shared.domain.kernel.money import EXACT
from shared.domain.kernel.times import to_text
from shared.domain.usage.events import TotalKey
from shared.domain.usage.totals import Contribution, Totals
from shared.ports.store import Create, Document, Replace, Store

METERED_SUMS = "metered_sums"
SENT_EVERY = timedelta(seconds=10)
"""How long the newest sums wait at most until they are sent to the wallet, while usage goes on."""

RUN_SUMS_SECONDS = 400 * 24 * 60 * 60
"""Those of a run are forgotten as its counter is."""


@dataclass(frozen=True, slots=True)
class StoredSums:
    sums: MeteredSums
    etag: str | None
    due_at: str | None
    """Since when they should have been sent; None where they were."""


async def read_sums(store: Store, partition: str, additions: Iterable[A]) -> dict[str, StoredSums]:
    """Of all contexts of these additions, by id."""
    contexts = {sums_id(each.worth.context): each.worth.context for each in additions if each.worth is not None}
    items = await read_items(store, partition, contexts)
    return {
        id_: StoredSums(MeteredSums(context), None, None)
        if (item := items.get(id_)) is None
        else StoredSums(msgspec.convert(item.document["record"], MeteredSums), item.etag, item.document.get("due_at"))
        for id_, context in contexts.items()
    }


@dataclass(frozen=True, slots=True)
class ChangedSums:
    id: str
    after: StoredSums
    organization_id: str
    partition: str
    is_due: bool
    """Whether they should be sent at once."""

    @property
    def write(self) -> Create | Replace:
        document: Document = {
            "id": self.id,
            "kind": METERED_SUMS,
            "organization_id": self.organization_id,
            "partition": self.partition,
            "record": msgspec.to_builtins(self.after.sums),
            "due_at": self.after.due_at,
            **({} if self.after.sums.context.run is None else {"ttl": RUN_SUMS_SECONDS}),
        }
        return Create(document) if self.after.etag is None else Replace(document, self.after.etag)

    def stored_as(self, etag: str) -> StoredSums:
        return StoredSums(self.after.sums, etag, self.after.due_at)


def changed_sums(partition: str, batch: Batch[A], stored: Stored, sums: dict[str, StoredSums]) -> list[ChangedSums]:
    """The sums after the additions of a batch, each worth what it adds to the price of its total, in their order."""
    if not sums:  # nothing is worth anything to a cap
        return []
    changed: dict[str, StoredSums] = {}
    running = dict[TotalKey, _Running]()
    for (key, group), members in groupby(
        batch.additions, key=lambda each: (each.total, None if each.worth is None else each.worth.group)
    ):
        additions = list(members)
        if key not in running:
            running[key] = _Running(stored.totals[key].totals)
        worth = additions[0].worth
        before = None if worth is None else running[key].price(worth.price)
        for addition in additions:
            new = [value.id for value in values_of(addition) if value.id in batch.values and not value.total.is_line]
            meters = [batch.values[id_].meter for id_ in new]
            running[key].add(addition.contribution, dict(zip(new, meters, strict=True)))
        if worth is None or before is None or group is None:
            continue
        amount = EXACT.subtract(running[key].price(worth.price), before)
        id_ = sums_id(worth.context)
        present = changed.get(id_) or sums[id_]
        after = present.sums.plus(amount, worth.credit_value, worth.windows, worth.now)
        due_at = present.due_at or to_text(worth.now + SENT_EVERY)
        changed[id_] = StoredSums(after, present.etag, due_at)
    organization_id = partition.partition(":")[0]
    times = [each.worth.now for each in batch.additions if each.worth is not None]
    now = to_text(max(times)) if times else ""
    return [
        ChangedSums(
            id_,
            StoredSums(each.sums.next_revision(), each.etag, each.due_at),
            organization_id,
            partition,
            is_due=each.due_at is not None and each.due_at <= now,
        )
        for id_, each in changed.items()
    ]


class _Running:
    """A total as it is priced while additions come to it: distinct values by their number."""

    def __init__(self, totals: Totals) -> None:
        self._totals = totals.copy()
        self._numbers = dict(totals.numbers or {})
        self._seen: set[str] = set()
        self._price: Decimal | None = None
        self._name_numbers(self._numbers)

    def add(self, contribution: Contribution, new_values: dict[str, str]) -> None:
        """`new_values` are the ids of values that its total did not have, with their meters."""
        self._totals.add(contribution)
        self._totals.take_distinct()
        for id_, meter in new_values.items():
            if id_ not in self._seen:
                self._seen.add(id_)
                self._numbers[meter] = self._numbers.get(meter, 0) + 1
        self._name_numbers(new_values.values())
        self._price = None

    def price(self, price: Callable[[Totals], Decimal]) -> Decimal:
        if self._price is None:
            self._price = price(self._totals)
        return self._price

    def _name_numbers(self, meters: Iterable[str]) -> None:
        for meter in set(meters):
            self._totals.set_unlisted(meter, self._numbers[meter], self._numbers[meter])
