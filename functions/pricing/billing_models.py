"""Billing models, their versions, and calculations with them."""

from typing import Annotated, Any, Self

import azure.functions as func
from pydantic import Field, RootModel, model_validator

from functions.fields import Listed
from functions.pricing.billing_model_answers import BillingModelAnswer, VersionAnswer
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import ForbiddenError, LimitExceededError, NotFoundError
from shared.domain.kernel.histories import History
from shared.domain.kernel.validation import Length, refusal
from shared.domain.periods.periods import Calendar, Span, first_period
from shared.domain.pricing.billing_models import BillingModelDraft, Version
from shared.domain.rating.calculation import Calculation, ModelSketch, UsageEntry, calculate
from shared.http import (
    LARGE_BODY,
    Call,
    IfMatch,
    ListQuery,
    NoBody,
    PathValues,
    Query,
    Reply,
    Schema,
    ThingId,
    ZonedTime,
    endpoint,
)
from shared.services.storage import OPERATOR
from shared.templates import billing_model_templates

blueprint = func.Blueprint()

_EXAMPLE = {
    "name": "Coding agent",
    "currency": "USD",
    "charges": [
        {"key": "platform", "type": "flat_fee", "amount": "499.00"},
        {
            "key": "commands",
            "type": "activity",
            "meter": {"event_type": "command", "aggregation": "sum", "value": "data.quantity"},
            "pricing": {
                "type": "graduated",
                "tiers": [{"up_to": "1000", "unit_amount": "0.01"}, {"up_to": None, "unit_amount": "0.005"}],
            },
        },
    ],
}


class BillingModelPath(PathValues):
    model_id: Annotated[str, ThingId("bm")]
    """The billing model's id."""


class BillingModelRequest(BillingModelDraft):
    organization_id: str | None = Field(default=None, max_length=256)
    """The organization's id, slug or external id. An operator who names none publishes for all organizations."""

    def draft(self) -> BillingModelDraft:
        return BillingModelDraft.model_construct(
            **{name: getattr(self, name) for name in BillingModelDraft.model_fields}
        )


class CalculatedPeriod(Schema):
    """A span of time [start, end)."""

    start: ZonedTime
    """Inclusive."""
    end: ZonedTime
    """Exclusive."""

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.end <= self.start:
            raise refusal((("end",), "is not after start"))
        return self


class CalculateRequest(Schema):
    usage: Annotated[list[UsageEntry], Length(0, 1000)] = []
    """The usage of each charge. A charge that is not named has none."""
    period: CalculatedPeriod | None = None
    """By default the current calendar month in UTC."""
    only: Annotated[list[Annotated[str, Field(max_length=64)]], Length(0, 100)] | None = None
    """The keys of the charges to calculate; by default all."""


class SketchCalculateRequest(CalculateRequest):
    model: ModelSketch
    """The billing model to calculate with. It is not saved."""


class BillingModelTemplate(RootModel[dict[str, Any]]):
    """A billing model to start from, in the form of a request to `POST /billing-models`."""


async def _check_self_managed(call: Call[Any, Any, Any]) -> None:
    """Only operators, and organizations with self-managed pricing, write billing models.

    Raises `ForbiddenError`.
    """
    if call.principal.is_operator or (await call.organization()).settings.self_managed_pricing:
        return
    raise ForbiddenError(
        "Billing models are written by the operator; they let an organization write its own by "
        'PATCH /organizations/{organization_id} with {"settings": {"self_managed_pricing": true}}'
    )


async def _owner_of_model(call: Call[Any, Any, Any], model_id: str) -> str | None:
    """The organization that owns the model; None for the operator's.

    Raises `NotFoundError` for a model of another organization than the caller's, or than an operator names.
    """
    owner = await call.services.owners.of(model_id)
    if owner == OPERATOR:
        return None
    is_named = not call.principal.is_operator or call.query.organization_id is not None
    if is_named and owner != await call.organization_id():
        raise NotFoundError("There is no such billing model")
    return owner


async def _owner_of_writable_model(call: Call[Any, Any, Any], model_id: str) -> str | None:
    """As `_owner_of_model`, for a model that the caller may change. Raises `ForbiddenError`."""
    owner = await _owner_of_model(call, model_id)
    if owner is None and not call.principal.is_operator:
        raise ForbiddenError("This is a billing model of the operator's")
    if owner is None:
        call.refuse_organization("the model is the operator's, for all organizations")
    return owner


@endpoint(
    blueprint,
    "POST",
    "billing-models",
    summary="Create a billing model with its first version",
    access=Permission.BILLING_MODELS_WRITE,
    body=BillingModelRequest,
    body_limit=LARGE_BODY,
    answers={201: BillingModelAnswer},
    errors=(LimitExceededError,),
    calculates=True,
    authorize=_check_self_managed,
    example=_EXAMPLE,
)
async def create_billing_model(call: Call[BillingModelRequest]) -> Reply:
    owner = await call.organization_id_or_operator(call.body.organization_id)
    model, version, etag = await call.services.billing_models.create(call.new_id("bm"), owner, call.body.draft())
    return Reply(BillingModelAnswer.of(model, version), etag=etag)


@endpoint(
    blueprint,
    "GET",
    "billing-models",
    summary="The organization's own billing models, then the operator's. Operators who name no organization see theirs",
    access=Permission.BILLING_MODELS_READ,
    query=ListQuery,
    answers={200: Listed[BillingModelAnswer]},
)
async def list_billing_models(call: Call[NoBody, ListQuery]) -> Reply:
    models = call.services.billing_models
    owner = await call.organization_id_or_operator()
    limit, cursor = call.query.limit, call.query.cursor
    page = await (models.page(None, limit, cursor) if owner is None else models.page_visible(owner, limit, cursor))
    data = [BillingModelAnswer.of(model, await models.version(model, model.versions.last)) for model in page.entities]
    return Reply(Listed(data=data, next_cursor=page.cursor))


@endpoint(
    blueprint,
    "GET",
    "billing-models/templates",
    summary="Billing models to start from",
    access=Permission.BILLING_MODELS_READ,
    answers={200: Listed[BillingModelTemplate]},
)
async def list_billing_model_templates(call: Call) -> Reply:  # noqa: ARG001  the same for everyone
    return Reply(Listed(data=billing_model_templates(), next_cursor=None))


@endpoint(
    blueprint,
    "GET",
    "billing-models/{model_id}",
    summary="One billing model",
    access=Permission.BILLING_MODELS_READ,
    path_values=BillingModelPath,
    answers={200: BillingModelAnswer},
)
async def get_billing_model(call: Call[NoBody, Query, BillingModelPath]) -> Reply:
    model_id = call.path.model_id
    model, etag = await call.services.billing_models.get(await _owner_of_model(call, model_id), model_id)
    version = await call.services.billing_models.version(model, model.versions.last)
    return Reply(BillingModelAnswer.of(model, version), etag=etag)


@endpoint(
    blueprint,
    "PUT",
    "billing-models/{model_id}",
    summary="Publish a new version. It takes effect in 10 minutes or later",
    access=Permission.BILLING_MODELS_WRITE,
    path_values=BillingModelPath,
    body=BillingModelDraft,
    body_limit=LARGE_BODY,
    answers={200: BillingModelAnswer},
    errors=(LimitExceededError,),
    if_match=IfMatch.REQUIRED,
    calculates=True,
    authorize=_check_self_managed,
    example=_EXAMPLE,
)
async def publish_billing_model(call: Call[BillingModelDraft, Query, BillingModelPath]) -> Reply:
    model_id = call.path.model_id
    owner = await _owner_of_writable_model(call, model_id)
    model, version, etag = await call.services.billing_models.publish(owner, model_id, call.body, call.if_match)
    return Reply(BillingModelAnswer.of(model, version), etag=etag)


@endpoint(
    blueprint,
    "POST",
    "billing-models/{model_id}/archive",
    summary="Archive a billing model: no agent can be given it any more",
    access=Permission.BILLING_MODELS_WRITE,
    path_values=BillingModelPath,
    answers={200: BillingModelAnswer},
    authorize=_check_self_managed,
)
async def archive_billing_model(call: Call[NoBody, Query, BillingModelPath]) -> Reply:
    model_id = call.path.model_id
    owner = await _owner_of_writable_model(call, model_id)
    model, etag = await call.services.billing_models.archive(owner, model_id)
    version = await call.services.billing_models.version(model, model.versions.last)
    return Reply(BillingModelAnswer.of(model, version), etag=etag)


@endpoint(
    blueprint,
    "GET",
    "billing-models/{model_id}/versions",
    summary="All versions of a billing model, oldest first",
    access=Permission.BILLING_MODELS_READ,
    path_values=BillingModelPath,
    answers={200: Listed[VersionAnswer]},
)
async def list_billing_model_versions(call: Call[NoBody, Query, BillingModelPath]) -> Reply:
    model_id = call.path.model_id
    model, _ = await call.services.billing_models.get(await _owner_of_model(call, model_id), model_id)
    versions = await call.services.billing_models.versions(model)
    return Reply(Listed(data=versions, next_cursor=None))


async def _calculated(call: Call[Any, Any, Any], version: Version, currency: str) -> Calculation:
    asked = call.body.period
    span = Span(start=asked.start, end=asked.end) if asked else first_period(call.now, _UTC).span
    return await call.services.calculations.run(
        lambda: calculate(version, currency, call.body.usage, span, call.body.only)
    )


_UTC = History[Calendar].starting(Calendar(timezone="UTC"))


@endpoint(
    blueprint,
    "POST",
    "billing-models/calculate",
    summary="Calculate what usage would cost under a model that is not saved",
    access=Permission.BILLING_MODELS_READ,
    body=SketchCalculateRequest,
    body_limit=LARGE_BODY,
    answers={200: Calculation},
    idempotent=False,
    calculates=True,
    example={"model": _EXAMPLE, "usage": [{"charge": "commands", "agent": "coder", "quantity": "1200"}]},
)
async def calculate_sketch(call: Call[SketchCalculateRequest]) -> Reply:
    sketch = call.body.model
    return Reply(await _calculated(call, sketch.version(), sketch.currency))


@endpoint(
    blueprint,
    "POST",
    "billing-models/{model_id}/calculate",
    summary="Calculate what usage would cost under the newest version of a model",
    access=Permission.BILLING_MODELS_READ,
    path_values=BillingModelPath,
    body=CalculateRequest,
    body_limit=LARGE_BODY,
    answers={200: Calculation},
    idempotent=False,
    calculates=True,
    example={"usage": []},
)
async def calculate_billing_model(call: Call[CalculateRequest, Query, BillingModelPath]) -> Reply:
    model_id = call.path.model_id
    model, _ = await call.services.billing_models.get(await _owner_of_model(call, model_id), model_id)
    version = await call.services.billing_models.version(model, model.versions.last)
    return Reply(await _calculated(call, version, model.currency))
