"""Taxes: of documents, by treatments that are histories, and corrected at the rate that they correct."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.billing import invoicing
from shared.domain.billing.documents import Invoice
from shared.domain.billing.invoicing import PeriodBill, billed_lines, compose, differences, total_of
from shared.domain.billing.tax_ids import TYPES, checked_tax_id
from shared.domain.billing.tax_settings import TaxId, TaxTerms, Treatments
from shared.domain.billing.taxes import tax_lines_of, taxed
from shared.domain.kernel.errors import NotFoundError, ValidationError
from shared.domain.kernel.ids import named_id
from shared.domain.periods.periods import Period
from shared.domain.pricing.lines import Line, Step
from shared.domain.pricing.treatments import Restatement, Treatment
from shared.services.billing.goodwill import GoodwillDraft
from shared.services.billing.taxes import TaxRateDraft
from tests.doubles.worlds.paid_fees import ADVANCE_FEE, FEE, ORGANIZATION, START, Json, Scene

VAT = named_id("tax", "vat")
PERIOD = Period(start=START, end=datetime(2022, 2, 1, tzinfo=UTC), timezone="UTC")
PERCENTS = ("19", "7", "0", "8.875")
CENT = Decimal("0.01")
VALID_IDS = {
    "eu_vat": "DE 136 695 976",
    "gb_vat": "GB 980 7806 84",
    "ch_vat": "CHE-107.787.577 IVA",
    "no_vat": "NO 995 525 828 MVA",
    "us_ein": "91-1144442",
    "au_abn": "83 914 571 673",
    "in_gst": "27AAPFU0939F1ZV",
    "ca_bn": "12302 6635 RC 0001",
    "br_cnpj": "16.727.230/0001-97",
}


def treatment(percent: str, *, inclusive: bool = False) -> Treatment:
    return Treatment(
        rate_id=f"tax_{percent}",
        name="VAT",
        country="DE",
        category="S",
        percent=Decimal(percent),
        inclusive=inclusive,
        status="taxable",
    )


def line(key: str, cents: int, treated: Treatment | None) -> Line:
    amount = (Decimal(cents) / 100).quantize(CENT)
    return Line(
        key=key,
        type="activity",
        description=key,
        quantity=Decimal(1),
        exact_amount=amount,
        amount=amount,
        steps=(Step(kind="unit", amount=amount),),
        period=PERIOD.span,
        treatment=treated,
    )


async def scene(terms: TaxTerms | None = None, charge: Json = FEE, *, inclusive: bool = False) -> Scene:
    """A fee of 31.00 a month, taxed from the first day on."""
    made = Scene()
    await made.set_up(charge)
    taxes = made.host.account.taxes
    await taxes.create_rate(VAT, TaxRateDraft("VAT", "DE", "S", inclusive, Decimal(19), date(2020, 1, 1)))
    organization = await made.host.organizations.get(ORGANIZATION)
    await taxes.put_terms(organization, terms or TaxTerms(default_rate=VAT), None, None)
    return made


async def shown(made: Scene) -> list[Json]:
    """All invoices, oldest first, whole."""
    listed = (await made.listed())[::-1]
    return [await made.shown(invoice["id"]) for invoice in listed]


async def test_tax_is_added_to_an_invoice() -> None:
    made = await scene()
    await made.invoiced(datetime(2022, 2, 10, tzinfo=UTC))
    (invoice,) = await shown(made)
    assert (invoice["subtotal"], invoice["tax_total"], invoice["total"], invoice["amount_due"]) == (
        "31.00",
        "5.89",
        "36.89",
        "36.89",
    )
    (tax,) = invoice["tax_lines"]
    assert (tax["percent"], tax["taxable"], tax["amount"], tax["inclusive"]) == ("19", "31.00", "5.89", False)
    (one,) = invoice["lines"]
    assert (one["amount"], one["net_amount"], one["tax_amount"]) == ("31.00", "31.00", "5.89")
    (listed,) = await made.listed()
    assert (listed["tax_total"], listed["tax_lines"], listed["total"]) == ("5.89", [tax], "36.89")


async def test_a_preview_has_the_tax_of_the_invoice() -> None:
    made = await scene()
    made.clock.set(datetime(2022, 1, 20, tzinfo=UTC))
    organization = await made.host.organizations.get(ORGANIZATION)
    bill = await made.host.bills.preview(organization, PERIOD)
    assert str(total_of(bill.composed().invoice, "USD")) == "36.89"


async def test_inclusive_tax_is_contained_in_an_invoice() -> None:
    """By hand: 31.00 x 19 / 119 = 4.9496."""
    made = await scene(inclusive=True)
    await made.invoiced(datetime(2022, 2, 10, tzinfo=UTC))
    (invoice,) = await shown(made)
    assert (invoice["subtotal"], invoice["tax_total"], invoice["total"]) == ("31.00", "4.95", "31.00")
    (one,) = invoice["lines"]
    assert (one["amount"], one["net_amount"], one["tax_amount"]) == ("31.00", "26.05", "4.95")


async def test_reverse_charge_and_exemption_say_why_nothing_is_taxed() -> None:
    terms = TaxTerms(default_rate=VAT, status="reverse_charge", tax_ids=(TaxId(type="eu_vat", value="DE136695976"),))
    made = await scene(terms)
    await made.invoiced(datetime(2022, 2, 10, tzinfo=UTC))
    (invoice,) = await shown(made)
    (tax,) = invoice["tax_lines"]
    assert (invoice["total"], tax["category"], tax["amount"]) == ("31.00", "AE", "0.00")
    assert tax["text"] == "Reverse charge: the recipient is liable for the tax"
    exempt = await scene(TaxTerms(status="exempt", reason="Educational services"))
    await exempt.invoiced(datetime(2022, 2, 10, tzinfo=UTC))
    ((tax,),) = [invoice["tax_lines"] for invoice in await shown(exempt)]
    assert (tax["category"], tax["amount"], tax["text"]) == ("E", "0.00", "Educational services")


async def test_a_month_is_taxed_at_the_rate_of_its_last_day() -> None:
    """16 % from 15 February on: January at 19 %, all of February at 16 %."""
    made = await scene()
    await made.invoiced(datetime(2022, 2, 10, tzinfo=UTC))
    await made.host.account.taxes.put_percent(VAT, Decimal(16), date(2022, 2, 15), None)
    await made.invoiced(datetime(2022, 3, 10, tzinfo=UTC))
    assert [invoice["total"] for invoice in await shown(made)] == ["36.89", "35.96"]


async def test_what_was_billed_in_advance_is_taken_back_at_the_old_rate_and_billed_at_the_new() -> None:
    """February, in advance at 19 %, ends under 16 %: -36.89 and +35.96 on the invoice of February's end."""
    made = await scene(charge=ADVANCE_FEE)
    await made.invoiced(datetime(2022, 2, 10, tzinfo=UTC))
    await made.host.account.taxes.put_percent(VAT, Decimal(16), date(2022, 2, 15), None)
    await made.invoiced(datetime(2022, 3, 10, tzinfo=UTC))
    latest = (await shown(made))[-1]
    taxes = sorted((tax["percent"], tax["taxable"], tax["amount"]) for tax in latest["tax_lines"])
    assert taxes == [("16", "62.00", "9.92"), ("19", "-31.00", "-5.89")]
    assert latest["total"] == "35.03"


async def test_a_correction_is_at_the_rate_that_it_corrects() -> None:
    """January, billed in advance at 19 %, ends on the 15th; 16 % hold from 20 January on, but of another month."""
    made = Scene()
    await made.set_up(ADVANCE_FEE)
    taxes = made.host.account.taxes
    await taxes.create_rate(VAT, TaxRateDraft("VAT", "DE", "S", False, Decimal(19), date(2020, 1, 1)))  # noqa: FBT003
    organization = await made.host.organizations.get(ORGANIZATION)
    await taxes.put_terms(organization, TaxTerms(default_rate=VAT), None, None)
    await made.invoiced(datetime(2022, 2, 10, tzinfo=UTC))
    await taxes.put_percent(VAT, Decimal(16), date(2022, 3, 1), None)
    made.clock.set(datetime(2022, 2, 14, 12, tzinfo=UTC))
    await made.host.agents.delete(ORGANIZATION, "agt_0", None)
    await made.invoiced(datetime(2022, 3, 10, tzinfo=UTC))
    notes = await made.host.billing_documents.credit_notes(ORGANIZATION, (await shown(made))[-1]["id"])
    assert [(str(note.total), [str(tax.percent) for tax in note.tax_lines]) for note in notes] == [("-18.45", ["19"])]


async def taxed_in_february() -> tuple[str, str]:
    """The amount and the tax of an agent that ends on 10 February; 16 % hold from the 15th on."""
    made = await scene()
    await made.invoiced(datetime(2022, 2, 10, tzinfo=UTC))
    made.clock.set(datetime(2022, 2, 10, 12, tzinfo=UTC))
    await made.host.agents.delete(ORGANIZATION, "agt_0", None)
    await made.host.account.taxes.put_percent(VAT, Decimal(16), date(2022, 2, 15), None)
    await made.invoiced(datetime(2022, 3, 10, tzinfo=UTC))
    (tax,) = (await shown(made))[-1]["tax_lines"]
    return tax["taxable"], tax["amount"]


async def test_the_last_day_is_that_of_the_period_however_short_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand: 31.00 x 10 / 28 = 11.07; 16 % of it are 1.77, and 19 % would be 2.10."""
    assert await taxed_in_february() == ("11.07", "1.77")

    def on_the_last_day_of_the_plan(treatments: Treatments, each: Line, timezone: str, _: object = None) -> object:
        return treatments.at(min(each.period.end, datetime(2022, 2, 10, 12, tzinfo=UTC)), timezone, each.charge)

    monkeypatch.setattr(Treatments, "of", on_the_last_day_of_the_plan)
    assert await taxed_in_february() == ("11.07", "2.10")


async def test_a_restated_period_is_billed_again() -> None:
    made = await scene()
    await made.invoiced(datetime(2022, 2, 10, tzinfo=UTC))
    organization = await made.host.organizations.get(ORGANIZATION)
    restatement = Restatement(status="reverse_charge", reason="It has a tax id", restated_at=made.clock.now())
    await made.host.account.taxes.restate(organization, date(2022, 1, 1), restatement)
    await made.invoiced(datetime(2022, 3, 10, tzinfo=UTC))
    corrected = (await shown(made))[-1]
    taxes = [(tax["category"], tax["taxable"], tax["amount"]) for tax in corrected["tax_lines"]]
    assert sorted(taxes) == [("AE", "31.00", "0.00"), ("S", "0.00", "0.00")]
    account = (await made.host.account.accounts.read(ORGANIZATION, made.clock.now())).account
    assert account.open - account.balance == Decimal("31.00") + Decimal("36.89")
    with pytest.raises(NotFoundError):
        await made.host.account.taxes.restate(organization, date(2022, 1, 2), restatement)


async def test_goodwill_by_amount_contains_its_tax() -> None:
    made = await scene()
    await made.invoiced(datetime(2022, 2, 10, tzinfo=UTC))
    (invoice,) = await shown(made)
    organization = await made.host.organizations.get(ORGANIZATION)
    give = made.host.account.goodwill.give
    note = await give(organization, named_id("cn", "1"), invoice["id"], GoodwillDraft("Sorry", Decimal("11.90")))
    (tax,) = note.tax_lines
    assert (note.total, tax.taxable, tax.amount) == (Decimal("-11.90"), Decimal("-10.00"), Decimal("-1.90"))
    with pytest.raises(ValidationError, match="24.99"):  # noqa: RUF043
        await give(organization, named_id("cn", "2"), invoice["id"], GoodwillDraft("Sorry", Decimal("25.00")))
    await give(organization, named_id("cn", "3"), invoice["id"], GoodwillDraft("Sorry", Decimal("24.99")))
    assert (await made.shown(invoice["id"]))["status"] == "paid"


async def test_goodwill_follows_how_its_line_is_taxed() -> None:
    """10.00 given at 19 %; then reverse charge: 1.90 of its tax are taken back with the 5.89 of the line."""
    made = await scene()
    await made.invoiced(datetime(2022, 2, 10, tzinfo=UTC))
    (invoice,) = await shown(made)
    organization = await made.host.organizations.get(ORGANIZATION)
    give = made.host.account.goodwill.give
    await give(organization, named_id("cn", "1"), invoice["id"], GoodwillDraft("Sorry", Decimal("11.90")))
    restatement = Restatement(status="reverse_charge", reason="It has a tax id", restated_at=made.clock.now())
    await made.host.account.taxes.restate(organization, date(2022, 1, 1), restatement)
    await made.invoiced(datetime(2022, 3, 10, tzinfo=UTC))
    restated = (await shown(made))[-1]
    january = [
        (line["type"], line["amount"], line["tax_amount"]) for line in restated["lines"] if line["adjusts"] is not None
    ]
    assert sorted(january) == [
        ("adjustment", "-31.00", "-5.89"),
        ("adjustment", "31.00", "0.00"),
        ("goodwill", "-10.00", "0.00"),
        ("goodwill", "10.00", "1.90"),
    ]
    await made.invoiced(datetime(2022, 4, 10, tzinfo=UTC))
    assert [line["type"] for line in (await shown(made))[-1]["lines"]] == ["flat_fee"]
    late = await give(organization, named_id("cn", "2"), invoice["id"], GoodwillDraft("Sorry", Decimal("21.00")))
    assert (late.total, [tax.category for tax in late.tax_lines]) == (Decimal("-21.00"), ["AE"])
    with pytest.raises(ValidationError):
        await give(organization, named_id("cn", "3"), invoice["id"], GoodwillDraft("Sorry", Decimal("0.01")))


async def test_a_document_keeps_the_rate_of_its_tax_currency_for_its_corrections() -> None:
    """5.89 at 4.00 are 23.56; the note of March, when the rate is 5.00, is at the invoice's."""
    made = await scene(TaxTerms(default_rate=VAT, tax_currency="PLN"))
    rates = made.host.exchange_rates
    organization = await made.host.organizations.get(ORGANIZATION)
    with pytest.raises(ValidationError):
        await made.host.account.tax_currencies.check(organization, "EUR")
    await rates.put("USD", "PLN", Decimal("4.00"), None, None)
    await made.invoiced(datetime(2022, 2, 10, tzinfo=UTC))
    (invoice,) = await shown(made)
    assert invoice["tax_currency"] == {"currency": "PLN", "rate": "4", "tax_total": "23.56"}
    await rates.put("USD", "PLN", Decimal("5.00"), datetime(2022, 3, 1, tzinfo=UTC), None)
    await made.invoiced(datetime(2022, 3, 10, tzinfo=UTC))
    give = made.host.account.goodwill.give
    note = await give(organization, named_id("cn", "1"), invoice["id"], GoodwillDraft("Sorry", Decimal("11.90")))
    assert note.tax_currency is not None
    assert (note.tax_currency.rate, note.tax_currency.tax_total) == (Decimal("4.00"), Decimal("-7.60"))
    february = (await shown(made))[-1]
    assert february["tax_currency"] == {"currency": "PLN", "rate": "5", "tax_total": "29.45"}


async def test_terms_that_cannot_be_are_refused() -> None:
    made = await scene()
    organization = await made.host.organizations.get(ORGANIZATION)
    put = made.host.account.taxes.put_terms
    bad_id = TaxId(type="eu_vat", value="DE136695977")
    for terms, start, pointer in (
        (TaxTerms(default_rate="tax_none"), None, "/default_rate"),
        (TaxTerms(by_charge={"seats": "tax_none"}), None, "/by_charge/seats"),
        (TaxTerms(status="reverse_charge"), None, "/tax_ids"),
        (TaxTerms(status="exempt"), None, "/reason"),
        (TaxTerms(tax_ids=(bad_id,)), None, "/tax_ids/0/value"),
        (TaxTerms(), date(2021, 12, 31), "/from"),
    ):
        with pytest.raises(ValidationError) as refused:
            await put(organization, terms, start, None)
        assert refused.value.errors[0].pointer == pointer
    made.clock.set(datetime(2022, 1, 20, tzinfo=UTC))
    with pytest.raises(ValidationError):
        await made.host.account.taxes.put_percent(VAT, Decimal(16), date(2022, 1, 19), None)


@pytest.mark.parametrize("type_", TYPES)
def test_tax_ids_are_checked_by_their_digits(type_: str) -> None:
    number = VALID_IDS[type_]
    assert checked_tax_id(type_, number, "/tax_ids/0")
    with pytest.raises(ValidationError):
        checked_tax_id(type_, number[:-1] + "?", "/tax_ids/0")


Entered = st.tuples(st.integers(-5000, 90_000), st.integers(0, len(PERCENTS)))


@given(st.lists(Entered, min_size=1, max_size=8), st.booleans())
def test_the_lines_of_a_document_add_up_to_its_totals(entered: Sequence[tuple[int, int]], inclusive: bool) -> None:
    """Inclusive and exclusive, three rates and none, over eight lines of mixed signs; computed again in cents."""
    treatments = [*(treatment(percent, inclusive=inclusive) for percent in PERCENTS), None]
    lines = [line(f"k{place}", cents, treatments[chosen]) for place, (cents, chosen) in enumerate(entered)]
    made = taxed(lines, "USD")
    tax_lines = tax_lines_of(made, "USD")
    expected = Decimal(0)
    for place, percent in enumerate(PERCENTS):
        amounts = [Decimal(cents) / 100 for cents, chosen in entered if chosen == place]
        if not amounts:
            continue
        whole = 100 + Decimal(percent) if inclusive else Decimal(100)
        tax = (sum(amounts) * Decimal(percent) / whole).quantize(CENT, ROUND_HALF_UP)
        (shown_line,) = [each for each in tax_lines if each.percent == Decimal(percent)]
        assert shown_line.amount == tax
        assert shown_line.taxable == sum(amounts) - (tax if inclusive else 0)
        expected += 0 if inclusive else tax
    assert total_of(made, "USD") == sum(each.amount for each in made) + expected
    for before, after in zip(lines, made, strict=True):
        assert after.amount == before.amount
        if after.treatment is not None:
            exact = after.treatment.tax_of(after.amount)
            assert after.tax_amount is not None
            assert abs(after.tax_amount - Decimal(exact.numerator) / Decimal(exact.denominator)) < CENT


Happening = st.tuples(st.sampled_from(("due", "rate", "bill")), st.integers(0, 2), st.integers(0, 9000))


@given(st.lists(Happening, max_size=16))
def test_after_any_changes_only_the_present_treatment_is_billed(happenings: Sequence[tuple[str, int, int]]) -> None:
    """Law 11: net by treatment is exact; the tax of all documents is within half a cent for each of them."""
    due = dict.fromkeys("abc", 0)
    present = dict.fromkeys("abc", 0)
    documents: list[Sequence[Line]] = []
    for what, place, cents in [*happenings, ("bill", 0, 0)]:
        key = "abc"[place]
        if what == "due":
            due[key] = cents
        elif what == "rate":
            present[key] = cents % len(PERCENTS)
        else:
            lines = [line(name, due[name], treatment(PERCENTS[present[name]])) for name in due]
            billed = billed_lines([each for document in documents for each in document], START)
            composed = compose(differences(PeriodBill(PERIOD, lines, billed), PERIOD, "USD"), "USD")
            documents += [document for document in (composed.invoice, composed.correction) if document]
    every = [each for document in documents for each in document]
    for percent in PERCENTS:
        of_rate = [each for each in every if each.treatment is not None and each.treatment.percent == Decimal(percent)]
        wanted = sum(due[name] for name in due if PERCENTS[present[name]] == percent)
        assert sum(each.amount for each in of_rate) * 100 == wanted
        tax = sum(each.tax_amount or 0 for each in of_rate)
        within = Decimal("0.005") * (len(documents) + 1)
        assert abs(tax - Decimal(wanted) / 100 * Decimal(percent) / 100) <= within
    for name in due:
        by_line = [each for each in every if each.key == name]
        assert sum(each.amount for each in by_line) * 100 == due[name]


def test_a_document_below_zero_with_its_tax_is_one_credit_note() -> None:
    lines = [line("a", 5000, treatment("0")), line("b", -4900, treatment("19"))]
    composed = compose(lines, "USD")
    assert (composed.invoice, [each.type for each in composed.correction]) == ((), ["activity", "correction"])
    assert composed.totals("USD").credit_note == Decimal("-8.31")
    assert isinstance(Invoice.model_fields["tax_lines"].default, tuple)


def test_a_document_is_composed_with_its_tax(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its net, the one above would be an invoice below zero."""
    monkeypatch.setattr(invoicing, "exact_gross", lambda lines: sum(each.amount for each in lines))
    composed = compose([line("a", 5000, treatment("0")), line("b", -4900, treatment("19"))], "USD")
    assert composed.totals("USD").invoice == Decimal("-8.31")
