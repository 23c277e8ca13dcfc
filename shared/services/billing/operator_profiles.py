"""The operator's profile, and what documents keep of it and of their customer."""

import base64
import binascii
from datetime import datetime

from shared.containers import CATALOG
from shared.domain.billing.document_details import DocumentDetails
from shared.domain.billing.logos import MAXIMUM_BYTES, POINTER, check_png, check_svg
from shared.domain.billing.operator_profile import (
    PROFILE,
    Logo,
    LogoType,
    OperatorProfile,
    checked_bank_account,
)
from shared.domain.billing.tax_ids import checked_tax_id
from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.ids import fingerprint
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.ports.printing import Printer
from shared.services.billing.taxes import Taxes
from shared.services.storage import Records, Store, Stored

_LOGOS = "logos"


class OperatorProfiles:
    def __init__(self, store: Store, clock: Clock, taxes: Taxes, printer: Printer) -> None:
        self._clock = clock
        self._taxes = taxes
        self._printer = printer
        self._profiles = Records(store, CATALOG, OperatorProfile)
        self._logos = Records(store, CATALOG, Logo)

    async def find(self) -> Stored[OperatorProfile] | None:
        """None where the operator has written nothing about itself yet."""
        return await self._profiles.find(PROFILE, PROFILE)

    async def put(self, profile: OperatorProfile, if_match: str | None) -> Stored[OperatorProfile]:
        """Replace it. Raises `ValidationError` for numbers whose digits are wrong, `PreconditionFailedError`."""
        bank = profile.bank_account
        checked = profile.changed(
            tax_ids=tuple(
                tax_id.model_copy(update={"value": checked_tax_id(tax_id.type, tax_id.value, f"/tax_ids/{place}")})
                for place, tax_id in enumerate(profile.tax_ids)
            ),
            bank_account=None if bank is None else checked_bank_account(bank, "/bank_account"),
            changed_at=self._clock.now(),
        )
        return await self._profiles.change_or_create(PROFILE, PROFILE, lambda _: checked, if_match)

    async def keep_logo(self, media_type: LogoType, data: str) -> str:
        """The id of a logo, which is there from now on. Raises `ValidationError` for one that cannot be printed."""
        try:
            content = base64.b64decode(data, validate=True)
        except (ValueError, binascii.Error):
            raise ValidationError.at(POINTER, "is no base64") from None
        if len(content) > MAXIMUM_BYTES:
            raise ValidationError.at(POINTER, f"has {len(content)} bytes; at most {MAXIMUM_BYTES}")
        (check_png if media_type == "image/png" else check_svg)(content)
        if not await self._printer.can_print(media_type, content):
            raise ValidationError.at(POINTER, f"is no {media_type} that can be printed")
        logo = Logo(id=fingerprint(content)[:32], media_type=media_type, data=base64.b64encode(content).decode())
        await self._logos.ensure(_LOGOS, logo)
        return logo.id

    async def logo(self, logo_id: str) -> Logo:
        """Raises `UnavailableError` where it cannot be read yet."""
        return (await self._logos.get_created(_LOGOS, logo_id)).entity

    async def details(self, organization: Organization, now: datetime) -> DocumentDetails:
        """What a document that is finalized now says of both parties."""
        profile, terms = await self.find(), await self._taxes.terms(organization.id)
        in_force = None if terms is None else terms.entity.terms.at(now)
        tax_ids = () if in_force is None else in_force.tax_ids
        return DocumentDetails.at(now, organization, tax_ids, None if profile is None else profile.entity)
