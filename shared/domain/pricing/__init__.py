"""Pricings: from a quantity to an amount. A new one is a module here and a name in this union."""

from typing import Annotated

from pydantic import Field, WrapValidator

from shared.domain.pricing.dynamic import Dynamic
from shared.domain.pricing.graduated import Graduated
from shared.domain.pricing.graduated_percentage import GraduatedPercentage
from shared.domain.pricing.package import Package
from shared.domain.pricing.per_unit import PerUnit
from shared.domain.pricing.percentage import Percentage
from shared.domain.pricing.volume import Volume
from shared.domain.pricing.volume_percentage import VolumePercentage
from shared.domain.validation import named_by_type

Pricing = Annotated[
    PerUnit | Graduated | Volume | Package | Percentage | GraduatedPercentage | VolumePercentage | Dynamic,
    Field(discriminator="type"),
    WrapValidator(named_by_type),
]
