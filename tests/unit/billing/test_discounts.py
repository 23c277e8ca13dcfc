"""Discounts as lines, with waivers, goodwill and taxes, against a second computation in cents."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.billing.concessions import conceded, goodwill_line, waived_lines
from shared.domain.billing.discounts import Discount, discount_lines, discounts_of, net_lines
from shared.domain.billing.invoicing import PeriodBill, billed_lines, compose, differences, total_of
from shared.domain.billing.taxes import tax_lines_of, taxed
from shared.domain.periods.periods import Period
from shared.domain.pricing.lines import Line, Step
from shared.domain.pricing.treatments import Treatment

START = datetime(2022, 1, 1, tzinfo=UTC)
PERIOD = Period(start=START, end=datetime(2022, 2, 1, tzinfo=UTC), timezone="UTC")
KEYS = ("a", "b", "c")
RATES = ("19", "7", "0")
CENT = Decimal("0.01")


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


def line(key: str, cents: int, treated: Treatment | None = None) -> Line:
    value = (Decimal(cents) / 100).quantize(CENT)
    return Line(
        key=key,
        type="activity",
        charge=key,
        description=key,
        quantity=Decimal(1),
        exact_amount=value,
        amount=value,
        steps=(Step(kind="unit", amount=value),),
        period=PERIOD.span,
        treatment=treated,
    )


def coupon(number: int, *, percent: str | None = None, cents: int = 0, charges: str | None = None) -> Discount:
    return Discount(
        redemption_id=f"red_{number}",
        name=f"Coupon {number}",
        redeemed_at=START + timedelta(hours=number),
        percent=None if percent is None else Decimal(percent),
        amount=None if percent is not None else (Decimal(cents) / 100).quantize(CENT),
        charges=None if charges is None else frozenset(charges),
    )


def shares(lines: Sequence[Line]) -> list[tuple[str, str]]:
    return [(each.key, str(each.amount)) for each in lines]


def test_an_amount_is_split_by_largest_remainder_and_ties_go_to_the_first_keys() -> None:
    lines = [line(key, 3100) for key in ("c", "b", "a")]
    made = discount_lines(lines, [coupon(1, cents=2000)], "USD")
    assert shares(made) == [("a#red_1", "-6.67"), ("b#red_1", "-6.67"), ("c#red_1", "-6.66")]


def test_a_percentage_is_rounded_once_over_all_its_lines() -> None:
    """By hand: 10 % of 1.35 is 0.135, so 0.14 in all, while each line by itself would be rounded to 0.05."""
    made = discount_lines([line(key, 45) for key in KEYS], [coupon(1, percent="10")], "USD")
    assert shares(made) == [("a#red_1", "-0.05"), ("b#red_1", "-0.05"), ("c#red_1", "-0.04")]


def test_coupons_by_charge_come_first_and_each_takes_of_what_is_left() -> None:
    """50 % of a leaves 5.00 and 10.00; 10.00 of all of them are 3.33 and 6.67."""
    whole, of_a = coupon(1, cents=1000), coupon(2, percent="50", charges="a")
    made = discount_lines([line("a", 1000), line("b", 1000)], [whole, of_a], "USD")
    assert shares(made) == [("a#red_2", "-5.00"), ("a#red_1", "-3.33"), ("b#red_1", "-6.67")]


def test_no_more_is_taken_off_than_there_is_and_nothing_off_what_is_not_above_zero() -> None:
    lines = [line("a", 1000), line("b", 0), line("c", -300)]
    made = discount_lines(lines, [coupon(1, cents=5000), coupon(2, percent="100")], "USD")
    assert shares(made) == [("a#red_1", "-10.00")]


def test_a_coupon_is_for_the_lines_of_its_models() -> None:
    lines = [line("a", 1000).model_copy(update={"model_id": "bm_1"}), line("b", 1000)]
    only = Discount("red_1", "Plan", START, percent=Decimal(50), models=frozenset({"bm_1"}))
    assert shares(discount_lines(lines, [only], "USD")) == [("a#red_1", "-5.00")]


def test_a_document_shows_what_is_taken_off_a_line_and_what_is_left_of_it() -> None:
    """Inclusive, by hand: 119.00 less 11.90 contain 17.10 of tax."""
    charged = line("a", 11900, treatment("19", inclusive=True))
    discounted = discount_lines([charged], [coupon(1, percent="10")], "USD")
    invoice = compose([charged, *discounted], "USD").invoice
    one, off = invoice
    assert (one.discount_amount, one.net_amount, off.net_amount) == (Decimal("11.90"), Decimal("90.00"), None)
    assert (one.tax_amount, off.tax_amount, off.type) == (Decimal("19.00"), Decimal("-1.90"), "discount")
    (said,) = discounts_of(invoice, "USD")
    assert (said.redemption_id, said.name, said.amount) == ("red_1", "Coupon 1", Decimal("11.90"))


def test_what_is_discounted_twice_comes_to_one_net_line() -> None:
    charged = line("a", 1000)
    off = discount_lines([charged], [coupon(1, cents=100), coupon(2, cents=200)], "USD")
    assert shares(net_lines([charged, *off])) == [("a", "7.00")]
    assert shares(net_lines(off)) == [("a", "-3.00")]


def test_a_discount_that_is_no_longer_due_is_taken_back_as_a_discount() -> None:
    charged = line("a", 1000)
    off = discount_lines([charged], [coupon(1, percent="10")], "USD")
    (back,) = differences(PeriodBill(PERIOD, [charged], billed_lines([charged, *off], START)), PERIOD, "USD")
    assert (back.key, back.type, back.amount) == ("a#red_1", "discount", Decimal("1.00"))
    assert back.description == "Adjustment of Coupon 1: a: 0.00 due, -1.00 billed before"


# Against a second computation


def discounts_in_cents(due: Mapping[str, int], coupons: Sequence[Discount]) -> dict[tuple[str, str], int]:
    """Computed again, in whole cents: what each coupon takes off each key."""
    left, taken = dict(due), {}
    for each in sorted(coupons, key=lambda one: (one.charges is None, one.redeemed_at)):
        covered = sorted(key for key in left if left[key] > 0 and (each.charges is None or key in each.charges))
        whole = sum(left[key] for key in covered)
        if each.percent is None:
            off = min(int((each.amount or 0) * 100), whole)
        else:
            off = int((whole * each.percent / 100).quantize(Decimal(1), ROUND_HALF_UP))
        floors = {key: off * left[key] // whole for key in covered} if whole else {}
        rest = off - sum(floors.values())
        for key in sorted(covered, key=lambda key: (-(off * left[key] % whole), key))[:rest]:
            floors[key] += 1
        for key, share in floors.items():
            left[key] -= share
            taken[key, each.redemption_id] = share
    return taken


class Books:
    """Documents of one period with coupons, waivers and goodwill; and beside them sums of cents by key."""

    def __init__(self, discounting: Callable[[Sequence[Line], "Books"], Sequence[Line]] | None = None) -> None:
        self.discounting = discounting or (lambda lines, books: discount_lines(lines, books.coupons, "USD"))
        self.due = dict.fromkeys(KEYS, 0)
        self.coupons: list[Discount] = []
        self.redeemed = 0
        self.documents: list[Sequence[Line]] = []
        self.given: list[Line] = []
        self.waived: list[Line] = []
        self.given_cents = dict.fromkeys(KEYS, 0)
        self.waived_cents = dict.fromkeys(KEYS, 0)

    def billed_cents(self, key: str) -> int:
        """After discounts."""
        every = [each for document in self.documents for each in document if each.type != "goodwill"]
        return sum(int(each.amount * 100) for each in every if each.discounted_key == key)

    def happen(self, what: str, place: int, cents: int) -> None:
        key = KEYS[place]
        match what:
            case "due":
                self.due[key] = cents
            case "redeem":
                charges = key if cents % 3 == 0 else None
                self.redeemed += 1
                number = self.redeemed
                if cents % 2:
                    self.coupons.append(coupon(number, percent=str(1 + cents % 100), charges=charges))
                else:
                    self.coupons.append(coupon(number, cents=1 + cents, charges=charges))
            case "end":
                self.coupons = self.coupons[1:]
            case "give":
                self.give(key, cents)
            case "bill":
                self.bill()
            case _:
                self.cancel(place, waive=what == "waive")

    def give(self, key: str, cents: int) -> None:
        """At most what is left of the line after its discounts."""
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
            made = waived_lines(cancelled, "USD")
            assert sum(each.amount for each in made) == max(0, sum(each.amount for each in cancelled))
            self.waived += made
            for each in made:
                self.waived_cents[each.key] += int(each.amount * 100)

    def bill(self) -> None:
        charged = [line(key, cents) for key, cents in self.due.items()]
        due = [*charged, *self.discounting(charged, self)]
        billed = billed_lines([each for document in self.documents for each in document], START)
        waived = conceded(self.waived, START)
        made = differences(PeriodBill(PERIOD, due, billed, waived=waived, given=self.given), PERIOD, "USD")
        for each in made:
            assert sum(step.amount for step in each.steps) == each.exact_amount == each.amount
        composed = compose(made, "USD")
        self.documents += [document for document in (composed.invoice, composed.correction) if document]
        self.check()

    def check(self) -> None:
        """Laws 1, 8 and 10."""
        discounts = discounts_in_cents(self.due, self.coupons)
        every = [each for document in self.documents for each in document]
        for key in KEYS:
            off = sum(share for (of_key, _), share in discounts.items() if of_key == key)
            net = max(self.due[key] - off - self.waived_cents[key], 0)
            assert self.billed_cents(key) == max(net, self.given_cents[key])
            if self.waived_cents[key] and not net and not self.given_cents[key]:
                discounts = {place: share for place, share in discounts.items() if place[0] != key}
        of_documents: dict[tuple[str, str], int] = {}
        for each in every:
            if each.discount is not None:
                place = each.discounted_key, each.discount.redemption_id
                of_documents[place] = of_documents.get(place, 0) - int(each.amount * 100)
        assert {place: cents for place, cents in of_documents.items() if cents} == {
            place: cents for place, cents in discounts.items() if cents
        }


Happening = st.tuples(
    st.sampled_from(("due", "due", "redeem", "end", "bill", "bill", "give", "cancel", "waive")),
    st.integers(0, 2),
    st.integers(0, 9000),
)


@given(st.lists(Happening, max_size=20))
def test_discounts_of_all_documents_are_those_of_one(happenings: Sequence[tuple[str, int, int]]) -> None:
    """After any order of usage, coupons, documents, goodwill, cancellations and waivers."""
    books = Books()
    lived(books, happenings)
    books.bill()


HISTORY = (
    ("due", 0, 5000),
    ("due", 1, 3000),
    ("redeem", 0, 2000),
    ("bill", 0, 0),
    ("due", 2, 4000),
    ("bill", 0, 0),
    ("waive", 0, 0),
    ("redeem", 0, 25),
    ("bill", 0, 0),
    ("due", 0, 100),
    ("bill", 0, 0),
)


def by_document(lines: Sequence[Line], books: Books) -> Sequence[Line]:
    """Each document takes the coupon off what it bills itself."""
    billed = [each for document in books.documents for each in document]
    before = [each for each in billed if each.discount is not None]
    new = [line(each.key, int(each.amount * 100) - books.billed_cents(each.key)) for each in lines]
    made = discount_lines(new, books.coupons, "USD")
    sums = {each.key: each for each in before}
    return [*sums.values(), *(each for each in made if each.key not in sums)]


def after_waivers(lines: Sequence[Line], books: Books) -> Sequence[Line]:
    """What is waived is taken off first."""
    left = [line(each.key, int(each.amount * 100) - books.waived_cents[each.key]) for each in lines]
    return discount_lines(left, books.coupons, "USD")


def whole_ones_first(lines: Sequence[Line], books: Books) -> Sequence[Line]:
    """In the order of their times alone: of two coupons the one for a charge comes second."""
    made: list[Line] = []
    left = {each.key: each for each in lines}
    for each in sorted(books.coupons, key=lambda one: (one.charges is not None, one.redeemed_at)):
        off = discount_lines(list(left.values()), [each], "USD")
        for share in off:
            key = share.discounted_key
            left[key] = left[key].model_copy(update={"amount": left[key].amount + share.amount})
        made += off
    return made


def each_rounded(lines: Sequence[Line], books: Books) -> Sequence[Line]:
    """Each line's discount is rounded by itself."""
    return [off for each in lines for off in discount_lines([each], books.coupons, "USD")]


@pytest.mark.parametrize("naive", [by_document, after_waivers, whole_ones_first, each_rounded])
def test_a_naive_variant_is_found(naive: Callable[[Sequence[Line], Books], Sequence[Line]]) -> None:
    extra = {whole_ones_first: (("redeem", 1, 3003), ("bill", 0, 0))}
    history = (*HISTORY, *extra.get(naive, ()))
    lived(Books(), history)
    with pytest.raises(AssertionError):
        lived(Books(naive), history)


def lived(books: Books, history: Sequence[tuple[str, int, int]]) -> None:
    for happening in history:
        books.happen(*happening)


Taxed = st.tuples(
    st.sampled_from(("due", "rate", "redeem", "end", "bill", "bill", "give")), st.integers(0, 2), st.integers(0, 9000)
)


@given(st.lists(Taxed, max_size=16), st.booleans())
def test_what_is_taxed_is_what_discounts_leave(happenings: Sequence[tuple[str, int, int]], inclusive: bool) -> None:
    """Law 11 with coupons and goodwill, which follows its line: net by treatment is exact, goodwill taken off.

    The tax of all documents is within half a cent for each of them.
    """
    books = Books()
    rates, billed_rates = dict.fromkeys(KEYS, 0), dict.fromkeys(KEYS, 0)
    documents: list[Sequence[Line]] = books.documents
    for what, place, cents in [*happenings, ("bill", 0, 0)]:
        if what == "rate":
            rates[KEYS[place]] = cents % len(RATES)
        elif what == "give":
            given_before = len(books.given)
            books.give(KEYS[place], cents)
            treated = treatment(RATES[billed_rates[KEYS[place]]], inclusive=inclusive)
            books.given[given_before:] = taxed(
                [each.model_copy(update={"treatment": treated}) for each in books.given[given_before:]], "USD"
            )
        elif what != "bill":
            books.happen(what, place, cents)
        else:
            charged = [line(key, books.due[key], treatment(RATES[rates[key]], inclusive=inclusive)) for key in KEYS]
            due = [*charged, *discount_lines(charged, books.coupons, "USD")]
            billed = billed_lines([each for document in documents for each in document], START)
            moved = [each for document in documents for each in document if each.type == "goodwill"]
            bill = PeriodBill(PERIOD, due, billed, given=[*books.given, *moved])
            composed = compose(differences(bill, PERIOD, "USD"), "USD")
            documents += [document for document in (composed.invoice, composed.correction) if document]
            billed_rates = dict(rates)
    every = [*books.given, *(each for document in documents for each in document)]
    off = discounts_in_cents(books.due, books.coupons)
    for percent in RATES:
        keys = [key for key in KEYS if RATES[rates[key]] == percent]
        net = {key: books.due[key] - sum(share for (of, _), share in off.items() if of == key) for key in keys}
        wanted = sum(max(net[key], books.given_cents[key]) - books.given_cents[key] for key in keys)
        of_rate = [each for each in every if each.treatment is not None and each.treatment.percent == Decimal(percent)]
        assert sum(each.amount for each in of_rate) * 100 == wanted
        whole = 100 + Decimal(percent) if inclusive else Decimal(100)
        tax = sum(each.tax_amount or 0 for each in of_rate)
        within = Decimal("0.005") * (len(documents) + len(books.given) + 1)
        assert abs(tax - Decimal(wanted) / 100 * Decimal(percent) / whole) <= within
    for document in documents:
        off_document = sum(said.amount for said in discounts_of(document, "USD"))
        lines = [each.amount for each in document if each.discount is None]
        contained = sum(each.tax_amount or 0 for each in document) if not inclusive else 0
        assert total_of(document, "USD") == sum(lines) - off_document + contained


Entered = st.tuples(st.integers(0, 90_000), st.integers(0, len(RATES) - 1))


@given(st.lists(Entered, min_size=8, max_size=8), st.booleans(), st.integers(1, 40_000), st.booleans())
def test_eight_lines_three_rates_and_a_coupon_add_up(
    entered: Sequence[tuple[int, int]], inclusive: bool, off: int, is_percent: bool
) -> None:
    charged = [
        line(f"k{place}", cents, treatment(RATES[rate], inclusive=inclusive))
        for place, (cents, rate) in enumerate(entered)
    ]
    discount = coupon(1, percent=str(1 + off % 100)) if is_percent else coupon(1, cents=off)
    document = compose([*charged, *discount_lines(charged, [discount], "USD")], "USD").invoice
    assert len([each for each in document if each.discount is None]) == len(entered)
    subtotal = sum(cents for cents, _ in entered)
    taken = sum(said.amount for said in discounts_of(document, "USD")) * 100
    wanted = (
        min(off, subtotal)
        if not is_percent
        else int((Decimal(subtotal) * (1 + off % 100) / 100).quantize(1, ROUND_HALF_UP))
    )
    assert taken == wanted
    tax_lines = tax_lines_of(document, "USD")
    tax = sum(each.amount for each in tax_lines)
    assert tax == sum(each.tax_amount or 0 for each in document)
    assert total_of(document, "USD") * 100 == subtotal - taken + (0 if inclusive else tax * 100)
    assert sum(each.taxable for each in tax_lines) == total_of(document, "USD") - tax
    net = sum(each.net_amount or 0 for each in document)
    assert net == total_of(document, "USD") - tax
