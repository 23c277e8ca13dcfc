"""Accounts as they are stored, each found by its e-mail address."""

from dataclasses import dataclass
from datetime import datetime

from shared.containers import DIRECTORY
from shared.domain.access.accounts import (
    Account,
    address_partition,
    comparable_address,
    earlier_address_partition,
)
from shared.services.storage import Outbox, Records, Store, Stored

ACCOUNT = "account"
"""The id of an account in the partition of its address."""


@dataclass(frozen=True, slots=True)
class FoundAccount:
    """An account, and the partition that it is in."""

    partition: str
    stored: Stored[Account]

    @property
    def account(self) -> Account:
        return self.stored.entity


class StoredAccounts:
    """An account is in the partition of its address.

    Those of before are in the partition of the folded address, which is read second. They stay there.
    """

    def __init__(self, store: Store, outbox: Outbox | None = None) -> None:
        self._accounts = Records(store, DIRECTORY, Account, outbox=outbox)

    async def find(self, email: str) -> FoundAccount | None:
        """By two reads, whether there is one or not: an unknown address takes as long as a known one."""
        partition, earlier_partition = address_partition(email), earlier_address_partition(email)
        present = await self._accounts.find(partition, ACCOUNT)
        earlier = await self._accounts.find(earlier_partition, ACCOUNT)
        if present is not None:
            return FoundAccount(partition, present)
        if earlier is None or comparable_address(earlier.entity.email) != comparable_address(email):
            return None
        return FoundAccount(earlier_partition, earlier)

    async def create(self, account: Account, *, due_at: datetime | None = None) -> FoundAccount:
        """The account of the address: this one, or another that has it already. `due_at` as in `Records.create`."""
        found = await self.find(account.email)
        if found is not None:
            return found
        partition = address_partition(account.email)
        return FoundAccount(partition, await self._accounts.create(partition, account, due_at=due_at))

    async def write(self, found: FoundAccount, changed: Account) -> None:
        """Replace it. Raises `StaleEtagError` for a lost race."""
        await self._accounts.write(found.partition, found.stored, changed)
