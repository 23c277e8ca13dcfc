"""The operator's credit packages: so many credits for a price, without tax."""

from collections.abc import Mapping
from decimal import Decimal
from typing import ClassVar

from shared.containers import CATALOG
from shared.domain.credits.amounts import CreditAmount
from shared.domain.kernel.audit import Audit, Audited
from shared.domain.kernel.entity import Entity
from shared.domain.kernel.errors import FieldError, ValidationError
from shared.domain.kernel.money import Amount, Currency
from shared.domain.payments.charge_amounts import minimum_charge, to_minor_units
from shared.services.storage import Records, Store, Stored

_PARTITION = "credit_package"
MOST_PACKAGES = 100
MOST_CURRENCIES = 50


class CreditPackage(Entity):
    """What is sold, in each currency that has a price; without one it is not sold."""

    kind: ClassVar[str] = "credit_package"
    audit: ClassVar[Audit] = Audited(area="credit_packages")
    name: str
    credits: CreditAmount
    prices: dict[Currency, Amount]


def _default(package_id: str, package_credits: int, price: str) -> CreditPackage:
    return CreditPackage(
        id=package_id,
        name=package_id.capitalize(),
        credits=Decimal(package_credits),
        prices={"USD": Decimal(price)},
    )


DEFAULT_PACKAGES = (
    _default("small", 100, "9.90"),
    _default("medium", 500, "39.90"),
    _default("large", 2000, "149.90"),
    _default("jumbo", 5000, "349.90"),
)
"""What is offered until the operator says otherwise, package by package."""


class CreditPackages:
    def __init__(self, store: Store) -> None:
        self._packages = Records(store, CATALOG, CreditPackage)

    async def all(self) -> list[CreditPackage]:
        """The smallest first."""
        packages = {package.id: package for package in DEFAULT_PACKAGES}
        page = await self._packages.page(_PARTITION, limit=MOST_PACKAGES)
        packages |= {package.id: package for package in page.entities}
        return sorted(packages.values(), key=lambda package: (package.credits, package.id))

    async def put(self, package: CreditPackage, if_match: str | None) -> Stored[CreditPackage]:
        """It holds for purchases from now on.

        Raises `ValidationError` for a price that Stripe could not charge or for more than `MOST_PACKAGES`,
        `PreconditionFailedError`.
        """
        check_prices(package.prices)
        known = {each.id for each in await self.all()}
        if package.id not in known and len(known) >= MOST_PACKAGES:
            raise ValidationError.at("{package_id}", f"there are {MOST_PACKAGES} packages, the most that can be")
        return await self._packages.change_or_create(_PARTITION, package.id, lambda _: package, if_match)


def check_prices(prices: Mapping[str, Decimal]) -> None:
    """Raises `ValidationError` with the place of each price that Stripe could not charge."""
    errors = [
        FieldError(f"/prices/{currency}", problem)
        for currency, price in prices.items()
        if (problem := _problem(price, currency)) is not None
    ]
    if errors:
        raise ValidationError("Some of the prices cannot be charged", errors=tuple(errors))


def _problem(price: Decimal, currency: str) -> str | None:
    try:
        units = to_minor_units(price, currency)
    except ValueError as error:
        return str(error)
    least = minimum_charge(currency)
    if units == 0 or (least is not None and price < least):
        return f"has to be at least {least or 'one minor unit'}: less cannot be charged in {currency}"
    return None
