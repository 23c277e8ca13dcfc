"""People who were invited to an organization and have accepted, by mails and links as they would."""

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.doubles.clients.mailbox import Mailbox
from tests.doubles.clients.xyra_client import PASSWORD, Client, Organization, Xyra

Json = Any


@dataclass
class Person:
    email: str
    user_id: str
    member_id: str


@dataclass
class InvitedPeople:
    """Tokens end when the mailbox moves the clock far: sign in again by `client`."""

    xyra: Xyra
    mailbox: Mailbox
    organization: Organization
    people: dict[str, Person] = field(default_factory=dict)

    async def invite(self, email: str, role: str, by: Client | None = None, **fields: Json) -> Json:
        query = {} if by is not None else {"organization_id": self.organization.id}
        body = {"email": email, "role": role, **fields}
        return await (by or self.xyra.operator).post("invitations", body, **query)

    async def accept(self, token: str, *, expect: int = 200) -> Json:
        body = {"token": token, "password": PASSWORD, "full_name": "Grace Hopper"}
        return await self.xyra.anonymous.post("invitations/accept", body, expect=expect)

    async def join(self, name: str, role: str, by: Client | None = None, **fields: Json) -> Person:
        """Invite somebody, who accepts."""
        email = f"{name}.{uuid4().hex}@example.com"
        await self.invite(email, role, by, **fields)
        accepted = await self.accept(await self.mailbox.token(email))
        self.people[name] = Person(email, accepted["user_id"], accepted["member_id"])
        return self.people[name]

    async def client(self, name: str) -> Client:
        return await self.xyra.sign_in(self.people[name].email)
