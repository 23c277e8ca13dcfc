"""Erasing a person: afterwards nothing on the disk names them, and books and trails are whole."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.doubles.clients import command_line
from tests.doubles.clients.hosts import Served
from tests.doubles.clients.mailbox import Mailbox
from tests.doubles.clients.xyra_client import PASSWORD, Client, Organization, Xyra
from tests.doubles.clients.xyra_process import XyraProcess
from tests.doubles.worlds.invited_people import InvitedPeople

Json = dict[str, Any]

NAME = "Wilhelmina Quuxington"
_MINUTES = timedelta(minutes=2)


def files_with(directory: Path, *texts: str) -> list[str]:
    """The names of files that have one of these texts in them, in any case."""
    wanted = [text.lower().encode() for text in texts]
    found = [path for path in directory.rglob("*") if path.is_file()]
    return [path.name for path in found if any(text in path.read_bytes().lower() for text in wanted)]


async def billed(xyra: Xyra, organization: Organization) -> Json:
    flat = {"key": "platform", "type": "flat_fee", "amount": "499.00"}
    model = await organization.model(flat, effective_from="2026-10-01T00:00:00Z")
    pricing = {"billing_model_id": model["id"], "billing_model_from": "2026-10-01T00:00:00Z"}
    await organization.agent(**pricing)
    (invoice,) = await xyra.generate(organization, "2026-10")
    return invoice


async def use_everything(xyra: Xyra, client: Client, organization: Organization, email: str) -> None:
    """What leaves the name or the address somewhere."""
    await client.send("PATCH", "users/me", {"full_name": NAME})
    (await client.send("POST", "auth/totp")).expect(200)
    path = f"organizations/{organization.id}/settings"
    etag = (await organization.operator.send("GET", path)).headers["ETag"]
    contacts = {"billing_contacts": [email, "kept@example.com"]}
    (await organization.operator.send("PUT", path, contacts, headers={"If-Match": etag})).expect(200)
    changes = {"billing_email": email.upper()}
    key = {"Idempotency-Key": uuid4().hex}
    (await organization.operator.send("PATCH", f"organizations/{organization.id}", changes, headers=key)).expect(200)
    await xyra.anonymous.send("POST", "auth/password/forgot", {"email": email})
    form = {"username": email, "password": "not the right password"}
    (await xyra.anonymous.send("POST", "auth/login", form=form)).problem(401, "unauthenticated")


async def test_no_byte_of_name_or_address_is_left(new_process: Callable[..., XyraProcess]) -> None:
    process = new_process()
    served = await Served.by(process)
    async with served.clients() as xyra:
        organization = await xyra.organization()
        people = InvitedPeople(xyra, Mailbox(process, xyra), organization)
        owner = await people.join("owner", "owner")
        person = await people.join("wilhelmina", "admin")
        client = await people.client("wilhelmina")
        await use_everything(xyra, client, organization, person.email)
        invoice = await billed(xyra, organization)
        await people.mailbox.arrivals(person.email)
        local = person.email.partition("@")[0]
        assert {Path(name).suffix for name in files_with(process.data_dir, NAME, local)} >= {".db-wal", ".eml"}

        erased = await (await people.client("owner")).send("POST", f"users/{person.user_id}/erase")
        erased.expect(202)
        await people.mailbox.pass_time(_MINUTES)
        await people.mailbox.pass_time(_MINUTES)
        assert files_with(process.data_dir, NAME, person.email) == []

        form = {"username": person.email, "password": PASSWORD}
        (await xyra.anonymous.send("POST", "auth/login", form=form)).problem(401, "unauthenticated")
        by_owner = await people.client("owner")
        members = (await by_owner.get("members"))["data"]
        assert [member["user_id"] for member in members] == [owner.user_id]
        (await xyra.operator.send("GET", f"users/{person.user_id}")).problem(403, "forbidden")
        assert await organization.key.get(f"invoices/{invoice['id']}") == invoice
        settings = await organization.operator.get(f"organizations/{organization.id}/settings")
        assert settings["billing_contacts"] == ["kept@example.com"]
        entries = (await by_owner.get("audit", limit=200))["data"]
        assert "users.erase" in [entry["action"] for entry in entries]
    data = {"XYRA_DATA_DIR": str(process.data_dir)}
    verified = await asyncio.to_thread(command_line.run, "audit", "verify", **data)
    assert (verified.returncode, verified.stderr) == (0, "")


async def test_who_may_erase_whom(xyra: Xyra) -> None:
    ada, bob = [await xyra.sign_up() for _ in range(2)]
    by_ada, by_bob = [await xyra.sign_in(made["user"]["email"]) for made in (ada, bob)]
    path = f"users/{ada['user']['id']}/erase"
    (await by_bob.send("POST", path)).problem(403, "forbidden")
    key = await xyra.key_of(ada["organization"]["id"])
    (await key.send("POST", path)).problem(403, "forbidden")
    (await by_ada.send("POST", path)).problem(409, "last_owner")
    await by_ada.get("auth/me")
