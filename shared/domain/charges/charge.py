"""What all charges have in common."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, ClassVar, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from shared.domain.lines import Part, Timing
from shared.domain.meters import Meter, Reading

ChargeKey = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")]
Scope = Literal["agent", "organization"]
"""Whether a charge has a line for each agent, or one for all the organization's agents on its model."""


class Charge(BaseModel, ABC):
    """One priced thing of a billing model. Its key is stable over the versions of the model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    FIXED: ClassVar[tuple[str, ...]] = ("type", "scope")
    """The fields that a key keeps over the versions of its model, because its line goes on from one to the next."""

    key: ChargeKey
    type: str
    scope: Scope

    @property
    def meters(self) -> Mapping[str, Meter]:
        """By the name under which totals keep their readings: the charge's key, or for a part of the charge
        `key/part`.
        """
        return {}

    @property
    def billed(self) -> Timing:
        """Whether for the period that ended, or in advance for the one that starts."""
        return "arrears"

    @classmethod
    @abstractmethod
    def rated(cls, segments: "Sequence[LineSegment[Self]]") -> "RatedCharge":
        """What a line costs whose segments these are, in their order; there is at least one."""


C_co = TypeVar("C_co", bound=Charge, covariant=True)


@dataclass(frozen=True, slots=True)
class LineSegment(Generic[C_co]):
    """What of a line falls to one agent under one version of the charge.

    Shares are days over the days of the period: `share` of the days that count for the line, so in pooled lines each
    day once; `agent_share` of the agent's own.
    """

    charge: C_co
    version: int
    agent_id: str
    share: Fraction
    agent_share: Fraction
    readings: Mapping[str, Reading]


@dataclass(frozen=True, slots=True)
class RatedCharge:
    """`unit_amount` is the price of a unit where there is just one."""

    quantity: Fraction
    unit: str
    unit_amount: Decimal | None
    parts: Sequence[Part]
