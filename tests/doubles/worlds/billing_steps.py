"""The steps of an organization's history, as plain data."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from shared.domain.pricing.billing_models import BillingModelDraft

Decision = Literal["verify", "reject", "reverse"]


@dataclass(frozen=True, slots=True)
class Step:
    """Something that an organization's people or systems do, and when."""

    at: datetime


@dataclass(frozen=True, slots=True)
class CreateModel(Step):
    model: str
    draft: BillingModelDraft


@dataclass(frozen=True, slots=True)
class PublishVersion(Step):
    model: str
    draft: BillingModelDraft


@dataclass(frozen=True, slots=True)
class CreateAgent(Step):
    agent: str
    model: str | None
    since: datetime | None


@dataclass(frozen=True, slots=True)
class MoveAgent(Step):
    """Put an agent on a model from a time on; without one, on the model in force, which withdraws what was to come."""

    agent: str
    model: str | None
    since: datetime | None


@dataclass(frozen=True, slots=True)
class DeleteAgent(Step):
    agent: str


@dataclass(frozen=True, slots=True)
class ChangeOrganization(Step):
    """A change of its timezone, its shard count or its seats."""

    changes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DeleteOrganization(Step):
    """The organization ends."""


@dataclass(frozen=True, slots=True)
class Sent:
    """An event as its sender reports it."""

    id: str
    type: str
    agent: str
    time: datetime
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Report(Step):
    """Requests that are sent at the same time, each with its events."""

    requests: tuple[tuple[Sent, ...], ...]


@dataclass(frozen=True, slots=True)
class RunInvoices(Step):
    """Invoice what is due by now, or a named month.

    It is asked for `times` times at once.
    """

    month: str | None
    finalize: bool
    times: int


@dataclass(frozen=True, slots=True)
class Decide(Step):
    """Decide about these outcomes, each `times` times at once. Some decisions come too late and are refused."""

    decision: Decision
    outcomes: tuple[Sent, ...]
    value: Decimal | None
    times: int


@dataclass(frozen=True, slots=True)
class Wait(Step):
    """Time passes, and the timers fire."""


@dataclass(frozen=True, slots=True)
class History:
    seed: int
    currency: str
    timezone: str
    grace_hours: int
    seats: int
    steps: tuple[Step, ...]
