"""Filters and evidence of outcomes that are refused."""

from typing import Any

import pytest

from tests.doubles.worlds.two_organizations import TwoOrganizations

Json = dict[str, Any]


@pytest.mark.parametrize("wanted", ["deal", "outcome.", "cost.llm", "outcomes.deal"])
async def test_outcomes_are_listed_by_types_of_outcomes(unchanged: TwoOrganizations, wanted: str) -> None:
    for path in ("outcomes", "outcomes/billing-ready"):
        (await unchanged.key.send("GET", path, type="outcome.deal")).expect(200)
        assert (await unchanged.key.send("GET", path, type=wanted)).problem(422, "validation") == ["?type"]
    bulk = await unchanged.operator.send(
        "POST", "outcomes/verify", {"filter": {"type": wanted}}, organization_id=unchanged.own.id
    )
    assert bulk.problem(422, "validation") == ["/filter/type"]


@pytest.mark.parametrize("evidence", [{"text": "x" * 17_000}, {"text": '"' * 30_000}, {"1": [1.5] * 10_000}], ids=len)
async def test_evidence_is_small(unchanged: TwoOrganizations, evidence: Json) -> None:
    for path, body in (
        ("outcomes/verify", {"filter": {}}),
        ("outcomes/out_1/verify", {}),
        (f"agents/{unchanged.agent['id']}/outcomes", {"outcome_type": "sale"}),
    ):
        answer = await unchanged.key.send("POST", path, body | {"evidence": evidence})
        assert answer.problem(422, "validation") == ["/evidence"]
