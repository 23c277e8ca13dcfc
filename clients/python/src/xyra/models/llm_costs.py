"""Models of `llm_costs`.

Written by `tools/sdk_source.py` from the API's description: change that, not this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict


class ComparedNumber(TypedDict):
    here: str
    """What was metered."""
    there: str
    """What the export says."""
    difference: str
    """`here` minus `there`."""


class LlmModelCostsAnswer(TypedDict):
    """Calls of a model whose cost was reported, and those with a customer's own key."""

    model: str
    """The `provider/model` whose price was applied; `*` stands for all beyond the 50 that are counted one by one."""
    calls: int
    """Those with a cost of ours and a reported one."""
    cost: str
    """What they cost by our prices, in the organization's currency."""
    reported_cost: str
    """What their senders say they cost."""
    difference: str
    """`cost` minus `reported_cost`: what grows here is a price that is wrong."""
    byok_calls: int
    """Calls with a customer's own key."""
    byok_cost: str
    """What the customer paid for those; no cost of the operator's."""


class LlmModelCostsList(TypedDict):
    data: Sequence[LlmModelCostsAnswer]
    """The entries of this page."""
    next_cursor: str | None
    """The `cursor` of the next page; null on the last one."""


class MissingCall(TypedDict):
    id: str
    """The provider's id, or that of our event."""
    day: str
    """In UTC."""
    model: str
    """`provider/model`, as above."""
    event_id: str | None
    """As the sender of our event chose it; null for the provider's."""


class ReconciledModel(TypedDict):
    day: str
    """In UTC."""
    model: str
    """`provider/model` as the price list names it; `*` where the export does not tell models apart."""
    agrees: bool
    """Whether all that the export says is so here. Costs may differ by what the export rounds."""
    requests: ComparedNumber | None
    """Null where the export does not count requests."""
    units: Mapping[str, ComparedNumber]
    """By the price list's names: those that the export counts."""
    cost: ComparedNumber | None
    """In USD; null where the export has no costs."""
    unpriced: int
    """Calls here whose cost in USD is not known, for want of a price or an exchange rate."""


class ReconciliationAnswer(TypedDict):
    provider: str
    """Whose export it is."""
    days: Sequence[str]
    """The days that were compared."""
    agrees: bool
    """Whether all models of all days agree, and no call is missing."""
    data: Sequence[ReconciledModel]
    """By day and model."""
    calls_are_named: bool
    """Whether the export has an id for each call; else only differences can be told."""
    missing_here: Sequence[MissingCall]
    """Calls of the export that were not metered, at most 1,000."""
    missing_here_count: int
    """How many these are in all."""
    missing_there: Sequence[MissingCall]
    """Calls that were metered and are not in the export, at most 1,000."""
    missing_there_count: int
    """How many these are in all."""
