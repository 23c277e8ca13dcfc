"""Erasures reach what other areas keep, and one that was cut short at its last step is finished by the next try."""

from dataclasses import replace

import pytest

from shared.bootstrap import Application
from shared.containers import DIRECTORY, INVOICES
from shared.domain.access.accounts import user_partition
from shared.domain.kernel.errors import UnavailableError
from shared.domain.payments.requests import KeyedRequest
from shared.services.payments.customers import PaymentCustomer
from shared.settings import Settings
from tests.doubles.worlds.signed_up_user import SignedUpUser


class StubbornRemnants:
    """Files of a machine that something else is reading."""

    def __init__(self) -> None:
        self.tries = 0
        self.overwritten = 0
        self.fails_at: frozenset[int] = frozenset()

    async def remove_mails(self, address: str) -> None:
        """There are none."""

    async def overwrite_deleted(self) -> None:
        self.tries += 1
        if self.tries in self.fails_at:
            raise UnavailableError("The log of the database is being read, and cannot be cut now")
        self.overwritten = self.tries


@pytest.mark.parametrize("fails_at", [{1}, {2}, {2, 3}], ids=str)
async def test_the_log_is_cut_after_the_last_deletion_whatever_failed(ada: SignedUpUser, fails_at: set[int]) -> None:
    remnants = StubbornRemnants()
    remnants.fails_at = frozenset(fails_at)
    host = Application(replace(ada.ports, remnants=remnants), Settings())
    await ada.second_owner(await ada.sign_up_another("grace@example.com"))
    user_id = ada.account.user_id
    tries = 0
    while True:
        tries += 1
        try:
            await host.erasures.carry_out(user_id)
            break
        except UnavailableError:
            assert tries < 5
    assert await ada.store.get(DIRECTORY.name, user_partition(user_id), "account") is None
    assert tries == len(fails_at) + 1
    assert remnants.overwritten == remnants.tries
    assert remnants.tries > max(fails_at)


@pytest.mark.parametrize(
    ("email", "name", "kept"),
    [
        ("Ada@Example.com", "Ada Lovelace", (None, None)),
        ("ada@example.com", "Engines", (None, "Engines")),
        ("accounts@example.com", "Engines", ("accounts@example.com", "Engines")),
    ],
)
async def test_the_customer_at_stripe_no_longer_names_who_was_erased(
    ada: SignedUpUser, email: str, name: str, kept: tuple[str | None, str | None]
) -> None:
    await ada.second_owner(await ada.sign_up_another("grace@example.com"))
    organization = await ada.host.organizations.get(ada.organization_id)
    customer = PaymentCustomer(
        id="payment_customer",
        email=email,
        name=name,
        creation=KeyedRequest.first(ada.clock.now()),
        stripe_id="cus_1",
        default_method_id="pm_1",
    )
    await ada.store.upsert(INVOICES.name, organization.id, customer.document())
    await ada.host.erasures.carry_out(ada.account.user_id)
    left = await ada.host.payments.customers.get(organization)
    assert (left.email, left.name) == kept
    assert (left.stripe_id, left.default_method_id) == ("cus_1", "pm_1")
