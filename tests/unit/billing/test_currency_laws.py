"""Events in several currencies under two versions, with outcomes decided about in any way: all figures are those of a
plain computation over the list.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any

import pytest

from shared.domain.access.identity import Permission, Principal
from shared.domain.kernel.errors import ConflictError
from shared.domain.kernel.money import total
from shared.domain.pricing.billing_models import BillingModelDraft
from shared.domain.usage.events import event_key
from shared.domain.usage.outcomes import Outcome, Verification, outcome_id
from shared.services.agents.agents import AgentDraft
from shared.services.tenancy.organizations import OrganizationDraft
from shared.services.usage.reported_event import ReportedEvent
from tests.doubles.fakes import virtual_time
from tests.doubles.worlds.rated_organization import AGENTS, MODEL, NOW, ORGANIZATION, SHARDS, Scene

Json = dict[str, Any]

OPERATOR = Principal("usr_1", None, frozenset(Permission))
START = datetime(2026, 11, 1, tzinfo=UTC)
SECOND_VERSION = NOW + timedelta(hours=1, minutes=1)
SECOND_RATE = SECOND_VERSION + timedelta(minutes=30)
EVENTS = 300

RUN = "everything but outcomes"
PRICED_IN_RUN = ("steps", "offers", "saved", "tickets", "calls", "flows", "costs", "euros", "dollars")
MONEY = {
    "outcome.sale": ("value", "price"),
    "outcome.free": (),
    "job": ("value", "price"),
    "llm_call": ("value",),
    "workflow.research": ("value",),
    "workflow.email": ("price",),
    "cost.api": ("value",),
    "step": (),
}
"""What the charges below read of events of these types."""


def percent(rate: int, **more: Any) -> Json:
    return {"type": "percentage", "rate": str(rate), **more}


def per_unit(amount: str) -> Json:
    return {"type": "per_unit", "unit_amount": amount}


PRICE = {"type": "dynamic", "value": "data.offer.price"}


def metered(key: str, event_type: str, pricing: Json, path: str | None = None, **meter: Any) -> Json:
    kind = "outcome" if event_type.startswith("outcome.") else "activity"
    summed = {} if path is None else {"aggregation": "sum", "value": path}
    return {"key": key, "type": kind, "meter": {"event_type": event_type, **summed, **meter}, "pricing": pricing}


def charges(number: int) -> list[Json]:
    """Of the first or the second version."""
    tiers = [
        {"up_to": "5", "unit_amount": str(number), "flat_amount": str(2 * number)},
        {"up_to": None, "unit_amount": str(number / 2), "flat_amount": str(number)},
    ]
    bundles = {"type": "package", "package_size": str(2 + number), "package_amount": "7", "free_units": "1"}
    return [
        metered("by_value", "outcome.sale", percent(5 * number)) | {"minimum_value": "10"},
        metered("by_rule", "outcome.sale", per_unit(str(number)))
        | {"auto_verify": {"minimum_value": "50", "maximum_value": "100"}},
        metered("at_once", "outcome.sale", percent(1, free_events=3), "data.value") | {"verification": "none"},
        metered("reported", "outcome.sale", percent(2), "data.value") | {"type": "activity"},
        metered("agreed", "outcome.sale", PRICE),
        metered("counted", "outcome.free", per_unit("3")),
        metered("pounds", "outcome.free", per_unit("1"), filter={"data.currency": ["GBP"]}) | {"verification": "none"},
        metered("steps", "step", {"type": "graduated", "tiers": tiers}) | {"scope": "organization"},
        metered("bundles", "step", bundles) | {"included_units": str(4 * number)},
        metered("offers", "job", PRICE),
        metered("saved", "job", percent(3 * number), "data.saved"),
        metered("tickets", "job", per_unit("0.5"), "data.saved"),
        metered("euros", "job", per_unit("1"), filter={"data.currency": ["EUR"]}),
        metered("dollars", "job", per_unit("1"), filter={"data.currency": ["USD"]}),
        metered("calls", "llm_call", percent(10), "data.cost"),
        {
            "key": "flows",
            "type": "workflow",
            "workflows": {"research": {"pricing": percent(4 * number)}, "email": {"pricing": PRICE}},
        },
        {"key": "costs", "type": "cost", "markup_percent": "10"},
    ]


@dataclass
class Sent:
    """An event, and what was decided about it where it is an outcome."""

    id: str
    type: str
    agent: str
    at: datetime
    currency: str | None
    value: Decimal
    price: Decimal
    status: str = "pending"
    verified_as: Decimal | None = None

    @property
    def key(self) -> str:
        return event_key(ORGANIZATION, "api", self.id)

    @property
    def version(self) -> int:
        return 2 if self.at >= SECOND_VERSION else 1

    @property
    def rate(self) -> Decimal | None:
        match self.currency:
            case "EUR":
                return Decimal("0.9") if self.at >= SECOND_RATE else Decimal("1.0837461")
            case "JPY":
                return Decimal("0.0066")
            case "GBP":
                return None
            case _:
                return Decimal(1)

    @property
    def is_parked(self) -> bool:
        return self.rate is None and any(getattr(self, name) for name in MONEY[self.type])

    @property
    def is_gone(self) -> bool:
        return self.status in ("rejected", "reversed")

    @property
    def counted_value(self) -> Decimal:
        """What it was verified as, else what was reported; a reversal leaves it to charges for the report."""
        return self.value if self.verified_as is None else self.verified_as

    @property
    def counts_by_rule(self) -> bool:
        return 50 <= self.dollars(self.value) <= 100

    def dollars(self, amount: Decimal) -> Decimal:
        """0 where nobody knows: it matters nowhere then."""
        return ((self.rate or Decimal(0)) * amount).quantize(Decimal("1E-12"), ROUND_HALF_UP)

    def reported(self) -> ReportedEvent:
        amounts = dict.fromkeys(("value", "amount", "cost", "saved"), self.value)
        named = {} if self.currency is None else {"currency": self.currency}
        data = {"model": "unheard-of", "offer": {"price": self.price}, **amounts, **named}
        is_outcome = self.type.startswith("outcome.")
        run = f"run {len(self.id)}" if is_outcome else RUN
        return ReportedEvent(0, self.id, self.type, self.agent, "api", self.at, run, data, ORGANIZATION)


def some(random: Random, number: int) -> Sent:
    kind = random.choice(["outcome.sale", "outcome.sale", *MONEY])
    currency = random.choice(["USD", "EUR", "JPY", "EUR", None, "GBP"])
    large = 10_000 if currency == "JPY" else 100
    return Sent(
        id="e" * (1 + number % 3) + f"{number}",
        type=kind,
        agent=random.choice(AGENTS[:2]),
        at=NOW + timedelta(minutes=random.randrange(2, 120), seconds=number % 60),
        currency=currency,
        value=Decimal(random.choice([0, random.randrange(200 * large)])) / 100,
        price=Decimal(random.choice([0, random.randrange(10 * large)])) / 100,
    )


async def set_up(scene: Scene) -> None:
    host = scene.host
    draft = OrganizationDraft(name="Acme", currency="USD", timezone="UTC", shard_count=SHARDS)
    await host.organizations.create(ORGANIZATION, draft)
    first, second = (
        BillingModelDraft.model_validate(
            {"name": "Model", "currency": "USD", "effective_from": start, "charges": charges(number)}
        )
        for number, start in enumerate((START, SECOND_VERSION), 1)
    )
    await host.billing_models.create(MODEL, ORGANIZATION, first)
    for agent in AGENTS[:2]:
        own = {"billing_model_id": MODEL, "billing_model_from": START}
        await host.agents.create(agent, ORGANIZATION, AgentDraft(external_id=f"x{agent}", name=agent, **own))
    scene.clock.set(NOW + timedelta(minutes=1))
    await host.billing_models.publish(ORGANIZATION, MODEL, second, None)
    for currency, exchange_rate, start in (
        ("EUR", "1.0837461", START),
        ("JPY", "0.0066", START),
        ("EUR", "0.9", SECOND_RATE),
    ):
        await host.exchange_rates.put(currency, "USD", Decimal(exchange_rate), start, None)
    scene.clock.set(NOW + timedelta(hours=2))


async def decide(scene: Scene, random: Random, sent: Sent) -> None:
    """As it comes: verified, wholly or in part, rejected, reversed, some of it twice or in vain."""
    decisions, organization, id_ = scene.host.outcome_decisions, await scene.organization(), outcome_id(sent.key)
    for doing in random.choice(["", "v", "vv", "p", "x", "r", "vr", "pr", "prr", "xv"]):
        before = sent.status
        match doing:
            case "v" | "p":
                less = sent.value * random.randrange(100) // 100 if doing == "p" else None
                found = (await decisions.verify(organization, [id_, id_], Verification(less), OPERATOR))[id_]
                if before == "pending":
                    sent.status, sent.verified_as = "verified", sent.value if less is None else less
                possible = before in ("pending", "verified")
            case "x":
                found = await decisions.reject(organization, id_, "no", OPERATOR)
                sent.status, possible = "rejected", True
            case _:
                found = await decisions.reverse(organization, id_, "no", OPERATOR)
                possible = before in ("verified", "reversed")
                sent.status = "reversed" if possible else before
        assert isinstance(found, Outcome if possible else ConflictError), (doing, found)


def due(events: Iterable[Sent]) -> dict[str, Decimal]:
    """What each charge comes to."""
    by_type: dict[str, list[Sent]] = {kind: [] for kind in MONEY}
    for each in sorted(events, key=lambda each: (each.at, each.key)):
        by_type[each.type].append(each)
    sales, free, jobs = by_type["outcome.sale"], by_type["outcome.free"], by_type["job"]
    verified = [each for each in sales if each.status == "verified"]
    steps = [each.version for each in by_type["step"]]
    research, emails = by_type["workflow.research"], by_type["workflow.email"]

    def of_values(found: Iterable[Sent], rate: int, *, by_version: bool = False) -> Decimal:
        return total(each.dollars(each.value) * rate * (each.version if by_version else 1) / 100 for each in found)

    def of_prices(found: Iterable[Sent]) -> Decimal:
        return total(each.dollars(each.price) for each in found)

    worth = [(each, each.dollars(each.verified_as or Decimal(0))) for each in verified]
    return {
        "by_value": total(value * 5 * each.version / 100 for each, value in worth if value >= 10),
        "by_rule": total(
            Decimal(each.version)
            for each in sales
            if each.status == "verified" or (each.counts_by_rule and not each.is_gone)
        ),
        "at_once": total(each.dollars(each.counted_value) / 100 for each in sales[3:] if not each.is_gone),
        "reported": total(each.dollars(each.counted_value) * 2 / 100 for each in sales),
        "agreed": of_prices(verified),
        "counted": Decimal(3 * sum(each.status == "verified" for each in free)),
        "pounds": Decimal(sum(each.currency == "GBP" and not each.is_gone for each in free)),
        "steps": Decimal(2)
        + total(Decimal(version) / (1 if place < 5 else 2) for place, version in enumerate(steps))
        + sum(steps[5:6]),
        "offers": of_prices(jobs),
        "saved": of_values(jobs, 3, by_version=True),
        "tickets": total(each.value for each in jobs) / 2,
        "euros": Decimal(sum(each.currency == "EUR" for each in jobs)),
        "dollars": Decimal(sum(each.currency == "USD" for each in jobs)),
        "calls": of_values(by_type["llm_call"], 10),
        "flows": of_values(research, 4, by_version=True) + of_prices(emails),
        "costs": of_values(by_type["cost.api"], 110),
    }


@pytest.mark.parametrize("seed", range(6))
def test_all_figures_are_those_of_the_list(seed: int) -> None:
    virtual_time.run(compared(seed))


async def compared(seed: int) -> None:
    random, scene = Random(seed), Scene()
    await set_up(scene)
    host, organization = scene.host, await scene.organization()
    sent = [some(random, number) for number in range(EVENTS)]
    await host.events.accept([each.reported() for each in sent], partial=False)
    await scene.rated()

    parked, _ = await host.parked_events.page(ORGANIZATION, "parked", 200, None)
    assert {each.reason for each in parked} == {"there is no exchange rate from GBP to USD"}
    assert {each.subject["id"] for each in parked} == {each.id for each in sent if each.is_parked}
    rated = [each for each in sent if not each.is_parked]
    outcomes = [each for each in rated if each.type.startswith("outcome.")]
    for each in random.sample(outcomes, len(outcomes)):
        await decide(scene, random, each)

    period = await host.periods.containing(organization, NOW)
    found = dict.fromkeys((charge["key"] for charge in charges(1)), Decimal(0))
    for line in (await host.bills.preview(organization, period)).lines:
        found[line.charge or ""] += line.exact_amount
    expected = due(rated)
    bundles = found.pop("bundles")  # by days, which only invoice and run have in common
    assert found == expected
    assert all([bundles, *expected.values()]), "the list leaves something untried"
    reports = [report async for report in host.repair.run(organization, period, mend=False)]
    assert [(report.wrong, report.unsteady) for report in reports] == [([], [])] * SHARDS

    statistics = await host.outcomes.statistics(organization, None, None)
    for status, state in statistics.by_status.items():
        own = [each for each in outcomes if each.status == status]
        worth = total(each.dollars(each.counted_value) for each in own)
        assert (state.count, state.value) == (len(own), worth)
    of_outcomes = [await host.run_figures.of_key(organization, f"run {number}") for number in range(2, 7)]
    assert total(each.outcome_value for each in of_outcomes) == statistics.by_status["verified"].value
    run = await host.run_figures.of_key(organization, RUN)
    assert run.price == total([bundles, *(expected[key] for key in PRICED_IN_RUN)])
    assert run.provider_cost == total(each.dollars(each.value) for each in rated if each.type == "cost.api")
