"""The versions of plans' billing models that price one agent's usage together, as one version for metering.

An agent without a billing model of its own is priced by the plans of its organization: the base plan's and those of
add-ons. Its usage has one total for all of them, whose readings begin with the billing model that reads them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.domain.pricing.billing_models import Version
from shared.domain.pricing.charges import AnyCharge

_PREFIX = "plans:"
_SEPARATOR = "+"
_FREE = ".free"
"""Ends the id of a version in a trial: its readings are its own, and cost nothing."""


@dataclass(frozen=True, slots=True)
class PlanPart:
    """The version of one plan's billing model, priced or free."""

    version_id: str
    is_free: bool = False

    @property
    def id(self) -> str:
        return self.version_id + (_FREE if self.is_free else "")

    def name_of(self, reading: str, model_id: str) -> str:
        """The name in a total of what one of its gauges reads."""
        return f"{prefix_of(model_id, is_free=self.is_free)}{reading}"


def prefix_of(model_id: str, *, is_free: bool = False) -> str:
    """Begins the names of a billing model's readings in a total. No charge's key has a colon."""
    return f"{model_id}{_FREE if is_free else ''}:"


def own_key_of(key: str) -> str:
    """A charge's key in its own billing model."""
    return key.rpartition(":")[2]


def paid_key_of(key: str) -> str:
    """The key under which what is used in a trial and what is paid are one."""
    return key.replace(f"{_FREE}:", ":")


def is_of_plans(version_id: str) -> bool:
    return version_id.startswith(_PREFIX)


def id_of_plans(parts: Iterable[PlanPart]) -> str:
    return _PREFIX + _SEPARATOR.join(part.id for part in parts)


def parts_of(version_id: str) -> list[PlanPart]:
    """The versions that a version of plans is made of."""
    ids = version_id.removeprefix(_PREFIX).split(_SEPARATOR)
    return [PlanPart(id_.removesuffix(_FREE), id_.endswith(_FREE)) for id_ in ids]


def has_usage(version: Version) -> bool:
    """Whether any of its charges reads events."""
    return any(charge.gauges for charge in version.charges)


def version_of_plans(parts: Sequence[tuple[PlanPart, Version]]) -> Version:
    """One version that reads events for all of them; at least one."""
    first = parts[0][1]
    return Version(
        id=id_of_plans(part for part, _ in parts),
        model_id=first.model_id,
        number=first.number,
        effective_from=max(version.effective_from for _, version in parts),
        charges=tuple(charge for part, version in parts for charge in _renamed(part, version)),
    )


def _renamed(part: PlanPart, version: Version) -> Iterable[AnyCharge]:
    """The charges that read events, under names that no other plan's have."""
    for charge in version.charges:
        if charge.gauges:
            fields = {name: getattr(charge, name) for name in type(charge).model_fields}
            key = part.name_of(charge.key, version.model_id)
            yield type(charge).model_construct(**fields | {"key": key})
