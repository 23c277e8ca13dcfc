"""Usage events: immutable facts with an identity chosen by the sender."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from typing import Any

import msgspec

from shared.domain.errors import FieldError
from shared.domain.ids import named_id
from shared.domain.meters import LLM_CALL
from shared.domain.money import MAXIMUM_DIGITS, exponent_of, read_decimal
from shared.domain.times import read_time, to_text

MAXIMUM_EVENTS = 1000
MAXIMUM_EVENT_BYTES = 32 * 1024
AHEAD = timedelta(minutes=5)
"""How far in the future an event's time may be."""

TOKEN_COUNTS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens")

_LARGE_NUMBER = 10**18
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


UNPRICED = "-"
"""The version of usage without a billing model: metered by type, due nothing."""


def event_key(organization_id: str, source: str, event_id: str) -> str:
    return named_id("evt", organization_id, source, event_id)


def shard_of(key: str, count: int) -> int:
    """The usage partition of an event, by its identity only."""
    return hashlib.sha256(key.encode()).digest()[0] % count


def content_hash(event_type: str, agent_id: str, run: str | None, data: Mapping[str, Any], currency: str) -> str:
    """Equal for what means the same, however it is written. `currency` is the organization's: amounts without one are
    in it.
    """
    meant = {name: _MEANINGS.get(name, _meant)(value) for name, value in data.items()}
    if meant.get("currency") == currency:
        del meant["currency"]
    return hashlib.sha256(_canonical.encode((event_type, agent_id, run, meant))).hexdigest()[:32]


def _meant(value: Any) -> Any:  # noqa: ANN401  JSON is any of its types
    """3.10 is 3.1, 1e2 is 100, and a text is itself."""
    kind = type(value)
    if kind is str:
        return value
    if kind is int:
        return value if -_LARGE_NUMBER < value < _LARGE_NUMBER else _without_trailing_zeros(Decimal(value))
    if kind is Decimal:
        return _without_trailing_zeros(value)
    if kind is dict:
        return {name: _meant(part) for name, part in value.items()}
    if kind is list:
        return [_meant(part) for part in value]
    return value


def _without_trailing_zeros(number: Decimal) -> Decimal | int:
    """As an integer where it is one of those that `_meant` leaves as they are."""
    shortest = _ALL_DIGITS.normalize(number)
    is_small = abs(shortest) < _LARGE_NUMBER
    return int(shortest) if is_small and shortest == shortest.to_integral_value() else shortest


def _number_meant(value: Any) -> Any:  # noqa: ANN401
    """As `_meant`, where "3.10" is 3.1, too."""
    if type(value) is not str:
        return _meant(value)
    if value.isdecimal() and value.isascii() and len(value) <= MAXIMUM_DIGITS:  # most of them: spare the checks below
        return int(value)
    try:
        return _without_trailing_zeros(read_decimal(value))
    except ValueError:
        return value


def _time_meant(value: Any) -> Any:  # noqa: ANN401
    try:
        return to_text(read_time(value))
    except ValueError:
        return _meant(value)


_MEANINGS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("quantity", "amount", "value", "cost", *TOKEN_COUNTS), _number_meant),
    "interaction_time": _time_meant,
}
"""Of the fields of data with fixed meanings."""


def with_derived(event_type: str, data: dict[str, Any]) -> dict[str, Any]:
    """The data with what is derived at acceptance: `uncached_input_tokens` of an LLM call."""
    if event_type != LLM_CALL or "input_tokens" not in data:
        return data
    return {**data, "uncached_input_tokens": int(data["input_tokens"]) - int(data.get("cached_input_tokens", 0))}


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
