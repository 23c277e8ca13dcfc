"""A data directory of before names were one namespace and addresses were compared as mail does.

`tests/data/before_names` was left by a host of then. `globex` is the external id of one organization and the slug of
another, whose owner signed up as "Globex" later; `hooli` is both of one organization.
"""

import asyncio
import json
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp

from tests.doubles.clients.command_line import run
from tests.doubles.clients.xyra_client import PASSWORD, Description, Xyra
from tests.doubles.clients.xyra_process import XyraProcess
from tests.places import DATA

Json = dict[str, Any]

EARLIER = DATA / "before_names"


async def test_colliding_names_find_nobody_until_the_operator_decides(
    tmp_path: Path, new_process: Callable[..., XyraProcess]
) -> None:
    known: Json = json.loads((EARLIER / "answers.json").read_bytes())
    ids = known["organizations"]
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    with tarfile.open(EARLIER / "data_directory.tar.gz") as archive:
        archive.extractall(data_dir, filter="data")
    settings = {"XYRA_DATA_DIR": str(data_dir)}

    listed = await asyncio.to_thread(run, "names", "list", **settings)
    twice = sorted([ids["operators"], ids["stranger"]])
    assert listed.returncode == 6, listed.stdout + listed.stderr
    assert sorted(listed.stdout.splitlines()) == sorted(
        [
            f"globex is a name of these two and finds neither: {', '.join(twice)}",
            f"admin is a reserved word, which new organizations cannot have: {ids['admin']}",
            f"{ids['initech']} is the external id of this one and the id of another, which it finds: {ids['umbrella']}",
        ]
    )

    process = new_process()
    await asyncio.to_thread(process.start)
    async with aiohttp.ClientSession(process.base) as session:
        async with session.get("/api/v1/openapi.json") as response:
            description = Description(json.loads(await response.read()))
        xyra = Xyra(session, description, known["operator_key"])
        await names_of_before(xyra, known)
        await addresses_of_before(xyra, known)
        wrong = await asyncio.to_thread(run, "names", "assign", "globex", ids["hooli"], **settings)
        assert (wrong.returncode, wrong.stdout) == (1, "")
        decided = await asyncio.to_thread(run, "names", "assign", "globex", ids["operators"], **settings)
        assert decided.returncode == 0, decided.stderr
        assert [holder for holder in twice if "organization_names.assign" in trail_of(data_dir, holder)] == twice
        assert (await xyra.operator.get("organizations/globex"))["id"] == ids["operators"]
        assert (await xyra.operator.get(f"organizations/{ids['stranger']}"))["slug"] == "globex"
        await xyra.operator.report({"id": "after", "type": "command", "agent": "coder", "organization": "globex"})
    relisted = await asyncio.to_thread(run, "names", "list", **settings)
    assert relisted.returncode == 0, relisted.stderr
    assert f"globex is a name of this one and finds another: {ids['stranger']}" in relisted.stdout.splitlines()


def trail_of(data_dir: Path, organization_id: str) -> str:
    """Its entries, as they are stored: the operator's key of then may not read trails."""
    with closing(sqlite3.connect(f"file:{data_dir / 'xyra.db'}?mode=ro", uri=True)) as database:
        wanted = "SELECT body FROM tenants WHERE kind = 'audit_entry' AND pk = ?"
        return str(database.execute(wanted, (organization_id,)).fetchall())


async def names_of_before(xyra: Xyra, known: Json) -> None:
    ids = known["organizations"]
    for name, holder in (
        ("globex-corp", "operators"),
        ("initech", "initech"),
        ("initech-id", "initech"),
        (ids["initech"], "initech"),
        ("hooli", "hooli"),
        ("admin", "admin"),
    ):
        assert (await xyra.operator.get(f"organizations/{name}"))["id"] == ids[holder], name
    event = {"id": "call-1", "type": "command", "agent": "coder", "organization": "globex"}
    for answer in (
        await xyra.operator.send("GET", "organizations/globex"),
        await xyra.operator.send("POST", "events", event),
        await xyra.operator.send("DELETE", "organizations/globex"),
        await xyra.operator.send("GET", "agents", organization_id="globex"),
    ):
        answer.problem(422, "validation")
    own = xyra.bearing(known["globex_key"])
    for name in ("globex", "globex-corp"):
        assert (await own.get(f"organizations/{name}"))["id"] == ids["operators"]
    await own.get("organizations/hooli", expect=404)
    new = {"name": "New", "currency": "USD"}
    for change, pointer in (
        ({"slug": "globex"}, "/slug"),
        ({"external_id": "initech"}, "/external_id"),
        ({"slug": "initech-id"}, "/slug"),
    ):
        assert (await xyra.operator.send("POST", "organizations", new | change)).problem(409, "conflict") == [pointer]


async def addresses_of_before(xyra: Xyra, known: Json) -> None:
    """Who signed up before signs in; a similar address is another's."""
    for email in known["users"]:
        await xyra.sign_in(email)
        await xyra.sign_in(email.upper().replace("SS", "ß"))
        form = {"username": email.casefold(), "password": PASSWORD}
        (await xyra.anonymous.send("POST", "auth/login", form=form)).problem(401, "unauthenticated")
    again = await xyra.anonymous.send("POST", "auth/signup", signing_up("STRAßE@example.com"))
    assert again.problem(409, "conflict") == ["/email"]
    similar = (await xyra.anonymous.send("POST", "auth/signup", signing_up("strasse@example.com"))).expect(201)
    assert similar["user"]["id"] not in known["users"].values()
    await xyra.sign_in("strasse@example.com")
    await xyra.sign_in("straße@example.com")


def signing_up(email: str) -> Json:
    return {
        "email": email,
        "password": PASSWORD,
        "full_name": "Ada",
        "organization_name": "New",
        "currency": "USD",
        "timezone": "UTC",
        "accept_terms": True,
    }
