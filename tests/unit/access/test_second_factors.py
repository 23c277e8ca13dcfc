"""Second factors in the domain: codes of an app and recovery codes, each once."""

from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.access.second_factors import (
    Passkey,
    SecondFactors,
    Totp,
    matching_step,
    new_recovery_codes,
    new_secret,
    provisioning_uri,
    recovery_fingerprint,
    verb_of_factors,
)

NOW = datetime(2026, 12, 1, 12, 0, 10, tzinfo=UTC)
STEP = timedelta(seconds=30)


@given(st.integers(-4, 4))
def test_a_code_is_good_for_one_step_to_either_side(steps: int) -> None:
    secret = new_secret()
    code = pyotp.TOTP(secret).at(NOW + steps * STEP)
    expected = int(NOW.timestamp()) // 30 + steps if abs(steps) <= 1 else None
    assert matching_step(secret, code, NOW, 0) == expected


def test_a_step_is_used_once_and_none_before_it_either() -> None:
    secret = new_secret()
    codes = [pyotp.TOTP(secret).at(NOW + steps * STEP) for steps in (-1, 0, 1)]
    used = matching_step(secret, codes[1], NOW, 0)
    assert used is not None
    assert [matching_step(secret, code, NOW, used) for code in codes] == [None, None, used + 1]


def test_the_values_of_the_rfc() -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # RFC 6238, appendix B, cut to six digits
    for seconds, code in ((59, "287082"), (1111111109, "081804"), (20000000000, "353130")):
        assert matching_step(secret, code, datetime.fromtimestamp(seconds, UTC), 0) == seconds // 30


def test_an_app_reads_issuer_and_address_from_the_uri() -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    uri = provisioning_uri(secret, "ada+x@example.com", "Xyra")
    assert uri == f"otpauth://totp/Xyra:ada%2Bx%40example.com?secret={secret}&issuer=Xyra"


def test_recovery_codes_are_ten_different_ones_and_each_is_used_once() -> None:
    codes = new_recovery_codes()
    assert len(set(codes)) == 10
    totp = Totp(sealed_secret="sealed", confirmed_at=NOW)
    factors = SecondFactors(totp=totp, recovery_codes=tuple(map(recovery_fingerprint, codes)))
    left = factors.without_recovery_code(codes[3].upper().replace("-", " "))
    assert left is not None
    assert len(left.recovery_codes) == 9
    assert left.without_recovery_code(codes[3]) is None
    assert factors.methods == ("totp", "recovery_code")
    assert factors.with_totp(None) == SecondFactors()


@pytest.mark.parametrize("confirmed", [None, NOW])
def test_an_app_is_a_factor_once_a_code_of_it_was_confirmed(confirmed: datetime | None) -> None:
    factors = SecondFactors(totp=Totp(sealed_secret="sealed", confirmed_at=confirmed))
    assert (factors.any, factors.methods) == ((False, ()) if confirmed is None else (True, ("totp",)))


def test_what_the_audit_trail_calls_a_change() -> None:
    pending = SecondFactors(totp=Totp(sealed_secret="sealed"))
    enrolled = SecondFactors(totp=Totp(sealed_secret="sealed", confirmed_at=NOW), recovery_codes=("a", "b"))
    used = SecondFactors(totp=Totp(sealed_secret="sealed", confirmed_at=NOW, last_step=7), recovery_codes=("a", "b"))
    fewer = enrolled.model_copy(update={"recovery_codes": ("b",)})
    renewed = enrolled.model_copy(update={"recovery_codes": ("c", "d")})
    pairs = [(SecondFactors(), pending), (pending, enrolled), (enrolled, used), (enrolled, fewer), (enrolled, renewed)]
    key = Passkey(id="pk", credential_id="c", public_key="k", name="Laptop", sign_count=0, created_at=NOW)
    both = enrolled.with_passkeys(key)
    used_key = both.with_used(key.model_copy(update={"sign_count": 1}))
    pairs += [(enrolled, SecondFactors()), (enrolled, both), (both, used_key), (both, enrolled)]
    said = [verb_of_factors(*pair) for pair in pairs]
    assert said == [
        *(None, "enrol_totp", None, "use_recovery_code", "renew_recovery_codes"),
        *("remove_totp", "add_passkey", None, "remove_passkey"),
    ]
