"""What requests about billing models are answered with."""

from datetime import datetime
from typing import Self

from shared.domain.pricing.billing_models import BillingModel, Version
from shared.domain.pricing.charges import AnyCharge
from shared.domain.pricing.charges.yearly_commitment import YearlyCommitment
from shared.http import Schema


class VersionAnswer(Schema):
    id: str
    number: int
    """From 1 on."""
    effective_from: datetime
    """When it takes effect."""
    charges: tuple[AnyCharge, ...]
    """What it prices, and how."""
    commitments: tuple[YearlyCommitment, ...]
    """What some of them come to in a year at least."""


class BillingModelAnswer(Schema):
    id: str
    organization_id: str | None
    """Null for a model that every organization can use."""
    name: str
    description: str
    currency: str
    archived_at: datetime | None
    """Since when no agent can be given it."""
    version: int
    """The number of the newest version. It may not be in force yet."""
    version_id: str
    """Of the newest version."""
    effective_from: datetime
    """When the newest version takes effect."""
    charges: tuple[AnyCharge, ...]
    """Of the newest version."""
    commitments: tuple[YearlyCommitment, ...]
    """Of the newest version."""

    @classmethod
    def of(cls, model: BillingModel, version: Version) -> Self:
        return cls.showing(
            model,
            version=version.number,
            version_id=version.id,
            effective_from=version.effective_from,
            charges=version.charges,
            commitments=version.commitments,
        )
