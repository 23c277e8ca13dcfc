"""The operator's catalog of plans: versions, archives, and what everybody sees of it."""

from typing import Any
from uuid import uuid4

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Xyra
from tests.doubles.worlds.plans import fee, plan, price, seats

Json = dict[str, Any]

KEYS = ("free", "starter", "starter_yearly", "professional", "professional_yearly", "enterprise")


async def test_every_deployment_begins_with_six_plans(xyra: Xyra) -> None:
    listed = (await xyra.anonymous.get("billing/plans"))["data"]
    fees = {each["key"]: each["prices"]["USD"][0]["amount"] for each in listed}
    found = {
        each["key"]: (each["interval"], fees[each["key"]], *(grant["amount"] for grant in each["grants"]))
        for each in listed
        if each["key"] in KEYS
    }
    assert found == {
        "free": ("month", "0.00"),
        "starter": ("month", "29.00", "500"),
        "starter_yearly": ("year", "290.00", "6000"),
        "professional": ("month", "99.00", "2000"),
        "professional_yearly": ("year", "990.00", "24000"),
        "enterprise": ("month", "299.00", "10000"),
    }
    features = {each["key"]: {one["feature"]: one for one in each["entitlements"]} for each in listed}
    limits = {key: [features[key][name]["limit"] for name in ("projects", "seats")] for key in KEYS}
    assert limits == {
        "free": ["1", "1"],
        "starter": ["1", "1"],
        "starter_yearly": ["1", "1"],
        "professional": ["5", "5"],
        "professional_yearly": ["5", "5"],
        "enterprise": [None, None],
    }
    assert [key for key in KEYS if features[key]["api_access"]["value"]] == [*KEYS[3:]]
    assert [key for key in KEYS if features[key]["custom_integrations"]["value"]] == ["enterprise"]
    assert {each["key"]: each["trial"] and each["trial"]["days"] for each in listed if each["key"] in KEYS} == {
        key: None if key == "free" else 14 for key in KEYS
    }


async def test_a_plan_has_versions_and_keeps_the_older_ones(xyra: Xyra) -> None:
    made = await plan(xyra, fee("49.00"))
    dearer = await price(xyra, fee("59.00"), seats("15.00"))
    path = f"plans/{made['id']}"
    etag = (await xyra.operator.send("GET", path)).headers["ETag"]
    body = {"key": made["key"], "name": "Team 2", "prices": {"USD": dearer["version_id"]}}
    changed = (await xyra.operator.send("PUT", path, body, headers={"If-Match": etag})).expect(200)
    assert (changed["version"], changed["name"], changed["prices"]) == (2, "Team 2", {"USD": dearer["version_id"]})
    versions = (await xyra.operator.get(f"{path}/versions"))["data"]
    assert [(each["number"], each["name"]) for each in versions] == [(1, "Team"), (2, "Team 2")]
    assert versions[0]["prices"] == made["prices"]
    (await xyra.operator.send("PUT", path, body, headers={"If-Match": etag})).problem(412, "precondition_failed")


async def test_an_archived_plan_is_no_longer_offered_and_gets_no_version(time_machine: TimeMachine) -> None:
    xyra = time_machine.xyra
    await time_machine.at("2026-11-18T11:00:00Z")
    made, hidden = await plan(xyra, fee("49.00")), await plan(xyra, fee("49.00"), public=False)
    await time_machine.at("2026-11-18T11:02:00Z")
    offered = {each["id"] for each in (await xyra.anonymous.get("billing/plans"))["data"]}
    assert made["id"] in offered
    assert hidden["id"] not in offered
    archived = await xyra.operator.post(f"plans/{made['id']}/archive", expect=200)
    assert archived["archived_at"] is not None
    assert (await xyra.operator.post(f"plans/{made['id']}/archive", expect=200)) == archived
    await time_machine.at("2026-11-18T11:04:00Z")
    assert made["id"] not in {each["id"] for each in (await xyra.anonymous.get("billing/plans"))["data"]}
    body = {"key": made["key"], "name": "Team", "prices": made["prices"]}
    (await xyra.operator.send("PUT", f"plans/{made['id']}", body, headers={"If-Match": "*"})).problem(409, "conflict")


async def test_what_cannot_be_a_plan_is_refused_with_what_to_write_instead(xyra: Xyra) -> None:
    made = await plan(xyra, fee("49.00"))
    euros = await price(xyra, fee("49.00"), currency="EUR")
    own = await (await xyra.organization()).model(fee("49.00"))

    async def refused(code: int = 422, **fields: Any) -> list[str]:
        body = {"key": f"p{uuid4().hex}", "name": "Team", "prices": made["prices"]} | fields
        answer = await xyra.operator.send("POST", "plans", body)
        return answer.problem(code, "validation" if code == 422 else "conflict")

    assert await refused(409, key=made["key"]) == ["/key"]
    assert await refused(key="Team") == ["/key"]
    assert await refused(prices={}) == ["/prices"]
    assert await refused(prices={"USD": "bmv_nobody"}) == ["/prices/USD"]
    assert await refused(prices={"USD": own["version_id"]}) == ["/prices/USD"]
    assert await refused(prices={"USD": euros["version_id"]}) == ["/prices/USD"]
    assert await refused(kind="addon") == ["/prices/USD"], "its billing model is for base plans"
    for_agents = {"USD": (await price(xyra, fee("49.00", scope="agent")))["version_id"]}
    assert await refused(prices=for_agents) == ["/prices/USD"]
    body = {"key": f"p{uuid4().hex}", "name": "Team", "prices": for_agents}
    detail = (await xyra.operator.send("POST", "plans", body)).expect(422)["errors"][0]["detail"]
    assert detail.endswith("what each agent costs is a charge of the type agent")
    for field, value in (("interval", "week"), ("anchor", "15"), ("quantity", 1), ("commitments", [])):
        assert await refused(**{field: value}) == [f"/{field}"]


async def test_no_agent_is_put_on_the_billing_model_of_a_plan(xyra: Xyra) -> None:
    model = await price(xyra, fee("49.00"))
    body = {"key": f"p{uuid4().hex}", "name": "Team", "prices": {"USD": model["version_id"]}}
    await xyra.operator.post("plans", body)
    organization = await xyra.organization()
    agent = {"external_id": "coder", "name": "Coder", "billing_model_id": model["id"]}
    refused = await organization.key.send("POST", "agents", agent)
    assert refused.problem(422, "validation") == ["/billing_model_id"]


async def test_the_catalog_is_the_operators(xyra: Xyra) -> None:
    made = await plan(xyra, fee("49.00"), public=False)
    organization = await xyra.organization()
    for path in ("plans", f"plans/{made['id']}", f"plans/{made['id']}/versions"):
        (await organization.key.send("GET", path)).problem(403, "forbidden")
