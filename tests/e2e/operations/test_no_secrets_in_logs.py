"""No host logs a secret, whatever it meets: each is scanned when it ends (`XyraProcess.end`), after whatever tests it
served. Here are the requests that look most like making one log what it read, and proof that the scan finds.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import aiohttp
import pytest

from shared.adapters.sqlite import Database, SqliteStore
from shared.containers import DIRECTORY
from shared.correlation import HEADER
from shared.domain.access.accounts import ACCOUNT, user_partition
from tests.doubles.clients.hosts import NOW, Served
from tests.doubles.clients.log_scan import KNOWN, scan
from tests.doubles.clients.xyra_client import PASSWORD, Answer, Xyra
from tests.doubles.clients.xyra_process import XyraProcess
from tests.doubles.fakes.settable_clock import SettableClock

Json = dict[str, Any]
MakeProcess = Callable[..., XyraProcess]

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SIGN_UP: Json = {
    "email": "nobody@example.com",
    "password": PASSWORD,
    "full_name": "Nobody",
    "organization_name": "None",
    "currency": "USD",
    "timezone": "UTC",
    "accept_terms": True,
}


@pytest.fixture
def secret() -> str:
    """Of this test alone, and none that looks like one."""
    fresh = f"hush{uuid4().hex}"
    KNOWN.add("secret of the test", fresh)
    return fresh


@pytest.fixture
def log(shared_host: Served) -> Iterator[Callable[[], str]]:
    """What the shared host logs during the test, which must not be secret."""
    path = shared_host.process.log
    before = path.stat().st_size

    def logged() -> str:
        return path.read_bytes()[before:].decode()

    yield logged
    assert scan(path, since=before) == []


def assert_kept(secret: str, answer: Answer, *statuses: int) -> None:
    assert answer.status in statuses
    assert secret not in answer.body.decode() + json.dumps(dict(answer.headers))


async def test_a_secret_that_a_host_logs_is_found(tmp_path: Path) -> None:
    """The caller chooses the correlation id.

    It is in every line of what the call leads to.
    """
    process = XyraProcess(tmp_path / "data")
    try:
        served = await Served.by(process)
        async with served.clients() as xyra:
            organization = await xyra.organization()
            await organization.agent()
            token = (await organization.key.post("api-keys", {"name": "Key", "scopes": ["events:write"]}))["token"]
            event = {"id": "1", "type": "command", "agent": "coder"}
            await organization.key.post("events", event, headers={HEADER: token}, expect=202)
            await xyra.idle()
    finally:
        with pytest.raises(AssertionError, match=r"log\.jsonl:\d+: token that is known after .*correlation_id"):
            process.end()


def test_a_secret_that_a_host_has_printed_is_found(tmp_path: Path, secret: str) -> None:
    process = XyraProcess(tmp_path / "data", XYRA_PORT="none")
    for _ in range(2):
        process.spawn()
        assert process.wait() == 1
    with process._outputs[0].open("a", encoding="utf-8") as output:
        output.write(f"now {secret}\n")
    with pytest.raises(AssertionError, match=r"\.0\.out:2: secret of the test that is known after 'now '"):
        process.end()


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    "change",
    [
        lambda secret: {"password": {"is": secret}},
        lambda secret: {"password": [secret]},
        lambda secret: {"password": secret * 10},
        lambda secret: {"password": secret[:13]},
        lambda secret: {"password": f"{secret}\ud800"},
        lambda secret: {"password_again": secret},
        lambda secret: {"email": secret},
        lambda secret: {"email": f"nobody@{secret}"},
        lambda secret: {"email": f"{secret}@nowhere\x00"},
        lambda secret: {"currency": secret},
        lambda secret: {"timezone": secret},
        lambda secret: {"full_name": secret * 10},
        lambda secret: {"accept_terms": secret},
    ],
)
async def test_a_sign_up_that_is_refused(xyra: Xyra, secret: str, change: Callable[[str], Json]) -> None:
    assert_kept(secret, await xyra.anonymous.send("POST", "auth/signup", SIGN_UP | change(secret)), 400, 422)


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    "body",
    ['{"password": "%s', '{"password": %s}', '{"password": "%s"} x', '"%s"', "%s", '{"password": "%s", "x": NaN}'],
)
async def test_a_body_that_is_no_json(xyra: Xyra, secret: str, body: str) -> None:
    assert_kept(secret, await xyra.anonymous.send("POST", "auth/signup", raw=(body % secret).encode()), 400, 422)


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    "body",
    [
        "username=nobody@example.com&password=%s",
        "username=%s&password=%s",
        "username=nobody@example.com&password=a&%s",
        "username=nobody@example.com&password=a%%00%s",
        "username=nobody@example.com&password=%s&scope=\xff",
        "username=nobody@example.com&grant_type=%s&password=a",
        "%s",
    ],
)
async def test_a_sign_in_that_is_refused(xyra: Xyra, secret: str, body: str) -> None:
    raw = body.replace("%s", secret).replace("%%", "%").encode("latin-1")
    assert_kept(secret, await xyra.anonymous.send("POST", "auth/login", raw=raw, headers=FORM), 400, 401, 422)


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    "headers",
    [
        lambda secret: {"Authorization": f"Bearer {secret}"},
        lambda secret: {"Authorization": f"Bearer xyra_{secret}"},
        lambda secret: {"Authorization": f"Bearer eyJhbGciOiJub25lIn0.{secret}.{secret}"},
        lambda secret: {"Authorization": f"Basic {secret}"},
        lambda secret: {"Authorization": secret},
        lambda secret: {"X-API-Key": secret},
        lambda secret: {"X-API-Key": f"{secret}\u00e4"},
        lambda secret: {"Cookie": f"session={secret}"},
    ],
)
async def test_a_credential_that_is_refused(xyra: Xyra, secret: str, headers: Callable[[str], dict[str, str]]) -> None:
    assert_kept(secret, await xyra.anonymous.with_headers(**headers(secret)).send("GET", "agents"), 401)


@pytest.mark.usefixtures("log")
async def test_a_secret_where_none_belongs(xyra: Xyra, secret: str) -> None:
    organization = await xyra.organization()
    for query in ({"token": secret}, {"cursor": secret}, {"limit": secret}, {"organization_id": secret}):
        assert_kept(secret, await organization.key.send("GET", "agents", **query), 400, 404, 422)
    for path in (f"agents/{secret}", f"agents/external/{secret}", f"invoices/{secret}", f"nowhere/{secret}"):
        assert_kept(secret, await organization.key.send("GET", path), 404)
    for change in ({"scopes": [secret]}, {"expires_at": secret}, {secret[:4]: secret}):
        new = {"name": "Key", "scopes": ["events:write"]} | change
        assert_kept(secret, await organization.key.send("POST", "api-keys", new), 422)


@pytest.mark.parametrize(
    "request_text",
    [
        "GET /api/v1/agents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\x00\r\n\r\n",
        "GET /api/v1/agents HTTP/1.1\r\nHost: x\r\nX-API-Key %s\r\n\r\n",
        "GET /api/v1/agents HTTP/1.1\r\nHost: x\r\nX-API-Key: %s" + 9000 * "x" + "\r\n\r\n",
        "GET /api/v1/agents?token=%s HTTP/7.1\r\nHost: x\r\n\r\n",
        "%s /api/v1/agents HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /api/v1/auth/signup HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n",
        "POST /api/v1/auth/signup HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\nx%s\r\n",
    ],
)
async def test_a_request_that_is_no_http(
    shared_host: Served, secret: str, log: Callable[[], str], request_text: str
) -> None:
    reader, writer = await asyncio.open_connection(*urlsplit(shared_host.process.base).netloc.split(":"))
    with closing(writer):
        writer.write(request_text.replace("%s", secret).encode())
        assert (await reader.readline()).split()[1] == b"400"
    assert "a request cannot be read" in log()


async def test_an_account_that_cannot_be_read(
    xyra: Xyra, shared_host: Served, secret: str, log: Callable[[], str]
) -> None:
    user = (await xyra.sign_up())["user"]
    database = Database(shared_host.process.data_dir / "xyra.db")
    with closing(database):
        store = SqliteStore(database, SettableClock(NOW))
        account = await store.get(DIRECTORY.name, user_partition(user["id"]), ACCOUNT)
        assert account is not None
        broken = account.document | {"password_hash": [secret]}
        await store.upsert(DIRECTORY.name, user_partition(user["id"]), broken)
    form = {"username": user["email"], "password": PASSWORD}
    # Not by a client of ours: none takes a 500 for an answer.
    async with aiohttp.request("POST", f"{shared_host.process.base}/api/v1/auth/login", data=form) as response:
        assert response.status == 500
        assert secret not in await response.text()
    assert "password_hash" in log()


@pytest.mark.parametrize(
    "settings",
    [
        {"XYRA_OPERATOR_PASSWORD": "hush-1234"},
        {"XYRA_STORE": "cosmos", "XYRA_COSMOS_ENDPOINT": "https://127.0.0.1:1", "XYRA_COSMOS_KEY": "hush, no Base64"},
    ],
)
def test_settings_that_cannot_be_used(new_process: MakeProcess, settings: dict[str, str]) -> None:
    process = new_process(**settings)
    process.spawn()
    assert process.wait() == 1
    assert process.output


@pytest.mark.parametrize(
    "connection_string",
    [
        "SharedAccessKey=hush-hush-1",
        "Endpoint=sb://localhost:1;SharedAccessKeyName=n;SharedAccessKey=hush-hush-2;UseDevelopmentEmulator=true;",
        "Endpoint=sb://localhost:1;SharedAccessSignature=SharedAccessSignature sr=x&sig=hush-hush-3&se=1&skn=n;",
    ],
)
def test_a_queue_that_cannot_be_connected(new_process: MakeProcess, connection_string: str) -> None:
    process = new_process(XYRA_QUEUE="service_bus", XYRA_SERVICE_BUS_CONNECTION_STRING=connection_string)
    process.spawn()
    process.until(lambda: process.log.exists() and "cannot be received from" in process.log.read_text(encoding="utf-8"))
