"""Charges: the priced things of a billing model. A new one is a module here and a name in this union."""

from typing import Annotated

from pydantic import Field, WrapValidator

from shared.domain.kernel.validation import named_by_type
from shared.domain.pricing.charges.activity import Activity
from shared.domain.pricing.charges.agent import Agent
from shared.domain.pricing.charges.cost import Cost
from shared.domain.pricing.charges.flat_fee import FlatFee
from shared.domain.pricing.charges.outcome import Outcome
from shared.domain.pricing.charges.seat import Seat
from shared.domain.pricing.charges.setup_fee import SetupFee
from shared.domain.pricing.charges.workflow import Workflow

AnyCharge = Annotated[
    FlatFee | SetupFee | Seat | Agent | Activity | Outcome | Workflow | Cost,
    Field(discriminator="type"),
    WrapValidator(named_by_type),
]
"""A charge as it is written in a billing model, told apart by its `type`."""
