"""A data directory that an earlier version left is served as it is: same answers, and repair finds nothing."""

import asyncio
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from tests.doubles.clients.command_line import run
from tests.doubles.clients.xyra_client import Description, Xyra
from tests.doubles.clients.xyra_process import XyraProcess
from tests.places import DATA

Json = dict[str, Any]

EARLIER = DATA / "before_areas"


def unpack(data_dir: Path) -> None:
    data_dir.mkdir()
    with tarfile.open(EARLIER / "data_directory.tar.gz") as archive:
        archive.extractall(data_dir, filter="data")


async def test_a_data_directory_of_before_is_served_with_the_same_answers(
    tmp_path: Path, new_process: Callable[..., XyraProcess]
) -> None:
    unpack(tmp_path / "data")
    process = new_process()
    await asyncio.to_thread(process.start)
    expected = json.loads((EARLIER / "answers.json").read_bytes())
    async with aiohttp.ClientSession(process.base) as session:
        async with session.get("/api/v1/openapi.json") as response:
            description = Description(json.loads(await response.read()))
        xyra = Xyra(session, description, expected["operator_key"])
        for organization in expected["organizations"].values():
            key = xyra.bearing(organization["key"])
            names = names_in(organization["answers"])
            for path, before in organization["answers"].items():
                name, _, query = path.partition("?")
                answer = await key.send("GET", name, **dict(part.split("=") for part in query.split("&") if part))
                expected_now = without_time(as_answered_now(name, before, names))
                assert without_newer(json.loads(answer.body), expected_now) == expected_now, path
            for listed in (await key.get("api-keys"))["data"]:
                assert (listed["root_id"], listed["parent_id"]) == (listed["id"], None)
            child = await key.post("api-keys", {"name": "Child", "scopes": ["events:write"]})
            assert child["root_id"] == child["parent_id"] != child["id"]
        await xyra.sign_in(expected["signed_up"])
    assert process.stop() == 0
    for organization in expected["organizations"].values():
        for period in ("2026-10", "2026-11"):
            repaired = await asyncio.to_thread(
                run,
                "repair",
                "--organization",
                organization["slug"],
                "--period",
                period,
                XYRA_DATA_DIR=str(tmp_path / "data"),
            )
            assert repaired.returncode == 0, repaired.stdout + repaired.stderr


def names_in(answers: Json) -> dict[str, str]:
    """Of agents and billing models, by id."""
    return {thing["id"]: thing["name"] for path in ("agents", "billing-models") for thing in answers[path]["data"]}


def as_answered_now(path: str, before: Json, names: dict[str, str]) -> Json:
    """What has changed since then.

    A list of invoices shows their headers: without lines and credit notes, all else as it was. Lines have the names of
    their agent and billing model, which the invoices of then do not know. Previews and drafts say as of when they are,
    and which earlier invoices they assume.
    """
    if path == "invoices":
        headers = [{**invoice, "lines": [], "credit_notes": []} | FINALIZED for invoice in before["data"]]
        return {**before, "data": headers}
    if path.startswith("invoices/"):
        known = names if path == "invoices/preview" else {}
        return {**before, "lines": [with_names(line, known) for line in before["lines"]]} | FINALIZED
    return before


FINALIZED: Json = {"as_of": None, "assumes_issued": []}


def with_names(line: Json, names: dict[str, str]) -> Json:
    return {**line, "agent_name": names.get(line["agent_id"]), "model_name": names.get(line["model_id"])}


def without_newer(now: Any, before: Any) -> Any:
    """Without the fields that the answer did not have then, at any depth."""
    if isinstance(now, dict) and isinstance(before, dict):
        return {name: without_newer(now[name], before[name]) for name in now if name in before}
    if isinstance(now, list) and isinstance(before, list) and len(now) == len(before):
        return [without_newer(*pair) for pair in zip(now, before, strict=True)]
    return now


def without_time(answer: Json) -> Json:
    """Without the time of asking."""
    return {name: value for name, value in answer.items() if name != "as_of"}
