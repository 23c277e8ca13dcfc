"""Entitlements: what the plans of an organization allow it, from some time on.

Plans name features: a flag that is on or off, or a limit that refuses (hard) or warns (soft). All places of an
organization lie in one item, which every command to a subscription rewrites together with what lies ahead.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, StringConstraints, model_validator

from shared.domain.kernel.audit import BOOKKEEPING, FOLLOWS, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import LimitExceededError
from shared.domain.kernel.histories import History
from shared.domain.kernel.money import ZERO, NonNegativeAmount
from shared.domain.kernel.times import BEGINNING, Instant
from shared.domain.kernel.validation import refusal
from shared.domain.kernel.validation_messages import Expected
from shared.domain.kernel.value import Value

MAXIMUM_FEATURES = 50
"""Of a plan: they are copied into an item of each organization on it."""
COUNT_OF_FEATURE: Mapping[str, str] = {
    "agents": "agents",
    "api_keys": "api_keys",
    "models": "billing_models",
    "projects": "projects",
}
"""Features whose use is the number of things that there are, counted in the batch that creates or deletes one.

By feature the name of its count (`limits.py`). `models` are an organization's own billing models.
"""
RUNS, EVENTS, SEATS, CREDITS = "runs", "events", "seats", "credits"
"""Features whose use is counted by the billing period, the number of seats, and credits by the calendar month."""
COUNTED = frozenset({*COUNT_OF_FEATURE, RUNS, EVENTS, SEATS, CREDITS})
"""Features whose use Xyra knows. Of others it tells the limit, and who asks counts."""
NO_FLAGS = COUNTED - {"models", CREDITS}
"""Of these, those that are limits in every plan: the others were flags, where a plan of before says so."""

FeatureKey = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9_]{1,64}$"),
    Expected("1 to 64 small letters, digits and _, such as api_access"),
]
Mode = Literal["hard", "soft"]


def _whole(limit: Decimal) -> Decimal:
    if limit != limit.to_integral_value():
        raise ValueError("has to be a whole number")
    return limit


Limit = Annotated[NonNegativeAmount, AfterValidator(_whole)]


class PlanEntitlement(Value):
    """A feature of a plan: `value` says whether it is there, or `limit` with `mode` how much there may be."""

    feature: FeatureKey
    """`agents`, `api_keys`, `credits`, `events`, `models`, `projects`, `runs` and `seats` are counted by Xyra."""
    value: bool | None = None
    """Whether the plan has it; null for a limit."""
    limit: Limit | None = None
    """How much there may be; null for any number. Runs and events are those of a billing period, credits those of a
    calendar month.
    """
    mode: Mode | None = None
    """`hard`: what is more is refused. `soft`: it is accepted with a warning. Null for a flag."""

    def times(self, quantity: int) -> "PlanEntitlement":
        """Of a plan that is had more than once: its limit is multiplied."""
        return self if self.limit is None else self.model_copy(update={"limit": self.limit * quantity})

    @model_validator(mode="after")
    def _flag_or_limit(self) -> Self:
        if self.value is None and self.mode is None:
            raise refusal((("mode",), "is missing: say value true or false, or limit with mode hard or soft"))
        if self.value is not None and (self.mode is not None or self.limit is not None):
            raise refusal((("value",), "does not go with limit or mode: a feature is a flag or a limit"))
        if self.value is not None and self.feature in NO_FLAGS:
            raise refusal((("value",), f"does not go with {self.feature}, which is counted: say limit and mode"))
        return self


class PlaceEntitlements(Value):
    """What the plan at a place allows from some time on."""

    is_in_force: bool
    """False after its end and in a pause: then what the last plan had is not allowed."""
    features: tuple[PlanEntitlement, ...]


@dataclass(frozen=True, slots=True)
class Entitlement:
    """What all plans of an organization together say of a feature."""

    feature: str
    is_granted: bool
    """Whether a plan in force has it. A flag that is off is not granted."""
    mode: Mode | None = None
    """None for a flag."""
    limit: Decimal | None = None
    """None for a flag, and for a limit without end. 0 where no plan with it is in force."""

    def has_room(self, used: Decimal | int, added: Decimal | int = 1) -> bool:
        """Whether so much more is within the limit."""
        return self.limit is None or used + added <= self.limit

    def check_room(self, used: int, added: int = 1) -> None:
        """Raises `LimitExceededError` where so much more passes a hard limit."""
        if self.mode == "hard" and self.limit is not None and not self.has_room(used, added):
            raise LimitExceededError.of_plan(self.feature, int(self.limit), used, is_granted=self.is_granted)


@dataclass(frozen=True, slots=True)
class PassedLimit:
    """A soft limit that was passed."""

    feature: str
    limit: Decimal
    used: int


class Entitlements(Entity):
    """What the plans of an organization allow, now and by what lies ahead."""

    kind: ClassVar[str] = "entitlements"
    audit: ClassVar[Audit] = FOLLOWS
    id: str = "entitlements"
    revision: int = 0
    """That of the places from which it was made."""
    places: Mapping[str, History[PlaceEntitlements]] = {}

    def at(self, now: datetime) -> dict[str, Entitlement]:
        """By feature. What no plan names is missing."""
        granted: dict[str, list[PlanEntitlement]] = {}
        ended: dict[str, PlanEntitlement] = {}
        for place in self._at(now):
            for feature in place.features:
                if place.is_in_force:
                    granted.setdefault(feature.feature, []).append(feature)
                else:
                    ended.setdefault(feature.feature, feature)
        without = {name: _not_granted(feature) for name, feature in ended.items()}
        return without | {name: _together(name, features) for name, features in granted.items()}

    def _at(self, now: datetime) -> Iterator[PlaceEntitlements]:
        """Of the base plan first, then of add-ons by their key."""
        for _, history in sorted(self.places.items(), key=lambda named: (named[0] != "base", named[0])):
            found = history.at(now)
            if found is not None:
                yield found


def _not_granted(feature: PlanEntitlement) -> Entitlement:
    if feature.mode is None:
        return Entitlement(feature.feature, is_granted=False)
    return Entitlement(feature.feature, is_granted=False, mode=feature.mode, limit=ZERO)


def _together(name: str, features: list[PlanEntitlement]) -> Entitlement:
    """Limits of add-ons add to the base's; a flag is on where any plan has it on. The first one says which it is."""
    mode = features[0].mode
    if mode is None:
        return Entitlement(name, is_granted=any(feature.value or feature.mode is not None for feature in features))
    limits = [feature.limit for feature in features if feature.mode is not None]
    bounded = [limit for limit in limits if limit is not None]
    limit = sum(bounded, ZERO) if len(bounded) == len(limits) else None
    return Entitlement(name, is_granted=True, mode=mode, limit=limit)


class RunUse(Entity):
    """How many runs were created in a billing period, counted while a plan limits them."""

    kind: ClassVar[str] = "run_use"
    audit: ClassVar[Audit] = BOOKKEEPING
    id: str = "run_use"
    period_start: Instant = BEGINNING
    used: int = 0

    def within(self, period_start: datetime) -> "RunUse":
        """Of this period: what was counted in another one is over."""
        return self if self.period_start == period_start else RunUse(period_start=period_start)
