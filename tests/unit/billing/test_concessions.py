"""Goodwill and waivers: what is given or waived is neither billed again nor given back twice."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.billing import concessions
from shared.domain.billing.concessions import conceded, goodwill_line, waived_lines
from shared.domain.billing.documents import CreditNote, Invoice
from shared.domain.billing.invoicing import PeriodBill, billed_lines, differences
from shared.domain.billing.payments import CancelledError
from shared.domain.kernel.errors import ConflictError, ValidationError
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.shares import split
from shared.domain.periods.periods import Period
from shared.domain.pricing.lines import Line, Step
from shared.services.billing.goodwill import GoodwillDraft, LineAmount
from tests.doubles.worlds.paid_fees import ADVANCE_FEE, ORGANIZATION, START, Scene

IN_FEBRUARY = datetime(2022, 2, 10, tzinfo=UTC)
PERIOD = Period(start=START, end=datetime(2022, 2, 1, tzinfo=UTC), timezone="UTC")
KEYS = ("a", "b", "c")


async def invoices(scene: Scene) -> list[Invoice]:
    return (await scene.host.billing_documents.invoices(ORGANIZATION, None, 100, None)).entities[::-1]


async def give(scene: Scene, invoice: Invoice, draft: GoodwillDraft, key: str = "one") -> CreditNote:
    organization = await scene.host.organizations.get(ORGANIZATION)
    return await scene.host.account.goodwill.give(organization, named_id("cn", key), invoice.id, draft)


def amount(value: str, **fields: object) -> GoodwillDraft:
    return GoodwillDraft("The outage", Decimal(value), **fields)  # type: ignore[arg-type]


async def invoiced(agents: int = 1) -> tuple[Scene, Invoice]:
    """January's fee of 31.00 an agent."""
    scene = Scene()
    await scene.set_up(agents=agents)
    await scene.invoiced(IN_FEBRUARY)
    (invoice,) = await invoices(scene)
    return scene, invoice


async def test_goodwill_lowers_what_is_open_and_the_rest_is_balance() -> None:
    scene, invoice = await invoiced(agents=2)
    first = await give(scene, invoice, amount("50.01"))
    assert (first.number, first.total, first.to_balance) == ("CN-ACME-2022-000001", Decimal("-50.01"), 0)
    lines = await scene.host.billing_documents.lines(ORGANIZATION, first)
    assert sorted(line.amount for line in lines) == [Decimal("-25.01"), Decimal("-25.00")]
    (invoice,) = await invoices(scene)
    assert (invoice.amount_due, invoice.status) == (Decimal("11.99"), "pending")
    second = await give(scene, invoice, amount("2.00", settle="balance"), "two")
    assert (second.lowered, second.to_balance) == ((), Decimal("2.00"))
    with pytest.raises(ValidationError, match=r"9\.99"):
        await give(scene, invoice, amount("10.00"), "three")
    await give(scene, invoice, amount("9.99"), "four")
    account = (await scene.host.account.accounts.read(ORGANIZATION, scene.clock.now())).account
    assert (account.balance, account.open) == (Decimal("2.00"), Decimal("2.00"))


async def test_goodwill_by_line_names_key_and_period() -> None:
    scene, invoice = await invoiced(agents=2)
    first, _ = await scene.host.billing_documents.lines(ORGANIZATION, invoice)
    draft = GoodwillDraft("Sorry", lines=(LineAmount(first.key, date(2022, 1, 1), Decimal("31.00")),))
    note = await give(scene, invoice, draft)
    assert await give(scene, invoice, draft) == note
    (line,) = await scene.host.billing_documents.lines(ORGANIZATION, note)
    assert (line.key, line.type, line.amount) == (first.key, "goodwill", Decimal("-31.00"))
    for lines, pointer in (
        ((LineAmount(first.key, date(2022, 1, 1), Decimal("0.01")),), "/lines/0/amount"),
        ((LineAmount(first.key, date(2022, 2, 1), Decimal("0.01")),), "/lines/0"),
        ((LineAmount("other", date(2022, 1, 1), Decimal("0.01")),), "/lines/0"),
        ((LineAmount(first.key, date(2022, 1, 1), Decimal("0.001")),), "/lines/0/amount"),
    ):
        with pytest.raises(ValidationError) as refused:
            await give(scene, invoice, GoodwillDraft("Sorry", lines=lines), "other")
        assert refused.value.errors[0].pointer == pointer


async def test_goodwill_is_not_billed_again() -> None:
    scene, invoice = await invoiced()
    await give(scene, invoice, amount("31.00"))
    await scene.invoiced(datetime(2022, 3, 10, tzinfo=UTC))
    january, february = await invoices(scene)
    assert (january.status, february.total) == ("paid", Decimal("31.00"))


async def test_what_falls_below_goodwill_is_not_given_back_twice() -> None:
    """By hand: 31.00 billed in advance, 20.00 given; 15 of 31 days are due. 31.00 come back in all, not 36.00."""
    scene = Scene()
    await scene.invoiced_then_ended()
    (december,) = await invoices(scene)
    await give(scene, december, amount("20.00"))
    await scene.invoiced(IN_FEBRUARY)
    (december,) = await invoices(scene)
    notes = await scene.host.billing_documents.credit_notes(ORGANIZATION, december.id)
    assert sorted((note.reason, note.total) for note in notes) == [
        ("correction", Decimal("-11.00")),
        ("goodwill", Decimal("-20.00")),
    ]
    assert (december.status, december.amount_due) == ("paid", 0)


async def test_with_a_note_an_invoice_is_not_cancelled_and_cancelled_nothing_is_given() -> None:
    scene, invoice = await invoiced()
    await give(scene, invoice, amount("1.00", settle="balance"))
    with pytest.raises(ConflictError, match="credit note lies on"):
        await scene.host.account.cancelling.cancel(ORGANIZATION, invoice.id)
    other, invoice = await invoiced()
    await other.host.account.cancelling.cancel(ORGANIZATION, invoice.id)
    with pytest.raises(CancelledError):
        await give(other, invoice, amount("1.00"))


async def test_what_is_waived_with_an_invoice_is_not_billed_again() -> None:
    scene, invoice = await invoiced()
    await scene.host.account.cancelling.cancel(ORGANIZATION, invoice.id, waive=True)
    await scene.invoiced(datetime(2022, 3, 10, tzinfo=UTC))
    billed = [(invoice.status, invoice.start.month, invoice.total) for invoice in await invoices(scene)]
    assert billed == [("cancelled", 1, Decimal("31.00")), ("pending", 2, Decimal("31.00"))]


async def test_what_falls_due_less_after_a_waiver_costs_nothing_and_gives_nothing() -> None:
    """31.00 of January, in advance, are waived; then half of January is due no longer."""
    scene = Scene()
    await scene.set_up(ADVANCE_FEE)
    await scene.invoiced(datetime(2022, 2, 10, tzinfo=UTC))
    (january,) = await invoices(scene)
    await scene.host.account.cancelling.cancel(ORGANIZATION, january.id, waive=True)
    await scene.host.agents.delete(ORGANIZATION, "agt_0", None)
    await scene.invoiced(datetime(2022, 4, 10, tzinfo=UTC))
    issued = [invoice for invoice in await invoices(scene) if invoice.status != "cancelled"]
    entries = (await scene.host.account.accounts.entries(ORGANIZATION, 10, None)).entities
    assert (issued, [entry.entry_kind for entry in entries]) == ([], ["cancellation", "invoice"])


def test_a_waiver_is_of_the_total_over_the_positive_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """40.00 of 50.00 - 20.00 + 10.00, by 5 to 1. Waiving the positive lines whole would give 60.00 away."""
    document = [line("a", 5000), line("b", -2000), line("c", 1000)]

    def waived() -> list[tuple[str, str]]:
        return [(each.key, str(each.amount)) for each in waived_lines(document, "USD")]

    assert waived() == [("a", "33.33"), ("c", "6.67")]
    monkeypatch.setattr(concessions, "total", lambda amounts: sum(amount for amount in amounts if amount > 0))
    assert waived() == [("a", "50.00"), ("c", "10.00")]


Weights = st.lists(st.integers(-10_000, 10_000), min_size=1, max_size=12).filter(lambda weights: sum(weights) != 0)


@given(st.integers(-(10**9), 10**9), Weights, st.sampled_from(("USD", "JPY", "KWD")))
def test_shares_add_up_and_none_is_off_by_a_unit(units: int, weights: Sequence[int], currency: str) -> None:
    places = {"USD": 2, "JPY": 0, "KWD": 3}[currency]
    whole = Decimal(units).scaleb(-places)
    shares = split(whole, [Decimal(weight) for weight in weights], currency)
    assert sum(shares) == whole
    for share, weight in zip(shares, weights, strict=True):
        exact = Fraction(whole) * weight / sum(weights)
        assert abs(Fraction(share) - exact) < Fraction(1, 10**places)


def line(key: str, cents: int) -> Line:
    value = Decimal(cents) / 100
    return Line(
        key=key,
        type="activity",
        description=key,
        quantity=Decimal(1),
        exact_amount=value,
        amount=value.quantize(Decimal("0.01")),
        steps=(Step(kind="unit", amount=value),),
        period=PERIOD.span,
    )


Happening = st.tuples(
    st.sampled_from(("due", "bill", "give", "cancel", "waive")), st.integers(0, 2), st.integers(0, 9000)
)


class Books:
    """Documents of one period, with a second computation beside them that knows only sums of cents by key."""

    def __init__(self) -> None:
        self.due = dict.fromkeys(KEYS, 0)
        self.documents: list[list[Line]] = []
        self.given: list[Line] = []
        self.waived: list[Line] = []
        self.given_cents = dict.fromkeys(KEYS, 0)
        self.waived_cents = dict.fromkeys(KEYS, 0)

    def billed_cents(self, key: str) -> int:
        return sum(int(each.amount * 100) for document in self.documents for each in document if each.key == key)

    def give(self, key: str, cents: int) -> None:
        """At most what is left of the line."""
        cents = min(cents, self.billed_cents(key) - self.given_cents[key])
        if cents > 0:
            self.given.append(goodwill_line(line(key, 0), Decimal(cents) / 100))
            self.given_cents[key] += cents

    def cancel(self, place: int, *, waive: bool) -> None:
        """None on which there is goodwill."""
        if not self.documents or any(self.given_cents.values()):
            return
        cancelled = self.documents.pop(place % len(self.documents))
        if waive:
            shares = waived_lines(cancelled, "USD")
            assert sum(each.amount for each in shares) == max(0, sum(each.amount for each in cancelled))
            self.waived += shares
            for each in shares:
                self.waived_cents[each.key] += int(each.amount * 100)

    def bill(self) -> None:
        due = [line(key, cents) for key, cents in self.due.items()]
        billed = billed_lines([each for document in self.documents for each in document], START)
        waived = conceded(self.waived, START)
        made = differences(PeriodBill(PERIOD, due, billed, waived=waived, given=self.given), PERIOD, "USD")
        for each in made:
            assert sum(step.amount for step in each.steps) == each.exact_amount == each.amount
        if made:
            self.documents.append(made)
        for key in KEYS:
            net = max(self.due[key] - self.waived_cents[key], 0)
            assert self.billed_cents(key) == max(net, self.given_cents[key])


@given(st.lists(Happening, max_size=20))
def test_billed_is_what_is_due_less_waived_and_never_less_than_given(
    happenings: Sequence[tuple[str, int, int]],
) -> None:
    """Laws 1 and 8 after any order of usage, documents, goodwill, cancellations and waivers."""
    books = Books()
    for what, place, cents in happenings:
        if what == "due":
            books.due[KEYS[place]] = cents
        elif what == "give":
            books.give(KEYS[place], cents)
        elif what == "bill":
            books.bill()
        else:
            books.cancel(place, waive=what == "waive")
    books.bill()
