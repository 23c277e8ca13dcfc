"""Challenges that devices sign with a passkey. Each is used once."""

import secrets as random_values
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.containers import DIRECTORY
from shared.domain.access.second_factors import (
    SIGN_IN_LIFETIME,
    ChallengePurpose,
    PasskeyChallenge,
    challenge_partition,
)
from shared.domain.kernel.errors import NotFoundError, UnauthenticatedError
from shared.domain.kernel.ids import new_id
from shared.domain.kernel.key_rings import KEY_BYTES, to_text
from shared.ports.clock import Clock
from shared.services.storage import Records, StaleEtagError, Store, look_twice

_PREFIX = "pkc"
_USED = "The challenge was used already or has expired: ask for options again"


@dataclass(frozen=True, slots=True)
class SignedChallenge:
    """What a device has answered to a challenge that is used up by it."""

    challenge: str
    credential: Mapping[str, Any]


class PasskeyChallenges:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._clock = clock
        self._challenges = Records(store, DIRECTORY, PasskeyChallenge, prefix=_PREFIX)

    async def make(self, purpose: ChallengePurpose, holder: str | None) -> PasskeyChallenge:
        challenge = PasskeyChallenge(
            id=new_id(_PREFIX),
            purpose=purpose,
            holder=holder,
            challenge=to_text(random_values.token_bytes(KEY_BYTES)),
            expires_at=self._clock.now() + SIGN_IN_LIFETIME,
        )
        await self._challenges.create(challenge_partition(challenge.id), challenge)
        return challenge

    async def used(
        self, challenge_id: str, purpose: ChallengePurpose, holder: str | None, credential: Mapping[str, Any]
    ) -> SignedChallenge:
        """Use a challenge up. Raises `UnauthenticatedError` for one of something else, and for one that was used."""
        partition = challenge_partition(challenge_id)
        try:
            stored = await look_twice(lambda: self._challenges.get(partition, challenge_id), errors=(NotFoundError,))
            await self._challenges.erase(partition, stored)
        except (NotFoundError, StaleEtagError) as error:
            raise UnauthenticatedError(_USED) from error
        challenge = stored.entity
        is_meant = challenge.purpose == purpose and challenge.holder == holder
        if not is_meant or self._clock.now() >= challenge.expires_at:
            raise UnauthenticatedError(_USED)
        return SignedChallenge(challenge.challenge, credential)
