"""Coupons: redeemed by periods, on their items, never more often than they may be. Figures are worked out by hand."""

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pydantic
import pytest

from shared.domain.billing.coupons import CouponDraft, Redemption
from shared.domain.billing.tax_settings import TaxTerms
from shared.domain.kernel.errors import ConflictError, ForbiddenError, NotFoundError, UnavailableError, ValidationError
from shared.domain.kernel.ids import named_id
from shared.services.billing import redemptions
from shared.services.billing.goodwill import GoodwillDraft, LineAmount
from shared.services.billing.taxes import TaxRateDraft
from shared.services.tenancy.organizations import OrganizationDraft
from tests.doubles.worlds.paid_fees import ADVANCE_FEE, FEE, ORGANIZATION, Json, Scene

VAT = named_id("tax", "vat")


def month(number: int, day: int = 10, year: int = 2022) -> datetime:
    return datetime(year, number, day, tzinfo=UTC)


async def scene(charge: Json = FEE, agents: int = 1) -> Scene:
    """A fee of 31.00 a month for each agent."""
    made = Scene()
    await made.set_up(charge, agents)
    return made


async def offer(made: Scene, code: str = "WELCOME", **fields: Any) -> str:
    draft = {"code": code, "name": "Welcome", "percent": "20", "duration": "once", **fields}
    if "amounts" in fields:
        draft.pop("percent")
    coupon_id = named_id("coup", code)
    await made.host.account.coupons.create(coupon_id, CouponDraft.model_validate(draft))
    return coupon_id


async def redeem(
    made: Scene, code: str = "WELCOME", name: str = "1", at: str | None = None, *, is_operator: bool = True
) -> Redemption:
    organization = await made.host.organizations.get(ORGANIZATION)
    redeemed = made.host.account.redemptions.redeem
    return await redeemed(organization, named_id("red", code, name), code, at, is_operator=is_operator)


async def totals(made: Scene) -> list[str]:
    return [invoice["total"] for invoice in (await made.listed())[::-1]]


async def test_a_coupon_counts_so_many_periods() -> None:
    """20 % of 31.00 in January, February and March."""
    made = await scene()
    await offer(made, duration="periods", periods=3)
    redeemed = await redeem(made, "welcome")
    ((periods, are_all),) = await made.host.account.redemptions.periods_of(
        await made.host.organizations.get(ORGANIZATION), [redeemed]
    )
    assert ([period.start.month for period in periods], are_all) == ([1, 2, 3], True)
    for number in (2, 3, 4, 5):
        await made.invoiced(month(number))
    assert await totals(made) == ["24.80", "24.80", "24.80", "31.00"]
    (january,) = [invoice for invoice in await made.listed() if invoice["period"]["start"].startswith("2022-01")]
    shown = await made.shown(january["id"])
    assert (shown["subtotal"], shown["discount_total"], shown["total"]) == ("31.00", "6.20", "24.80")
    assert shown["discounts"] == [{"redemption_id": redeemed.id, "name": "Welcome", "amount": "6.20"}]
    fee, off = shown["lines"]
    assert (fee["type"], fee["amount"], fee["discount_amount"], fee["net_amount"]) == (
        "flat_fee",
        "31.00",
        "6.20",
        "24.80",
    )
    assert (off["type"], off["amount"], off["key"]) == ("discount", "-6.20", f"{fee['key']}#{redeemed.id}")
    assert january["discounts"] == shown["discounts"]


async def test_a_preview_in_mid_period_is_the_invoice_after_grace() -> None:
    made = await scene(ADVANCE_FEE, agents=3)
    await offer(made, amounts={"USD": "20.00"}, duration="forever")
    await redeem(made)
    made.clock.set(month(1, 20))
    organization = await made.host.organizations.get(ORGANIZATION)
    period = await made.host.periods.to_preview(organization, None, made.clock.now())
    before = await made.host.bills.preview(organization, period)
    await made.invoiced(month(2))
    (invoice,) = await made.listed()
    lines = (await made.shown(invoice["id"]))["lines"]
    previewed = [(line.key, f"{line.amount:f}") for line in before.composed().invoice]
    assert previewed == [(line["key"], line["amount"]) for line in lines]
    assert invoice["total"] == "146.00"  # January and, in advance, February: 93.00 - 20.00 each


async def test_a_limit_of_redemptions_is_never_passed() -> None:
    """Twenty organizations at once, and one redemption left: one of them has it."""
    made = await scene()
    coupon_id = await offer(made, maximum_redemptions=1)
    organizations = []
    for number in range(20):
        draft = OrganizationDraft(name=f"Org {number}", currency="USD", timezone="UTC")
        await made.host.organizations.create(named_id("org", str(number)), draft)
        organizations.append(await made.host.organizations.get(named_id("org", str(number))))
    redeemed = await asyncio.gather(
        *(
            made.host.account.redemptions.redeem(each, named_id("red", each.id), "WELCOME", None, is_operator=False)
            for each in organizations
        ),
        return_exceptions=True,
    )
    assert [type(each) for each in redeemed].count(Redemption) == 1
    assert [type(each) for each in redeemed].count(ConflictError) == 19
    assert (await made.host.account.coupons.get(coupon_id)).entity.redeemed == 1


@pytest.mark.parametrize("limit", [None, 100])
async def test_an_organization_redeems_a_coupon_as_often_as_it_may(limit: int | None) -> None:
    """Twenty times at once, of which it may twice. What is refused does not count as redeemed."""
    made = await scene()
    coupon_id = await offer(made, per_organization=2, maximum_redemptions=limit)
    redeemed = await asyncio.gather(*(redeem(made, name=str(name)) for name in range(20)), return_exceptions=True)
    assert [type(each) for each in redeemed].count(Redemption) == 2
    assert {type(each) for each in redeemed} == {Redemption, ConflictError}
    made.clock.set(month(1, 2))
    await made.host.outbox.sweep()
    assert (await made.host.account.coupons.get(coupon_id)).entity.redeemed == (0 if limit is None else 2)
    await made.invoiced(month(2))
    assert await totals(made) == ["19.84"]  # 31.00 less 20 %, less 20 % of what is left


async def test_what_is_given_back_was_never_redeemed() -> None:
    """Neither by the organization nor of the coupon, and no period has it; then it can be redeemed again."""
    made = await scene()
    coupon_id = await offer(made, maximum_redemptions=1)
    redeemed = await redeem(made)
    for _ in range(2):
        await made.host.account.redemptions.give_back(ORGANIZATION, redeemed.id)
    assert (await made.host.account.coupons.get(coupon_id)).entity.redeemed == 0
    assert (await made.host.account.redemptions.page(ORGANIZATION, 10, None)).entities == []
    await made.invoiced(month(2))
    await redeem(made)
    await made.invoiced(month(3))
    assert await totals(made) == ["31.00", "24.80"]
    assert (await made.host.account.coupons.get(coupon_id)).entity.redeemed == 1


async def test_a_claim_without_its_redemption_is_carried_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host ends between the two: the client never asks again, and the sweep redeems it, once."""
    made = await scene()
    coupon_id = await offer(made, maximum_redemptions=1)

    async def ended(*_: object) -> None:
        raise UnavailableError("The host has ended")

    with monkeypatch.context() as broken:
        broken.setattr(redemptions.Redemptions, "_lie", ended)
        with pytest.raises(UnavailableError):
            await redeem(made)
    made.clock.set(month(1, 2))
    for _ in range(2):
        await made.host.outbox.sweep()
    assert (await made.host.account.coupons.get(coupon_id)).entity.redeemed == 1
    await redeem(made)
    await made.invoiced(month(2))
    assert await totals(made) == ["24.80"]


async def test_a_redemption_beside_the_guard_would_be_lost() -> None:
    """While the invoice is finalized a coupon is redeemed for its period: the next document has what it takes off."""
    made = await scene()
    await offer(made)
    await made.invoiced(month(2, 1))
    finalize = made.host.bills.to_issue

    async def redeemed_meanwhile(*arguments: Any) -> Any:
        bill = await finalize(*arguments)
        if not (await made.host.account.redemptions.page(ORGANIZATION, 1, None)).entities:
            await redeem(made, at="2022-01")
        return bill

    made.host.bills.to_issue = redeemed_meanwhile  # type: ignore[method-assign]
    await made.invoiced(month(2))
    await made.invoiced(month(3))
    assert sum(Decimal(each) for each in await totals(made)) == Decimal("24.80") + 31


async def test_an_earlier_month_is_the_operators_and_the_next_invoice_adjusts_it() -> None:
    made = await scene()
    made.clock.set(month(1, 5))
    await offer(made)
    await made.invoiced(month(2))
    with pytest.raises(ForbiddenError):
        await redeem(made, at="2022-01", is_operator=False)
    with pytest.raises(ValidationError, match="before the coupon was made"):
        await redeem(made, at="2021-12")
    await redeem(made, at="2022-01")
    await made.invoiced(month(3))
    january, february = [await made.shown(each["id"]) for each in (await made.listed())[::-1]]
    assert (january["total"], february["total"]) == ("31.00", "24.80")
    assert [(line["type"], line["amount"], bool(line["adjusts"])) for line in february["lines"]] == [
        ("discount", "-6.20", True),
        ("flat_fee", "31.00", False),
    ]


async def test_a_month_to_come_may_be_named_and_begins_when_it_does() -> None:
    made = await scene()
    await offer(made, duration="periods", periods=2)
    redeemed = await redeem(made, at="2022-03", is_operator=False)
    with pytest.raises(ValidationError, match="more than 731 days ahead"):
        await redeem(made, name="2", at="2024-03")
    for number in (2, 3, 4, 5, 6):
        await made.invoiced(month(number))
    assert await totals(made) == ["31.00", "31.00", "24.80", "24.80", "31.00"]
    organization = await made.host.organizations.get(ORGANIZATION)
    ((periods, _),) = await made.host.account.redemptions.periods_of(organization, [redeemed])
    assert [period.start.month for period in periods] == [3, 4]


async def test_it_ends_with_the_present_period() -> None:
    """In February, which is billed in advance: March has nothing off."""
    made = await scene(ADVANCE_FEE)
    await offer(made, duration="forever")
    redeemed = await redeem(made)
    await made.invoiced(month(2))  # January and February, 24.80 each
    organization = await made.host.organizations.get(ORGANIZATION)
    ended = await made.host.account.redemptions.end(organization, redeemed.id)
    assert ended.until == datetime(2022, 3, 1, tzinfo=UTC)
    assert await made.host.account.redemptions.end(organization, redeemed.id) == ended
    await made.invoiced(month(3))
    await made.invoiced(month(4))
    assert await totals(made) == ["49.60", "31.00", "31.00"]
    with pytest.raises(NotFoundError):
        await made.host.account.redemptions.end(organization, named_id("red", "none"))


async def test_one_that_has_not_begun_never_does_once_it_is_ended() -> None:
    made = await scene()
    await offer(made)
    redeemed = await redeem(made, at="2022-03")
    await made.host.account.redemptions.end(await made.host.organizations.get(ORGANIZATION), redeemed.id)
    for number in (2, 3, 4):
        await made.invoiced(month(number))
    assert await totals(made) == ["31.00", "31.00", "31.00"]
    with pytest.raises(ConflictError, match="as often as it can"):
        await redeem(made, name="2")


async def test_what_falls_after_goodwill_with_a_coupon_gives_nobody_more_than_was_billed() -> None:
    """31.00 in advance less 6.20; 20.00 given; 14 of 28 days are due, 12.40 after the coupon: 4.80 come back."""
    made = Scene()
    await made.set_up(ADVANCE_FEE)
    await offer(made, duration="forever")
    await redeem(made)
    await made.invoiced(month(2))  # January and February
    (invoice,) = await made.listed()
    (february,) = [
        line
        for line in (await made.shown(invoice["id"]))["lines"]
        if line["type"] == "flat_fee" and line["period"]["start"].startswith("2022-02")
    ]
    organization = await made.host.organizations.get(ORGANIZATION)
    lines = of_february(february["key"], "24.81")
    with pytest.raises(ValidationError, match=r"24\.80"):
        await made.host.account.goodwill.give(organization, named_id("cn", "0"), invoice["id"], lines)
    lines = of_february(february["key"], "20.00")
    await made.host.account.goodwill.give(organization, named_id("cn", "1"), invoice["id"], lines)
    made.clock.set(datetime(2022, 2, 14, 12, tzinfo=UTC))
    await made.host.agents.delete(ORGANIZATION, "agt_0", None)
    await made.invoiced(month(3))
    notes = await made.host.billing_documents.credit_notes(ORGANIZATION, invoice["id"])
    assert sorted((note.reason, note.total) for note in notes) == [
        ("correction", Decimal("-4.80")),
        ("goodwill", Decimal("-20.00")),
    ]


def of_february(key: str, amount: str) -> GoodwillDraft:
    return GoodwillDraft("Sorry", lines=(LineAmount(key, date(2022, 2, 1), Decimal(amount)),))


async def test_what_is_waived_is_what_discounts_leave() -> None:
    """24.80 are waived. Without the coupon 31.00 would be due, of which 24.80 stay waived."""
    made = await scene()
    await offer(made)
    await redeem(made)
    await made.invoiced(month(2))
    (invoice,) = await made.listed()
    await made.host.account.cancelling.cancel(ORGANIZATION, invoice["id"], waive=True)
    await made.invoiced(month(3))
    assert [(each["status"], each["total"]) for each in await made.listed()][::-1] == [
        ("cancelled", "24.80"),
        ("pending", "31.00"),
    ]


async def test_tax_is_on_what_discounts_leave() -> None:
    """24.80 x 19 % = 4.712."""
    made = await scene()
    taxes = made.host.account.taxes
    await taxes.create_rate(
        VAT, TaxRateDraft("VAT", "DE", "S", inclusive=False, percent=Decimal(19), start=date(2020, 1, 1))
    )
    organization = await made.host.organizations.get(ORGANIZATION)
    await taxes.put_terms(organization, TaxTerms(default_rate=VAT), None, None)
    await offer(made)
    await redeem(made)
    await made.invoiced(month(2))
    (invoice,) = await made.listed()
    shown = await made.shown(invoice["id"])
    assert (shown["subtotal"], shown["discount_total"], shown["tax_total"], shown["total"]) == (
        "31.00",
        "6.20",
        "4.71",
        "29.51",
    )
    (tax,) = shown["tax_lines"]
    assert (tax["taxable"], tax["amount"]) == ("24.80", "4.71")


async def test_coupons_that_cannot_be_redeemed_are_refused() -> None:
    made = await scene()
    await offer(made, "EURO", amounts={"EUR": "5.00"})
    await offer(made, "OLD", redeem_by="2022-01-01T00:00:00Z")
    archived = await offer(made, "GONE")
    await made.host.account.coupons.archive(archived)
    assert (await made.host.account.coupons.archive(archived)).entity.archived_at is not None
    for code in ("EURO", "OLD", "GONE", "NONE"):
        with pytest.raises(ValidationError) as refused:
            await redeem(made, code)
        assert refused.value.errors[0].pointer == "/code"
    with pytest.raises(ConflictError, match="code is taken"):
        await made.host.account.coupons.create(
            named_id("coup", "other"), CouponDraft(code="euro", name="Other", percent=Decimal(1), duration="once")
        )


@pytest.mark.parametrize("duration", ["once", "forever"])
async def test_no_more_than_twenty_coupons_lie_on_a_period(duration: str) -> None:
    made = await scene()
    for number in range(21):
        await offer(made, f"C{number}", duration=duration, percent="1")
    for number in range(20):
        await redeem(made, f"C{number}")
    with pytest.raises(ConflictError, match="20 coupons"):
        await redeem(made, "C20")


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"percent": None}, ("percent",)),
        ({"amounts": {"USD": "1.00"}}, ("percent",)),
        ({"percent": "0"}, ("percent",)),
        ({"percent": "100.01"}, ("percent",)),
        ({"percent": None, "amounts": {"USD": "1.001"}}, ("amounts", "USD")),
        ({"percent": None, "amounts": {"JPY": "0.5"}}, ("amounts", "JPY")),
        ({"percent": None, "amounts": {"USD": "0"}}, ("amounts", "USD")),
        ({"duration": "periods"}, ("periods",)),
        ({"periods": 3}, ("periods",)),
        ({"duration": "periods", "periods": 61}, ("periods",)),
        ({"charges": []}, ("charges",)),
        ({"code": "no blanks"}, ("code",)),
    ],
)
def test_a_coupon_that_cannot_be_says_where(fields: Json, pointer: tuple[str, ...]) -> None:
    draft = {"code": "C", "name": "C", "percent": "20", "duration": "once", **fields}
    with pytest.raises(pydantic.ValidationError) as refused:
        CouponDraft.model_validate(draft)
    assert [tuple(error["loc"]) for error in refused.value.errors()] == [pointer]
