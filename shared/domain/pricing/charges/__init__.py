"""The charges of a billing model. A new one is a module of this package and a member of `AnyCharge`."""

from typing import Annotated

from pydantic import Field, WrapValidator

from shared.domain.kernel.validation import named_by_type
from shared.domain.pricing.charges.activity import ActivityCharge
from shared.domain.pricing.charges.agent import AgentCharge
from shared.domain.pricing.charges.cost import CostCharge
from shared.domain.pricing.charges.flat_fee import FlatFee
from shared.domain.pricing.charges.outcome import OutcomeCharge
from shared.domain.pricing.charges.seat import SeatCharge
from shared.domain.pricing.charges.setup_fee import SetupFee
from shared.domain.pricing.charges.workflow import WorkflowCharge

AnyCharge = Annotated[
    FlatFee | SetupFee | SeatCharge | AgentCharge | ActivityCharge | OutcomeCharge | WorkflowCharge | CostCharge,
    Field(discriminator="type"),
    WrapValidator(named_by_type),
]
"""Any charge, as a billing model contains it; `type` tells which."""
