"""The laws of billing over random histories: whatever fails, repeats, crashes or runs at the same time, the documents,
with what wallets pay, end where the usage says.

`XYRA_LAW_HISTORIES` is how many histories are tried (20; 40 in `.ci/run`), `XYRA_LAW_SEED` plays one of them alone.
"""

import os
import traceback
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TypeVar

import msgspec
import pytest

from shared.adapters.sqlite import Database, SqliteStore
from shared.adapters.usage.documents import TOMBSTONE
from shared.containers import INVOICES, LEDGERS
from shared.domain.billing.documents import CreditNote, Invoice
from shared.domain.credits.drawn_periods import DrawnPeriod
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.times import BEGINNING, from_text, to_text
from shared.domain.metering.readings import CountAndSum
from shared.domain.periods.periods import Period
from shared.domain.pricing.billing_models import BillingModelDraft
from shared.domain.pricing.charges.charge import Charge
from shared.domain.pricing.charges.outcome import OutcomeCharge
from shared.domain.pricing.lines import Line
from shared.domain.provider_costs.costs import CostedEvent, CostRules
from shared.domain.provider_costs.exchange_rates import ExchangeRates
from shared.domain.provider_costs.price_lookup import LlmPrices
from shared.domain.rating.facts import Facts, Segment
from shared.domain.rating.rating import rate
from shared.domain.usage.events import NO_VERSION, TotalKey, with_derived_fields
from shared.domain.usage.outcomes import SYSTEM_TOTAL_OF, Outcome, Status, contributions_of_decisions
from shared.domain.usage.totals import Contribution, Totals, contribution, unpriced_contribution
from shared.ports.store import Create, Document, Operation, Replace, Upsert
from shared.services.billing.bills import PERIODS_PER_BILL
from shared.services.billing.drawn_amounts import DrawnAmounts
from shared.services.billing.draws import DRAWN_LOWERED
from shared.services.billing.settling import SETTLES_AFTER
from shared.services.periods.periods import PeriodItem
from shared.services.periods.rebilling import PERIOD_CHANGED
from shared.services.storage import Stored
from tests.doubles.fakes import virtual_time
from tests.doubles.fakes.faulty_store import QUIET, FaultyStore
from tests.doubles.worlds.billing_history import prepaid_history, random_history
from tests.doubles.worlds.billing_steps import (
    CreateAgent,
    CreateModel,
    DeleteAgent,
    History,
    MoveAgent,
    PublishVersion,
    Report,
    RunInvoices,
    Sent,
)
from tests.doubles.worlds.billing_world import STORM, Variant, World
from tests.doubles.worlds.distinct_values import number_of, stored_totals, values_in
from tests.doubles.worlds.schedules import Schedule

HISTORIES = int(os.environ.get("XYRA_LAW_HISTORIES", "20"))
SEEDS = [int(os.environ["XYRA_LAW_SEED"])] if "XYRA_LAW_SEED" in os.environ else range(HISTORIES)
BLOCK = 10
CLOSINGS = (timedelta(days=45), timedelta(days=85))
"""When everything is invoiced after the last step: the second time bills what the first could only find."""

T = TypeVar("T")

Key = tuple[datetime, str]
"""A period by its start, and a line key."""


@dataclass(frozen=True, slots=True)
class Documents:
    """What was issued, each with its lines."""

    invoices: list[tuple[Invoice, list[Line]]]
    credit_notes: list[tuple[CreditNote, list[Line]]]

    def billed(self) -> dict[Key, Decimal]:
        found: dict[Key, Decimal] = {}
        for _, lines in (*self.invoices, *self.credit_notes):
            for line in lines:
                key = (line.period.start, line.key)
                found[key] = found.get(key, Decimal(0)) + line.amount
        return found


@dataclass(frozen=True, slots=True)
class Ending:
    """Where a history ended."""

    paid: Mapping[Key, Decimal]
    """By documents and by the wallet, for the periods that were closed."""
    recorded: Mapping[str, Variant]


@pytest.mark.parametrize("first", SEEDS[::BLOCK])
def test_documents_end_where_the_usage_says_in_whatever_order_things_happen(first: int) -> None:
    for seed in SEEDS[SEEDS.index(first) :][:BLOCK]:
        try:
            hold_to_the_laws(random_history(seed))
        except BaseException as error:
            error.add_note(f"XYRA_LAW_SEED={seed} plays this history alone")
            raise


@pytest.mark.parametrize("seed", range(3))
def test_the_laws_hold_on_the_store_of_one_machine(seed: int) -> None:
    database = Database(":memory:")
    try:
        world = World(random_history(seed), STORM, stored=lambda clock: SqliteStore(database, clock))
        virtual_time.run(ended(world))
    finally:
        database.close()


@pytest.mark.parametrize("first", SEEDS[::BLOCK])
def test_documents_and_the_wallet_end_where_the_usage_says(first: int) -> None:
    for seed in SEEDS[SEEDS.index(first) :][:BLOCK]:
        try:
            hold_to_the_laws(prepaid_history(seed))
        except BaseException as error:
            error.add_note(f"XYRA_LAW_SEED={seed} plays this history alone")
            raise


def hold_to_the_laws(history: History) -> None:
    stormy = virtual_time.run(ended(World(history, STORM)))
    serial = virtual_time.run(ended(World(history, QUIET), stormy.recorded))
    assert stormy.recorded == serial.recorded
    assert stormy.paid == serial.paid  # law 4


async def ended(world: World, variants: Mapping[str, Variant] | None = None) -> Ending:
    """Play the history to its end, and hold what it left to the laws."""
    await world.play(variants)
    await world.settle_down()
    last = world.history.steps[-1].at
    await world.sweep_before(last + CLOSINGS[0])
    await check_previews(world, last + CLOSINGS[0])
    await world.invoice_all(last + CLOSINGS[0])
    await world.sweep_before(last + CLOSINGS[1])
    await world.invoice_all(last + CLOSINGS[1])
    await world.settle_down()

    periods = await check_periods(world)
    closed = [
        period
        for period in periods
        if period.end + max(SETTLES_AFTER, timedelta(hours=world.history.grace_hours)) <= last + CLOSINGS[1]
    ]
    assert len(closed) < len(periods)
    documents = await issued(world)
    check_totals_and_numbers(documents)
    recorded = await check_usage(world, periods)
    paid = documents.billed()
    for key, amount in (await check_drawn(world, closed)).items():
        paid[key] = paid.get(key, Decimal(0)) + amount
    await check_billed(world, closed, paid)
    starts = {period.start for period in closed}
    return Ending({key: amount for key, amount in paid.items() if key[0] in starts and amount}, recorded)


# Laws 1 and 5, of the wallet


async def check_drawn(world: World, closed: list[Period]) -> dict[Key, Decimal]:
    """What the wallet paid of closed periods is what they say, to the millionth of a credit; of others nothing."""
    organization_id = world.organization_id
    place = (LEDGERS.name, [f"{organization_id}:wallet"])
    documents = await world.documents(*place, "drawn_period")
    drawn = [msgspec.convert(document["record"], DrawnPeriod) for document in documents]
    by_start = {from_text(each.period): each for each in drawn}
    paid: dict[Key, Decimal] = {}
    for period in closed:
        item = (await world.observer.periods.item(organization_id, period.start))[0]
        if not item.settlement.is_prepaid:
            assert (item.drawn, by_start.get(period.start)) == (None, None)
            continue
        (stored,) = [
            each
            for each in map(DrawnAmounts.read, await world.documents(INVOICES.name, [organization_id], "drawn_amounts"))
            if item.drawn is not None and each.id == f"drawn:{to_text(item.start)}:{item.drawn.hash}"
        ]
        assert stored.amounts == by_start[period.start].amounts
        paid |= {(period.start, key): amount for key, amount in stored.amounts.items()}
    for each in drawn:
        total = sum(each.amounts.values(), Decimal(0)) / each.credit_value
        assert abs(each.drawn - total) * 2 * 1_000_000 <= 1
    balance = await world.observer.credits.balances.of(organization_id, "default")
    assert balance.consumed == sum((each.drawn for each in drawn), Decimal(0))
    return paid


# Law 1


async def check_billed(world: World, closed: list[Period], billed: Mapping[Key, Decimal]) -> None:
    observer = world.observer
    known = await observer.facts.of(await world.organization(), closed)
    rated = [(period, line) for period, each in zip(closed, known, strict=True) for line in rate(each)]
    due = {(period.start, line.key): max(line.amount, Decimal(0)) for period, line in rated}
    check_fees_are_due_once(known, [line for _, line in rated])
    starts = {period.start for period in closed}
    found = {key: amount for key, amount in billed.items() if key[0] in starts}
    wrong = {
        f"{to_text(key[0])} {key[1]}": f"{due.get(key, 0)} due, {found.get(key, 0)} billed"
        for key in {*due, *found}
        if due.get(key, 0) != found.get(key, 0)
    }
    assert not wrong
    items = [(await observer.periods.item(world.organization_id, period.start))[0] for period in closed]
    unsettled = [item for item in items if not item.settled]
    assert [item.start for item in unsettled if item.open_until is None] == []
    long_over = world.clock.now() - SETTLES_AFTER - max(period.end - period.start for period in closed)
    assert [item.start for item in unsettled if item.open_until and item.open_until < long_over] == []


def check_fees_are_due_once(known: Sequence[Facts], lines: Sequence[Line]) -> None:
    """A fee of a finished quarter or year is due in exactly one period.

    What was in force in it decides; a setup fee is due in one of all periods.
    """
    due = Counter((line.key, line.covers) for line in lines if line.covers is not None or line.type == "setup_fee")
    assert set(due.values()) <= {1}
    in_force = {
        (_key(segment, charge), cycle.period.span)
        for facts in known
        for recurrence, cycle in facts.cycles.items()
        if cycle.period.end <= known[-1].period.end
        for segment in cycle.segments
        for charge in segment.version.charges
        if charge.recurrence == recurrence
    }
    assert in_force == {
        (key, covers) for key, covers in due if covers is not None and covers.end <= known[-1].period.end
    }


def _key(segment: Segment, charge: Charge) -> str:
    return f"{segment.version.model_id}/{charge.key}/{segment.agent_id if charge.scope == 'agent' else '-'}"


# Law 2


async def check_periods(world: World) -> list[Period]:
    """Contiguous, and the index says what the items say."""
    created = await world.observer.periods.created(world.organization_id)
    assert all(one.end == following.start for one, following in pairwise(created))
    items = await world.documents(INVOICES.name, [world.organization_id], PeriodItem.kind)
    assert sorted((item.period for item in map(PeriodItem.read, items)), key=lambda period: period.start) == created
    return created


async def check_usage(world: World, periods: list[Period]) -> dict[str, Variant]:
    """Every accepted event is there once, as it was accepted at some time.

    The totals count it where its time says so.
    """
    events = await world.usage_documents("event")
    recorded = {event["id"]: Variant(event["time"], event["content"]) for event in events}
    assert len(recorded) == len(events)
    assert recorded.keys() == world.accepted.keys()
    assert all(variant in world.accepted[key] for key, variant in recorded.items())
    parked = {item["id"] for item in await world.usage_documents("parked")}
    assert len(parked) <= sum(
        len({variant.content for variant in variants} - {recorded[key].content})
        for key, variants in world.accepted.items()
    )

    expected: dict[TotalKey, Totals] = {}
    pricing = Pricing(world)
    for event in sorted(events, key=lambda each: (each["time"], each["id"])):
        time = from_text(event["time"])
        period = periods[bisect_right(periods, time, key=lambda each: each.start) - 1]
        assert period.contains(time)
        version_id, added = pricing.counted(event, period)
        key = TotalKey(period.start, event["agent_id"], version_id)
        expected.setdefault(key, Totals()).add(added)
    for key, decided in await check_outcomes(world, recorded, pricing):
        expected[key].add(decided)
    shards = (await world.organization()).largest_shard_count
    starts = [period.start for period in periods]
    assert await stored_totals(world.store, world.organization_id, shards, starts) == expected
    for start in starts:
        for total in await world.observer.usage.totals(world.organization_id, shards, start):
            for name, values in values_in(expected[total.key]).items():
                assert number_of(total.totals.reading(name)) == len(values)
    return recorded


async def check_outcomes(
    world: World, recorded: Mapping[str, Variant], pricing: "Pricing"
) -> list[tuple[TotalKey, Contribution]]:
    """Each recorded outcome is what its decisions, in their order, have made of it.

    Returns what the decisions added to the totals.
    """
    outcomes = [Outcome.read(document) for document in await world.usage_documents(Outcome.kind)]
    assert sorted(outcome.event_key for outcome in outcomes) == sorted(filter(pricing.is_outcome, recorded))
    added: list[tuple[TotalKey, Contribution]] = []
    for outcome in outcomes:
        status: Status = outcome.arrived_as
        value = outcome.value
        for step, key in world.decisions:
            if key == outcome.event_key:
                if step.decision == "verify" and status == "pending" and (step.value or 0) <= (value or 0):
                    status, value = "verified", value if step.value is None else step.value
                elif (step.decision, status) in (("reject", "pending"), ("reverse", "verified")):
                    status = "rejected" if step.decision == "reject" else "reversed"
        assert (outcome.status, outcome.counted_value) == (status, value)
        added += [(outcome.total, each) for each in contributions_of_decisions(outcome, world.history.currency)]
    return added


class Pricing:
    """Which version prices an agent when, by the test's own reading of the history."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._agents: dict[str, Schedule[str | None]] = {}
        self._versions: dict[str, list[tuple[datetime, tuple[str, BillingModelDraft]]]] = {}
        self._sent: dict[str, Sent] = {}
        for step in world.history.steps:
            match step:
                case CreateModel() | PublishVersion():
                    self._add_version(step.model, step.draft)
                case CreateAgent():
                    start = BEGINNING if step.model is None else step.since or step.at
                    self._agents[world.agent_id(step.agent)] = Schedule[str | None](start, step.model)
                case MoveAgent():
                    self._agents[world.agent_id(step.agent)].decide(step.at, step.model, step.since)
                case Report():
                    self._sent |= {world.key(sent): sent for request in step.requests for sent in request}
                case DeleteAgent():
                    pass  # nothing is reported of what it did after its end

    def _add_version(self, model: str, draft: BillingModelDraft) -> None:
        versions = self._versions.setdefault(model, [])
        version_id = named_id("bmv", self._world.model_id(model), len(versions) + 1)
        assert draft.effective_from is not None
        versions.append((draft.effective_from, (version_id, draft)))

    def counted(self, recorded: Document, period: Period) -> tuple[str, Contribution]:
        """The version of a recorded event, and what it adds under it. Repeats may differ in what no meter sees."""
        sent = self._sent[recorded["id"]]
        currency = self._world.history.currency
        data = with_derived_fields(sent.type, sent.data, currency)
        time = from_text(recorded["time"])
        cost = _COSTS.of(sent.type, data, time, currency)
        models = self._agents[recorded["agent_id"]]
        model, returned = models.at(time), models.returned_at(time, period.start)
        event = CostedEvent(
            sent.type,
            data,
            recorded["time"],
            recorded["id"],
            cost.amount,
            cost.category,
            returned_at=to_text(returned) if model and returned else None,
        )
        priced = _at(self._versions[model], time) if model else None
        if priced is None:
            added = unpriced_contribution(event, cost.readings())
            return NO_VERSION, self._with_outcome(recorded, (), added)
        version_id, draft = priced
        added = contribution(event, draft.charges, currency, cost.readings())
        return version_id, self._with_outcome(recorded, draft.charges, added)

    def is_outcome(self, key: str) -> bool:
        return self._sent[key].type.startswith("outcome.")

    def _with_outcome(self, recorded: Document, charges: Sequence[Charge], added: Contribution) -> Contribution:
        """As an outcome it is counted with those in the state in which it arrives."""
        sent = self._sent[recorded["id"]]
        if not self.is_outcome(recorded["id"]):
            return added
        event = CostedEvent(sent.type, sent.data, recorded["time"], recorded["id"])
        wanting = [each for each in charges if isinstance(each, OutcomeCharge) and each.meter.matches(event)]
        status: Status = "pending"
        if wanting and all(not each.attributes(event) for each in wanting):
            status = "rejected"
        elif wanting and all(each.counts_on_arrival(event) for each in wanting):
            status = "verified"
        counted = (SYSTEM_TOTAL_OF[status], CountAndSum(1, Decimal(sent.data["value"])))
        return replace(added, system_totals=(*added.system_totals, counted))


_COSTS = CostRules(LlmPrices(lambda _: None), ExchangeRates())
"""Without prices of LLM models, as these histories have none."""


def _at(timeline: list[tuple[datetime, T]], time: datetime) -> T | None:
    begun = [value for since, value in timeline if since <= time]
    return begun[-1] if begun else None


# Law 3


async def check_previews(world: World, now: datetime) -> None:
    """The previews of all periods are what their closes issue, one after the other.

    That holds at a moment when nothing else happens.
    """
    world.clock.set(now)
    host = world.observer
    organization = await world.organization()
    await host.periods.cover(organization, world.history.steps[0].at, now)
    await finalize_what_is_left_over(world, now)
    periods = [item.period for item, _ in await unsettled(world, now) if await is_invoiced_alone(world, item)]
    previews = [(await host.bills.preview(organization, period)).composed() for period in periods]
    is_waiting = False
    for period, preview in zip(periods, previews, strict=True):
        draft = await host.issuing.draft(organization, period)
        if draft is None:
            assert preview.invoice == preview.correction == ()
            continue
        assert (await host.bills.of_draft(organization, period)).composed() == preview
        is_waiting = is_waiting or draft.finalize_at > now
        if not is_waiting:
            written = await host.issuing.finalize(organization, draft.id)
            assert tuple(await lines_of(world, written.invoice)) == preview.invoice
            assert tuple(await lines_of(world, written.credit_note)) == preview.correction


async def unsettled(world: World, now: datetime) -> list[Stored[PeriodItem]]:
    return await world.observer.periods.unsettled(world.organization_id, now, PERIODS_PER_BILL)


async def is_invoiced_alone(world: World, item: PeriodItem) -> bool:
    """Whether its own invoice is still to come, drafted or not; otherwise the next one bills what has changed."""
    invoice = await world.observer.billing_documents.latest_invoice(world.organization_id, item.period)
    return item.open_until is None if invoice is None else invoice.status == "draft"


async def finalize_what_is_left_over(world: World, now: datetime) -> None:
    """Drafts of periods that a later invoice has billed and settled meanwhile: nothing of these is left.

    They bill what has changed of earlier periods whose own invoices are issued already.
    """
    open_starts = {item.start for item, _ in await unsettled(world, now)}
    for draft in await world.observer.billing_documents.drafts(world.organization_id, PERIODS_PER_BILL):
        if draft.start not in open_starts:
            issued = await world.observer.issuing.finalize(await world.organization(), draft.id)
            lines = [*await lines_of(world, issued.invoice), *await lines_of(world, issued.credit_note)]
            assert draft.start not in {line.period.start for line in lines}


async def lines_of(world: World, document: Invoice | CreditNote | None) -> list[Line]:
    if document is None:
        return []
    return await world.observer.billing_documents.lines(world.organization_id, document)


# Law 6


async def issued(world: World) -> Documents:
    place = (INVOICES.name, [world.organization_id])
    invoices = [Invoice.read(found) for found in await world.documents(*place, Invoice.kind)]
    notes = [CreditNote.read(found) for found in await world.documents(*place, CreditNote.kind)]
    return Documents(
        [(invoice, await lines_of(world, invoice)) for invoice in invoices if invoice.status != "draft"],
        [(note, await lines_of(world, note)) for note in notes],
    )


def check_totals_and_numbers(documents: Documents) -> None:
    totals = [(invoice.total, lines) for invoice, lines in documents.invoices]
    totals += [(note.total, lines) for note, lines in documents.credit_notes]
    for total, lines in totals:
        assert total == sum(line.amount for line in lines)
    assert all(invoice.total >= 0 for invoice, _ in documents.invoices)
    assert all(line.amount < 0 for _, lines in documents.credit_notes for line in lines)
    check_numbers([invoice.number or "" for invoice, _ in documents.invoices], "INV-ACME")
    check_numbers([note.number for note, _ in documents.credit_notes], "CN-ACME")


def check_numbers(numbers: list[str], series: str) -> None:
    """In each year from 1 on, without a gap and without a double."""
    years: dict[str, list[int]] = {}
    for number in numbers:
        name, year, count = number.rsplit("-", 2)
        assert name == series
        years.setdefault(year, []).append(int(count))
    for counts in years.values():
        assert sorted(counts) == list(range(1, len(counts) + 1))


# What a finalization may not have seen yet


def test_a_period_that_was_moved_a_moment_ago_stays_unsettled() -> None:
    """Reads of totals may lag behind, and no guard shows it."""
    assert virtual_time.run(unsettled_after_late_usage(timedelta(0))) == ["2026-01-01"]
    assert virtual_time.run(unsettled_after_late_usage(timedelta(hours=1))) == []


async def unsettled_after_late_usage(pause: timedelta) -> list[str]:
    """The ended periods that are unsettled after late usage of January.

    The invoice run comes so long after it.
    """
    begin, late = datetime(2026, 1, 10, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC)
    charge = {"key": "commands", "type": "activity", "meter": {"event_type": "command"}}
    charge["pricing"] = {"type": "per_unit", "unit_amount": "1"}
    draft = BillingModelDraft.model_validate(
        {"name": "Model", "currency": "USD", "effective_from": begin, "charges": [charge]}
    )
    steps = (
        CreateModel(begin, "m", draft),
        CreateAgent(begin, "a", "m", None),
        Report(late, ((Sent("1", "command", "a", begin + timedelta(days=1), {}),),)),
    )
    world = World(History(1, "USD", "UTC", 0, 0, steps), QUIET)
    await world.play()
    await world.invoice_all(late + pause)
    left = await world.observer.periods.unsettled(world.organization_id, world.clock.now(), PERIODS_PER_BILL)
    return [f"{item.start:%Y-%m-%d}" for item, _ in left]


# That the laws can be broken


class WithoutMovedPeriods(FaultyStore):
    """Loses what says that an ended period was moved."""

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        kept = [operation for operation in operations if not _says_moved(operation)]
        etags = iter(await super().batch(container, pk, kept))
        return ["" if _says_moved(operation) else next(etags) for operation in operations]


def _says_moved(operation: Operation) -> bool:
    return isinstance(operation, Upsert) and operation.document.get("effect") == PERIOD_CHANGED


class WithoutLoweredDraws(FaultyStore):
    """Loses what tells the wallet that less is due for a closed period than it has paid."""

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        kept = [operation for operation in operations if not _says_lowered(operation)]
        etags = iter(await super().batch(container, pk, kept))
        return ["" if _says_lowered(operation) else next(etags) for operation in operations]


def _says_lowered(operation: Operation) -> bool:
    return isinstance(operation, Upsert) and operation.document.get("effect") == DRAWN_LOWERED


class WithoutEtagsOnWallets(FaultyStore):
    """Replaces what a wallet has paid of a period whatever was paid since it was read."""

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        unguarded = [_unguarded_draw(operation) for operation in operations]
        return await super().batch(container, pk, unguarded)


def _unguarded_draw(operation: Operation) -> Operation:
    if isinstance(operation, Create | Replace) and operation.document["kind"] in _OF_WALLETS:
        return Upsert(operation.document)
    return operation


_OF_WALLETS = ("credit_head", "drawn_period", "credit_transfer")


class WithoutTombstones(FaultyStore):
    """Loses what closes a partition for an event whose shard has moved."""

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        if operations and all(_is_tombstone(operation) for operation in operations):
            return [""] * len(operations)
        return await super().batch(container, pk, operations)


def _is_tombstone(operation: Operation) -> bool:
    return isinstance(operation, Create) and operation.document["kind"] == TOMBSTONE


class WithoutEtagsOnPeriods(FaultyStore):
    """Replaces a period whatever has happened to it since it was read."""

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        unguarded: list[Operation] = [
            Upsert(operation.document)
            if isinstance(operation, Replace) and operation.document["kind"] == PeriodItem.kind
            else operation
            for operation in operations
        ]
        return await super().batch(container, pk, unguarded)


class WithoutOpenPeriods(FaultyStore):
    """Takes a period whose fee in advance can still change for settled."""

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        return await super().batch(container, pk, [_settling(operation) for operation in operations])


def _settling(operation: Operation) -> Operation:
    if isinstance(operation, Replace) and operation.document.get("open_until") is not None:
        return Replace({**operation.document, "settled": True, "open_until": None}, operation.etag)
    return operation


def seeds(first: int) -> list[int]:
    """A hundred, beginning with the one that is known to break."""
    return [first, *(seed for seed in range(100) if seed != first)]


@pytest.mark.parametrize(
    ("broken", "law", "first"),
    [
        (WithoutMovedPeriods, "check_billed", 9),
        (WithoutEtagsOnPeriods, "check_billed", 14),
        (WithoutTombstones, "check_usage", 1),
    ],
)
def test_the_laws_notice_what_breaks_them(broken: type[FaultyStore], law: str, first: int) -> None:
    assert any(broken_law(World(random_history(seed), STORM, broken)) == law for seed in seeds(first))


@pytest.mark.parametrize(("broken", "first"), [(WithoutLoweredDraws, 46), (WithoutEtagsOnWallets, 3)])
def test_the_laws_notice_what_breaks_draws(broken: type[FaultyStore], first: int) -> None:
    assert any(broken_law(World(prepaid_history(seed), STORM, broken)) == "check_drawn" for seed in seeds(first))


def test_the_laws_notice_a_period_that_is_settled_too_early() -> None:
    """January is billed for the quarter that its fee pays in advance.

    Then the agent ends within that quarter.
    """
    begin = datetime(2026, 1, 10, tzinfo=UTC)
    fee = {"key": "fee", "type": "flat_fee", "amount": "90", "interval": "quarter", "timing": "advance"}
    draft = BillingModelDraft.model_validate(
        {"name": "Model", "currency": "USD", "effective_from": begin, "charges": [fee]}
    )
    steps = (
        CreateModel(begin, "m", draft),
        CreateAgent(begin, "a", "m", None),
        RunInvoices(datetime(2026, 2, 5, tzinfo=UTC), month=None, finalize=True, times=1),
        DeleteAgent(datetime(2026, 2, 20, tzinfo=UTC), "a"),
    )
    history = History(1, "USD", "UTC", 0, 0, steps)
    assert broken_law(World(history, QUIET)) is None
    assert broken_law(World(history, QUIET, WithoutOpenPeriods)) == "check_billed"


def broken_law(world: World) -> str | None:
    """The check that fails first in this world's history, or what else does; None where it ends well."""
    try:
        virtual_time.run(ended(world))
    except AssertionError as error:
        frames = traceback.extract_tb(error.__traceback__)
        checks = (frame.name for frame in reversed(frames) if frame.name.startswith("check_"))
        return next(checks, frames[-1].name)  # a broken store may keep an effect from ever taking place
    return None
