"""Models of `plans`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired, TypedDict

from xyra.models.shared import Trial


class PlanAnswer(TypedDict):
    id: str
    """Its id."""
    key: str
    """By which a subscription names it; it stays over all versions."""
    name: str
    """Its name, for people."""
    description: str
    """What it is, for people."""
    kind: Literal["base", "addon"]
    """`base`, or `addon` beside it."""
    interval: str
    """How often its fees are due."""
    public: bool
    """Whether organizations see it and may subscribe to it by themselves."""
    prices: Mapping[str, str]
    """By currency, the id of the version of a billing model that prices it."""
    trial: Trial | None
    """Without fees at the beginning."""
    version: int
    """The number of the newest version, which a new subscription gets."""
    version_id: str
    """Of the newest version."""
    created_at: str
    """When it was created."""
    archived_at: str | None
    """Since when nobody can subscribe to it."""


class PlanDraft(TypedDict):
    """A plan, or a new version of one, as it is sent."""

    key: str
    """Names the plan for good: another version cannot change it."""
    name: str
    """For people."""
    description: NotRequired[str]
    """For people."""
    kind: NotRequired[Literal["base", "addon"]]
    """`base`: an organization has one such subscription at most. `addon`: beside it, one for each add-on."""
    interval: NotRequired[Literal["month"]]
    """How often its fees are due: every billing period."""
    trial: NotRequired[Trial | None]
    """Given to an organization once at the plan's place."""
    public: NotRequired[bool]
    """Whether `GET /billing/plans` shows it, and organizations may subscribe to it by themselves."""
    prices: Mapping[str, str]
    """By currency, the id of a version (`bmv_...`) of a billing model of the operator's in that currency."""


class PlanList(TypedDict):
    data: Sequence[PlanAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class PlanVersionAnswer(TypedDict):
    id: str
    """Its id."""
    number: int
    """From 1 on."""
    name: str
    """Its name, for people."""
    description: str
    """What it is, for people."""
    interval: str
    """How often its fees are due."""
    prices: Mapping[str, str]
    """By currency, the id of the version of a billing model that prices it."""
    trial: Trial | None
    """Without fees at the beginning."""
    created_at: str
    """When it was created."""


class PlanVersionList(TypedDict):
    data: Sequence[PlanVersionAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""
