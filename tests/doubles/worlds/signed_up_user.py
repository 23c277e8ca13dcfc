"""Ada, who has signed up with an organization, on a store in memory that two hosts share."""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from shared.adapters.secret_file.secrets import LocalSecrets
from shared.bootstrap import Application, Ports
from shared.containers import DIRECTORY, TENANTS
from shared.domain.access.accounts import Account, Membership, user_partition
from shared.domain.access.identity import Permission
from shared.domain.access.sessions import Session
from shared.domain.kernel.errors import UnauthenticatedError, UnavailableError
from shared.ports.store import Create, Item, Operation
from shared.services.access.accounts import SignUp
from shared.services.access.sessions import SignedIn
from shared.settings import Settings
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.quick_passwords import QuickHasher
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.invoiced_organization import NOW

ADA, PASSWORD = "ada@example.com", "correct horse battery staple"


def signing_up(email: str = ADA, **fields: str) -> SignUp:
    wanted = {
        "email": email,
        "password": PASSWORD,
        "full_name": "Ada Lovelace",
        "organization_name": "Engines",
        "currency": "USD",
        "timezone": "UTC",
    }
    return SignUp.model_validate(wanted | fields)


class WatchedStore(MemoryStore):
    """Counts its calls. Before a write that begins a session, something may happen, or the store be down."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = Counter[str]()
        self.begins_no_session = False
        self.before_session: Callable[[], Awaitable[None]] | None = None
        """Happens once."""

    async def get(self, container: str, pk: str, id: str) -> Item | None:  # noqa: A002  the field's name everywhere
        self.calls["read"] += 1
        return await super().get(container, pk, id)

    async def get_many(self, container: str, pk: str, ids: Collection[str]) -> dict[str, Item]:
        self.calls["read"] += 1
        return await super().get_many(container, pk, ids)

    async def batch(self, container: str, pk: str, operations: Sequence[Operation]) -> list[str]:
        self.calls["write"] += 1
        if any(_begins_session(operation) for operation in operations):
            if self.begins_no_session:
                raise UnavailableError("The store is down")
            if self.before_session is not None:
                happening, self.before_session = self.before_session, None
                await happening()
        return await super().batch(container, pk, operations)


def _begins_session(operation: Operation) -> bool:
    return isinstance(operation, Create) and bool(operation.document["kind"] == Session.kind)


class SignedUpUser:
    """What happens to Ada, and what she and others try."""

    def __init__(self, secrets: Path, hasher: QuickHasher) -> None:
        self.secrets, self.hasher = secrets, hasher
        self.store, self.clock = WatchedStore(), SettableClock(NOW)
        self.ports = Ports(self.store, MemoryQueue(), self.clock, LocalSecrets(secrets))
        self.host, self.other_host = Application(self.ports, Settings()), Application(self.ports, Settings())
        self.account: Account

    async def sign_up(self) -> None:
        self.account, _ = await self.host.accounts.sign_up(signing_up())

    @property
    def organization_id(self) -> str:
        return self.account.organization_ids[0]

    async def second_organization(self) -> str:
        """Another organization, in which she is a viewer."""
        made = await self.sign_up_another("owner@example.com", organization_name="Second")
        organization_id = made.organization_ids[0]
        both = (*self.account.organization_ids, organization_id)
        self.account = self.account.changed(organization_ids=both)
        await self.change_account()
        membership = Membership(id=self.account.user_id, role="viewer", joined_at=NOW)
        await self.store.upsert(TENANTS.name, organization_id, membership.document())
        return organization_id

    async def second_owner(self, account: Account) -> None:
        """Another user, who becomes an owner of her organization, too."""
        membership = Membership(id=account.user_id, role="owner", joined_at=NOW)
        await self.store.upsert(TENANTS.name, self.organization_id, membership.document())
        both = account.changed(organization_ids=(*account.organization_ids, self.organization_id))
        await self.store.upsert(DIRECTORY.name, user_partition(account.user_id), both.document())

    async def sign_up_another(self, email: str, **fields: str) -> Account:
        account, _ = await self.host.accounts.sign_up(signing_up(email, **fields))
        return account

    async def sign_in(
        self, password: str = PASSWORD, device_token: str | None = None, organization_id: str | None = None
    ) -> SignedIn:
        return await self.host.accounts.sign_in(ADA, password, organization_id, device_token=device_token)

    def costs(self) -> Counter[str]:
        """The calls to the store and the runs of Argon2 until now."""
        return self.store.calls + Counter(hash=self.hasher.runs)

    async def change_account(self, **changes: Any) -> None:
        await self.store.upsert(
            DIRECTORY.name, user_partition(self.account.user_id), self.account.changed(**changes).document()
        )

    async def change_membership(self, **changes: Any) -> None:
        membership = Membership(id=self.account.user_id, role="owner", joined_at=NOW).changed(**changes)
        await self.store.upsert(TENANTS.name, self.organization_id, membership.document())

    async def permissions(self, token: str, *, for_events: bool = False) -> frozenset[Permission]:
        return (await self.host.authentication.authenticate(token, for_events=for_events)).permissions

    async def is_refused(self, token: str, *, for_events: bool = False) -> bool:
        try:
            await self.permissions(token, for_events=for_events)
        except UnauthenticatedError:
            return True
        return False
