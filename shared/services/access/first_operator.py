"""The first operator, created by the command `setup`. On one machine the local host creates it, too."""

from typing import ClassVar

from shared.containers import DIRECTORY
from shared.domain.kernel.audit import FOLLOWS, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import ConflictError
from shared.services.access.accounts import Accounts
from shared.services.access.stored_accounts import StoredAccounts
from shared.services.storage import Records, Store

DEFAULT_EMAIL = "operator@xyra.localhost"
_PARTITION = "first_run:operator"
_ID = "address"


class OperatorAddress(Entity):
    """The address that was chosen for the first operator."""

    kind: ClassVar[str] = "first_operator"
    audit: ClassVar[Audit] = FOLLOWS
    email: str


class FirstOperator:
    """Its steps are safe to repeat. A password is shown before it is stored, so that none is stored that nobody saw."""

    def __init__(self, store: Store, accounts: Accounts) -> None:
        self._accounts = accounts
        self._addresses = Records(store, DIRECTORY, OperatorAddress)
        self._stored_accounts = StoredAccounts(store)

    async def email(self, wanted: str | None) -> str:
        """The address wanted, which is remembered: a later run without one creates no second operator."""
        if wanted:
            await self._addresses.put(_PARTITION, OperatorAddress(id=_ID, email=wanted))
            return wanted
        remembered = await self._addresses.find(_PARTITION, _ID)
        return DEFAULT_EMAIL if remembered is None else remembered.entity.email

    async def exists(self, email: str) -> bool:
        """Raises `ConflictError` where the address has an account that is no operator's."""
        found = await self._stored_accounts.find(email)
        if found is None:
            return False
        if found.account.operator_role is None:
            raise ConflictError(f"{email} has an account that is no operator's; choose another XYRA_OPERATOR_EMAIL")
        return True

    async def make(self, email: str, password: str) -> bool:
        """Whether it was created now: another may have been faster, or an earlier try whose answer was lost."""
        return await self._accounts.ensure_operator(email, password)
