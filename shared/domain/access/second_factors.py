"""Second factors of an account: one-time passwords by an app, passkeys, and recovery codes."""

import hmac
import secrets as random_values
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import ClassVar, Literal, Self

import pyotp
from pydantic import BaseModel, ConfigDict

from shared.domain.kernel.audit import FOLLOWS, Audit
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.ids import fingerprint
from shared.domain.kernel.times import Instant

Method = Literal["password", "totp", "recovery_code", "passkey", "provider"]
"""By what a user has shown who they are."""
SECOND_FACTORS: frozenset[Method] = frozenset({"totp", "recovery_code", "passkey"})
"""A passkey is both factors: the device has verified its user."""
STRONG: frozenset[Method] = SECOND_FACTORS | {"provider"}
"""What an organization takes that asks for a second factor. Whether its own provider asks for one is up to that."""
MAXIMUM_PASSKEYS = 10
"""Of a user."""
RECENT = timedelta(minutes=10)
"""How long it counts that a user has shown who they are, where something asks for that anew."""
SIGN_IN_LIFETIME = timedelta(minutes=5)
"""Of a sign-in that waits for its second factor."""
MAXIMUM_TRIES = 5
"""Of second factors for one sign-in."""

_STEP_SECONDS = 30
_RECOVERY_CODES = 10
_GROUPS = 4
_GROUP_LENGTH = 4
_RECOVERY_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without characters that look alike. Sixteen of them are 79 bits."""


class Totp(BaseModel):
    """One-time passwords by RFC 6238: SHA-1, six digits, 30 seconds, as every app makes them."""

    model_config = ConfigDict(frozen=True)

    sealed_secret: str
    confirmed_at: Instant | None = None
    """None until the user has shown a code: it is no factor before."""
    last_step: int = 0
    """The step of the last code that was used, in units of 30 seconds since 1970. None is used twice."""


class Passkey(BaseModel):
    """A key pair in a device of the user's, of which this is the public half (WebAuthn)."""

    model_config = ConfigDict(frozen=True)

    id: str
    credential_id: str
    """As the device calls it, in base64url."""
    public_key: str
    """COSE, in base64url."""
    name: str
    sign_count: int
    """How often the device says that it was used; devices that share a passkey always say 0."""
    created_at: Instant
    last_used_at: Instant | None = None


class SecondFactors(BaseModel):
    """What an account asks for beside the password."""

    model_config = ConfigDict(frozen=True)

    totp: Totp | None = None
    passkeys: tuple[Passkey, ...] = ()
    recovery_codes: tuple[str, ...] = ()
    """Fingerprints of those that were not used."""

    @property
    def has_totp(self) -> bool:
        return self.totp is not None and self.totp.confirmed_at is not None

    @property
    def any(self) -> bool:
        """Whether signing in takes a second factor."""
        return self.has_totp or bool(self.passkeys)

    @property
    def methods(self) -> tuple[Method, ...]:
        """By which the second step of a sign-in can be taken."""
        offered: list[tuple[Method, bool]] = [
            ("totp", self.has_totp),
            ("passkey", bool(self.passkeys)),
            ("recovery_code", self.any and bool(self.recovery_codes)),
        ]
        return tuple(method for method, is_offered in offered if is_offered)

    def with_totp(self, totp: Totp | None) -> Self:
        """Recovery codes go with the last factor that they stand in for."""
        return self.model_copy(update={"totp": totp})._without_idle_codes()  # noqa: SLF001  of the same class

    def with_passkeys(self, *passkeys: Passkey) -> Self:
        """As `with_totp`."""
        return self.model_copy(update={"passkeys": passkeys})._without_idle_codes()  # noqa: SLF001  of the same class

    def with_used(self, used: Passkey) -> Self:
        """With the newer state of one of the passkeys."""
        return self.with_passkeys(*(used if each.id == used.id else each for each in self.passkeys))

    def with_codes(self, codes: Iterable[str]) -> Self:
        """With these recovery codes in place of those before."""
        return self.model_copy(update={"recovery_codes": tuple(recovery_fingerprint(code) for code in codes)})

    def _without_idle_codes(self) -> Self:
        return self if self.any else self.model_copy(update={"recovery_codes": ()})

    def without_recovery_code(self, code: str) -> Self | None:
        """The factors once the code is used; None where it is none of them."""
        used = recovery_fingerprint(code)
        left = tuple(each for each in self.recovery_codes if not hmac.compare_digest(each, used))
        return None if len(left) == len(self.recovery_codes) else self.model_copy(update={"recovery_codes": left})


def verb_of_factors(before: SecondFactors, after: SecondFactors) -> str | None:
    """What a change is called on the audit trail; None for the use of a factor, which its session tells of."""
    if before.has_totp != after.has_totp:
        return "enrol_totp" if after.has_totp else "remove_totp"
    if len(before.passkeys) != len(after.passkeys):
        return "add_passkey" if len(after.passkeys) > len(before.passkeys) else "remove_passkey"
    if before.recovery_codes == after.recovery_codes:
        return None
    is_use = set(after.recovery_codes) < set(before.recovery_codes)
    return "use_recovery_code" if is_use else "renew_recovery_codes"


def new_secret() -> str:
    """A secret for an app: 160 bits in base32."""
    return pyotp.random_base32()


def provisioning_uri(secret: str, email: str, issuer: str) -> str:
    """What an app reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=issuer)


def matching_step(secret: str, code: str, now: datetime, last_step: int) -> int | None:
    """The step that a code is of: the present one, or one to either side, as clocks differ.

    None for a wrong code, and for one of a step that was used, or of an earlier one.
    """
    present = int(now.timestamp()) // _STEP_SECONDS
    passwords = pyotp.TOTP(secret)
    matching = [
        step
        for step in (present - 1, present, present + 1)
        if hmac.compare_digest(passwords.generate_otp(step), code) and step > last_step
    ]
    return matching[0] if matching else None


def new_recovery_codes() -> tuple[str, ...]:
    """Ten, to be shown once."""
    return tuple(
        "-".join(
            "".join(random_values.choice(_RECOVERY_ALPHABET) for _ in range(_GROUP_LENGTH)) for _ in range(_GROUPS)
        )
        for _ in range(_RECOVERY_CODES)
    )


def recovery_fingerprint(code: str) -> str:
    """Of a code however it is typed: case, spaces and hyphens do not matter."""
    return fingerprint("".join(character for character in code.lower() if character.isalnum()))


ChallengePurpose = Literal["registration", "sign_in", "second_factor", "step_up"]


class PasskeyChallenge(Entity):
    """What a device is to sign. It is used once, whether what comes back is right or wrong."""

    kind: ClassVar[str] = "passkey_challenge"
    audit: ClassVar[Audit] = FOLLOWS
    purpose: ChallengePurpose
    holder: str | None
    """The user or the pending sign-in that it was made for; None for a sign-in without a password."""
    challenge: str
    """Random, in base64url."""
    expires_at: Instant
    ttl: int = int(SIGN_IN_LIFETIME.total_seconds())


def challenge_partition(challenge_id: str) -> str:
    """The directory partition of a challenge."""
    return f"passkey_challenge:{challenge_id}"


class PendingSignIn(Entity):
    """A sign-in whose password was right, and which waits for its second factor. It is used once."""

    kind: ClassVar[str] = "pending_sign_in"
    audit: ClassVar[Audit] = FOLLOWS
    organization_id: str | None
    """Where it leads; None is the operator's side."""
    password_fingerprint: str
    """Of the hash of the password that was shown."""
    device_id: str | None
    """The known device that it comes from."""
    tries: int = 0
    expires_at: Instant
    ttl: int = int(SIGN_IN_LIFETIME.total_seconds())
