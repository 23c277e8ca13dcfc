"""Organizations that are refused."""

from typing import Any

import pytest

from tests.doubles.worlds.two_organizations import AGENT, TwoOrganizations

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"slug": "Not a slug"}, ["/slug"]),
        ({"currency": "usd"}, ["/currency"]),
        ({"timezone": "localtime"}, ["/timezone"]),
        ({"billing_mode": "prepaid"}, ["/billing_mode"]),
        ({"shard_count": 3}, ["/shard_count"]),
        ({"due_days": -1}, ["/due_days"]),
        ({"settings": {"feature": 1}}, ["/settings/feature"]),
    ],
)
async def test_a_bad_organization_is_refused(unchanged: TwoOrganizations, change: Json, pointers: list[str]) -> None:
    body = {"name": "New", "currency": "USD", "timezone": "UTC"}
    assert (await unchanged.operator.send("POST", "organizations", body | change)).problem(
        422, "validation"
    ) == pointers


async def test_a_taken_name_is_a_conflict(unchanged: TwoOrganizations) -> None:
    taken = {"name": "New", "currency": "USD", "slug": unchanged.own.slug}
    (await unchanged.operator.send("POST", "organizations", taken)).problem(409, "conflict")
    (await unchanged.key.send("POST", "agents", AGENT | {"external_id": "coder"})).problem(409, "conflict")
