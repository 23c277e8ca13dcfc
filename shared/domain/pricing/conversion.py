"""Currency conversion: events as charges see them, with amounts in the organization's currency."""

from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import TypeVar

from shared.domain.kernel.money import ZERO
from shared.domain.metering.gauges import Event
from shared.domain.pricing.charges.charge import Charge
from shared.domain.pricing.charges.event_values import amount_at, reported_amount_paths, with_amounts
from shared.domain.provider_costs.exchange_rates import NoExchangeRateError, exchanged, reported_currency

C = TypeVar("C", bound=Charge)


def events_by_charge(charges: Iterable[C], event: Event, currency: str) -> Iterator[tuple[C, Event]]:
    """Each charge with the event as it sees it, with amounts in `currency`.

    Amounts are converted at the exchange rate that the event was rated with; all else is as reported. Without a rate,
    an amount that does not matter to the charge is 0.

    Raises `NoExchangeRateError` where an amount matters and has no rate, `UnmeterableError`.
    """
    reported = reported_currency(event.data, currency)
    return (
        zip(charges, repeat(event)) if reported == currency else _converted_events(charges, event, reported, currency)
    )


def _converted_events(charges: Iterable[C], event: Event, reported: str, currency: str) -> Iterator[tuple[C, Event]]:
    """Charges that read the same amounts share one converted event."""
    by_paths: dict[frozenset[str], Event] = {}
    for charge in charges:
        paths = charge.amount_paths(event)
        if paths not in by_paths:
            by_paths[paths] = _converted(event, paths, reported, currency)
        yield charge, by_paths[paths]


def _converted(event: Event, needed: frozenset[str], reported: str, currency: str) -> Event:
    amounts = {}
    for path in (needed | reported_amount_paths(event.type)) - event.amounts.keys():
        amount = amount_at(event, path)
        if not amount:
            continue
        if event.exchange_rate is not None:
            amounts[path] = exchanged(amount, event.exchange_rate)
        elif path in needed:
            raise NoExchangeRateError(reported, currency)
        else:
            amounts[path] = ZERO
    return with_amounts(event, amounts) if amounts else event
