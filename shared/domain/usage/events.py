"""Usage events: immutable facts with an identity chosen by the sender."""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from typing import Any

import msgspec

from shared.domain.kernel.errors import FieldError
from shared.domain.kernel.ids import named_id
from shared.domain.kernel.money import exponent_of, read_decimal
from shared.domain.kernel.times import read_time
from shared.domain.metering.event_types import LLM_CALL
from shared.domain.metering.normal_forms import normal_forms_of

MAXIMUM_EVENTS_OF_REQUEST = 1000
MAXIMUM_EVENT_BYTES = 32 * 1024
AHEAD = timedelta(minutes=5)
"""How far in the future the time of an event may lie."""

_PREFIXES_OF_AMOUNTS = ("cost.", "outcome.")
_SMALL = 10**15
"""Smaller integers are hashed as such, which is quick; larger ones as decimals, so that 1e400 is not written out."""
_ALL_DIGITS = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)

_canonical = msgspec.json.Encoder(decimal_format="number", order="sorted")


class AcceptedEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An accepted event on its way to metering, with its agent's id and its key."""

    key: str
    """The event's id at Xyra (`evt_...`): a hash of organization, source and id, and of nothing else."""
    id: str
    """As its sender chose it."""
    source: str
    type: str
    agent: str
    """The agent's id; where it was unknown at acceptance, the name that it was given."""
    time: str
    """Text of `times.to_text`."""
    run: str | None = None
    data: dict[str, Any] = {}
    reporter: str | None = None
    """The user, or the root of the API key's line. Who reported an outcome may not verify it."""
    standard_terms: bool = False
    """Whether an LLM call costs the standard price, as its sender may not say otherwise (`CostTerms`)."""
    first_stands: bool = False
    """Whether a repetition with other content is warned of, and no conflict: a route of another protocol took it."""
    paid_with: str | None = None
    """The use, hold or lease whose credits have paid for it."""
    content: str
    """The `content_hash`; where a route of another protocol took it, of the type and what it compares alone. The same
    identity with another content is a conflict."""


class TotalKey(msgspec.Struct, frozen=True):
    """Identifies a usage total."""

    period: datetime
    """By its start."""
    agent_id: str
    version_id: str
    """Of the billing model, or `NO_VERSION`."""

    @property
    def line(self) -> "TotalKey":
        """Of the total of all agents together, which counts the distinct values of pooled meters."""
        return TotalKey(self.period, POOLED, self.version_id)

    @property
    def is_line(self) -> bool:
        return self.agent_id == POOLED


POOLED = "-"
"""Takes the place of the agent's id in what is pooled over the organization's agents."""

NO_VERSION = "-"
"""Stands for the version of usage without a billing model, which is metered by type and costs nothing."""


def event_key(organization_id: str, source: str, event_id: str) -> str:
    return named_id("evt", organization_id, source, event_id)


def shard_of(key: str, count: int) -> int:
    """The usage shard of an event, by its identity only."""
    return hashlib.sha256(key.encode()).digest()[0] % count


def content_hash(
    event_type: str, agent_id: str, run: str | None, data: Mapping[str, Any], paid_with: str | None = None
) -> str:
    """The hash of all but identity and time, from the data `with_derived_fields`.

    Equal for events that every meter reads alike, however their numbers and times are written.
    """
    normal = {name: _shortest(value) for name, value in data.items()}
    for name, normalize in normal_forms_of(event_type).items():
        if name in data:
            normal[name] = _shortest(normalize(data[name]))
            if normal[name] is None:  # as good as missing
                del normal[name]
    paid = () if paid_with is None else (paid_with,)
    return hashlib.sha256(_canonical.encode((event_type, agent_id, run, normal, *paid))).hexdigest()[:32]


def _shortest(value: Any) -> Any:  # noqa: ANN401  JSON is any of its types
    """Numbers in their shortest form: 3.1 for 3.10, 100 for 1e2."""
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


def with_derived_fields(event_type: str, data: dict[str, Any], currency: str) -> dict[str, Any]:
    """The data with the fields that are derived at acceptance.

    These are `uncached_input_tokens` of an LLM call, and the organization's currency for an amount without one.
    """
    derived: dict[str, Any] = {}
    if event_type == LLM_CALL and "input_tokens" in data:
        derived["uncached_input_tokens"] = int(data["input_tokens"]) - int(data.get("cached_input_tokens", 0))
    if "currency" not in data and (
        event_type.startswith(_PREFIXES_OF_AMOUNTS) or (event_type == LLM_CALL and "cost" in data)
    ):
        derived["currency"] = currency
    return {**data, **derived} if derived else data


def with_extensions(data: dict[str, Any], extensions: Mapping[str, Any]) -> dict[str, Any]:
    """The data with a CloudEvent's extension attributes under `extensions`, where the sender has no such name.

    They are no part of the content: brokers add theirs, which differ when an event is sent again.
    """
    own = data.get("extensions", {})
    return {**data, "extensions": {**extensions, **own}} if isinstance(own, dict) else data


def errors_in_data(event_type: str, data: Mapping[str, Any]) -> Iterator[FieldError]:
    """The errors in fields that have a fixed meaning; pointers are relative to the event.

    The counts of an LLM call were checked when it was read.
    """
    for field in ("quantity", "amount", "cost"):
        if field in data:
            yield from _errors_in_amount(field, data[field])
    if event_type.startswith("outcome."):
        yield from _errors_in_outcome(data)
    if event_type.startswith("cost.") and "amount" not in data:
        yield FieldError("/data/amount", "a cost has an amount")
    if "currency" in data:
        yield from _errors_in_currency(data["currency"])


def _errors_in_currency(code: object) -> Iterator[FieldError]:
    if not isinstance(code, str):
        yield FieldError("/data/currency", "is not a text")
        return
    try:
        exponent_of(code)
    except ValueError as error:
        yield FieldError("/data/currency", str(error))


def _errors_in_outcome(data: Mapping[str, Any]) -> Iterator[FieldError]:
    if "value" in data:
        yield from _errors_in_amount("value", data["value"])
    if data.get("interaction_time") is not None:
        try:
            read_time(data["interaction_time"])
        except ValueError as error:
            yield FieldError("/data/interaction_time", str(error))


def _errors_in_amount(field: str, value: object) -> Iterator[FieldError]:
    try:
        amount = read_decimal(value)
    except ValueError as error:
        yield FieldError(f"/data/{field}", str(error))
    else:
        if amount < 0:
            yield FieldError(f"/data/{field}", "is less than 0")
