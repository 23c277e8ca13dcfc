"""Settlements: whether a wallet or an invoice pays for the usage of a period, and what a credit is worth."""

from decimal import Decimal
from typing import Literal, Self

from pydantic import model_validator

from shared.domain.kernel.errors import ValidationError
from shared.domain.kernel.money import NonNegativeAmount, exponent_of, plain
from shared.domain.kernel.validation import refusal
from shared.domain.kernel.value import Value

BillingMode = Literal["postpaid", "prepaid"]

_CREDIT_PLACES = 6


class Settlement(Value):
    """How an organization's usage is paid. It begins with a period, and a period keeps the one that it began with."""

    billing_mode: BillingMode = "postpaid"
    credit_value: NonNegativeAmount | None = None
    """What one credit is worth, in the organization's currency."""

    @model_validator(mode="after")
    def _has_a_value(self) -> Self:
        if self.billing_mode == "prepaid" and self.credit_value is None:
            raise refusal((("billing_mode",), "prepaid needs a credit_value: what one credit is worth in money"))
        return self

    @property
    def is_prepaid(self) -> bool:
        return self.billing_mode == "prepaid"


POSTPAID = Settlement()


def settled_by(billing_mode: BillingMode, credit_value: Decimal | None, currency: str) -> Settlement:
    """Raises `ValidationError` for a credit value that credits of six places cannot count out.

    Half a millionth of a credit has to stay below half a minor unit, so that an amount and its credits name each other.
    """
    if billing_mode == "prepaid" and credit_value is None:
        raise ValidationError.at("/billing_mode", "prepaid needs a credit_value: what one credit is worth in money")
    limit = Decimal(10) ** (_CREDIT_PLACES - exponent_of(currency))
    if credit_value is not None and not 0 < credit_value < limit:
        raise ValidationError.at("/credit_value", f"has to be more than 0 and less than {plain(limit)} {currency}")
    return Settlement(billing_mode=billing_mode, credit_value=credit_value)
