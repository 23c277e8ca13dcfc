"""Billing models: price lists in versions. A published version never changes."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, BaseModel, Field, model_validator

from shared.domain.kernel.audit import Audit, Audited, Target, called_at_creation, usual_verb
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import FieldError, ValidationError
from shared.domain.kernel.histories import Entry, History
from shared.domain.kernel.money import Currency
from shared.domain.kernel.times import Instant, SentInstant
from shared.domain.kernel.validation import FieldPath, Length, pointer, refusal
from shared.domain.kernel.value import Value
from shared.domain.metering.bands import Bands
from shared.domain.metering.readings import Distinct
from shared.domain.pricing.charges import AnyCharge
from shared.domain.pricing.charges.charge import Charge
from shared.domain.pricing.charges.yearly_commitment import YearlyCommitment

MAXIMUM_CHARGES = 100
MAXIMUM_GAUGES = 200
"""Per model: bounds what one event may change and what one usage total may hold."""
MAXIMUM_UNIQUE_METERS = 20
"""Per model: every distinct value takes an item of its own in the event's transaction."""
MAXIMUM_COMMITMENTS = 20
MAXIMUM_FREE_EVENTS = 5_000
"""Per model: usage totals keep each free event."""


def _with_unique_keys(charges: tuple[Charge, ...]) -> tuple[Charge, ...]:
    first: dict[str, int] = {}
    for index, charge in enumerate(charges):
        if first.setdefault(charge.key, index) != index:
            raise refusal(((index, "key"), f"is the key of charge {first[charge.key]}, too"))
    return charges


Charges = Annotated[tuple[AnyCharge, ...], Length(1, MAXIMUM_CHARGES), AfterValidator(_with_unique_keys)]


def _exceeded_limits(charges: Sequence[Charge]) -> Iterator[tuple[FieldPath, str]]:
    gauges = [gauge for charge in charges for gauge in charge.gauges.values()]
    unique = sum(isinstance(gauge.nothing, Distinct) for gauge in gauges)
    free = sum(gauge.nothing.listed for gauge in gauges if isinstance(gauge.nothing, Bands))
    if len(gauges) > MAXIMUM_GAUGES:
        yield ("charges",), f"have more than {MAXIMUM_GAUGES} meters"
    if unique > MAXIMUM_UNIQUE_METERS:
        yield ("charges",), f"have more than {MAXIMUM_UNIQUE_METERS} unique meters"
    if free > MAXIMUM_FREE_EVENTS:
        yield ("charges",), f"have more than {MAXIMUM_FREE_EVENTS} free_events together"


Commitments = Annotated[tuple[YearlyCommitment, ...], Length(0, MAXIMUM_COMMITMENTS)]


def _refused_commitments(
    charges: Sequence[Charge], commitments: Sequence[YearlyCommitment]
) -> Iterator[tuple[FieldPath, str]]:
    keys = {charge.key for charge in charges}
    taken = set(keys)
    for index, commitment in enumerate(commitments):
        if commitment.key in taken:
            yield ("commitments", index, "key"), "is the key of a charge or of another commitment, too"
        taken.add(commitment.key)
        for place, key in enumerate(commitment.charges):
            if key not in keys:
                yield ("commitments", index, "charges", place), "is not the key of a charge of this model"


class BillingModelDraft(Value):
    """A billing model, or a new version of one, as it is sent."""

    name: str = Field(min_length=1, max_length=200)
    """For people."""
    description: str = Field(default="", max_length=2000)
    """For people."""
    currency: Currency
    """Of all amounts in the model."""
    effective_from: SentInstant | None = None
    """When the version takes effect; null for as soon as it may."""
    charges: Charges
    """What is priced; each has a key of its own."""
    commitments: Commitments = ()
    """What some of these charges come to in a year at least, in the billing models of plans."""

    SAVED: ClassVar[bool] = True
    """Whether it is to be saved, and not only calculated with."""

    @model_validator(mode="after")
    def _can_be_metered(self) -> Self:
        refused = [*_exceeded_limits(self.charges), *_refused_commitments(self.charges, self.commitments)]
        if self.SAVED:
            refused += [
                (("charges", index, *field), detail)
                for index, charge in enumerate(self.charges)
                for field, detail in charge.refusals_when_saved()
            ]
        if refused:
            raise refusal(*refused)
        return self


class Version(Entity):
    """One published version of a billing model."""

    kind: ClassVar[str] = "billing_model_version"
    audit: ClassVar[Audit] = Audited(
        area="billing_models",
        verb=called_at_creation("publish"),
        target=lambda version: Target(BillingModel.kind, version.model_id),
    )

    model_id: str
    number: int
    """Counts from 1 within the model."""
    effective_from: Instant
    charges: tuple[AnyCharge, ...]
    commitments: tuple[YearlyCommitment, ...] = ()

    @property
    def priced(self) -> Sequence[Charge]:
        """All that has a line: its charges and its commitments."""
        if not self.commitments:
            return self.charges
        return [*self.charges, *(commitment.as_charge() for commitment in self.commitments)]


class VersionReference(Value):
    """Names a version of a billing model."""

    id: str
    number: int


def _verb(before: Any, after: Any) -> str:  # noqa: ANN401  billing models
    is_archived = before is not None and after is not None and before.archived_at != after.archived_at
    return "archive" if is_archived else usual_verb(before, after)


class BillingModel(Entity):
    """A billing model without its versions' charges, which are documents of their own."""

    kind: ClassVar[str] = "billing_model"
    audit: ClassVar[Audit] = Audited(area="billing_models", verb=_verb, ignored=frozenset({"versions"}))

    organization_id: str | None
    """Whose model it is; None for the operator's, which every organization can use."""
    name: str
    description: str = ""
    currency: Currency
    archived_at: Instant | None = None
    place: str | None = None
    """Where subscriptions stand whose plans it prices; None for a model of agents."""
    versions: History[VersionReference]


def version_history(versions: Iterable[Version]) -> History[Version]:
    """The versions of one model, in any order, as a history."""
    entries = (Entry(effective_from=version.effective_from, value=version) for version in versions)
    return History(entries=tuple(sorted(entries, key=lambda entry: entry.effective_from)))


def check_succession(previous: Iterable[Charge], new: Sequence[Charge]) -> None:
    """Refuse a new version in which a charge key changes its meaning.

    A key keeps its type, meter, unit and scope, and whether its meter reads money or units, because its line goes on
    from version to version (docs/billing.md, "Histories"). `previous` are the charges of all earlier versions. Raises
    `ValidationError` at the fields that differ.
    """
    by_key = {charge.key: (index, charge) for index, charge in enumerate(new)}
    errors: dict[FieldError, None] = {}
    for before in previous:
        if before.key in by_key:
            index, charge = by_key[before.key]
            errors.update(dict.fromkeys(_changes_of_meaning(before, charge, index)))
    if errors:
        raise ValidationError("A charge's key keeps its meaning over the versions of its model", errors=tuple(errors))


def _changes_of_meaning(before: Charge, charge: Charge, index: int) -> Iterator[FieldError]:
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
    was_money, is_money = (next(one.money_fields(), None) for one in (before, charge))
    if (was_money is None) != (is_money is None):
        detail = (
            f"the key {charge.key} keeps whether its meter's value is units or money; to change that use another key"
        )
        yield FieldError(pointer(("charges", index, *(is_money or was_money or ()))), detail)


def _kept(key: str, name: str) -> str:
    return f"the key {key} keeps its {name}; for another {name} use another key"
