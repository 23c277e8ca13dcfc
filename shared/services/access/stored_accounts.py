"""Accounts as they are stored, found by user id or by e-mail address."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from shared.containers import DIRECTORY
from shared.domain.access.accounts import (
    ACCOUNT,
    Account,
    AddressClaim,
    address_partition,
    comparable_address,
    earlier_address_partition,
    user_partition,
)
from shared.domain.access.lockout import KnownDevice, device_id
from shared.domain.access.users import ListedUser, user_slice
from shared.domain.kernel.errors import UnavailableError
from shared.domain.kernel.ids import named_id
from shared.services.storage import Operation, Outbox, Records, StaleEtagError, Store, Stored, get_two


@dataclass(frozen=True, slots=True)
class FoundAccount:
    """The account of an e-mail address, with the claim that names it."""

    claim: Stored[AddressClaim]
    stored: Stored[Account] | None
    """None while a sign-up has not created it."""
    account: Account
    """As it is stored, or as the claim carries it until then."""
    device: KnownDevice | None = None
    """That of the token that was shown, whether or not it still counts as known."""

    @property
    def promised(self) -> Account:
        """As the claim promised it, whatever has become of it since."""
        return self.claim.entity.pending or self.account

    @property
    def is_pending(self) -> bool:
        """Whether something of the sign-up may still be missing."""
        return self.claim.entity.pending is not None


class StoredAccounts:
    """An account is in the partition of its user; the claim of its address names the user.

    Earlier versions kept the account in the partition of the address, or of the folded address. Such an account is
    carried over when it is found.
    """

    def __init__(self, store: Store, outbox: Outbox | None = None) -> None:
        self._store = store
        self.records = Records(store, DIRECTORY, Account, outbox=outbox)
        """Of before, too: those of a pending sign-up were due where they were."""
        self._listed = Records(store, DIRECTORY, ListedUser)
        self._claims = Records(store, DIRECTORY, AddressClaim, outbox=outbox)

    async def _list(self, user_id: str) -> None:
        """Before there is an account, so that every one is listed."""
        await self._listed.put(user_slice(user_id), ListedUser(id=user_id))

    async def get(self, user_id: str) -> Stored[Account]:
        """Raises `NotFoundError`."""
        return await self.records.get(user_partition(user_id), ACCOUNT)

    async def find(self, email: str, device_token: str = "") -> FoundAccount | None:
        """The account of an address, with the device of a token.

        It takes three reads, whether there is an account or not: an unknown address takes as long as a known one.
        Raises `UnavailableError` where an account was made a moment ago and cannot be read yet.
        """
        claim = await self._claim_of(email)
        if claim is None:
            nobody = named_id("usr", "nobody", email)
            await self._account_and_device(nobody, device_token)
            return None
        return await self._found(claim, device_token)

    async def _found(self, claim: Stored[AddressClaim], device_token: str = "") -> FoundAccount:
        stored, device = await self._account_and_device(claim.entity.user_id, device_token)
        account = claim.entity.pending if stored is None else stored.entity
        if account is None:
            raise UnavailableError("The account was made a moment ago and cannot be read yet")
        return FoundAccount(claim, stored, account, None if device is None else device.entity)

    async def _account_and_device(
        self, user_id: str, device_token: str
    ) -> tuple[Stored[Account] | None, Stored[KnownDevice] | None]:
        device = (KnownDevice, device_id(device_token))
        return await get_two(self._store, DIRECTORY, user_partition(user_id), (Account, ACCOUNT), device)

    async def _claim_of(self, email: str) -> Stored[AddressClaim] | None:
        partition, folded = address_partition(email), earlier_address_partition(email)
        claim, account = await get_two(self._store, DIRECTORY, partition, (AddressClaim, ACCOUNT), (Account, ACCOUNT))
        of_folded = await self.records.find(folded, ACCOUNT)
        if claim is not None:
            return claim
        if account is not None:
            return await self._carry_over(account)
        if of_folded is None or comparable_address(of_folded.entity.email) != comparable_address(email):
            return None
        return await self._carry_over_from_folded(folded, of_folded)

    async def _carry_over(self, earlier: Stored[Account]) -> Stored[AddressClaim]:
        """Put a claim where the account was, once that is in its own partition."""
        claim = await self._claim_of_earlier(earlier.entity)
        try:
            return await self._claims.write(address_partition(earlier.entity.email), Stored(claim, earlier.etag), claim)
        except StaleEtagError as error:
            raise UnavailableError("The account is being carried over by another host at this moment") from error

    async def _carry_over_from_folded(self, partition: str, earlier: Stored[Account]) -> Stored[AddressClaim]:
        claim = await self._claim_of_earlier(earlier.entity)
        created = await self._claims.create(address_partition(earlier.entity.email), claim)
        if created.entity.user_id == claim.user_id:
            with suppress(StaleEtagError):
                await self.records.erase(partition, earlier)
        return created

    async def _claim_of_earlier(self, account: Account) -> AddressClaim:
        """The claim for an account of before. The account is in its own partition then, unless it is pending."""
        if account.status == "pending":
            return AddressClaim(user_id=account.user_id, pending=account, due_at=account.created_at)
        await self._list(account.user_id)
        await self.records.ensure(user_partition(account.user_id), account)
        return AddressClaim(user_id=account.user_id)

    async def claim(self, account: Account, *, due_at: datetime) -> FoundAccount:
        """The account of the address: this one, still to be created, or another that has it already.

        `due_at` is when the sweep completes it.
        """
        found = await self.find(account.email)
        if found is not None:
            return found
        claim = AddressClaim(user_id=account.user_id, pending=account, due_at=due_at)
        created = await self._claims.create(address_partition(account.email), claim)
        if created.entity.user_id == account.user_id:
            return FoundAccount(created, None, account)
        return await self._found(created)

    async def create(self, found: FoundAccount, account: Account, beside: Sequence[Operation] = ()) -> Stored[Account]:
        """List it and create what the claim carries, with what is beside it, unless it is there.

        Then the claim carries nothing.
        """
        await self._list(account.user_id)
        stored = await self.records.create(user_partition(account.user_id), account, *beside)
        done = AddressClaim(user_id=account.user_id)
        with suppress(StaleEtagError):
            await self._claims.write(address_partition(account.email), found.claim, done)
        return stored
