"""Idempotency keys that do not go with a request."""

from tests.doubles.worlds.two_organizations import AGENT, EVENT, USED_KEY, TwoOrganizations


async def test_an_idempotency_key_goes_with_one_request(unchanged: TwoOrganizations) -> None:
    used = {"Idempotency-Key": USED_KEY}
    for path, body in (("events", EVENT), ("agents", AGENT)):
        (await unchanged.key.send("POST", path, body, headers=used)).problem(409, "idempotency_conflict")
    other_body = EVENT | {"id": "0", "data": {"quantity": 2}}
    (await unchanged.key.send("POST", "events", other_body, headers=used)).problem(409, "idempotency_conflict")
    activity = f"agents/{unchanged.agent['id']}/activities"
    for wrong in ("", "x" * 256, "a\tb"):
        for path, body in (("agents", AGENT), (activity, {"activity_type": "command"})):
            answer = await unchanged.key.send("POST", path, body, headers={"Idempotency-Key": wrong})
            assert answer.problem(422, "validation") == ["Idempotency-Key"]


async def test_a_refused_request_uses_up_no_idempotency_key(unchanged: TwoOrganizations) -> None:
    key = {"Idempotency-Key": "refused"}
    (await unchanged.key.send("POST", "agents", AGENT | {"name": ""}, headers=key)).problem(422, "validation")
    (await unchanged.key.send("POST", "agents", AGENT | {"external_id": "coder"}, headers=key)).problem(409, "conflict")
