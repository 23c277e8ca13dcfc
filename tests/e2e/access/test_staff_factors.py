"""The operator's staff and their second factors, where the deployment asks for them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pyotp
import pytest

from tests.doubles.clients.hosts import NOW, Served
from tests.doubles.clients.xyra_client import Client, Xyra
from tests.doubles.clients.xyra_process import OPERATOR, XyraProcess


@pytest.fixture(scope="module")
def host_before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """It is begun without the setting, so that an operator's key can be made, and goes on with it."""
    directory = tmp_path_factory.mktemp("staff")
    clock_file = directory / "clock"
    clock_file.write_text(NOW.isoformat(), encoding="utf-8")
    before = XyraProcess(directory / "data", clock_file=clock_file)
    try:
        served = asyncio.run(Served.by(before))
    finally:
        before.end()
    asked = {"XYRA_STAFF_MFA_REQUIRED": "1", "XYRA_STAFF_STEP_UP_REQUIRED": "1"}
    process = XyraProcess(directory / "data", clock_file=clock_file, name="asking", **asked)
    try:
        process.start()
        yield Served(process, served.description, served.operator_key)
    finally:
        process.end()


@pytest.fixture
async def xyra(host_before: Served) -> AsyncIterator[Xyra]:
    async with host_before.clients() as clients:
        yield clients


async def test_staff_enrol_before_all_else_and_show_again_who_they_are(xyra: Xyra, host_before: Served) -> None:
    process = host_before.process
    operator = await xyra.sign_in(*OPERATOR)
    for method, path in (("GET", "organizations"), ("GET", "auth/sessions"), ("POST", "organizations")):
        body = {"name": "Acme", "currency": "USD", "timezone": "UTC"} if method == "POST" else None
        (await operator.send(method, path, body)).problem(403, "mfa_enrolment_required")
    secret = (await operator.send("POST", "auth/totp")).expect(200)["secret"]

    async def code() -> str:
        """Of a step that was not used."""
        process.set_clock(process.now() + timedelta(minutes=1))
        await xyra.idle()
        return pyotp.TOTP(secret).at(process.now())

    async def created(client: Client) -> int:
        body = {"name": "Acme", "currency": "USD", "timezone": "UTC"}
        return (await client.send("POST", "organizations", body)).status

    (await operator.send("POST", "auth/totp/confirm", {"code": await code()})).expect(200)
    await operator.get("organizations")
    assert await created(operator) == 201
    (await operator.send("DELETE", "auth/totp")).problem(409, "conflict")

    process.set_clock(process.now() + timedelta(minutes=11))
    await xyra.idle()
    await operator.get("organizations")
    assert await created(operator) == 401
    acme = await xyra.sign_up()
    (await operator.send("POST", f"users/{acme['user']['id']}/deactivate")).problem(401, "step_up_required")
    (await operator.send("POST", f"users/{acme['user']['id']}/erase")).problem(401, "step_up_required")
    (await operator.send("POST", "auth/step-up", {"code": await code()})).expect(200)
    assert await created(operator) == 201

    form = {"username": OPERATOR[0], "password": OPERATOR[1]}
    asked = (await xyra.anonymous.send("POST", "auth/login", form=form)).expect(200)
    assert asked["methods"] == ["totp", "recovery_code"]
    body = {"mfa_token": asked["mfa_token"], "code": await code()}
    tokens = (await xyra.anonymous.send("POST", "auth/mfa", body)).expect(200)
    await xyra.bearing(tokens["access_token"]).get("organizations")
    await xyra.operator.get("organizations")  # a key is nobody's presence
