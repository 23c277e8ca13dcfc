"""Stripe's webhooks: the signature of the raw body first, by the SDK, and everything else after it."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr

from shared import json
from shared.domain.kernel.errors import MalformedError, NotFoundError
from shared.ports.payment_events import LONGEST_ID, PaymentEvent
from shared.ports.payments import PaymentsNotSetUpError
from shared.ports.secrets import Secrets

SECRET_NAMES: Mapping[bool, str] = {True: "stripe-webhook-secrets", False: "stripe-test-webhook-secrets"}
"""By whether they are of live mode."""
MOST_SECRETS = 2
"""Of a mode at once, so that one can be replaced by another."""
LARGEST_DIFFERENCE = timedelta(seconds=300)
"""Between our clock and when an event was signed, either way."""
_LONGEST_SIGNATURE = 4096
_ABSENT_SECONDS = 60.0
"""So long a secret that is not there is not asked for again: whoever sends anything here would ask the vault."""

Verify = Callable[[bytes, str, str], datetime | None]
"""When the body was signed with the secret; None where it was not."""


class StripeEvents:
    def __init__(
        self,
        secrets: Secrets,
        local_secrets: Mapping[bool, SecretStr | None],
        present: Callable[[], float] = time.monotonic,
    ) -> None:
        """`local_secrets` stand in settings, on a machine of one's own."""
        self._present = present
        self._absent_until = {True: -math.inf, False: -math.inf}
        self._secrets = secrets
        self._local_secrets = local_secrets
        self._verify: Verify | None = None

    async def read(self, body: bytes, signature: str, now: datetime) -> PaymentEvent:
        secrets = [(livemode, secret) for livemode in (True, False) for secret in await self._secrets_of(livemode)]
        if not secrets:
            raise PaymentsNotSetUpError(
                f"Webhooks of Stripe are not set up: store the signing secret of the endpoint as the secret"
                f" {SECRET_NAMES[True]}, for test mode {SECRET_NAMES[False]}"
            )
        verify = await self._verifier()
        livemode, signed_at = _verified(verify, body, signature, secrets)
        if abs(now - signed_at) > LARGEST_DIFFERENCE:
            raise MalformedError("The event was signed more than 300 seconds ago, or ahead of our clock")
        return _event(body, livemode)

    async def _secrets_of(self, livemode: bool) -> list[str]:
        local = self._local_secrets.get(livemode)
        if local is not None:
            text = local.get_secret_value()
        elif self._present() < self._absent_until[livemode]:
            return []
        else:
            try:
                text = await self._secrets.get(SECRET_NAMES[livemode])
            except NotFoundError:
                self._absent_until[livemode] = self._present() + _ABSENT_SECONDS
                return []
        return [part.strip() for part in text.split(",") if part.strip()][:MOST_SECRETS]

    async def _verifier(self) -> Verify:
        if self._verify is None:
            self._verify = await asyncio.to_thread(_import_verifier)
        return self._verify


def _import_verifier() -> Verify:
    """In a thread: importing the SDK would hold up everything else."""
    from shared.adapters.stripe.signatures import signed_at  # noqa: PLC0415  see above

    return signed_at


def _verified(verify: Verify, body: bytes, signature: str, secrets: list[tuple[bool, str]]) -> tuple[bool, datetime]:
    if len(signature) <= _LONGEST_SIGNATURE and signature.isascii():
        for livemode, secret in secrets:
            at = verify(body, signature, secret)
            if at is not None:
                return livemode, at
    raise MalformedError("The header Stripe-Signature is not that of this body under a secret of ours")


def _event(body: bytes, livemode: bool) -> PaymentEvent:
    said = json.decode_request(body)
    if not isinstance(said, dict) or said.get("object") != "event":
        raise MalformedError("The body is no event of Stripe's API v1")
    if said.get("livemode") is not livemode:
        raise MalformedError("The event is of another mode than the secret that it was signed with")
    if said.get("account") is not None:
        raise MalformedError("The event is of a connected account, and this deployment has none")
    about = _object(said)
    try:
        created_at = datetime.fromtimestamp(int(said["created"]), UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        raise MalformedError("The event does not say when it was created") from error
    return PaymentEvent(
        id=_word(said, "id"),
        type=_word(said, "type"),
        livemode=livemode,
        object_kind=_word(about, "object"),
        object_id=_word(about, "id") if about.get("id") is not None else None,
        created_at=created_at,
    )


def _object(said: dict[str, Any]) -> dict[str, Any]:
    data = said.get("data")
    about = data.get("object") if isinstance(data, dict) else None
    if not isinstance(about, dict):
        raise MalformedError("The event does not say what it is about")
    return about


def _word(said: dict[str, Any], name: str) -> str:
    """An id or a type: letters, digits, `_`, `.` and `-`. Raises `MalformedError`."""
    value = said.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_ID or not value.isascii():
        raise MalformedError(f"The event has no usable {name}")
    if not value.replace("_", "").replace(".", "").replace("-", "").isalnum():
        raise MalformedError(f"The event has no usable {name}")
    return value
