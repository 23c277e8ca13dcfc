"""What a sign-in shows, checked against the account as it is when the session begins."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from shared.domain.access.accounts import Account
from shared.domain.access.second_factors import Method
from shared.domain.kernel.errors import UnauthenticatedError
from shared.services.storage import Operation


@dataclass(frozen=True, slots=True)
class Proven:
    """Who signs in has shown who they are."""

    account: Account
    """After what was shown was used up."""
    methods: tuple[Method, ...]
    beside: Sequence[Operation] = ()
    """What is written in the same batch."""


Proof = Callable[[Account], Awaitable[Proven]]
"""Raises `UnauthenticatedError`. May be called again with a newer version of the account."""


def by_password(password_hash: str | None) -> Proof:
    """That the password of this hash, which was right, is still the account's."""

    async def proven(account: Account) -> Proven:
        if account.password_hash != password_hash:
            raise UnauthenticatedError("The password was changed meanwhile")
        return Proven(account, ("password",))

    return proven
