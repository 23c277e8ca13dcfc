"""Which verified outcomes wait for an invoice: not those that a wallet pays."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from shared.domain.access.identity import Permission, Principal
from shared.domain.kernel.ids import named_id
from shared.domain.usage.outcomes import Outcome, Verification
from shared.services.usage.outcomes import OutcomeQuery
from tests.doubles.worlds.invoiced_organization import ORGANIZATION, Scene, agent, model, reported

IN_APRIL = datetime(2026, 4, 3, 12, tzinfo=UTC)
OPERATOR = Principal("usr_operator", None, frozenset(Permission))
SOLD = {
    "key": "sold",
    "type": "outcome",
    "meter": {"event_type": "outcome.sold"},
    "pricing": {"type": "per_unit", "unit_amount": "2"},
}


@pytest.mark.parametrize(
    ("mode", "settles", "listed"), [("postpaid", "wallet", 1), ("prepaid", "wallet", 0), ("prepaid", "invoice", 1)]
)
async def test_outcomes_that_a_wallet_pays_wait_for_no_invoice(mode: str, settles: str, listed: int) -> None:
    scene = await Scene.prepared()
    host = scene.host()
    model_id = named_id("bm", "sold")
    await host.billing_models.create(model_id, ORGANIZATION, model({**SOLD, "settles": settles}))
    await host.agents.create(named_id("agt", "sold"), ORGANIZATION, agent("seller", model_id))
    changes = {"billing_mode": mode, "credit_value": Decimal("0.5")}
    await host.organizations.update(ORGANIZATION, changes, None)
    scene.clock.set(IN_APRIL)
    event = msgspec.structs.replace(reported("sale", 0, IN_APRIL), agent="seller", type="outcome.sold", data={})
    await host.events.accept([event], partial=False)
    await scene.drain()
    organization = await host.organizations.get(ORGANIZATION)
    (outcome,), _ = await host.outcomes.page(organization, OutcomeQuery(), 10, None)
    result = (await host.outcome_decisions.verify(organization, [outcome.id], Verification(), OPERATOR))[outcome.id]
    assert isinstance(result, Outcome)
    assert result.status == "verified"
    unbilled, _ = await host.unbilled_outcomes.page(organization, OutcomeQuery(), 10, None)
    assert len(unbilled) == listed
