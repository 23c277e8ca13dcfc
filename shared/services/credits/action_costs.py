"""The operator's cost table: what an action of an agent type costs in credits."""

from decimal import Decimal
from typing import ClassVar

from shared.containers import CATALOG
from shared.domain.credits.amounts import CreditLimit
from shared.domain.credits.costs import DEFAULT_COST, DEFAULT_COSTS, price
from shared.domain.kernel.audit import Audit, Audited
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.ids import named_id
from shared.services.storage import Records, Store, Stored

_PARTITION = "action_cost"
MAXIMUM_COSTS = 1_000


class ActionCost(Entity):
    """A cost that the operator has set. It stands before the default of its action."""

    kind: ClassVar[str] = "action_cost"
    audit: ClassVar[Audit] = Audited(area="action_costs")
    agent_type: str
    action: str
    cost: CreditLimit


class ActionCosts:
    def __init__(self, store: Store) -> None:
        self._costs = Records(store, CATALOG, ActionCost)

    async def put(self, agent_type: str, action: str, cost: Decimal, if_match: str | None) -> Stored[ActionCost]:
        """It holds for what is priced from now on. Raises `PreconditionFailedError`."""
        entity = ActionCost(id=_id_of(agent_type, action), agent_type=agent_type, action=action, cost=cost)
        return await self._costs.change_or_create(_PARTITION, entity.id, lambda _: entity, if_match)

    async def all(self) -> list[ActionCost]:
        """The table: the defaults, as the operator has changed and extended them."""
        costs = {
            _id_of(*named): ActionCost(id=_id_of(*named), agent_type=named[0], action=named[1], cost=cost)
            for named, cost in DEFAULT_COSTS.items()
        }
        page = await self._costs.page(_PARTITION, limit=MAXIMUM_COSTS)
        costs |= {entity.id: entity for entity in page.entities}
        return sorted(costs.values(), key=lambda entity: (entity.agent_type, entity.action))

    async def price(self, agent_type: str, action: str, quantity: Decimal) -> Decimal:
        """The cost times the quantity; of an action that no table has, the default cost."""
        stored = await self._costs.find(_PARTITION, _id_of(agent_type, action))
        cost = stored.entity.cost if stored is not None else DEFAULT_COSTS.get((agent_type, action), DEFAULT_COST)
        return price(cost, quantity)


def _id_of(agent_type: str, action: str) -> str:
    return named_id("cost", agent_type, action)
