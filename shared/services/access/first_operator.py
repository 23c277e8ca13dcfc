"""The first superuser (AC-15), made by the first-run step. On one machine the local host makes it, too."""

from shared.containers import DIRECTORY
from shared.domain.access.accounts import Account, email_partition
from shared.domain.kernel.errors import ConflictError
from shared.ports.store import Document, Store
from shared.services.access.accounts import Accounts

DEFAULT_EMAIL = "operator@xyra.localhost"
_PARTITION = "first_run:operator"
_ID = "address"


class FirstOperator:
    """In steps that are safe to repeat, so that a password can be shown before it is kept: who is killed in between has
    seen none that was kept unseen.
    """

    def __init__(self, store: Store, accounts: Accounts) -> None:
        self._store = store
        self._accounts = accounts

    async def email(self, wanted: str | None) -> str:
        """The one wanted, which is remembered: a later run without it makes no operator beside this one."""
        if wanted:
            record: Document = {"id": _ID, "kind": "first_operator", "email": wanted}
            await self._store.upsert(DIRECTORY.name, _PARTITION, record)
            return wanted
        remembered = await self._store.get(DIRECTORY.name, _PARTITION, _ID)
        return DEFAULT_EMAIL if remembered is None else str(remembered.document["email"])

    async def exists(self, email: str) -> bool:
        """Raises `ConflictError` where the address has an account that is no operator's."""
        item = await self._store.get(DIRECTORY.name, email_partition(email), "account")
        if item is None:
            return False
        if Account.read(item.document).operator_role is None:
            raise ConflictError(f"{email} has an account that is no operator's; choose another XYRA_OPERATOR_EMAIL")
        return True

    async def make(self, email: str, password: str) -> bool:
        """False where another was faster, or an earlier try whose answer was lost."""
        return await self._accounts.ensure_operator(email, password)
