"""Request fields and answers that several areas share."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, StringConstraints

from shared.domain.periods.periods import Period
from shared.domain.tenancy.organizations import Organization, OrganizationSettings
from shared.http import Schema
from shared.services.storage.caller_json import text_of_metadata

Metadata = Annotated[
    str,
    BeforeValidator(text_of_metadata, json_schema_input_type=dict[str, Any]),
    Field(json_schema_extra={"default": {}}),
]
"""Caller-owned metadata: an object of at most 50 keys, carried as its text."""

ObjectPatch = dict[str, Any] | None
"""A JSON Merge Patch of an object. The bounds apply to the merged object."""

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(max_length=2000)]
Reference = Annotated[str, StringConstraints(min_length=1, max_length=256)]
"""An id of ours, or one that the caller has chosen."""

# No control characters: an identity must be readable and unambiguous wherever it is shown.
ClientId = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""An id that the caller chooses."""

Month = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")]
"""A month such as 2026-10."""


class SpanAnswer(Schema):
    start: datetime
    end: datetime

    @classmethod
    def of(cls, period: Period) -> Self:
        return cls(start=period.start, end=period.end)


class OrganizationAnswer(Schema):
    id: str
    name: str
    slug: str
    external_id: str | None
    description: str | None
    billing_email: str | None
    contact: str | None
    address: str | None
    tax_id: str | None
    currency: str
    timezone: str
    billing_mode: str
    status: str
    settings: OrganizationSettings
    due_days: int
    grace_hours: int
    late_window_days: int
    shard_count: int
    seats: int
    seats_from: datetime | None
    created_at: datetime
    ended_at: datetime | None

    @classmethod
    def of(cls, organization: Organization) -> Self:
        shown = organization.reads()
        return cls.model_validate({name: shown[name] for name in cls.model_fields})
