"""Usage events: immutable facts with an identity chosen by the sender."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from typing import Any

import msgspec

from shared.domain.kernel.errors import FieldError
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.money import exponent_of, read_decimal
from shared.domain.kernel.times import read_time
from shared.domain.metering.meanings import meanings_of
from shared.domain.metering.meters import LLM_CALL

MAXIMUM_EVENTS = 1000
MAXIMUM_EVENT_BYTES = 32 * 1024
AHEAD = timedelta(minutes=5)
"""How far in the future an event's time may be."""

TOKEN_COUNTS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens")

_IN_MONEY = ("cost.", "outcome.")
_SMALL = 10**15
"""Integers below it are hashed as such, which is quick; all else as decimals: 1e400 is not written out."""
_ALL_DIGITS = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)

_canonical = msgspec.json.Encoder(decimal_format="number", order="sorted")


class AcceptedEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event on its way to rating: valid when it was accepted, with its agent's id and its store key."""

    key: str
    """The event's id at Xyra (`evt_...`): a hash of organization, source and id, and nothing else."""
    id: str
    source: str
    type: str
    agent: str
    time: str
    """Text of `times.to_text`."""
    run: str | None = None
    data: dict[str, Any] = {}
    reporter: str | None = None
    """Of an outcome, the principal that reported it, who may not verify it."""
    content: str
    """Hash of all that makes it the same event apart from its time; another content under the same identity is a
    conflict.
    """


@dataclass(frozen=True, slots=True)
class TotalKey:
    """Whose running value an event moves: a period (by its start), an agent, a model version ("-" without one)."""

    period: datetime
    agent_id: str
    version_id: str


NO_VERSION = "-"
"""The version of usage without a billing model: metered by type, due nothing."""


def event_key(organization_id: str, source: str, event_id: str) -> str:
    return named_id("evt", organization_id, source, event_id)


def shard_of(key: str, count: int) -> int:
    """The usage partition of an event, by its identity only."""
    return hashlib.sha256(key.encode()).digest()[0] % count


def content_hash(event_type: str, agent_id: str, run: str | None, data: Mapping[str, Any]) -> str:
    """Of the data `with_derived`: equal for what means the same, however it is written, and so only for what every
    meter reads alike.
    """
    meant = {name: _shortest(value) for name, value in data.items()}
    for name, meaning in meanings_of(event_type).items():
        if name in data:
            meant[name] = _shortest(meaning(data[name]))
            if meant[name] is None:  # says no more than if it were not there
                del meant[name]
    return hashlib.sha256(_canonical.encode((event_type, agent_id, run, meant))).hexdigest()[:32]


def _shortest(value: Any) -> Any:  # noqa: ANN401  JSON is any of its types
    """3.10 is 3.1, 1e2 is 100, and a text is itself."""
    kind = type(value)
    if kind is str:
        return value
    if kind is int and -_SMALL < value < _SMALL:
        return value
    if kind is int or kind is Decimal:
        shortest = _ALL_DIGITS.normalize(Decimal(value))
        is_small = -_SMALL < shortest < _SMALL and shortest == shortest.to_integral_value()
        return int(shortest) if is_small else shortest
    if kind is dict:
        return {name: _shortest(part) for name, part in value.items()}
    if kind is list:
        return [_shortest(part) for part in value]
    return value


def with_derived(event_type: str, data: dict[str, Any], currency: str) -> dict[str, Any]:
    """The data with what is derived at acceptance: `uncached_input_tokens` of an LLM call, and the currency of the
    amount that the event is about, which is the organization's where it names none.
    """
    derived: dict[str, Any] = {}
    if event_type == LLM_CALL and "input_tokens" in data:
        derived["uncached_input_tokens"] = int(data["input_tokens"]) - int(data.get("cached_input_tokens", 0))
    if "currency" not in data and (event_type.startswith(_IN_MONEY) or (event_type == LLM_CALL and "cost" in data)):
        derived["currency"] = currency
    return {**data, **derived} if derived else data


def wrong_in_data(event_type: str, data: Mapping[str, Any]) -> Iterator[FieldError]:
    """What breaks the fixed meanings of fields in an event's data; pointers are relative to the event."""
    for field in ("quantity", "amount", "cost"):
        if field in data:
            yield from _not_an_amount(field, data[field])
    if event_type.startswith("outcome."):
        yield from _wrong_in_outcome(data)
    if event_type.startswith("cost.") and "amount" not in data:
        yield FieldError("/data/amount", "a cost has an amount")
    if "currency" in data:
        yield from _wrong_currency(data["currency"])
    if event_type == LLM_CALL:
        yield from _wrong_token_counts(data)


def _wrong_currency(code: object) -> Iterator[FieldError]:
    if not isinstance(code, str):
        yield FieldError("/data/currency", "is not a text")
        return
    try:
        exponent_of(code)
    except ValueError as error:
        yield FieldError("/data/currency", str(error))


def _wrong_in_outcome(data: Mapping[str, Any]) -> Iterator[FieldError]:
    if "value" in data:
        yield from _not_an_amount("value", data["value"])
    if data.get("interaction_time") is not None:
        try:
            read_time(data["interaction_time"])
        except ValueError as error:
            yield FieldError("/data/interaction_time", str(error))


def _not_an_amount(field: str, value: object) -> Iterator[FieldError]:
    try:
        amount = read_decimal(value)
    except ValueError as error:
        yield FieldError(f"/data/{field}", str(error))
    else:
        if amount < 0:
            yield FieldError(f"/data/{field}", "is less than 0")


def _wrong_token_counts(data: Mapping[str, Any]) -> Iterator[FieldError]:
    sound = True
    for field in TOKEN_COUNTS:
        count = data.get(field, 0)
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count < 10**15:
            sound = False
            yield FieldError(f"/data/{field}", "is not a whole number of tokens from 0 on")
    if sound and data.get("cached_input_tokens", 0) > data.get("input_tokens", 0):
        yield FieldError("/data/cached_input_tokens", "is more than input_tokens, which include the cached ones")
