"""Credit packages: what organizations can buy."""

from typing import Annotated

import azure.functions as func
from pydantic import StringConstraints

from functions.fields import Name
from shared.domain.access.identity import Permission
from shared.domain.credits.amounts import CreditAmount
from shared.domain.kernel.money import Currency, ExactDecimal, NonNegativeAmount, RoundedAmount
from shared.domain.kernel.validation import Length
from shared.domain.kernel.validation_messages import Expected
from shared.http import Call, NoBody, PathValues, Query, Reply, Schema, endpoint
from shared.services.payments.credit_packages import MOST_CURRENCIES, CreditPackage

blueprint = func.Blueprint()


class CreditPackagePath(PathValues):
    package_id: Annotated[
        str,
        StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$"),
        Expected("an id of at most 40 lower-case letters, digits, _ and -"),
    ]
    """The package's id, such as `small`."""


class CreditPackageRequest(Schema):
    name: Name
    """What customers see."""
    credits: CreditAmount
    """How many credits are bought, with at most 6 decimals."""
    prices: Annotated[dict[Currency, NonNegativeAmount], Length(0, MOST_CURRENCIES)]
    """By currency, without tax. Without any, the package is not sold."""


class CreditPackageAnswer(Schema):
    id: str
    name: str
    """What customers see."""
    credits: ExactDecimal
    """How many credits are bought."""
    prices: dict[str, RoundedAmount]
    """By currency, without tax. In a currency that is not named it is not sold."""


class CreditPackageList(Schema):
    data: list[CreditPackageAnswer]
    """The smallest first."""


@endpoint(
    blueprint,
    "GET",
    "billing/credit-packages",
    summary="What credits can be bought, and for how much",
    access=Permission.BILLING_READ,
    answers={200: CreditPackageList},
)
async def list_credit_packages(call: Call[NoBody]) -> Reply:
    packages = await call.services.payments.credit_packages.all()
    return Reply(CreditPackageList(data=[CreditPackageAnswer.model_validate(package) for package in packages]))


@endpoint(
    blueprint,
    "PUT",
    "billing/credit-packages/{package_id}",
    summary="Set what a credit package has and costs from now on",
    access=Permission.PRICES_WRITE,
    path_values=CreditPackagePath,
    body=CreditPackageRequest,
    answers={200: CreditPackageAnswer},
    example={"name": "Small", "credits": "100", "prices": {"USD": "9.90", "EUR": "9.50"}},
)
async def put_credit_package(call: Call[CreditPackageRequest, Query, CreditPackagePath]) -> Reply:
    call.refuse_organization("the credit packages are the operator's")
    package = CreditPackage(
        id=call.path.package_id, name=call.body.name, credits=call.body.credits, prices=call.body.prices
    )
    stored = await call.services.payments.credit_packages.put(package, call.if_match)
    return Reply(CreditPackageAnswer.model_validate(stored.entity), etag=stored.etag)
