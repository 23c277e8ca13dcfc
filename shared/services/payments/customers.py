"""The customer of an organization at the payment provider, and the payment methods that it has there."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import ClassVar

from shared.containers import INVOICES
from shared.domain.access.accounts import Account, comparable_address
from shared.domain.kernel.audit import Audit, Audited
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import ConflictError, ForbiddenError, NotFoundError, UnavailableError, ValidationError
from shared.domain.kernel.ids import new_id
from shared.domain.payments.requests import LANDED_AFTER, SENT_FOR, KeyedRequest
from shared.domain.tenancy.organizations import Organization
from shared.ports.clock import Clock
from shared.ports.payments import (
    Created,
    MethodKind,
    NewCustomer,
    OutcomeUnknownError,
    PaymentMethod,
    PaymentModes,
    PaymentRefusedError,
    Payments,
    SetupIntent,
)
from shared.services.storage import Records, Store, Stored

_ID = "payment_customer"
_STEPS = 3


class PaymentCustomer(Entity):
    """Claimed here before it is created there, so that an organization has one."""

    kind: ClassVar[str] = "payment_customer"
    audit: ClassVar[Audit] = Audited(area="payments", secret=frozenset({"email", "name"}))
    email: str | None
    name: str | None
    creation: KeyedRequest
    stripe_id: str | None = None
    """None until the provider's answer is known."""
    default_method_id: str | None = None
    is_refused: bool = False
    """Whether the provider refused these values: the next ones go under another key."""

    def asked_for(self, email: str | None, name: str | None) -> "PaymentCustomer":
        return self.changed(email=email, name=name, is_refused=False) if self.is_refused else self


class PaymentCustomers:
    def __init__(self, store: Store, clock: Clock, modes: PaymentModes) -> None:
        self._customers = Records(store, INVOICES, PaymentCustomer, called="customer at the payment provider")
        self._clock = clock
        self._modes = modes

    async def get(self, organization: Organization) -> PaymentCustomer:
        """Raises `NotFoundError` until there is one, `ForbiddenError` for who has another payer."""
        self._check_pays(organization)
        stored = await self._customers.get(organization.id, _ID)
        if stored.entity.stripe_id is None:
            raise NotFoundError("The customer has not been created yet: send POST /billing/customer again")
        return stored.entity

    async def ensure(self, organization: Organization, email: str | None, name: str | None) -> PaymentCustomer:
        """The customer, created now unless it is there. Who it is first created for stays.

        Raises `UnavailableError` while the provider's answer is not known; then it is to be asked for again.
        `ValidationError` for what the provider refuses, `ForbiddenError` for who has another payer.
        """
        self._check_pays(organization)
        payments = await self._modes.of(livemode=organization.livemode)
        claim = PaymentCustomer(id=_ID, email=email, name=name, creation=KeyedRequest.first(self._clock.now()))
        stored = await self._customers.change_or_create(
            organization.id, _ID, lambda current: claim if current is None else current.asked_for(email, name)
        )
        for _ in range(_STEPS):
            if stored.entity.stripe_id is not None:
                return stored.entity
            stored = await self._created(payments, organization.id, stored)
        raise UnavailableError("The customer is being created; ask again")

    async def _created(
        self, payments: Payments, organization_id: str, stored: Stored[PaymentCustomer]
    ) -> Stored[PaymentCustomer]:
        claim, now = stored.entity, self._clock.now()
        if claim.creation.may_be_sent(now):
            return await self._send(payments, organization_id, claim)
        if claim.creation.doubt != "burnt" and now < (decided_at := _decided_at(claim.creation)):
            raise UnavailableError(
                "Stripe has not said whether it has created the customer",
                retry_after=(decided_at - now).total_seconds(),
            )
        since = claim.creation.committed_at - LANDED_AFTER
        listed = await payments.customers(Created(since, now), claim.email)
        ours = [customer.id for customer in listed if customer.organization_id == organization_id]
        if ours:
            return await self._change(organization_id, stripe_id=ours[-1])
        return await self._change(organization_id, creation=claim.creation.next(now))

    async def _send(self, payments: Payments, organization_id: str, claim: PaymentCustomer) -> Stored[PaymentCustomer]:
        number = claim.creation.number
        key = f"cus:{organization_id}" if number == 1 else f"cus:{organization_id}:{number}"
        new = NewCustomer(organization_id, claim.email, claim.name)
        try:
            customer = await payments.create_customer(new, key)
        except OutcomeUnknownError as error:
            doubted = claim.creation.doubted(error.doubt, self._clock.now())
            if doubted == claim.creation:
                raise
            stored = await self._change(organization_id, creation=doubted)
            if error.doubt != "burnt":
                raise
            return stored
        except PaymentRefusedError as error:
            await self._change(organization_id, creation=claim.creation.next(self._clock.now()), is_refused=True)
            raise ValidationError.at("/email", f"is refused by Stripe: {error}") from error
        return await self._change(organization_id, stripe_id=customer.id)

    async def _change(self, organization_id: str, **changes: object) -> Stored[PaymentCustomer]:
        """What is known of a customer stays: it is created once."""

        def change(current: PaymentCustomer) -> PaymentCustomer:
            return current if current.stripe_id is not None else current.changed(**changes)

        return await self._customers.change(organization_id, _ID, change)

    async def forget(self, organization_id: str, account: Account) -> None:
        """Take out the address and the name of who is erased. Safe to repeat.

        A creation whose outcome is not known is then not repeated with other values: what it has made is found by its
        metadata a day later. What Stripe keeps of the customer is for the operator to change there.
        """
        erased = comparable_address(account.email)

        def without(customer: PaymentCustomer) -> PaymentCustomer:
            is_theirs = customer.email is not None and comparable_address(customer.email) == erased
            return customer.changed(
                email=None if is_theirs else customer.email,
                name=None if customer.name == account.full_name else customer.name,
            )

        if await self._customers.find(organization_id, _ID) is not None:
            await self._customers.change(organization_id, _ID, without)

    # Payment methods

    async def set_up(self, organization: Organization, kinds: Sequence[MethodKind]) -> SetupIntent:
        """By which the customer gives a payment method. A second one does no harm."""
        customer, payments = await self._known(organization)
        try:
            return await payments.create_setup_intent(customer, kinds, new_id("setup"))
        except PaymentRefusedError as error:
            raise ValidationError.at("/types", f"is refused by Stripe: {error}") from error

    async def methods(self, organization: Organization) -> tuple[list[PaymentMethod], str | None]:
        """With the id of the default one. None where there is no customer yet."""
        try:
            customer, payments = await self._known(organization)
        except NotFoundError:
            return [], None
        return await payments.payment_methods(customer), (await self.get(organization)).default_method_id

    async def set_default(self, organization: Organization, method_id: str) -> PaymentMethod:
        """Raises `NotFoundError` for a method of somebody else, `ConflictError` where the provider refuses it."""
        customer, payments = await self._known(organization)
        method = await self._own(payments, customer, method_id)
        with _refusals():
            await payments.set_default_method(customer, method_id, new_id("default"))
        await self._set_default(organization.id, method_id)
        return method

    async def detach(self, organization: Organization, method_id: str) -> None:
        """Raises as `set_default`."""
        customer, payments = await self._known(organization)
        await self._own(payments, customer, method_id)
        with _refusals():
            await payments.detach_method(method_id, new_id("detach"))
        if (await self.get(organization)).default_method_id == method_id:
            await self._set_default(organization.id, None)

    async def _set_default(self, organization_id: str, method_id: str | None) -> None:
        await self._customers.change(
            organization_id, _ID, lambda customer: customer.changed(default_method_id=method_id)
        )

    async def _known(self, organization: Organization) -> tuple[str, Payments]:
        customer = await self.get(organization)
        assert customer.stripe_id is not None, "as `get` has checked"  # noqa: S101  narrows the type
        return customer.stripe_id, await self._modes.of(livemode=organization.livemode)

    @staticmethod
    async def _own(payments: Payments, customer_id: str, method_id: str) -> PaymentMethod:
        method = await payments.payment_method(method_id)
        if method.customer_id != customer_id:
            raise NotFoundError("There is no such payment method")
        return method

    def _check_pays(self, organization: Organization) -> None:
        if organization.payer_at(self._clock.now()) != organization.id:
            raise ForbiddenError("Another organization pays for this one: payment methods and purchases are its own")


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except PaymentRefusedError as error:
        raise ConflictError(f"Stripe refuses it: {error}") from error


def _decided_at(creation: KeyedRequest) -> datetime:
    """A second customer would do harm: none is created before whatever may have been sent has landed."""
    return creation.committed_at + SENT_FOR + LANDED_AFTER
