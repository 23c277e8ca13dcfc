"""The pricings of a charge. A new one is a module of this package and a member of `Pricing`."""

from typing import Annotated

from pydantic import Field, WrapValidator

from shared.domain.kernel.validation import named_by_type
from shared.domain.pricing.rules.dynamic import Dynamic
from shared.domain.pricing.rules.graduated import Graduated
from shared.domain.pricing.rules.graduated_percentage import GraduatedPercentage
from shared.domain.pricing.rules.package import Package
from shared.domain.pricing.rules.per_unit import PerUnit
from shared.domain.pricing.rules.percentage import Percentage
from shared.domain.pricing.rules.volume import Volume
from shared.domain.pricing.rules.volume_percentage import VolumePercentage

Pricing = Annotated[
    PerUnit | Graduated | Volume | Package | Percentage | GraduatedPercentage | VolumePercentage | Dynamic,
    Field(discriminator="type"),
    WrapValidator(named_by_type),
]
"""Any pricing, as a billing model contains it; `type` tells which."""
