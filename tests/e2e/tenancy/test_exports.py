"""Exports over HTTP: what the archive has is what the lists answer."""

import io
import json
import zipfile
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.doubles.clients.hosts import TimeMachine
from tests.doubles.clients.xyra_client import Client, Organization, Xyra

Json = Any


async def exported(time_machine: TimeMachine, organization: Organization, minute: int) -> Json:
    """The finished job, once the timer has come."""
    path = f"organizations/{organization.id}/export"
    job = await organization.key.post(path, expect=202)
    assert (job["status"], job["url"]) == ("pending", None)
    await time_machine.at(f"2026-11-18T10:{minute:02}:55Z")
    done = await organization.key.get(f"{path}/{job['id']}")
    assert (done["status"], done["reason"]) == ("done", None)
    return done


async def archive_of(xyra: Xyra, job: Json) -> dict[str, bytes]:
    parts = urlsplit(job["url"])
    answer = await xyra.anonymous.send("GET", parts.path, **dict(parse_qsl(parts.query)))
    answer.expect(200)
    assert answer.media_type == "application/octet-stream"
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


async def all_of(client: Client, path: str) -> list[Json]:
    items: list[Json] = []
    cursor: dict[str, str] = {}
    while True:
        page = await client.get(path, **cursor)
        items += page["data"]
        if page["next_cursor"] is None:
            return items
        cursor = {"cursor": page["next_cursor"]}


def lines(content: bytes) -> list[Json]:
    return [json.loads(line, parse_float=Decimal) for line in content.splitlines()]


@pytest.mark.walk
async def test_the_archive_is_what_the_lists_say(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-11-18T10:00:00Z")
    xyra = time_machine.xyra
    organization = await xyra.organization()
    for number in range(60):
        await organization.agent(f"agent-{number}")
    await organization.project()
    await organization.key.report(*({"id": f"{n}", "type": "call", "agent": "agent-1"} for n in range(5)))
    await xyra.idle()
    job = await exported(time_machine, organization, 4)
    files = await archive_of(xyra, job)
    manifest = json.loads(files["manifest.json"])
    assert manifest["counts"] == job["counts"]
    assert (job["counts"]["agents"], job["counts"]["projects"], job["counts"]["events"]) == (60, 1, 5)
    assert set(files) == {"manifest.json", *(f"{name}.jsonl" for name in job["counts"])}
    for name in ("agents", "projects", "events", "members", "api-keys", "invoices", "billing-models", "audit"):
        in_archive = lines(files[f"{name}.jsonl"])
        assert len(in_archive) == job["counts"][name]
        if name != "audit":  # the export itself is on it by now
            assert in_archive == await all_of(organization.key, name)


async def test_the_link_is_good_for_a_day_and_for_nobody_who_guesses(time_machine: TimeMachine) -> None:
    await time_machine.at("2026-11-18T10:00:00Z")
    xyra = time_machine.xyra
    organization = await xyra.organization()
    job = await exported(time_machine, organization, 4)
    path, token = urlsplit(job["url"]).path, job["url"].partition("token=")[2]
    (await xyra.anonymous.send("GET", path, token="x" * 43)).problem(422, "invalid_token")
    await time_machine.at("2026-11-19T10:03:00Z")
    (await xyra.anonymous.send("GET", path, token=token)).expect(200)
    await time_machine.at("2026-11-19T10:06:00Z")
    (await xyra.anonymous.send("GET", path, token=token)).problem(422, "invalid_token")
    again = await organization.key.get(f"organizations/{organization.id}/export/{job['id']}")
    assert again["url"] is None


async def test_only_an_owner_exports(xyra: Xyra) -> None:
    organization = await xyra.organization()
    admin = await xyra.key_of(organization.id, ["organizations:write", "organizations:read"])
    (await admin.send("POST", f"organizations/{organization.id}/export")).problem(403, "forbidden")
