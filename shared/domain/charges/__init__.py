"""Charges: the priced things of a billing model. A new one is a module here and a name in this union."""

from typing import Annotated

from pydantic import Field, WrapValidator

from shared.domain.charges.activity import Activity
from shared.domain.charges.flat_fee import FlatFee
from shared.domain.validation import named_by_type

AnyCharge = Annotated[
    FlatFee | Activity,
    Field(discriminator="type"),
    WrapValidator(named_by_type),
]
"""A charge as it is written in a billing model, told apart by its `type`."""
