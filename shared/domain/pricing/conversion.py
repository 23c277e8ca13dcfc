"""Events whose amounts are in another currency than the organization's: how charges see them."""

from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import TypeVar

from shared.domain.kernel.money import ZERO
from shared.domain.metering.meters import Event
from shared.domain.pricing.charges.charge import Charge
from shared.domain.pricing.charges.event_values import amount_at, reported_amount_paths, with_amounts
from shared.domain.provider_costs.exchange_rates import NoExchangeRateError, exchanged, reported_currency

C = TypeVar("C", bound=Charge)


def events_by_charge(charges: Iterable[C], event: Event, currency: str) -> Iterator[tuple[C, Event]]:
    """Each charge with the event as it sees it: the event's own amount and whatever this charge reads as money are in
    the organization's currency, by the rate that the event was rated with; all else is as it was reported. Where there
    was no rate, an amount that does not matter to the charge is worth nothing. Nothing is nothing in every currency.

    Raises `NoExchangeRateError` where an amount matters, `UnmeterableError`.
    """
    estimate = reported_currency(event.data, currency)
    return zip(charges, repeat(event)) if estimate == currency else _in_currency(charges, event, estimate, currency)


def _in_currency(charges: Iterable[C], event: Event, estimate: str, currency: str) -> Iterator[tuple[C, Event]]:
    alike: dict[frozenset[str], Event] = {}
    for charge in charges:
        matters = charge.amount_paths(event)
        if matters not in alike:
            alike[matters] = _converted(event, matters, estimate, currency)
        yield charge, alike[matters]


def _converted(event: Event, matters: frozenset[str], estimate: str, currency: str) -> Event:
    amounts = {}
    for path in (matters | reported_amount_paths(event.type)) - event.amounts.keys():
        amount = amount_at(event, path)
        if not amount:
            continue
        if event.exchange_rate is not None:
            amounts[path] = exchanged(amount, event.exchange_rate)
        elif path in matters:
            raise NoExchangeRateError(estimate, currency)
        else:
            amounts[path] = ZERO
    return with_amounts(event, amounts) if amounts else event
