"""Compares what a provider's export says with the calls that were metered, by UTC day and model."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from shared.domain.kernel.errors import TooLargeError
from shared.domain.kernel.money import ZERO
from shared.domain.kernel.times import from_text
from shared.domain.provider_costs.model_names import ModelName, known_provider, reported_model
from shared.domain.provider_costs.price_lookup import LlmPrices
from shared.domain.provider_costs.provider_exports import ExportedUsage
from shared.domain.provider_costs.usage_counts import counts_of
from shared.domain.usage.recorded_events import RecordedEvent

ALL_MODELS = "*"
"""Stands for all models of a day, where the export does not tell them apart."""
MAXIMUM_MODELS = 5000
"""Days and models that are told apart."""
MAXIMUM_NAMED = 1000
"""Calls that are named on each side."""

_DATE = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8})$")
_SMALLEST = Decimal("0.000001")
"""Costs that differ by less agree: each side rounds for itself."""

DayAndModel = tuple[date, str]


@dataclass(slots=True)
class Figures:
    """What one side says about a day and model. None is what it does not say."""

    requests: int | None = None
    units: dict[str, Decimal] = field(default_factory=dict)
    cost: Decimal | None = None
    """In USD."""
    rounded_by: Decimal = ZERO
    unpriced: int = 0
    """Calls whose cost is not known here."""

    def add(self, requests: int | None, units: Mapping[str, Decimal | int], cost: Decimal | None) -> None:
        if requests is not None:
            self.requests = (self.requests or 0) + requests
        for key, count in units.items():
            self.units[key] = self.units.get(key, ZERO) + count
        if cost is not None:
            self.cost = (self.cost or ZERO) + cost


@dataclass(frozen=True, slots=True)
class NamedCall:
    """A call that only one side has."""

    id: str
    """The provider's id, or that of our event."""
    day: date
    model: str
    event_id: str | None = None
    """As the sender of our event chose it."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A day and model on both sides."""

    day: date
    model: str
    here: Figures
    there: Figures

    @property
    def agrees(self) -> bool:
        """Whether all that the export says is as it is here; costs as far as they were rounded."""
        if self.there.requests is not None and self.there.requests != (self.here.requests or 0):
            return False
        if any(self.here.units.get(key, ZERO) != count for key, count in self.there.units.items()):
            return False
        if self.there.cost is None:
            return True
        difference = abs((self.here.cost or ZERO) - self.there.cost)
        return difference <= max(_SMALLEST, self.there.rounded_by)


class ModelNames:
    """One name for a model, however the export and the calls write it."""

    def __init__(self, provider: str, prices: LlmPrices) -> None:
        self._provider = provider
        self._prices = prices
        self._exported: dict[str, str] = {}
        self._names: set[str] = set()
        """All that the export is found to name."""

    def exported(self, model: str) -> str:
        """The name in a price list, found also by a display name and without the date at the end."""
        known = self._exported.get(model)
        if known is None:
            slug = re.sub(r"[ .]+", "-", model.strip().lower())
            written = (model, slug, _DATE.sub("", model), _DATE.sub("", slug))
            listed = next((name for each in written if (name := self._listed(self._provider, each))), None)
            known = listed or ModelName.normalized(self._provider, model).readable
            self._exported[model] = known
            self._names.add(known)
        return known

    def reported(self, event: RecordedEvent, organization_id: str) -> str | None:
        """The same of a call; None for a call of another provider."""
        provider, model = reported_model(event.data)
        alias = self._prices.aliases.at(provider, model, from_text(event.time), organization_id)
        if alias is not None:
            provider, model = alias.provider, alias.model
        name = self._listed(provider, model)
        if name is None:
            name = ModelName.normalized(known_provider(provider) or self._provider, model).readable
            if provider is None and name not in self._names:
                return None
        return name if name.startswith(f"{self._provider}/") else None

    def _listed(self, provider: str | None, model: str) -> str | None:
        listed = self._prices.of(provider, model).listed
        return None if listed is None else listed.model.name


class Comparison:
    """Takes a provider's export, then the calls of its days one by one."""

    def __init__(self, export: Sequence[ExportedUsage], names: ModelNames, day: date | None) -> None:
        """Of one day, or of those that the export has. Raises `TooLargeError` where it has too many days and models."""
        self._names = names
        self.days = sorted({usage.day for usage in export} or ([] if day is None else {day}))
        self._says_requests = not export or any(usage.requests is not None for usage in export)
        self._says_costs = any(usage.cost is not None for usage in export)
        self._units = sorted({key for usage in export for key in usage.units})
        self._models: dict[DayAndModel, tuple[Figures, Figures]] = {}
        self._whole_days = {usage.day for usage in export if usage.model is None}
        self._left: dict[str, NamedCall] = {}
        """Calls of the export that were not found here yet, by id."""
        self._ids: set[str] = set()
        self.only_here: list[NamedCall] = []
        """Calls that we have and the export lacks, the first ones."""
        self.calls_only_here = 0
        for usage in export:
            self._add_exported(usage)
        self.names_calls = bool(export) and all(usage.call_id is not None for usage in export)

    def _add_exported(self, usage: ExportedUsage) -> None:
        model = self._model(usage.day, self._names.exported(usage.model or ALL_MODELS))
        there = self._figures(usage.day, model)[1]
        there.add(usage.requests, usage.units, usage.cost)
        there.rounded_by += usage.rounded_by
        if usage.call_id is not None:
            self._ids.add(usage.call_id)
            self._left[usage.call_id] = NamedCall(usage.call_id, usage.day, model)

    def add(self, event: RecordedEvent, cost: Decimal | None, organization_id: str) -> None:
        """A call with its cost in USD, None where that is not known. Calls of other providers do not count."""
        name = self._names.reported(event, organization_id)
        if name is None:
            return
        day = from_text(event.time).date()
        model = self._model(day, name)
        here = self._figures(day, model)[0]
        here.add(1, counts_of(event.data).counts, cost)
        here.unpriced += cost is None
        if self.names_calls:
            self._match(event, day, model)

    def _match(self, event: RecordedEvent, day: date, model: str) -> None:
        known = self._ids.intersection(_ids_of(event))
        for id_ in known:
            self._left.pop(id_, None)
        if not known:
            self.calls_only_here += 1
            if len(self.only_here) < MAXIMUM_NAMED:
                self.only_here.append(NamedCall(event.key, day, model, event.id))

    def _model(self, day: date, name: str) -> str:
        return ALL_MODELS if day in self._whole_days else name

    def _figures(self, day: date, model: str) -> tuple[Figures, Figures]:
        found = self._models.get((day, model))
        if found is None:
            if len(self._models) >= MAXIMUM_MODELS:
                raise TooLargeError(f"There are more than {MAXIMUM_MODELS} days and models; send one day at a time")
            found = self._models[day, model] = (Figures(), Figures())
        return found

    def compared(self) -> Iterator[Compared]:
        """By day and model."""
        for (day, model), (here, there) in sorted(self._models.items()):
            yield Compared(day, model, here, self._completed(there))

    def _completed(self, there: Figures) -> Figures:
        """With 0 for what the export says of other models only."""
        return Figures(
            requests=there.requests or 0 if self._says_requests else None,
            units={key: there.units.get(key, ZERO) for key in self._units},
            cost=there.cost or ZERO if self._says_costs else None,
            rounded_by=there.rounded_by,
        )

    @property
    def only_there(self) -> list[NamedCall]:
        """Calls that the export has and we lack, the first ones."""
        return list(self._left.values())[:MAXIMUM_NAMED] if self.names_calls else []

    @property
    def calls_only_there(self) -> int:
        return len(self._left) if self.names_calls else 0


def _ids_of(event: RecordedEvent) -> Iterable[str]:
    """What may be the provider's id of a call: senders choose it as the event's id, or put it beside or into it."""
    yield event.id
    if ":" in event.id:
        yield from event.id.split(":")
    for name in ("response_id", "generation_id", "request_id"):
        value = event.data.get(name)
        if isinstance(value, str):
            yield value
