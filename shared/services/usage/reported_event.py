"""Usage events as they were sent."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec
from msgspec import structs

from shared.domain.kernel.errors import FieldError
from shared.domain.kernel.ids import is_id
from shared.domain.tenancy.agents import Agent
from shared.domain.tenancy.organizations import Organization
from shared.domain.usage.outcomes import is_outcome
from shared.domain.usage.payments import PAYMENT_PREFIXES

NOT_OF_SENDER = "agt_notinthesendersprojects"
"""In place of an agent that the sender of a taken event may not report for. No agent has or gets this id."""


class ReportedEvent(msgspec.Struct, frozen=True):
    """An event as it was sent: well-formed, not yet checked against agents and clock."""

    index: int
    """Its place in the request."""
    id: str
    type: str
    agent: str
    source: str
    time: datetime | None
    run: str | None
    data: dict[str, Any]
    organization_id: str
    reporter: str | None = None
    """The user, or the root of the API key's line."""
    by_operator: bool = False
    """Whether the credential is the operator's."""
    by_protocol: bool = False
    """Whether a route of another protocol took it: the first of an identity stands, whatever later ones say, and what
    names an unknown or deleted agent is parked."""
    compared: tuple[str, ...] = ()
    """By protocol: names in the data. A repetition that differs in them is warned of."""
    is_taken: bool = False
    """Whether its sender was told before that it is taken: its time is checked no more."""
    extensions: Mapping[str, Any] = {}
    """Extension attributes of a CloudEvent."""
    paid_with: str | None = None
    """The use, hold or lease whose credits have paid for it."""
    may_spend: bool = False
    """Whether its sender may spend credits."""
    projects: frozenset[str] | None = None
    """The projects whose agents its sender may report for; None stands for all agents."""

    def may_name(self, agent: Agent | None) -> bool:
        """Whether its sender may report for an agent, None where it names none that there is."""
        return self.projects is None or agent is None or agent.project_id in self.projects

    def parked_for(self, agents: Mapping[str, Agent]) -> "ReportedEvent":
        """The event; what can no longer be refused is parked where its sender may not name its agent."""
        if not self.is_taken or self.may_name(agents.get(self.agent)):
            return self
        return structs.replace(self, agent=NOT_OF_SENDER, data={**self.data, "named_agent": self.agent})


def errors_in_payment(event: ReportedEvent, organization: Organization) -> Iterator[FieldError]:
    """What is wrong with the payment that an event names; whether there is such a payment shows when it is metered."""
    if not organization.settings.paid_usage:
        yield FieldError("/paid_with", "the operator has not allowed this organization to pay usage with credits")
    if not event.may_spend:
        yield FieldError("/paid_with", "needs the permission credits:use")
    if is_outcome(event.type):
        yield FieldError("/paid_with", "is not for outcomes: they are paid once they are verified")
    if not any(is_id(event.paid_with or "", prefix) for prefix in PAYMENT_PREFIXES):
        yield FieldError("/paid_with", "is not the id of a transaction, hold or lease")
    if organization.credit_value is None and not organization.credit_values:
        yield FieldError("/paid_with", "the organization has no credit_value: nobody can tell what its credits pay")
