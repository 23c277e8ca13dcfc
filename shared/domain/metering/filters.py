"""Filters: which events of a type a meter reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, ValidatorFunctionWrapHandler, WrapValidator

from shared.domain.kernel.validation import Length, named_by_type
from shared.domain.kernel.value import Value
from shared.domain.metering.normal_forms import Normalize, normal_form_at
from shared.domain.metering.paths import Path
from shared.domain.metering.values import Scalar, at_path, comparable

MAXIMUM_CONDITIONS = 20

Scalars = Annotated[tuple[Scalar, ...], Length(1, 100)]


class AnythingElse(Value):
    """Matches all values but these, and where there is none."""

    excluded: Scalars = Field(alias="not")
    """The values that do not match."""


def _is_object(value: object) -> str:
    return "object" if isinstance(value, dict | AnythingElse) else "list"


def _each_path_once(value: object, validate: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401  pydantic says so
    conditions = validate(value)
    if isinstance(value, dict) and len(conditions) < len(value):
        raise ValueError("has two notations of one path; name each path once")
    return conditions


MatchingValues = Annotated[
    Annotated[Scalars, Tag("list")] | Annotated[AnythingElse, Tag("object")],
    Discriminator(_is_object),
    WrapValidator(named_by_type),
]
"""The values that match, or those that do not."""

Filter = Annotated[dict[Path, MatchingValues], Length(0, MAXIMUM_CONDITIONS), WrapValidator(_each_path_once)]
"""What events have at each of these paths."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What a filter asks of one path."""

    path: str
    normalize: Normalize
    values: frozenset[object]
    excludes: bool

    def holds(self, data: Mapping[str, Any]) -> bool:
        return (comparable(self.normalize(at_path(data, self.path))) in self.values) is not self.excludes


def conditions_of(event_type: str, filter_: Filter) -> tuple[Condition, ...]:
    return tuple(_condition(path, normal_form_at(event_type, path), asked) for path, asked in filter_.items())


def _condition(path: str, normalize: Normalize, asked: MatchingValues) -> Condition:
    excludes = isinstance(asked, AnythingElse)
    values = asked.excluded if isinstance(asked, AnythingElse) else asked
    return Condition(path, normalize, frozenset(comparable(normalize(value)) for value in values), excludes)
