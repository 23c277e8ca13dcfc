"""Pricings: from a quantity to an amount. A new one is a module here and a name in this union."""

from typing import Annotated

from pydantic import Field, WrapValidator

from shared.domain.pricing.graduated import Graduated
from shared.domain.pricing.per_unit import PerUnit
from shared.domain.validation import named_by_type

Pricing = Annotated[
    PerUnit | Graduated,
    Field(discriminator="type"),
    WrapValidator(named_by_type),
]
