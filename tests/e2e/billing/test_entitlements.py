"""Entitlements over HTTP: what a plan allows, what is refused beyond it, and what is only told."""

import asyncio
from typing import Any

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Organization, Xyra
from tests.doubles.worlds.plans import fee, plan, subscribe

Json = dict[str, Any]


def limit(feature: str, number: str | None, mode: str = "hard") -> Json:
    return {"feature": feature, "limit": number, "mode": mode}


async def told(organization: Organization, feature: str) -> tuple[bool, str | None, str | None, str | None]:
    answer = await organization.key.get(f"entitlements/{feature}")
    assert answer["feature"] == feature
    return answer["allowed"], answer["limit"], answer["used"], answer["remaining"]


async def test_a_plan_tells_its_features_and_holds_its_limits(xyra: Xyra) -> None:
    organization = await xyra.organization()
    features = [{"feature": "api_access", "value": True}, limit("projects", "2"), limit("agents", "1", "soft")]
    team = await plan(xyra, fee("29.00"), entitlements=features)
    full = [{"value": None, "limit": None, "mode": None} | feature for feature in features]
    assert team["entitlements"] == full
    assert (await xyra.operator.get(f"plans/{team['id']}"))["entitlements"] == full
    assert (await organization.key.get("entitlements"))["data"] == []
    await subscribe(organization, team)
    assert [each["feature"] for each in (await organization.key.get("entitlements"))["data"]] == [
        "agents",
        "api_access",
        "projects",
    ]
    assert await told(organization, "api_access") == (True, None, None, None)
    assert await told(organization, "sso") == (False, None, None, None)
    assert await told(organization, "projects") == (True, "2", "0", "2")

    first = await organization.key.post("projects", {"name": "One"})
    assert first["warnings"] == []
    answers = await asyncio.gather(
        *(organization.key.send("POST", "projects", {"name": f"New {number}"}) for number in range(20))
    )
    assert sorted(answer.status for answer in answers) == [201] + [403] * 19
    for answer in answers:
        if answer.status != 201:
            answer.problem(403, "limit_exceeded")
            problem = answer.json()
            assert (problem["feature"], problem["limit"], problem["used"]) == ("projects", 2, 2)
    assert await told(organization, "projects") == (False, "2", "2", "0")

    assert (await organization.key.post("agents", {"name": "One", "external_id": "one"}))["warnings"] == []
    (warning,) = (await organization.key.post("agents", {"name": "Two", "external_id": "two"}))["warnings"]
    assert (warning["code"], warning["feature"], warning["limit"], warning["used"]) == (
        "limit_exceeded",
        "agents",
        "1",
        2,
    )
    assert await told(organization, "agents") == (True, "1", "2", "0")


async def test_an_upgrade_counts_at_once_and_what_is_paused_allows_nothing(xyra: Xyra) -> None:
    organization = await xyra.organization()
    small = await plan(xyra, fee("29.00"), entitlements=[limit("runs", "1")])
    large = await plan(xyra, fee("99.00"), entitlements=[limit("runs", "2"), limit("seats", "3", "soft")])
    made = await subscribe(organization, small)
    await organization.key.post("runs", {"key": "one"})
    refused = await organization.key.send("POST", "runs", {"key": "two"})
    refused.problem(403, "limit_exceeded")
    path = f"subscriptions/{made['id']}"
    headers = {"Idempotency-Key": "upgrade"}
    changed = await xyra.operator.post(f"{path}/change", {"plan": large["key"]}, headers=headers, expect=200)
    assert changed["warnings"] == []
    assert await told(organization, "runs") == (True, "2", "1", "1")
    await organization.key.post("runs", {"key": "two"})

    body, headers = {"seats": 4}, {"Idempotency-Key": "seats"}
    (warning,) = (await xyra.operator.post(f"{path}/change", body, headers=headers, expect=200))["warnings"]
    assert (warning["feature"], warning["limit"], warning["used"]) == ("seats", "3", 4)
    by_patch = (await organization.key.send("PATCH", f"organizations/{organization.id}", {"seats": 5})).expect(200)
    assert [warning["used"] for warning in by_patch["warnings"]] == [5]

    await xyra.operator.post(f"{path}/pause", {}, headers={"Idempotency-Key": "pause"}, expect=200)
    assert await told(organization, "runs") == (False, "0", "2", "0")
    (await organization.key.send("POST", "runs", {"key": "three"})).problem(403, "limit_exceeded")
    event = {"id": "1", "agent": (await organization.agent())["id"], "type": "command", "data": {}}
    await organization.key.report(event)
    await xyra.idle()
    assert (await organization.key.get("events", limit="10"))["data"][0]["id"] == "1"


async def test_events_are_never_refused_and_their_number_is_told_within_a_minute(time_machine: TimeMachine) -> None:
    await time_machine.at("2029-03-05T10:00:00Z")
    xyra = time_machine.xyra
    organization = await xyra.organization()
    team = await plan(xyra, fee("29.00"), entitlements=[limit("events", "2")])
    await subscribe(organization, team)
    await organization.agent()
    assert await told(organization, "events") == (True, "2", "0", "2")
    await organization.key.report(*({"id": str(n), "agent": "coder", "type": "command", "data": {}} for n in range(3)))
    await xyra.idle()
    await time_machine.at("2029-03-05T10:01:00Z")
    assert await told(organization, "events") == (False, "2", "3", "0")
    await organization.key.report({"id": "4", "agent": "coder", "type": "command", "data": {}})


async def test_events_beyond_a_soft_limit_are_accepted_with_a_warning(time_machine: TimeMachine) -> None:
    await time_machine.at("2029-03-07T10:00:00Z")
    xyra = time_machine.xyra
    organization = await xyra.organization()
    await subscribe(organization, await plan(xyra, fee("29.00"), entitlements=[limit("events", "2", "soft")]))
    agent = await organization.agent()

    async def codes(number: int) -> list[str]:
        events = [{"id": f"{number}-{n}", "agent": "coder", "type": "command", "data": {}} for n in range(number)]
        answer = await organization.key.post("events", events, expect=202)
        await xyra.idle()
        return [warning["code"] for warning in answer["warnings"] if warning["code"] == "limit_exceeded"]

    assert await codes(2) == []
    await time_machine.at("2029-03-07T10:01:00Z")
    await codes(1)  # told of itself where it is metered before its answer is made
    await time_machine.at("2029-03-07T10:02:00Z")
    assert await codes(3) == ["limit_exceeded"]
    path = f"agents/{agent['id']}/activities"
    answer = await organization.key.post(path, {"activity_type": "command"}, expect=202)
    (warning,) = [each for each in answer["warnings"] if each["code"] == "limit_exceeded"]
    assert warning["detail"] == "The plan includes 2 events in a billing period, and there are 3"
    assert await told(organization, "events") == (True, "2", "3", "0")


async def test_what_cannot_be_an_entitlement_is_refused_with_what_to_write_instead(xyra: Xyra) -> None:
    made = await plan(xyra, fee("29.00"))
    for entitlement, place in (
        ({"feature": "projects", "limit": "1"}, "mode"),
        ({"feature": "projects", "value": True}, "value"),
        ({"feature": "Sso", "value": True}, "feature"),
        ({"feature": "projects", "limit": "0.5", "mode": "hard"}, "limit"),
    ):
        body = {"key": "never", "name": "Never", "prices": made["prices"], "entitlements": [entitlement]}
        refused = await xyra.operator.send("POST", "plans", body)
        assert refused.problem(422, "validation") == [f"/entitlements/0/{place}"]
    twice = [limit("projects", "1"), limit("projects", "2")]
    body = {"key": "never", "name": "Never", "prices": made["prices"], "entitlements": twice}
    assert (await xyra.operator.send("POST", "plans", body)).problem(422, "validation") == ["/entitlements/1/feature"]


async def test_organizations_for_tests_have_numbers_of_their_own_for_good(time_machine: TimeMachine) -> None:
    await time_machine.at("2029-04-01T00:00:00Z")
    xyra = time_machine.xyra
    organization = await xyra.organization(livemode=False)
    live = await xyra.organization()
    for each, is_live in ((organization, False), (live, True)):
        assert (await each.key.get(f"organizations/{each.id}"))["livemode"] is is_live
        refused = await xyra.operator.send("PATCH", f"organizations/{each.id}", {"livemode": not is_live})
        assert refused.problem(422, "validation") == ["/livemode"]
    team = await plan(xyra, fee("30.00"))
    for each in (organization, live):
        await subscribe(each, team)
    await time_machine.at("2029-05-03T00:00:00Z")
    numbers = [sorted(invoice["number"] for invoice in await each.invoices()) for each in (organization, live)]
    test, real = organization.slug.upper(), live.slug.upper()
    assert numbers[0] == [f"TEST-{test}-2029-00000{number}" for number in (1, 2)]
    assert numbers[1] == [f"INV-{real}-2029-00000{number}" for number in (1, 2)]


async def test_an_invoice_has_subtotals_by_agent_project_and_department(time_machine: TimeMachine) -> None:
    await time_machine.at("2029-06-01T00:00:00Z")
    xyra = time_machine.xyra
    organization = await xyra.organization(grace_hours=0)
    model = await organization.model(
        {"key": "each", "type": "flat_fee", "amount": "10.00", "scope": "agent"},
        {"key": "platform", "type": "flat_fee", "amount": "5.00"},
    )
    website, shop = await organization.project("Website"), await organization.project("Shop")
    support = await organization.department("Support")
    first = await organization.agent(
        "a", name="Ada", billing_model_id=model["id"], project_id=website["id"], department_id=support["id"]
    )
    second = await organization.agent("b", name="Grace", billing_model_id=model["id"], project_id=shop["id"])
    third = await organization.agent("c", name="Mary", billing_model_id=model["id"])
    await time_machine.at("2029-07-01T01:00:00Z")
    (invoice,) = await organization.invoices()
    assert (invoice["subtotal"], invoice["subtotals"]) == ("35.00", None)

    async def subtotals(group_by: str) -> list[tuple[str | None, str | None, int, str]]:
        found = await organization.key.get(f"invoices/{invoice['id']}", group_by=group_by)
        return [(each["id"], each["name"], each["lines"], each["amount"]) for each in found["subtotals"]]

    agents = [(first["id"], "Ada"), (second["id"], "Grace"), (third["id"], "Mary")]
    assert await subtotals("agent") == [*((*agent, 1, "10.00") for agent in sorted(agents)), (None, None, 1, "5.00")]
    projects = sorted([(website["id"], "Website"), (shop["id"], "Shop")])
    assert await subtotals("project") == [*((*each, 1, "10.00") for each in projects), (None, None, 2, "15.00")]
    assert await subtotals("department") == [(support["id"], "Support", 1, "10.00"), (None, None, 3, "25.00")]
    assert await subtotals("organization") == [(organization.id, "Acme", 4, "35.00")]
    path = f"invoices/{invoice['id']}?group_by=color"
    assert (await organization.key.send("GET", path)).problem(422, "validation") == ["?group_by"]


async def test_a_place_with_overdue_fees_is_past_due_whatever_it_is_in(time_machine: TimeMachine) -> None:
    await time_machine.at("2029-08-01T00:00:00Z")
    xyra = time_machine.xyra
    organization = await xyra.organization(due_days=7)
    team, more = await plan(xyra, fee("31.00")), await plan(xyra, fee("0.00"), kind="addon")
    base, addon = await subscribe(organization, team), await subscribe(organization, more)

    async def statuses() -> list[str]:
        read = [await organization.key.get(f"subscriptions/{each['id']}") for each in (base, addon)]
        return [each["status"] for each in read]

    await time_machine.at("2029-08-07T23:30:00Z")
    assert await statuses() == ["active", "active"]
    await time_machine.at("2029-08-08T00:30:00Z")
    assert await statuses() == ["past_due", "active"]
    headers = {"Idempotency-Key": "pause"}
    paused = await xyra.operator.post(f"subscriptions/{base['id']}/pause", {}, headers=headers, expect=200)
    assert paused["status"] == "past_due"
    assert paused["history"][-1]["status"] == "paused"
    headers = {"Idempotency-Key": "cancel"}
    body = {"at": "now"}
    ended = await xyra.operator.post(f"subscriptions/{base['id']}/cancel", body, headers=headers, expect=200)
    assert ended["status"] == "canceled"


async def test_models_are_held_credits_are_counted_and_tools_are_only_told(xyra: Xyra) -> None:
    organization = await xyra.organization()
    team = await plan(
        xyra, fee("29.00"), entitlements=[limit("models", "1"), limit("credits", "5"), limit("tools", "3")]
    )
    await subscribe(organization, team)
    await organization.model(fee("1.00"))
    another = {"name": "Second", "currency": "USD", "charges": [fee("1.00")], "organization_id": organization.id}
    refused = await xyra.operator.send("POST", "billing-models", another)
    refused.problem(403, "limit_exceeded")
    assert (refused.json()["feature"], refused.json()["limit"], refused.json()["used"]) == ("models", 1, 1)
    assert await told(organization, "models") == (False, "1", "1", "0")

    grant = {"organization_id": organization.id, "amount": "10", "source": "bonus", "reason": "A gift"}
    await xyra.operator.post("credits/grants", grant, headers={"Idempotency-Key": "grant"})
    assert await told(organization, "credits") == (True, "5", "0", "5")
    for amount, expected in (("2.5", (True, "5", "2.5", "2.5")), ("2.5", (False, "5", "5", "0"))):
        headers = {"Idempotency-Key": f"use {expected}"}
        await organization.key.post("credits/use", {"amount": amount}, headers=headers, expect=200)
        assert await told(organization, "credits") == expected
    assert await told(organization, "tools") == (True, "3", None, None)
