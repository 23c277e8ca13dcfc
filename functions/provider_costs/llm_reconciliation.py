"""Reconciliation of LLM calls with a provider's export."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Self

import azure.functions as func
from pydantic import AfterValidator, Field, StringConstraints

from shared.domain.access.identity import Permission
from shared.domain.kernel.money import ExactDecimal
from shared.domain.kernel.validation_messages import Expected
from shared.domain.provider_costs.provider_exports import Provider
from shared.domain.usage.reconciliation import Compared, Comparison
from shared.http import BodyLimit, Call, Projects, Query, Reply, Schema, endpoint
from shared.http.schemas import Document, TextFile
from shared.services.usage.reconciliation import SentExport

blueprint = func.Blueprint()

_MIB = 1024 * 1024
EXPORT_BODY = BodyLimit(8 * _MIB, unpacked=16 * _MIB)
_CSV = "text/csv"


def _is_day(text: str) -> str:
    date.fromisoformat(text)
    return text


Day = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"),
    AfterValidator(_is_day),
    Expected("a day such as 2026-11-10"),
]


class ExportBody:
    """An export as the provider hands it out."""

    @property
    def content(self) -> Mapping[str, Any]:
        return {"application/json": Document, _CSV: TextFile}

    @property
    def required(self) -> bool:
        return True

    def read(self, media_type: str, headers: Mapping[str, str], raw: bytes) -> SentExport:  # noqa: ARG002  as `BodyFormat` has it
        return SentExport(media_type == _CSV, raw)


class ReconciliationQuery(Query):
    provider: Provider
    """Whose export it is."""
    day: Day | None = Field(default=None, alias="date")
    """Only this day, in UTC. By default those that the export has, at most 31."""
    byok: bool = False
    """Whether to compare the calls with customers' own keys, instead of all others."""


class ComparedNumber(Schema):
    here: ExactDecimal
    """What was metered."""
    there: ExactDecimal
    """What the export says."""
    difference: ExactDecimal
    """`here` minus `there`."""

    @classmethod
    def of(cls, here: Decimal | int, there: Decimal | int) -> Self:
        return cls(here=Decimal(here), there=Decimal(there), difference=Decimal(here) - Decimal(there))


class ReconciledModel(Schema):
    day: date
    """In UTC."""
    model: str
    """`provider/model` as the price list names it; `*` where the export does not tell models apart."""
    agrees: bool
    """Whether all that the export says is so here. Costs may differ by what the export rounds."""
    requests: ComparedNumber | None
    """Null where the export does not count requests."""
    units: dict[str, ComparedNumber]
    """By the price list's names: those that the export counts."""
    cost: ComparedNumber | None
    """In USD; null where the export has no costs."""
    unpriced: int
    """Calls here whose cost in USD is not known, for want of a price or an exchange rate."""

    @classmethod
    def of_compared(cls, compared: Compared) -> Self:
        here, there = compared.here, compared.there
        return cls(
            day=compared.day,
            model=compared.model,
            agrees=compared.agrees,
            requests=None if there.requests is None else ComparedNumber.of(here.requests or 0, there.requests),
            units={key: ComparedNumber.of(here.units.get(key, 0), count) for key, count in there.units.items()},
            cost=None if there.cost is None else ComparedNumber.of(here.cost or 0, there.cost),
            unpriced=here.unpriced,
        )


class MissingCall(Schema):
    id: str
    """The provider's id, or that of our event."""
    day: date
    """In UTC."""
    model: str
    """`provider/model`, as above."""
    event_id: str | None
    """As the sender of our event chose it; null for the provider's."""


class ReconciliationAnswer(Schema):
    provider: str
    """Whose export it is."""
    days: list[date]
    """The days that were compared."""
    agrees: bool
    """Whether all models of all days agree, and no call is missing."""
    data: list[ReconciledModel]
    """By day and model."""
    calls_are_named: bool
    """Whether the export has an id for each call; else only differences can be told."""
    missing_here: list[MissingCall]
    """Calls of the export that were not metered, at most 1,000."""
    missing_here_count: int
    """How many these are in all."""
    missing_there: list[MissingCall]
    """Calls that were metered and are not in the export, at most 1,000."""
    missing_there_count: int
    """How many these are in all."""

    @classmethod
    def of_comparison(cls, provider: str, comparison: Comparison) -> Self:
        data = [ReconciledModel.of_compared(compared) for compared in comparison.compared()]
        missing = comparison.calls_only_there + comparison.calls_only_here
        return cls(
            provider=provider,
            days=comparison.days,
            agrees=not missing and all(model.agrees for model in data),
            data=data,
            calls_are_named=comparison.names_calls,
            missing_here=[MissingCall.showing(call) for call in comparison.only_there],
            missing_here_count=comparison.calls_only_there,
            missing_there=[MissingCall.showing(call) for call in comparison.only_here],
            missing_there_count=comparison.calls_only_here,
        )


@endpoint(
    blueprint,
    "POST",
    "llm-costs/reconciliation",
    summary="Compare a provider's export of usage or costs with what was metered, by UTC day and model",
    access=Permission.USAGE_READ,
    projects=Projects.REFUSED,
    query=ReconciliationQuery,
    body=ExportBody(),
    body_limit=EXPORT_BODY,
    answers={200: ReconciliationAnswer},
    idempotent=False,
    example={
        "data": [
            {
                "date": "2026-11-20",
                "model": "openai/gpt-5",
                "requests": 2,
                "prompt_tokens": 100,
                "completion_tokens": 50,
                "usage": 0.01,
            }
        ]
    },
)
async def reconcile_llm_costs(call: Call[SentExport, ReconciliationQuery]) -> Reply:
    """An operator's credential that names no organization compares the calls of all."""
    query = call.query
    organization_id = await call.organization_id_or_operator()
    day = None if query.day is None else date.fromisoformat(query.day)
    comparison = await call.services.reconciliation.of(query.provider, call.body, day, organization_id, byok=query.byok)
    return Reply(ReconciliationAnswer.of_comparison(query.provider, comparison))
