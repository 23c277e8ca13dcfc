"""E-mail addresses are compared as mail does: in lower case and NFC, and nothing is folded."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.bootstrap import Application, Ports
from shared.containers import DIRECTORY
from shared.domain.access.accounts import Account, comparable_address, earlier_address_partition
from shared.domain.kernel.errors import ConflictError, UnauthenticatedError
from shared.services.access.accounts import SignUp
from shared.settings import Settings
from tests.doubles.fakes.memory_queue import MemoryQueue
from tests.doubles.fakes.memory_store import MemoryStore
from tests.doubles.fakes.quick_passwords import hash_quickly
from tests.doubles.fakes.settable_clock import SettableClock
from tests.doubles.worlds.billing_world import NoSecrets
from tests.doubles.worlds.invoiced_organization import NOW

PASSWORD = "correct horse battery staple"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ada@Example.COM", "ada@example.com", True),
        ("jose\u0301@example.com", "jos\u00e9@example.com", True),
        ("JOS\u00c9@example.com", "jose\u0301@example.com", True),
        ("straße@example.com", "strasse@example.com", False),
        ("\ufb01nn@example.com", "finn@example.com", False),
        ("ada@straße.example", "ada@strasse.example", False),
    ],
)
def test_addresses_are_the_same_or_not(one: str, other: str, same: bool) -> None:
    assert (comparable_address(one) == comparable_address(other)) is same


@given(st.text())
def test_the_form_does_not_depend_on_how_accents_are_written(address: str) -> None:
    forms = [unicodedata.normalize(form, address) for form in ("NFC", "NFD")]
    assert len({comparable_address(form) for form in forms}) == 1
    assert comparable_address(comparable_address(address)) == comparable_address(address)


def signing_up(email: str) -> SignUp:
    return SignUp(
        email=email,
        password=PASSWORD,
        full_name="Ada",
        organization_name="New",
        currency="USD",
        timezone="UTC",
    )


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def host(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> Application:
    hash_quickly(monkeypatch)
    return Application(Ports(store, MemoryQueue(), SettableClock(NOW), NoSecrets()), Settings())


async def test_similar_addresses_have_an_account_each(host: Application) -> None:
    first, _ = await host.accounts.sign_up(signing_up("straße@example.com"))
    second, _ = await host.accounts.sign_up(signing_up("strasse@example.com"))
    assert (first.email, second.email) == ("straße@example.com", "strasse@example.com")
    assert first.user_id != second.user_id
    with pytest.raises(ConflictError):
        await host.accounts.sign_up(signing_up("STRASSE@example.com"))


async def store_as_before(store: MemoryStore, account: Account) -> None:
    await store.upsert(DIRECTORY.name, earlier_address_partition(account.email), account.document())


async def test_an_account_of_before_is_found_by_its_own_address_only(host: Application, store: MemoryStore) -> None:
    made, _ = await host.accounts.sign_up(signing_up("somebody@example.com"))
    earlier = made.changed(email="straße@example.com", user_id="usr_earlier")
    await store_as_before(store, earlier)
    with pytest.raises(UnauthenticatedError):
        await host.accounts.sign_in("strasse@example.com", PASSWORD, None)
    with pytest.raises(ConflictError):
        await host.accounts.sign_up(signing_up("Straße@example.com"))
    similar, _ = await host.accounts.sign_up(signing_up("strasse@example.com"))
    assert similar.user_id != "usr_earlier"


async def test_a_sign_up_of_before_is_completed_and_carried_over(host: Application, store: MemoryStore) -> None:
    made, organization = await host.accounts.sign_up(signing_up("somebody@example.com"))
    pending = made.changed(
        email="ada@example.com", user_id="usr_earlier", status="pending", organization_ids=("org_earlier",)
    )
    await store_as_before(store, pending)
    completed, theirs = await host.accounts.sign_up(signing_up("ada@example.com"))
    assert (completed.user_id, completed.status, theirs.id) == ("usr_earlier", "active", "org_earlier")
    assert await store.get(DIRECTORY.name, earlier_address_partition("ada@example.com"), "account") is None
    assert theirs.slug != organization.slug
