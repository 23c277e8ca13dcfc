"""The price of some usage by itself, as if there were no other."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import partial

from shared.domain.kernel.money import ZERO, total
from shared.domain.periods.periods import Period
from shared.domain.pricing.billing_models import Version
from shared.domain.pricing.charges import AnyCharge
from shared.domain.pricing.charges.metered_charge import MeteredCharge
from shared.domain.pricing.charges.modifiers import ModifiedCharge
from shared.domain.pricing.charges.workflow import WorkflowCharge
from shared.domain.pricing.rules import Pricing
from shared.domain.rating.facts import Facts, Segment
from shared.domain.rating.rating import rate
from shared.domain.usage.totals import Totals


def standalone_price(
    versions: Iterable[Version], usage: Mapping[tuple[str, str], Totals], period: Period, currency: str
) -> Decimal:
    """What usage costs in a period without any other usage.

    `usage` is by agent id and version id. Only charges for this usage count, without fees, minima, maxima and
    discounts. The versions of a model follow each other in one line. Exact amounts in `currency`, truncated to 12
    places per line.
    """
    by_model: dict[str, list[Version]] = {}
    for version in sorted(versions, key=lambda version: version.number):
        by_model.setdefault(version.model_id, []).append(version)
    return total(_model_price(of_model, usage, period, currency) for of_model in by_model.values())


def _model_price(
    versions: Sequence[Version], usage: Mapping[tuple[str, str], Totals], period: Period, currency: str
) -> Decimal:
    ids = {version.id for version in versions}
    totals = {
        (agent_id, version_id): of_agent for (agent_id, version_id), of_agent in usage.items() if version_id in ids
    }
    gauges = {name for of_agent in totals.values() for name in of_agent.charged()}
    used = {charge.key for version in versions for charge in version.charges if not gauges.isdisjoint(charge.gauges)}
    reduced = [
        version.model_copy(
            update={"charges": tuple(without_modifiers(charge) for charge in version.charges if charge.key in used)}
        )
        for version in versions
    ]
    starts = [period.start, *(version.effective_from for version in reduced[1:])]
    ends = [*starts[1:], period.end]
    segments = [
        Segment(agent_id, version, start, end)
        for agent_id in sorted({agent_id for agent_id, _ in totals})
        for version, start, end in zip(reduced, starts, ends, strict=True)
    ]
    lines = rate(Facts(period=period, currency=currency, segments=segments, totals=totals))
    return total(line.exact_amount for line in lines)


def without_modifiers(charge: AnyCharge) -> AnyCharge:
    """The charge without base fee, discount, minimum and maximum."""
    if not isinstance(charge, ModifiedCharge):
        return charge
    removed: dict[str, object] = {"base_fee": None, "discount": None, "minimum": None, "maximum": None}
    if isinstance(charge, WorkflowCharge):
        removed["workflows"] = {
            name: workflow.model_copy(update={"minimum": None, "maximum": None})
            for name, workflow in charge.workflows.items()
        }
    return charge.model_copy(update=removed)


def price_of_total(version: Version, agent_id: str, period: Period, currency: str) -> Callable[[Totals], Decimal]:
    """What a total of an agent comes to under a version: by `rate`, without what does not depend on the quantity.

    Fees, minima, maxima, discounts and flat amounts of tiers count 0.
    """
    charges = tuple(without_flat_amounts(charge) for charge in version.charges)
    return partial(_price, version.model_copy(update={"charges": charges}), agent_id, period, currency)


def _price(version: Version, agent_id: str, period: Period, currency: str, totals: Totals) -> Decimal:
    return standalone_price([version], {(agent_id, version.id): totals}, period, currency)


def without_flat_amounts(charge: AnyCharge) -> AnyCharge:
    """The charge with tiers that cost nothing until something is used in them."""
    if isinstance(charge, WorkflowCharge):
        workflows = {
            name: workflow.model_copy(update={"pricing": _without_flat_amounts(workflow.pricing)})
            for name, workflow in charge.workflows.items()
        }
        return charge.model_copy(update={"workflows": workflows})
    if isinstance(charge, MeteredCharge):
        return charge.model_copy(update={"pricing": _without_flat_amounts(charge.pricing)})
    return charge


def _without_flat_amounts(pricing: Pricing) -> Pricing:
    tiers = getattr(pricing, "tiers", None)
    if tiers is None:
        return pricing
    return pricing.model_copy(update={"tiers": tuple(tier.model_copy(update={"flat_amount": ZERO}) for tier in tiers)})
