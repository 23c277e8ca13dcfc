"""Paid usage: settles what events cost beyond what their payment keeps, in the order in which they were counted.

All that is known of a payment lies in a partition of its own: what its ledger has told, and its events. Each batch
there is guarded by the payment's item; what changes for an event goes to its shard by outbox, with a version.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from shared.containers import LEDGERS
from shared.domain.kernel.audit import Target
from shared.domain.kernel.errors import NotFoundError, UnavailableError, ValidationError
from shared.domain.kernel.money import EXACT, plain
from shared.domain.kernel.times import to_text
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.payments import PaidEvent, PaymentBeyond, PaymentUsage, after
from shared.domain.usage.recorded_events import RecordedEvent
from shared.ports.clock import Clock
from shared.ports.usage import Usage
from shared.services.storage import (
    Between,
    Document,
    Operation,
    Outbox,
    OutboxEntry,
    Page,
    Records,
    Store,
    Stored,
    creating,
    look_twice,
    noting,
    putting,
    replacing,
    retry_lost_races,
)
from shared.services.usage.payment_lookup import FoundPayment, PaymentLookup

EVENT_PAID = "event_paid"
"""The effect of an event that names a payment."""
PAYMENT_CHANGED = "payment_changed"
"""The effect of what ends a hold, and of a refund."""
PAYMENT_UNSETTLED = "payment_unsettled"
"""The effect of what changes the costs of events that were settled before."""
EVENT_SETTLED = "event_settled"
"""The effect of another cost of an event."""
PAYMENT_PASSED = "payment_passed"
"""The effect of events that are worth more than their payment keeps, or no longer are."""

_EVENTS_AT_ONCE = 40
_BATCHES_AT_ONCE = 50
_TICK = timedelta(microseconds=1)
YES, NO = "yes", "no"


@dataclass(frozen=True, slots=True)
class _Change:
    """What one batch writes in the partition of a payment."""

    before: Stored[PaymentUsage] | None
    usage: PaymentUsage
    events: Sequence[tuple[Stored[PaidEvent] | None, PaidEvent]]
    entries: Sequence[OutboxEntry] = ()
    beside: Sequence[Operation] = ()


class PaidUsage:
    def __init__(  # noqa: PLR0913  its ports and neighbours
        self, store: Store, clock: Clock, usage: Usage, lookup: PaymentLookup, outbox: Outbox, retention_seconds: int
    ) -> None:
        self._store = store
        self._clock = clock
        self._usage = usage
        self._lookup = lookup
        self._outbox = outbox
        self._retention_seconds = retention_seconds
        self._usages = Records(store, LEDGERS, PaymentUsage)
        self._events = Records(store, LEDGERS, PaidEvent)
        self._passed = Records(store, LEDGERS, PaymentBeyond)
        self._paid = outbox.sender(EVENT_PAID)
        self._unsettled = outbox.sender(PAYMENT_UNSETTLED)
        self._settled = outbox.sender(EVENT_SETTLED)
        self._passing = outbox.sender(PAYMENT_PASSED)

    def entry(
        self, organization_id: str, event_key: str, payment: FoundPayment, worth: Decimal, credit_value: Decimal
    ) -> Document:
        """The outbox entry to commit with an event. `worth` is money, `credit_value` that of one credit."""
        return self._paid.entry(
            f"{EVENT_PAID}:{event_key}",
            organization_id=organization_id,
            payment_id=payment.id,
            event_key=event_key,
            worth=plain(worth),
            credit_value=plain(credit_value),
            has_ended=YES if payment.has_ended else NO,
            spent=plain(payment.spent),
            refunded=plain(payment.refunded),
        ).document()

    async def take(  # noqa: PLR0913  the payload of its entry
        self,
        organization_id: str,
        payment_id: str,
        event_key: str,
        worth: str,
        credit_value: str,
        has_ended: str,
        spent: str,
        refunded: str,
    ) -> None:
        """What happens for `EVENT_PAID`: the event joins those of its payment. One that has a higher worth by now is
        settled anew.
        """
        partition, money = _partition(organization_id, payment_id), Decimal(worth)

        async def attempt() -> None:
            before = await self._usages.find(partition, payment_id)
            known = await self._events.find(partition, event_key)
            usage = self._told(before, organization_id, payment_id, credit_value, has_ended, spent, refunded)
            if known is not None:
                usage, events = _with_worth(usage, known, money)
                await self._write(_Change(before, usage, events))
                return
            number, time = usage.events + 1, after(usage.time if usage.events else None, self._clock.now())
            event = PaidEvent(id=event_key, number=number, time=time, worth=money, ttl=self._retention_seconds)
            is_settled = usage.settled == usage.events
            usage = usage.changed(events=number, time=time, worth=EXACT.add(usage.worth, money))
            entries: list[OutboxEntry] = []
            if is_settled:
                event = event.settled(usage.settled_worth, usage.kept)
                usage = _settled_to(usage, event)
                entries = [self._settled_entry(organization_id, event)] if event.version else []
            await self._write(_Change(before, usage, [(None, event)], entries))

        await retry_lost_races(attempt, _busy())

    async def change(  # noqa: PLR0913  the payload of its entry
        self, organization_id: str, payment_id: str, credit_value: str, has_ended: str, spent: str, refunded: str
    ) -> None:
        """What happens for `PAYMENT_CHANGED`: its ledger says what it keeps.

        Without a credit value, and without an event that has one, it pays for nothing yet: an event that names it later
        asks its ledger itself.
        """
        partition = _partition(organization_id, payment_id)

        async def attempt() -> None:
            before = await self._usages.find(partition, payment_id)
            if before is None and not credit_value:
                return
            usage = self._told(before, organization_id, payment_id, credit_value, has_ended, spent, refunded)
            await self._write(_Change(before, usage, []))

        await retry_lost_races(attempt, _busy())

    async def settle(self, organization_id: str, payment_id: str) -> None:
        """What happens for `PAYMENT_UNSETTLED`: each event costs what lies above what is kept by now.

        Raises `UnavailableError` where that takes another round.
        """
        for _ in range(_BATCHES_AT_ONCE):
            if await retry_lost_races(lambda: self._settle_some(organization_id, payment_id), _busy()):
                return
        raise UnavailableError("The payment has many events; the next round goes on")

    async def _settle_some(self, organization_id: str, payment_id: str) -> bool:
        """Whether all are settled."""
        partition = _partition(organization_id, payment_id)
        before = await self._usages.get_created(partition, payment_id)
        usage = before.entity
        if usage.settled == usage.events:
            return True
        changes: list[tuple[Stored[PaidEvent] | None, PaidEvent]] = []
        entries: list[OutboxEntry] = []
        for stored in (await self._following(partition, usage)).stored:
            if stored.entity.number != usage.settled + 1:
                break
            event = stored.entity.settled(usage.settled_worth, usage.kept)
            usage = _settled_to(usage, event)
            changes.append((stored, event))  # also one that stays as it is: its ETag shows that it is not of before
            if event is not stored.entity:
                entries.append(self._settled_entry(organization_id, event))
        if usage.settled == before.entity.settled:
            raise UnavailableError("The events of the payment cannot be read yet")
        await self._write(_Change(before, usage, changes, entries))
        return usage.settled == usage.events

    async def _following(self, partition: str, usage: PaymentUsage) -> Page[PaidEvent]:
        start = None if usage.settled_time is None else to_text(usage.settled_time + _TICK)
        return await self._events.page(
            partition, between=Between("time", start), order_by="time", limit=_EVENTS_AT_ONCE
        )

    async def take_off(self, organization: Organization, event_key: str, reason: str) -> None:
        """The event is priced like any other from now on, in its own period. Safe to repeat.

        Raises `NotFoundError`, `ValidationError` for an event that names no payment, `UnavailableError`.
        """
        recorded = await look_twice(lambda: self._recorded(organization, event_key), errors=(NotFoundError,))
        if recorded.paid_with is None:
            raise ValidationError("The event names no payment: nothing can be taken off")
        payment = await self._lookup.find(organization, recorded.paid_with)
        if payment is None:
            raise UnavailableError("The payment cannot be read yet")
        partition = _partition(organization.id, payment.id)

        async def attempt() -> None:
            before = await self._usages.get_created(partition, payment.id)
            known = await self._events.get_created(partition, event_key)
            if known.entity.is_taken_off:
                return
            event = known.entity.changed(is_taken_off=True, beyond=Decimal(0), version=known.entity.version + 1)
            usage = before.entity.changed(worth=EXACT.subtract(before.entity.worth, event.worth)).unsettled()
            details = {"event_id": recorded.id, "paid_with": recorded.paid_with, "reason": reason}
            note = noting("events.take_payment_off", Target("event", event_key), (organization.id,), details=details)
            entry = self._settled_entry(organization.id, event)
            await self._write(_Change(before, usage, [(known, event)], [entry], [note]))

        await retry_lost_races(attempt, _busy())

    async def _recorded(self, organization: Organization, event_key: str) -> RecordedEvent:
        counts = organization.shard_counts_until(self._clock.now())
        recorded = await self._usage.find(organization.id, counts, event_key)
        if recorded is None:
            raise NotFoundError("There is no such event, or it is still on its way")
        return recorded

    async def note_passed(self, organization_id: str, payment_id: str, revision: str) -> None:
        """What happens for `PAYMENT_PASSED`: the list for people shows the payment as it is by now."""
        usage = (await self._usages.get_created(_partition(organization_id, payment_id), payment_id)).entity
        if usage.revision < int(revision):
            raise UnavailableError("The payment cannot be read yet as it was changed")

        def newest(current: PaymentBeyond | None) -> PaymentBeyond:
            is_newer = current is not None and current.payment.revision >= usage.revision
            return current if is_newer and current is not None else PaymentBeyond.of(usage)

        await self._passed.change_or_create(_list_partition(organization_id), payment_id, newest)

    async def passed(
        self, organization_id: str, limit: int, cursor: str | None
    ) -> tuple[list[PaymentUsage], str | None]:
        """The payments whose events are worth more than they kept, the latest first."""
        page = await self._passed.page(
            _list_partition(organization_id),
            equals={"status": "beyond"},
            order_by="time",
            descending=True,
            limit=limit,
            cursor=cursor,
        )
        return [each.payment for each in page.entities], page.cursor

    def _told(  # noqa: PLR0913  what is known of a payment
        self,
        before: Stored[PaymentUsage] | None,
        organization_id: str,
        payment_id: str,
        credit_value: str,
        has_ended: str,
        spent: str,
        refunded: str,
    ) -> PaymentUsage:
        usage = before.entity if before is not None else PaymentUsage(
            id=payment_id,
            organization_id=organization_id,
            credit_value=Decimal(credit_value),
            time=self._clock.now(),
            ttl=self._retention_seconds,
        )  # fmt: skip
        return usage.told(has_ended=has_ended == YES, spent=Decimal(spent), refunded=Decimal(refunded))

    def _settled_entry(self, organization_id: str, event: PaidEvent) -> OutboxEntry:
        return self._settled.entry(
            f"{EVENT_SETTLED}:{event.id}",
            organization_id=organization_id,
            event_key=event.id,
            beyond=plain(event.beyond),
            version=str(event.version),
            is_taken_off=YES if event.is_taken_off else NO,
        )

    async def _write(self, change: _Change) -> None:
        """One batch, and then what follows from it. Nothing where nothing has changed."""
        before, usage = change.before, change.usage
        if before is not None and before.entity == usage and not change.events:
            return
        usage = usage.changed(revision=usage.revision + 1)
        organization_id, payment_id = usage.organization_id, usage.id
        entries = list(change.entries)
        if usage.settled < usage.events:
            entry_id = f"{PAYMENT_UNSETTLED}:{payment_id}"
            entries.append(self._unsettled.entry(entry_id, organization_id=organization_id, payment_id=payment_id))
        if usage.beyond or (before is not None and before.entity.beyond):
            entries.append(
                self._passing.entry(
                    f"{PAYMENT_PASSED}:{payment_id}",
                    organization_id=organization_id,
                    payment_id=payment_id,
                    revision=str(usage.revision),
                )
            )
        operations: list[Operation] = [creating(usage) if before is None else replacing(before, usage)]
        for known, event in change.events:
            operations.append(creating(event) if known is None else replacing(known, event))
        operations += [*change.beside, *map(putting, entries)]
        partition = _partition(organization_id, payment_id)
        await self._store.batch(LEDGERS.name, partition, operations)
        for entry in entries:
            await self._outbox.attempt(LEDGERS.name, partition, entry.id)


def _with_worth(
    usage: PaymentUsage, known: Stored[PaidEvent], worth: Decimal
) -> tuple[PaymentUsage, list[tuple[Stored[PaidEvent] | None, PaidEvent]]]:
    """With a worth that has risen, as the event got a price; an older message changes nothing."""
    event = known.entity
    if worth <= event.worth:
        return usage, []
    changed = event.changed(worth=worth)
    more = EXACT.subtract(changed.counted_worth, event.counted_worth)
    return usage.changed(worth=EXACT.add(usage.worth, more)).unsettled(), [(known, changed)]


def _settled_to(usage: PaymentUsage, event: PaidEvent) -> PaymentUsage:
    return usage.changed(
        settled=event.number,
        settled_worth=EXACT.add(usage.settled_worth, event.counted_worth),
        settled_time=event.time,
    )


def _partition(organization_id: str, payment_id: str) -> str:
    return f"{organization_id}:payment:{payment_id}"


def _list_partition(organization_id: str) -> str:
    return f"{organization_id}:payments"


def _busy() -> UnavailableError:
    return UnavailableError("The payment is being changed by many at once")
