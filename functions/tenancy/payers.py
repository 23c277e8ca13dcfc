"""Who pays for an organization."""

from datetime import datetime

import azure.functions as func
from pydantic import Field

from functions.fields import OrganizationPath, Reference
from shared.domain.access.identity import Permission
from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.times import BEGINNING
from shared.http import Call, Query, Reply, Schema, endpoint

blueprint = func.Blueprint()


class PayerRequest(Schema):
    payer_id: Reference | None
    """The id, slug or external id of the organization whose credits are spent; null for its own."""


class PayerAnswer(Schema):
    payer_id: str | None
    """Null where it pays for itself."""
    start: datetime | None = Field(serialization_alias="from")
    """When that begins: with the first billing period that is not created yet. Null for the beginning."""


@endpoint(
    blueprint,
    "PUT",
    "organizations/{organization_id}/payer",
    summary="Let an organization spend another one's credits, or its own again",
    access=Permission.ORGANIZATIONS_CREATE,
    path_values=OrganizationPath,
    body=PayerRequest,
    answers={200: PayerAnswer},
    example={"payer_id": None},
)
async def put_payer(call: Call[PayerRequest, Query, OrganizationPath]) -> Reply:
    organization_id = await call.organization_id(call.path.organization_id)
    payer_id = None
    if call.body.payer_id is not None:
        payer_id = await call.services.organizations.find(call.body.payer_id)
        if payer_id is None:
            raise ValidationError.at("/payer_id", "is no organization")
    organization = await call.services.payer_changes.put(organization_id, payer_id)
    since = organization.payers.entries[-1].effective_from
    return Reply({"payer_id": organization.payers.last, "start": None if since == BEGINNING else since})
