"""Settings of an organization: those that the operator decides, and those that it decides itself."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from shared.domain.kernel.errors import FieldError, ForbiddenError
from shared.domain.kernel.merge_patch import merge_patch
from shared.domain.kernel.money import NonNegativeAmount
from shared.domain.kernel.validation import Length
from shared.domain.kernel.value import Value

MAXIMUM_CONTACTS = 10
MAXIMUM_FLAGS = 50
MAXIMUM_REMINDERS = 10
MAXIMUM_URL = 2000
MAXIMUM_BALANCE_ALERTS = 10
DEFAULT_BALANCE_ALERTS = (Decimal(50), Decimal(10))
_FLAG = re.compile(r"[a-z][a-z0-9_.-]{0,63}")


def _checked_flags(flags: dict[str, bool]) -> dict[str, bool]:
    for name in flags:
        if not _FLAG.fullmatch(name):
            raise ValueError("has a name that is not 1 to 64 small letters, digits and _ . -, a letter first")
    return flags


Flags = Annotated[dict[str, bool], Length(0, MAXIMUM_FLAGS), AfterValidator(_checked_flags)]
"""Feature flags by name."""


def _in_order(days: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(days)) < len(days):
        raise ValueError("names a day twice")
    return tuple(sorted(days))


ReminderDays = Annotated[
    tuple[Annotated[int, Field(ge=-60, le=365, strict=True)], ...],
    Length(0, MAXIMUM_REMINDERS),
    AfterValidator(_in_order),
]
RestrictedAfterDays = Annotated[int, Field(ge=0, le=365, strict=True)]


class OrganizationSettings(Value):
    """Settings of an organization that only the operator changes."""

    self_managed_pricing: bool = False
    """Whether the organization writes its own billing models."""
    reported_llm_costs: bool = False
    """Whether the cost that an LLM call reports is its cost, where neither an override nor the price list has one."""
    reported_llm_terms: bool = False
    """Whether the organization's credentials may report LLM calls with the customer's own key (`byok`), and with other
    service tiers than the standard one; else those calls cost the standard price.
    """
    paid_usage: bool = False
    """Whether events may name with `paid_with` what credits have paid for, and then cost only what goes beyond that."""
    unverified_may_write: bool = False
    """Whether members whose e-mail address is not verified may change things, as if it were."""
    overdraft: NonNegativeAmount = Decimal(0)
    """How far below zero the available credits of the default kind may fall by uses and holds."""
    reminder_days: ReminderDays = (-3, 1, 7, 14)
    """When people are reminded of an open invoice: days from when it is due, negative before that. Empty for never."""
    restricted_after_days: RestrictedAfterDays | None = None
    """How many days an invoice may be overdue before new agents, keys and spending are refused; null for ever."""
    flags: Flags = {}
    """Feature flags: which features the operator switched on or off."""


PackageName = Literal["small", "medium", "large", "jumbo"]


class TopUpSetting(Value):
    """When credits are bought by themselves, and how many."""

    threshold: NonNegativeAmount
    """Below this balance of the default kind."""
    package: PackageName
    """Small, medium, large, jumbo: 100, 500, 2,000, 5,000 credits for 9.90, 39.90, 149.90, 349.90 USD."""
    monthly_maximum: NonNegativeAmount
    """What all top-ups of a local month may cost, in USD."""
    cool_down_seconds: int = Field(default=3600, ge=60, le=31 * 24 * 3600, strict=True)
    """The pause after one has ended, paid or not."""


class OwnSettings(Value):
    """Settings of an organization that it changes itself."""

    billing_contacts: tuple[str, ...] = ()
    """E-mail addresses that get what concerns billing, besides `billing_email`."""
    webhook_url: str | None = None
    metadata: str = "{}"
    """JSON as text, because numbers in Cosmos documents become doubles."""
    mfa_required: bool = False
    """Whether its members need a second factor."""
    top_up: TopUpSetting | None = None
    """None where nothing is bought by itself."""
    balance_alerts: tuple[NonNegativeAmount, ...] = DEFAULT_BALANCE_ALERTS
    """Below which balances of the default kind an alert is raised."""
    step_up_required: bool = False
    """Whether its members show anew who they are before they change money or access."""

    def of_owners(self) -> Mapping[str, bool]:
        """Those that stay as they are where they are left out."""
        return {name: getattr(self, name) for name in OF_OWNERS}


OF_OWNERS = ("mfa_required", "step_up_required")
"""Of an organization's own settings, those that only an owner changes. Left out they stay as they are."""


@dataclass(frozen=True, slots=True)
class SettingsChanger:
    """What the caller who replaces the settings may decide."""

    is_operator: bool
    may_require_factors: bool
    """Whether the caller may change `OF_OWNERS`."""


def replaced_settings(
    before: tuple[OrganizationSettings, OwnSettings],
    own: OwnSettings,
    operators: Mapping[str, object],
    changer: SettingsChanger,
) -> tuple[OrganizationSettings, OwnSettings]:
    """The settings after a replacement: the organization's own as sent, the operator's only where they were sent.

    Raises `ForbiddenError` for a changed value that the caller may not decide.
    """
    settings = before[0].model_copy(update=dict(operators))
    changed = [name for name in operators if getattr(settings, name) != getattr(before[0], name)]
    refused = [] if changer.is_operator else changed
    if not changer.may_require_factors:
        refused += [name for name in OF_OWNERS if getattr(own, name) != getattr(before[1], name)]
    if refused:
        who = "an owner" if set(refused) <= set(OF_OWNERS) else "the operator"
        raise ForbiddenError(
            f"Only {who} changes {', '.join(sorted(refused))}; leave it out or send it as it is",
            errors=tuple(FieldError(f"/{name}", "is not yours to change") for name in sorted(refused)),
        )
    return settings, own


def checked_webhook_url(url: str) -> str:
    """The URL unchanged. Raises `ValueError` unless it is an https URL of a named host, without a password in it."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError("is not a URL that begins with https:// and names a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("has a user or password in it, which many would see")
    return url


def patched_settings(current: OrganizationSettings, patch: dict[str, Any] | None) -> dict[str, Any]:
    """The operator's settings after a merge patch. Flags are replaced as a whole; null resets everything."""
    patched: dict[str, Any] = merge_patch(current.model_dump(), patch) or {}
    if patch is not None and patch.get("flags") is not None:
        patched["flags"] = patch["flags"]
    return patched
