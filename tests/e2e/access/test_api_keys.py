"""API keys: made, used within their scopes, revoked."""

from uuid import uuid4

import pytest

from tests.doubles.clients.xyra_client import Xyra


@pytest.mark.walk
async def test_an_owner_makes_and_revokes_keys_that_do_what_their_scopes_allow(xyra: Xyra) -> None:
    email = f"{uuid4().hex}@example.com"
    await xyra.sign_up(email)
    owner = await xyra.sign_in(email)
    made = await owner.post("api-keys", {"name": "Agents", "scopes": ["events:write", "agents:read"]})
    assert made["token"].startswith(made["key_prefix"])
    assert len(made["token"]) == len("xyra_") + 32
    (listed,) = (await owner.get("api-keys"))["data"]
    assert listed == {name: value for name, value in made.items() if name != "token"}
    await owner.post("agents", {"external_id": "coder", "name": "Coder"})

    event = {"id": "1", "type": "command", "agent": "coder"}
    await xyra.bearing(made["token"]).post("events", event, expect=202)
    by_header = xyra.anonymous.with_headers(**{"X-API-Key": made["token"]})
    await by_header.post("events", event | {"id": "2"}, expect=202)
    assert [each["external_id"] for each in (await by_header.get("agents"))["data"]] == ["coder"]
    (await by_header.send("GET", "usage")).problem(403, "forbidden")

    (await owner.send("DELETE", f"api-keys/{made['id']}")).expect(204)
    (await by_header.send("GET", "agents")).problem(401, "unauthenticated")
    assert (await owner.get("api-keys"))["data"] == []
