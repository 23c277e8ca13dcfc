"""Payments by Stripe, through its official SDK, which is imported at the first use: it takes a second."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import SecretStr

from shared.domain.kernel.errors import NotFoundError
from shared.ports.payments import Payments, PaymentsNotSetUpError
from shared.ports.secrets import Secrets

if TYPE_CHECKING:
    from shared.adapters.stripe.connections import StripeConnections

SECRET_NAMES: Mapping[bool, str] = {True: "stripe-key", False: "stripe-test-key"}
"""By whether they are of live mode."""
_SETTINGS: Mapping[bool, str] = {True: "XYRA_STRIPE_KEY", False: "XYRA_STRIPE_TEST_KEY"}
_PREFIXES: Mapping[bool, tuple[str, ...]] = {True: ("rk_live_", "sk_live_"), False: ("rk_test_", "sk_test_")}


class StripeModes:
    """Each call reads the key anew, so that a rotation is seen as soon as the vault's cache sees it."""

    def __init__(self, secrets: Secrets, local_keys: Mapping[bool, SecretStr | None], api_base: str | None) -> None:
        """`local_keys` stand in settings, on a machine of one's own; `api_base` is a double of Stripe there."""
        self._secrets = secrets
        self._local_keys = local_keys
        self._api_base = api_base
        self._connections: StripeConnections | None = None

    async def of(self, *, livemode: bool) -> Payments:
        key = await self._key(livemode)
        if not key.startswith(_PREFIXES[livemode]):
            mode, kinds = "live" if livemode else "test", " or ".join(_PREFIXES[livemode])
            raise PaymentsNotSetUpError(
                f"The secret {SECRET_NAMES[livemode]} is no key of Stripe's {mode} mode: it begins with {kinds}"
            )
        return (await self._opened()).payments(key)

    async def _key(self, livemode: bool) -> str:
        local = self._local_keys.get(livemode)
        if local is not None:
            return local.get_secret_value().strip()
        try:
            return (await self._secrets.get(SECRET_NAMES[livemode])).strip()
        except NotFoundError:
            mode = "" if livemode else " for organizations with livemode false"
            raise PaymentsNotSetUpError(
                f"Payments by Stripe are not set up{mode}: store a restricted key as the secret"
                f" {SECRET_NAMES[livemode]}, or on one machine in {_SETTINGS[livemode]}"
            ) from None

    async def _opened(self) -> "StripeConnections":
        if self._connections is None:
            made = await asyncio.to_thread(_connections, self._api_base)
            self._connections = self._connections or made
        return self._connections

    async def close(self) -> None:
        if self._connections is not None:
            await self._connections.close()


def _connections(api_base: str | None) -> "StripeConnections":
    """In a thread: importing the SDK and reading certificates would hold up everything else for a second."""
    from shared.adapters.stripe.connections import StripeConnections  # noqa: PLC0415  see above

    return StripeConnections(api_base)
