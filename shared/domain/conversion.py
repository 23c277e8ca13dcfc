"""Events whose amounts are in another currency than the organization's: how charges see them."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from shared.domain.charges.charge import Charge
from shared.domain.charges.worth import OUTCOME_TYPE, VALUE_PATH, amount_at
from shared.domain.costs import AMOUNT_PATH, COST_TYPE, CostedEvent
from shared.domain.exchange_rates import exchanged
from shared.domain.meters import Event

_CURRENCY = "currency"
_AMOUNTS = {COST_TYPE: AMOUNT_PATH, OUTCOME_TYPE: VALUE_PATH}
"""Where events of a kind have the amount whose currency they name; of other events `data.currency` may mean anything.
"""
_KINDS = tuple(_AMOUNTS)


def stated_currency(event_type: str, data: Mapping[str, Any], currency: str) -> str:
    """That of its amounts; the organization's, where it names none."""
    return str(data.get(_CURRENCY, currency)) if event_type.startswith(_KINDS) else currency


def converted(event: Event, charges: Iterable[Charge], currency: str) -> Event:
    """As charges see the event: in the organization's currency, by the rate that it was rated with; as it is, where
    there was none. What is converted is its own amount and all that any of these charges, which are those of its
    version, reads as one. To convert it again changes nothing.
    """
    if stated_currency(event.type, event.data, currency) == currency or event.exchange_rate is None:
        return event
    own = next(path for kind, path in _AMOUNTS.items() if event.type.startswith(kind))
    seen = _with_amounts(event, [own], event.exchange_rate, {_CURRENCY: currency})
    others = {path for charge in charges for path in charge.amounts(seen)} - {own}
    return _with_amounts(seen, sorted(others), event.exchange_rate, {}) if others else seen


def _with_amounts(event: Event, paths: Sequence[str], rate: Decimal, more: Mapping[str, Any]) -> CostedEvent:
    data = {**event.data, **more}
    for path in paths:
        amount = amount_at(event, path)
        if amount is not None:
            data = _with(data, path.split(".")[1:], exchanged(amount, rate))
    return CostedEvent(event.type, data, event.time, event.key, event.cost, event.cost_category, rate)


def _with(data: Mapping[str, Any], steps: Sequence[str], value: Decimal) -> dict[str, Any]:
    name, *below = steps
    return {**data, name: _with(data[name], below, value) if below else value}
