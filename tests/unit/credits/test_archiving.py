"""Three closed months move to the archive, and everything that reads the ledger says what it said before."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from shared.bootstrap import Application
from shared.containers import LEDGERS
from shared.domain.credits.commands import Use
from shared.domain.credits.counters import Context
from shared.domain.credits.deciding import decide
from shared.domain.credits.head import TRANSFERS_PER_CUT, Head
from shared.domain.credits.transfers import UseEntry
from shared.domain.credits.wallet import Wallet as DomainWallet
from shared.domain.kernel.errors import UnavailableError
from shared.domain.kernel.histories import History
from shared.domain.kernel.ids import named_id
from shared.domain.periods.periods import Calendar
from shared.services.credits.usage import UsageFilter
from tests.doubles.worlds.invoiced_organization import ORGANIZATION, Scene
from tests.faults.in_turn.credits import KIND, Wallet

LIVE = f"{ORGANIZATION}:wallet"
MONTHS = (3, 4, 5)
DAY = timedelta(days=1)


class Ledger:
    """A wallet with uses in March, April, May and June, 3 of them refused."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.host = scene.host()
        self.wallet = Wallet(self.host)
        self.used: list[str] = []

    async def fill(self) -> None:
        await self.wallet.give("grant", 1000)
        for month in (*MONTHS, 6):
            self.scene.clock.set(datetime(2026, month, 10, tzinfo=UTC))
            for number in range(4):
                self.used.append((await self.wallet.use(f"use {month} {number}", 5)).id)
            await self.wallet.use(f"too much {month}", 5000)
            hold = await self.wallet.reserve(f"reserve {month}", 9)
            await self.wallet.capture(f"capture {month}", hold.answer["hold_id"], 2)

    async def archive(self) -> None:
        """What the timer does, until nothing is due any more."""
        self.scene.clock.move(2 * DAY)
        for _ in range(6):
            await self.host.outbox.sweep()
            self.scene.clock.move(timedelta(hours=2))

    async def seen(self) -> dict[str, Any]:
        host = self.scene.host()
        statement = await host.credits.statements.of(
            ORGANIZATION, KIND, datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), 1000, None
        )
        middle = await host.credits.statements.of(
            ORGANIZATION, KIND, datetime(2026, 4, 20, tzinfo=UTC), datetime(2026, 6, 2, tzinfo=UTC), 1000, None
        )
        listed: list[str] = []
        cursor: str | None = None
        while True:
            transfers, cursor = await host.credits.statements.page(ORGANIZATION, 7, cursor)
            listed += [transfer.hash for transfer in transfers]
            if cursor is None:
                break
        summary = await host.credits.usage.summary(UsageFilter(ORGANIZATION, KIND), "day")
        return {
            "statement": statement,
            "middle": middle,
            "transactions": listed,
            "by day": [(group.name, group.net) for group in summary.groups],
            "balance": await host.credits.balances.of(ORGANIZATION, KIND),
            "problems": await problems(host),
            "one": [await host.credits.statements.get(ORGANIZATION, id_) for id_ in self.used],
        }

    async def documents(self, partition: str) -> list[dict[str, Any]]:
        documents: list[dict[str, Any]] = await self.scene.documents(LEDGERS.name, partition, "credit_transfer")
        return sorted(documents, key=lambda document: document["record"]["sequence"])


async def problems(host: Application) -> list[tuple[int | None, str | None, str]]:
    """What verification from the beginning finds."""
    id_ = named_id("ver", uuid4().hex)
    verification = await host.credits.verifications.request(id_, ORGANIZATION, from_beginning=True)
    assert verification.status == "done"
    return [(each.sequence, each.transaction_id, each.kind) for each in verification.problems]


@pytest.fixture
async def ledger() -> Ledger:
    ledger = Ledger(await Scene.prepared())
    await ledger.fill()
    return ledger


async def test_three_months_are_archived_and_nothing_looks_different(ledger: Ledger) -> None:
    before = await ledger.seen()
    assert before["problems"] == []
    assert len(before["transactions"]) == 25
    await ledger.archive()
    assert [len(await ledger.documents(f"{LIVE}:{number}")) for number in (1, 2, 3)] == [8, 7, 7]
    assert len(await ledger.documents(LIVE)) == 7
    assert await ledger.seen() == before


async def test_a_day_passes_before_anything_is_archived(ledger: Ledger) -> None:
    ledger.scene.clock.set(datetime(2026, 7, 1, tzinfo=UTC))
    await ledger.wallet.use("july", 1)
    for hours, archived, live in ((24, 0, 7), (2, 7, 7), (2, 7, 0)):
        ledger.scene.clock.move(timedelta(hours=hours))
        await ledger.host.outbox.sweep()
        assert len(await ledger.documents(f"{LIVE}:4")) == archived
        of_june = [each for each in await ledger.documents(LIVE) if each["time"] < "2026-07"]
        assert len([each for each in of_june if each["time"] > "2026-06"]) == live


async def test_a_key_is_known_and_a_use_can_be_refunded_when_it_is_archived(ledger: Ledger) -> None:
    first = await ledger.host.credits.statements.get(ORGANIZATION, ledger.used[0])
    await ledger.archive()
    for host in (ledger.host, ledger.scene.host()):
        assert await Wallet(host).use("use 3 0", 5) == first
    other = Wallet(ledger.scene.host())
    used = await other.use("use 4 0", 5)
    refund = await other.refund("refund", used.id, 2)
    assert (refund.refusal, refund.amount, refund.corrects) == (None, 2, used.id)
    assert (await other.refund("too much", used.id, 4)).refusal is not None
    assert await problems(ledger.scene.host()) == []


async def test_a_range_is_copied_in_parts_and_after_a_crash_goes_on(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await ledger.seen()
    archives = ledger.host.credits.archiving._archives
    copy, calls = archives.copy, 0

    async def failing(payer: str, number: int, transfers: Any) -> None:
        nonlocal calls
        calls += 1
        await copy(payer, number, transfers[: len(transfers) // 2] if calls < 3 else transfers)
        if calls < 3:
            raise UnavailableError("The host died")

    monkeypatch.setattr(archives, "copy", failing)
    await ledger.archive()
    assert calls >= 5
    assert len(await ledger.documents(LIVE)) == 7
    assert await ledger.seen() == before


Tamper = Callable[[Ledger, dict[str, Any]], Awaitable[None]]


async def alter(ledger: Ledger, document: dict[str, Any]) -> None:
    document["record"]["reason"] = "other"
    await ledger.scene.store.upsert(LEDGERS.name, f"{LIVE}:2", document)


async def remove(ledger: Ledger, document: dict[str, Any]) -> None:
    await ledger.scene.store.delete(LEDGERS.name, f"{LIVE}:2", document["id"])


@pytest.mark.parametrize(("tamper", "kind"), [(alter, "altered"), (remove, "missing")])
@pytest.mark.parametrize("index", [0, 3, -1])
async def test_what_is_altered_in_the_archive_is_named(ledger: Ledger, tamper: Tamper, kind: str, index: int) -> None:
    await ledger.archive()
    document = (await ledger.documents(f"{LIVE}:2"))[index]
    await tamper(ledger, document)
    named = await problems(ledger.scene.host())
    assert (document["record"]["sequence"], kind) in {(sequence, found) for sequence, _, found in named}


@pytest.mark.parametrize("tamper", [alter, remove])
async def test_a_broken_sequence_is_not_archived(ledger: Ledger, tamper: Tamper) -> None:
    document = (await ledger.documents(LIVE))[3]
    if tamper is alter:
        document["record"]["reason"] = "other"
        await ledger.scene.store.upsert(LEDGERS.name, LIVE, document)
    else:
        await ledger.scene.store.delete(LEDGERS.name, LIVE, document["id"])
    kept = await ledger.documents(LIVE)
    await ledger.archive()
    assert await ledger.documents(LIVE) == kept
    assert document["record"]["sequence"] in {sequence for sequence, _, _ in await problems(ledger.scene.host())}


async def test_what_was_altered_after_it_was_copied_stays_in_the_wallet(ledger: Ledger) -> None:
    ledger.scene.clock.move(2 * DAY)
    await ledger.host.outbox.sweep()
    document = (await ledger.documents(LIVE))[3]
    document["record"]["reason"] = "other"
    await ledger.scene.store.upsert(LEDGERS.name, LIVE, document)
    await ledger.archive()
    assert document["id"] in {each["id"] for each in await ledger.documents(LIVE)}


def test_a_long_month_is_cut_by_the_number_of_transfers() -> None:
    now = datetime(2026, 6, 10, tzinfo=UTC)
    entries = (UseEntry(Decimal(1), Context(ORGANIZATION)),)
    calendars = History[Calendar].starting(Calendar(timezone="UTC"))
    for sequence, cuts in ((TRANSFERS_PER_CUT + 6, 0), (TRANSFERS_PER_CUT + 7, 1)):
        wallet = DomainWallet(ORGANIZATION, Head(sequence=sequence, time=now, cuts=1, cut_sequence=7))
        for key in ("first", "second"):
            decide(wallet, Use(organization_id=ORGANIZATION, key=key, entries=entries, calendars=calendars), now)
        assert [(cut.number, cut.sequence) for cut in wallet.cuts][:cuts] == [(2, sequence)][:cuts]
        wallet.finish()
        assert (wallet.head.cuts, wallet.head.cut_sequence) == (2, sequence + 1 - cuts)
