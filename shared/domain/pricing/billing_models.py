"""Billing models: price books in versions. A published version never changes."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import FieldError, ValidationError
from shared.domain.kernel.histories import Entry, History
from shared.domain.kernel.money import Currency
from shared.domain.kernel.times import Instant
from shared.domain.kernel.validation import Length, Place, pointer, refusal
from shared.domain.metering.readings import Bands, Distinct
from shared.domain.pricing.charges import AnyCharge
from shared.domain.pricing.charges.charge import Charge

MAXIMUM_CHARGES = 100
MAXIMUM_GAUGES = 200
"""Of all charges of a model together: what one event may move, and one total may hold."""
MAXIMUM_UNIQUE_METERS = 20
"""Each distinct value of an event is an item beside it, and a transaction has room for few."""
MAXIMUM_FREE_EVENTS = 5_000
"""Of all charges of a model together: totals keep each of them."""


def _with_own_keys(charges: tuple[Charge, ...]) -> tuple[Charge, ...]:
    first: dict[str, int] = {}
    for index, charge in enumerate(charges):
        if first.setdefault(charge.key, index) != index:
            raise refusal(((index, "key"), f"is the key of charge {first[charge.key]}, too"))
    return charges


Charges = Annotated[tuple[AnyCharge, ...], Length(1, MAXIMUM_CHARGES), AfterValidator(_with_own_keys)]


def _beyond_limits(charges: Sequence[Charge]) -> Iterator[tuple[Place, str]]:
    gauges = [gauge for charge in charges for gauge in charge.gauges.values()]
    unique = sum(isinstance(gauge.nothing, Distinct) for gauge in gauges)
    free = sum(gauge.nothing.keeps for gauge in gauges if isinstance(gauge.nothing, Bands))
    if len(gauges) > MAXIMUM_GAUGES:
        yield ("charges",), f"have more than {MAXIMUM_GAUGES} meters"
    if unique > MAXIMUM_UNIQUE_METERS:
        yield ("charges",), f"have more than {MAXIMUM_UNIQUE_METERS} unique meters"
    if free > MAXIMUM_FREE_EVENTS:
        yield ("charges",), f"have more than {MAXIMUM_FREE_EVENTS} free_events together"


class BillingModelDraft(BaseModel):
    """A billing model, or a new version of one, as it is sent. Without `effective_from` it takes effect as soon as it
    may.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    description: str = Field(default="", max_length=2000)
    currency: Currency
    effective_from: Instant | None = None
    charges: Charges

    SAVED: ClassVar[bool] = True

    @model_validator(mode="after")
    def _can_be_metered(self) -> Self:
        wrong = list(_beyond_limits(self.charges))
        if self.SAVED:
            wrong += [
                (("charges", index, *place), detail)
                for index, charge in enumerate(self.charges)
                for place, detail in charge.refusals_when_saved()
            ]
        if wrong:
            raise refusal(*wrong)
        return self


class Version(Entity):
    """A published price list; `number` counts from 1 within its model."""

    kind: ClassVar[str] = "billing_model_version"

    model_id: str
    number: int
    effective_from: Instant
    charges: tuple[AnyCharge, ...]


class VersionReference(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    number: int


class BillingModel(Entity):
    """`organization_id` is None for the operator's models, which every organization can use."""

    kind: ClassVar[str] = "billing_model"

    organization_id: str | None
    name: str
    description: str = ""
    currency: Currency
    archived_at: Instant | None = None
    versions: History[VersionReference]


def version_history(versions: Iterable[Version]) -> History[Version]:
    """The versions of one model, in any order, as the history of its prices."""
    entries = (Entry(effective_from=version.effective_from, value=version) for version in versions)
    return History(entries=tuple(sorted(entries, key=lambda entry: entry.effective_from)))


def check_succession(previous: Iterable[Charge], new: Sequence[Charge]) -> None:
    """A key keeps its type, meter, unit and scope over the versions of a model, and whether the numbers that its meter
    reads are money or units, because its line adds up those of all versions; `previous` are the charges of any of the
    versions before. Raises `ValidationError` naming the fields that differ.
    """
    places = {charge.key: (index, charge) for index, charge in enumerate(new)}
    errors: dict[FieldError, None] = {}
    for before in previous:
        if before.key in places:
            index, charge = places[before.key]
            errors.update(dict.fromkeys(_differences(before, charge, index)))
    if errors:
        raise ValidationError("A charge's key keeps its meaning over the versions of its model", errors=tuple(errors))


def _differences(before: Charge, charge: Charge, index: int) -> Iterator[FieldError]:
    if before.type != charge.type:
        yield FieldError(pointer(("charges", index, "type")), _kept(charge.key, "type"))
        return
    for name in charge.FIXED:
        old, new = getattr(before, name), getattr(charge, name)
        if isinstance(old, BaseModel) and isinstance(new, BaseModel):
            for field in type(new).model_fields:
                if getattr(old, field) != getattr(new, field):
                    yield FieldError(pointer(("charges", index, name, field)), _kept(charge.key, f"{name}'s {field}"))
        elif old != new:
            yield FieldError(pointer(("charges", index, name)), _kept(charge.key, name))
    was_money, is_money = (next(each.money_fields(), None) for each in (before, charge))
    if (was_money is None) != (is_money is None):
        detail = (
            f"the key {charge.key} keeps whether its meter's value is units or money; to change that use another key"
        )
        yield FieldError(pointer(("charges", index, *(is_money or was_money or ()))), detail)


def _kept(key: str, name: str) -> str:
    return f"the key {key} keeps its {name}; for another {name} use another key"
