"""An alert: a crossing that somebody should know of."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from shared.domain.credits.counters import Scope, Unit

AlertType = Literal["low_balance", "budget_share", "forecast", "unusual_spending"]


class Alert(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that was crossed. Fields that do not go with its type are None."""

    id: str
    type: AlertType
    organization_id: str
    time: datetime
    kind: str
    """Of credits."""
    used: Decimal
    """What is used by now; of a low balance what is available."""
    threshold: Decimal
    """What was crossed: an amount, of a share the limit."""
    unit: Unit = "credits"
    share: Decimal | None = None
    """Percent."""
    budget_id: str | None = None
    scope: Scope | None = None
    reference: str | None = None
    window_start: datetime | None = None
    window_end: datetime | None = None
