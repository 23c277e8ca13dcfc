"""Which passwords are taken, and how long it takes to say so."""

import random
import time

import pytest

from shared.domain.access.password_policy import MAXIMUM_PASSWORD, check_strength
from shared.domain.kernel.errors import ConflictError, LockedError, UnauthenticatedError, ValidationError
from tests.doubles.worlds.signed_up_user import ADA, PASSWORD, SignedUpUser, signing_up

NEW = [f"seven green umbrellas in the {weather}" for weather in ("rain", "snow", "hail", "storm", "mist", "fog")]


def detail_of(password: str) -> str | None:
    try:
        check_strength(password, email="ada.king@analytical.example", full_name="Augusta Ada Lovelace")
    except ValidationError as error:
        return error.errors[0].detail
    return None


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "Sieben grüne Schirme im Regen",
        "kJ8#mQ2$vX9!pL",
        "四つの緑の傘が雨の中にある風景です",
        "x" * 8 + "kJ8#mQ2$vX9!pL" * 15,
    ],
)
def test_a_password_that_is_hard_to_guess_is_taken(password: str) -> None:
    assert detail_of(password) is None


@pytest.mark.parametrize(
    ("password", "detail"),
    [
        ("", "shorter"),
        ("kJ8#mQ2$vX9!p", "shorter"),
        ("kJ8#mQ2$vX9!pL" * 19, "longer"),
        ("a" * 14, "easy"),
        ("password123456", "easy"),
        ("qwertyuiop[]asdf", "easy"),
        ("20112011201120", "easy"),
        ("ada.king@analytical.example", "easy"),
        ("augustaadalovelace", "easy"),
        ("Augusta Ada Lovelace", "easy"),
        ("p@ssw0rdp@ssw0rd", "easy"),
    ],
)
def test_a_password_that_is_easy_to_guess_is_refused(password: str, detail: str) -> None:
    assert detail in str(detail_of(password))


def test_no_password_takes_long_to_judge() -> None:
    """Signs that can be read as letters in many ways took zxcvbn 15 s by themselves."""
    detail_of(PASSWORD)  # the word lists are loaded
    signs = "4@8({[<369!1|0$5+7%2"
    chosen = random.Random(1)
    passwords = [(signs * 13)[:MAXIMUM_PASSWORD], "".join(chosen.choices(signs + "aeiost", k=MAXIMUM_PASSWORD))]
    passwords += [("".join(chosen.choices(signs, k=6)) * 43)[:MAXIMUM_PASSWORD] for _ in range(10)]
    for password in passwords:
        before = time.process_time()
        detail_of(password)
        assert time.process_time() - before < 1, password


async def test_sign_up_takes_the_name_and_the_address_for_hints(ada: SignedUpUser) -> None:
    wanted = signing_up("grace.hopper@example.com", full_name="Grace Hopper", password="Grace.Hopper@example.com")
    with pytest.raises(ValidationError) as refused:
        await ada.host.accounts.sign_up(wanted)
    assert [error.pointer for error in refused.value.errors] == ["/password"]


async def change(ada: SignedUpUser, current: str, password: str) -> None:
    await ada.host.password_changes.change(ada.account.user_id, current, password)


async def test_a_change_ends_all_sessions_and_only_the_new_password_works(ada: SignedUpUser) -> None:
    sessions = [await ada.sign_in() for _ in range(2)]
    await change(ada, PASSWORD, NEW[0])
    for session in sessions:
        assert await ada.is_refused(session.access_token)
        with pytest.raises(UnauthenticatedError):
            await ada.host.sessions.refresh(session.refresh_token)
    with pytest.raises(UnauthenticatedError):
        await ada.sign_in()
    assert await ada.sign_in(NEW[0])


async def test_the_last_five_passwords_cannot_be_used_again(ada: SignedUpUser) -> None:
    used = [PASSWORD]
    for password in NEW[:5]:
        await change(ada, used[-1], password)
        used.append(password)
    for password in used[-5:]:
        with pytest.raises(ValidationError) as refused:
            await change(ada, used[-1], password)
        assert [error.pointer for error in refused.value.errors] == ["/password"]
    await change(ada, used[-1], used[0])
    assert await ada.sign_in(used[0])


async def test_a_wrong_present_password_changes_nothing_and_locks_the_change_after_five(ada: SignedUpUser) -> None:
    session = await ada.sign_in()
    for _ in range(5):
        with pytest.raises(ValidationError) as refused:
            await change(ada, "not the right password", NEW[0])
        assert [error.pointer for error in refused.value.errors] == ["/current"]
    with pytest.raises(LockedError):
        await change(ada, PASSWORD, NEW[0])
    assert await ada.permissions(session.access_token)
    assert await ada.sign_in()


async def test_of_two_changes_at_once_one_is_refused(ada: SignedUpUser) -> None:
    account = await ada.host.accounts.get(ada.account.user_id)
    await ada.host.password_changes.replace(account, NEW[0])
    with pytest.raises(ConflictError):
        await ada.other_host.password_changes.replace(account, NEW[1])
    assert await ada.sign_in(NEW[0])


async def test_a_new_password_whatever_the_present_one_is_forgets_devices(ada: SignedUpUser) -> None:
    device = (await ada.sign_in()).device_token
    await ada.host.password_changes.replace(await ada.host.accounts.get(ada.account.user_id), NEW[0])
    for _ in range(5):
        with pytest.raises(UnauthenticatedError):
            await ada.host.accounts.sign_in(ADA, "not the right password", None)
    with pytest.raises(LockedError):
        await ada.sign_in(NEW[0], device)
