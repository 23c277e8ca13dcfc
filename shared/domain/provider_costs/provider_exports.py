"""Exports of usage and costs, in the forms in which providers hand them out."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal

from shared import json
from shared.domain.kernel.errors import MalformedError, TooLargeError, ValidationError
from shared.domain.kernel.money import ZERO, read_rounded

Provider = Literal["openai", "anthropic", "openrouter"]

MAXIMUM_ROWS = 100_000
_MAXIMUM_CONTAINERS = 300_000
_MAXIMUM_VALUES = 2_000_000
_MAXIMUM_TEXT = 200
_DEEPEST = 2
"""Objects inside a row that are looked into."""
_HALF = Decimal("0.5")
_CENTS = Decimal("0.01")
_SECONDS = re.compile(r"\d{9,11}")

Names = tuple[str, ...]
"""Names of one thing; the first that a row has counts."""


@dataclass(frozen=True, slots=True)
class _Form:
    """How a provider names things. What lies deeper in JSON is named with dots; CSV names are lower case."""

    call: Names
    time: Names
    model: Names
    requests: Names
    cost: Names
    cents: Names
    """Costs in hundredths."""
    units: Mapping[str, tuple[Names, ...]]
    """By usage key, the numbers that add up to it."""


_CACHE_READ = ("cache_read_input_tokens", "usage_input_tokens_cache_read")
_WRITTEN_5M = ("cache_creation.ephemeral_5m_input_tokens", "usage_input_tokens_cache_write_5m")
_WRITTEN_1H = ("cache_creation.ephemeral_1h_input_tokens", "usage_input_tokens_cache_write_1h")

_FORMS: Mapping[Provider, _Form] = {
    # Usage API (completions) and Costs API, the dashboard's CSV of both, and the list of stored completions
    "openai": _Form(
        call=("request_id", "id"),
        time=("start_time", "created", "created_at", "start_time_iso", "date"),
        model=("model", "line_item"),
        requests=("num_model_requests", "num_requests"),
        cost=("amount.value", "amount_value", "cost_usd"),
        cents=(),
        units={
            "input_tokens": (("input_tokens", "usage.prompt_tokens", "usage.input_tokens"),),
            "cache_read_tokens": (
                (
                    "input_cached_tokens",
                    "usage.prompt_tokens_details.cached_tokens",
                    "usage.input_tokens_details.cached_tokens",
                ),
            ),
            "output_tokens": (("output_tokens", "usage.completion_tokens", "usage.output_tokens"),),
        },
    ),
    # Usage and cost reports of the Admin API, and the console's CSV of both
    "anthropic": _Form(
        call=("request_id", "id"),
        time=("starting_at", "usage_date_utc"),
        model=("model", "model_version"),
        requests=(),
        cost=("cost_usd",),
        cents=("amount",),
        units={
            "input_tokens": (
                ("uncached_input_tokens", "usage_input_tokens_no_cache"),
                _CACHE_READ,
                _WRITTEN_5M,
                _WRITTEN_1H,
            ),
            "cache_read_tokens": (_CACHE_READ,),
            "cache_write_tokens": (_WRITTEN_5M, _WRITTEN_1H),
            "cache_write_1h_tokens": (_WRITTEN_1H,),
            "output_tokens": (("output_tokens", "usage_output_tokens"),),
            "web_searches": (("server_tool_use.web_search_requests", "web_search_count"),),
        },
    ),
    # Activity API, its CSV by day, and the CSV of single generations
    "openrouter": _Form(
        call=("generation_id", "id"),
        time=("created_at", "date"),
        model=("model_permaslug", "model", "slug"),
        requests=("requests",),
        cost=("cost_total", "total_cost", "usage"),
        cents=(),
        units={
            "input_tokens": (("native_tokens_prompt", "tokens_prompt", "prompt_tokens"),),
            "cache_read_tokens": (("native_tokens_cached", "tokens_cached"),),
            "output_tokens": (("native_tokens_completion", "tokens_completion", "completion_tokens"),),
            "output_reasoning_tokens": (("native_tokens_reasoning", "tokens_reasoning", "reasoning_tokens"),),
        },
    ),
}


@dataclass(frozen=True, slots=True)
class ExportedUsage:
    """What a row of an export says. None is what it does not say."""

    day: date
    """In UTC."""
    model: str | None
    call_id: str | None
    requests: int | None
    units: Mapping[str, Decimal]
    """By usage key."""
    cost: Decimal | None
    """In USD."""
    rounded_by: Decimal
    """By how much the cost may have been rounded: half of its last place."""


def read_export(provider: Provider, *, is_csv: bool, raw: bytes, day: date | None) -> list[ExportedUsage]:
    """The rows of an export, of one day or of all.

    Raises `MalformedError`, `TooLargeError`, and `ValidationError` for rows that have no form that is known.
    """
    usage: list[ExportedUsage] = []
    for number, row in enumerate(_rows_of_csv(raw) if is_csv else _rows_of_json(raw)):
        if number >= MAXIMUM_ROWS:
            raise TooLargeError(f"The export has more than {MAXIMUM_ROWS} rows; send one day at a time")
        read = _Row(_FORMS[provider], row, number).read(day)
        if read is not None and day in (None, read.day):
            usage.append(read)
    return usage


def _rows_of_csv(raw: bytes) -> Iterator[Mapping[str, Any]]:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedError("The export is not UTF-8") from error
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        names = [name.strip().lower().replace(" ", "_") for name in next(rows, [])]
        if not names:
            raise MalformedError("The export is empty: its first line has the names of the columns")
        for row in rows:
            if row:
                yield dict(zip(names, row, strict=False))
    except csv.Error as error:
        raise MalformedError(f"The export is not CSV: {error}") from error


def _rows_of_json(raw: bytes) -> Iterator[Mapping[str, Any]]:
    if raw.count(b"{") + raw.count(b"[") > _MAXIMUM_CONTAINERS or raw.count(b",") > _MAXIMUM_VALUES:
        raise TooLargeError("The export has too many values; send one day at a time")
    yield from _rows_in(json.decode(raw))


def _rows_in(value: object) -> Iterator[Mapping[str, Any]]:
    """One answer of the provider's, a list of all its pages, or a list of rows."""
    pages = value if isinstance(value, list) else [value]
    for page in pages:
        if not isinstance(page, dict):
            raise ValidationError.at("", "is not what a provider answers: an object with data, or a list of these")
        if page.get("has_more") is True and page is pages[-1]:
            raise ValidationError.at("/has_more", "says that there is more: send a list of all pages")
        data = page.get("data", page)
        for item in data if isinstance(data, list) else [data]:
            yield from _rows_of_bucket(item)


def _rows_of_bucket(item: object) -> Iterator[Mapping[str, Any]]:
    """The results of a bucket, each with the bucket's times; or the row that the item is."""
    if not isinstance(item, dict):
        raise ValidationError.at("/data", "has something else than objects")
    results = item.get("results")
    if results is None:
        yield _flat(item)
        return
    times = {name: value for name, value in item.items() if name != "results"}
    for result in results if isinstance(results, list) else [results]:
        if not isinstance(result, dict):
            raise ValidationError.at("/data", "has results that are no objects")
        yield _flat(times | result)


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, inner in value.items():
        if isinstance(inner, dict) and prefix.count(".") < _DEEPEST:
            flat |= _flat(inner, f"{prefix}{name}.")
        else:
            flat[prefix + name] = inner
    return flat


@dataclass(frozen=True, slots=True)
class _Row:
    form: _Form
    values: Mapping[str, Any]
    number: int

    def read(self, day: date | None) -> ExportedUsage | None:
        """None for a row without a figure. Raises `ValidationError`."""
        call_id = self._text(self.form.call)
        requests = self._number(self.form.requests)
        cost, rounded_by = self._cost()
        units = dict(self._units())
        if call_id is None and requests is None and cost is None and not units:
            return None
        currency = self._text(("amount.currency", "amount_currency", "currency"))
        if currency is not None and currency.upper() != "USD":
            raise self._refused("currency", "is not USD")
        count = 1 if call_id is not None and requests is None else requests
        return ExportedUsage(
            day=self._day(day),
            model=self._model(),
            call_id=call_id,
            requests=None if count is None else int(count),
            units=units,
            cost=cost,
            rounded_by=rounded_by,
        )

    def _units(self) -> Iterable[tuple[str, Decimal]]:
        for key, parts in self.form.units.items():
            numbers = [number for names in parts if (number := self._number(names)) is not None]
            if numbers:
                yield key, sum(numbers, ZERO)

    def _cost(self) -> tuple[Decimal | None, Decimal]:
        cost, factor = self._number(self.form.cost), Decimal(1)
        if cost is None:
            cost, factor = self._number(self.form.cents), _CENTS
        if cost is None:
            return None, ZERO
        exponent = cost.as_tuple().exponent
        last_place = Decimal(1).scaleb(min(0, exponent)) if isinstance(exponent, int) else ZERO
        return cost * factor, last_place * factor * _HALF

    def _model(self) -> str | None:
        """A line item is a model and what of it, such as `gpt-5-2025-08-07, cached input`."""
        name = self._text(self.form.model)
        return None if name is None else name.partition(",")[0].strip()

    def _day(self, wanted: date | None) -> date:
        value = self._value(self.form.time)
        if value is None:
            if wanted is None:
                raise self._refused(self.form.time[0], "is missing; name the day as ?date=")
            return wanted
        text = str(value).strip()
        try:
            if _SECONDS.fullmatch(text):
                return datetime.fromtimestamp(int(text), UTC).date()
            at = datetime.fromisoformat(text.removesuffix(" UTC"))
        except ValueError:
            raise self._refused(self.form.time[0], "is no time such as 2026-11-20 or 2026-11-20T12:00:00Z") from None
        return (at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)).date()

    def _number(self, names: Names) -> Decimal | None:
        value = self._value(names)
        if value is None:
            return None
        try:
            return read_rounded(value.strip() if isinstance(value, str) else value)
        except ValueError:
            raise self._refused(names[0], "is not a number") from None

    def _text(self, names: Names) -> str | None:
        value = self._value(names)
        return value.strip()[:_MAXIMUM_TEXT] if isinstance(value, str) else None

    def _value(self, names: Names) -> Any:  # noqa: ANN401  JSON is any of its types
        for name in names:
            value = self.values.get(name)
            if value is not None and value != "":
                return value
        return None

    def _refused(self, name: str, detail: str) -> ValidationError:
        return ValidationError.at(f"/{self.number}/{name}", detail)
