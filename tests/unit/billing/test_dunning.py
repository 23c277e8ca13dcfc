"""Overdue invoices, reminders of them, and what they restrict."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

import function_app
from shared.domain.access.identity import Permission, Principal
from shared.domain.billing.dunning import reminders_due
from shared.domain.kernel.errors import RestrictedError
from shared.domain.kernel.ids import named_id
from shared.domain.tenancy.organization_settings import OrganizationSettings
from shared.http import ENDPOINTS
from shared.http.authorization import authorize
from shared.services.billing.invoice_payments import PaymentByHand
from tests.doubles.worlds.paid_fees import ORGANIZATION, Json, Scene

assert function_app.app, "importing it declares the endpoints"

ISSUED = datetime(2022, 2, 10, tzinfo=UTC)
DUE = ISSUED + timedelta(days=15)
RESTRICTING = OrganizationSettings(restricted_after_days=5)


async def invoiced(settings: OrganizationSettings = RESTRICTING, *contacts: str) -> Scene:
    """January's 31.00, issued on 10 February."""
    scene = Scene()
    await scene.set_up(settings=settings, billing_email="billing@acme.example")
    if contacts:
        await scene.host.organizations.change(
            ORGANIZATION,
            lambda organization: organization.changed(
                own_settings=organization.own_settings.model_copy(update={"billing_contacts": contacts})
            ),
        )
    await scene.invoiced(ISSUED)
    return scene


async def at(scene: Scene, now: datetime) -> list[tuple[str, str]]:
    """The mails of the hourly run at this time: to whom, and about what."""
    await scene.invoiced(now)
    await scene.host.outbox.sweep()
    scene.clock.move(timedelta(seconds=10))
    await scene.host.outbox.sweep()
    sent = [(message.to, message.subject) for message in scene.post.sent]
    scene.post.sent.clear()
    return sent


async def january(scene: Scene) -> Json:
    (invoice,) = [each for each in await scene.listed() if each["period"]["start"].startswith("2022-01")]
    return invoice


async def status(scene: Scene) -> str:
    return str((await january(scene))["status"])


async def is_restricted(scene: Scene) -> bool:
    return (await scene.host.organizations.get(ORGANIZATION)).restricted_since is not None


async def pay(scene: Scene) -> None:
    invoice = await january(scene)
    payments = scene.host.account.payments
    await payments.pay(ORGANIZATION, named_id("pay", "one"), invoice["id"], PaymentByHand("bank_transfer"))


async def test_an_invoice_is_overdue_from_the_moment_it_is_due() -> None:
    scene = await invoiced()
    await at(scene, DUE - timedelta(seconds=1))
    assert await status(scene) == "pending"
    await at(scene, DUE)
    assert await status(scene) == "overdue"
    await pay(scene)
    assert await status(scene) == "paid"


async def test_people_are_reminded_before_and_after_once_each() -> None:
    scene = await invoiced(OrganizationSettings(), "ada@acme.example", "billing@acme.example")
    people = ("billing@acme.example", "ada@acme.example")
    number = "INV-ACME-2022-000001"
    soon = sorted((to, f"Invoice {number} is due on 2022-02-25") for to in people)
    overdue = sorted((to, f"Invoice {number} is overdue") for to in people)
    said = {day: sorted(await at(scene, DUE + timedelta(days=day, hours=1))) for day in (-5, -3, -2, 0, 1, 2, 5, 7, 8)}
    assert said == {-5: [], -3: soon, -2: [], 0: [], 1: overdue, 2: [], 5: [], 7: overdue, 8: []}
    await pay(scene)
    assert await at(scene, DUE + timedelta(days=14, hours=1)) == []


async def test_a_reminder_that_is_late_by_days_is_not_sent() -> None:
    scene = await invoiced(OrganizationSettings())
    assert await at(scene, DUE + timedelta(days=5)) == []
    assert await status(scene) == "overdue"
    assert len(await at(scene, DUE + timedelta(days=7, hours=2))) == 1


async def test_a_paid_invoice_is_not_reminded_of_by_a_mail_that_was_decided_before() -> None:
    scene = await invoiced(OrganizationSettings())
    await scene.invoiced(DUE + timedelta(days=1))
    await pay(scene)
    assert await at(scene, DUE + timedelta(days=1, minutes=1)) == []


async def test_an_organization_is_restricted_until_it_has_paid() -> None:
    scene = await invoiced()
    await at(scene, DUE + timedelta(days=4))
    assert not await is_restricted(scene)
    await at(scene, DUE + timedelta(days=5))
    assert await is_restricted(scene)
    await pay(scene)
    assert not await is_restricted(scene)


async def test_cancelling_and_another_setting_lift_a_restriction() -> None:
    scene = await invoiced()
    await at(scene, DUE + timedelta(days=6))
    assert await is_restricted(scene)
    invoice = await january(scene)
    await scene.host.account.cancelling.cancel(ORGANIZATION, invoice["id"])
    assert not await is_restricted(scene)
    other = await invoiced()
    await at(other, DUE + timedelta(days=6))
    await other.host.organizations.update(ORGANIZATION, {"settings": {"restricted_after_days": None}}, None)
    await at(other, DUE + timedelta(days=6, hours=1))
    assert not await is_restricted(other)


async def test_without_the_setting_nothing_is_restricted() -> None:
    scene = await invoiced(OrganizationSettings())
    await at(scene, DUE + timedelta(days=300))
    assert not await is_restricted(scene)


def test_who_is_restricted_adds_no_costs_and_does_all_else() -> None:
    restricted = Principal("key_1", ORGANIZATION, frozenset(Permission), restricted=True)
    refused: list[str] = []
    for declared in ENDPOINTS:
        if isinstance(declared.access, Permission):
            try:
                authorize(restricted, declared, ISSUED)
            except RestrictedError:
                refused.append(declared.name)
    assert sorted(refused) == ["create_agent", "create_api_key", "reserve_credits", "use_credits"]


@given(
    st.lists(st.integers(-30, 60), max_size=5, unique=True),
    st.lists(st.integers(0, 24 * 100), min_size=1, max_size=8).map(sorted),
)
def test_every_reminder_is_due_once_in_its_time(days: Sequence[int], hours: Sequence[int]) -> None:
    """However often and whenever the timer runs: compared with a plain walk over the hours."""
    due_at = DUE + timedelta(days=30)
    reminded: list[int] = []
    for hour in hours:
        now = DUE + timedelta(hours=hour)
        due = reminders_due(days, due_at, reminded, now)
        passed = {day for day in days if due_at + timedelta(days=day) <= now}
        early = {day for day in passed if day < 0 and now >= due_at}
        assert set(due) == passed - early - set(reminded)
        reminded += due
    assert len(reminded) == len(set(reminded))


@pytest.mark.parametrize("amount", ["31.00", "40.00"])
async def test_a_part_keeps_an_invoice_overdue_and_the_rest_pays_it(amount: str) -> None:
    scene = await invoiced()
    await at(scene, DUE + timedelta(days=5))
    invoice = await january(scene)
    payments = scene.host.account.payments
    await payments.pay(ORGANIZATION, named_id("pay", "part"), invoice["id"], PaymentByHand("cash", Decimal("1.00")))
    assert (await status(scene), await is_restricted(scene)) == ("overdue", True)
    rest = PaymentByHand("cash", Decimal(amount))
    await payments.pay(ORGANIZATION, named_id("pay", "rest"), invoice["id"], rest)
    assert (await status(scene), await is_restricted(scene)) == ("paid", False)
