"""Agents that are refused."""

from typing import Any

import pytest

from tests.doubles.worlds.two_organizations import AGENT, TwoOrganizations

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"external_id": ""}, ["/external_id"]),
        ({"external_id": "x" * 257}, ["/external_id"]),
        ({"name": " "}, ["/name"]),
        ({"name": "x" * 201}, ["/name"]),
        ({"config": [1]}, ["/config"]),
        ({"config": {"text": "x" * 20_000}}, ["/config"]),
        ({"capabilities": ["x" * 201]}, ["/capabilities/0"]),
        ({"project_id": "prj_00000000000000000000000000"}, ["/project_id"]),
        ({"project_id": "the website"}, ["/project_id"]),
        ({"department_id": "dep_00000000000000000000000000"}, ["/department_id"]),
        ({"billing_model_id": "bm_00000000000000000000000000"}, ["/billing_model_id"]),
        ({"billing_model_from": "2026-11-01T00:00:00Z"}, ["/billing_model_from"]),
        ({"is_superuser": True}, ["/is_superuser"]),
        ({"capabilities": ["x"] * 51}, ["/capabilities"]),
    ],
)
async def test_a_bad_agent_is_refused(unchanged: TwoOrganizations, change: Json, pointers: list[str]) -> None:
    assert (await unchanged.key.send("POST", "agents", AGENT | change)).problem(422, "validation") == pointers


async def test_an_agent_is_priced_by_a_model_that_its_organization_may_use(unchanged: TwoOrganizations) -> None:
    body = AGENT | {"billing_model_id": unchanged.other_model["id"]}
    assert (await unchanged.key.send("POST", "agents", body)).problem(422, "validation") == ["/billing_model_id"]
    patch = await unchanged.key.send(
        "PATCH", f"agents/{unchanged.agent['id']}", {"billing_model_id": body["billing_model_id"]}
    )
    assert patch.problem(422, "validation") == ["/billing_model_id"]


async def test_an_external_id_does_not_look_like_an_id(unchanged: TwoOrganizations) -> None:
    refused = await unchanged.key.send("POST", "agents", AGENT | {"external_id": unchanged.agent["id"]})
    assert refused.problem(422, "validation") == ["/external_id"]
