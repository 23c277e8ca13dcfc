"""Charges: the priced things of a billing model. A new one is a module here and a name in this union."""

from typing import Annotated

from pydantic import Field, WrapValidator

from shared.domain.charges.activity import Activity
from shared.domain.charges.agent import Agent
from shared.domain.charges.cost import Cost
from shared.domain.charges.flat_fee import FlatFee
from shared.domain.charges.outcome import Outcome
from shared.domain.charges.seat import Seat
from shared.domain.charges.setup_fee import SetupFee
from shared.domain.charges.workflow import Workflow
from shared.domain.validation import named_by_type

AnyCharge = Annotated[
    FlatFee | SetupFee | Seat | Agent | Activity | Outcome | Workflow | Cost,
    Field(discriminator="type"),
    WrapValidator(named_by_type),
]
"""A charge as it is written in a billing model, told apart by its `type`."""
