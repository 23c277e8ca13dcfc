"""Whose reports are taken, and how they are read: what the API key of a request says."""

from collections.abc import Iterable, Mapping
from typing import Any

from shared.domain.access.reporting import LiteLlmDestination, Reporting
from shared.domain.kernel.errors import FieldError, XyraError
from shared.domain.usage.ingestion import REFUSED
from shared.http import Call
from shared.services.ingestion.trace_records import TraceCredential
from shared.services.usage.events import MALFORMED


class NotTakenError(Exception):
    """One event that is not taken; the others of its request are."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(detail)
        self.error = FieldError(pointer, detail)


class Sender:
    """The credential of a request, and what it says about its reports."""

    def __init__(self, call: Call[Any, Any, Any]) -> None:
        self._call = call
        self._organizations: dict[tuple[bool, str | None], str] = {}
        principal = call.principal
        self.reporting = principal.key.reporting if principal.key is not None else Reporting()
        self._destinations = {(each.key, each.team): each for each in self.reporting.litellm_mapping}
        making = self.reporting.make_agents
        self.credential = TraceCredential(
            id=principal.root_id,
            by_operator=principal.is_operator,
            make_with=making.billing_model_id if making is not None else None,
            projects=None if call.projects is None else tuple(sorted(call.projects)),
        )

    def agent(self, subject: str | None, named: str | None, otherwise: str) -> str:
        """The agent of an event: its subject where that names agents, else what it names, else the key's default.

        Where there is none, the last name stands in, so that nothing is lost: an agent may be made of it.
        """
        if subject is not None and self.reporting.subject_is == "agent":
            return subject
        return named or self.reporting.default_agent or otherwise

    async def organization_id(self, subject: str | None, named: str | None) -> str:
        """The organization of an event: the credential's own, or what an operator's event names.

        A subject that names organizations does so by external id. Raises `NotTakenError`.
        """
        by_subject = self._call.principal.is_operator and self.reporting.subject_is == "organization"
        return await self._known(by_subject=by_subject, reference=subject if by_subject else named)

    def destination(self, data: Mapping[str, Any]) -> LiteLlmDestination | None:
        """Where the API key sends a call of LiteLLM, by the key or else the team that the call's data names."""
        named = ((data.get("key"), None), (data.get("key_alias"), None), (None, data.get("team")))
        for key, team in (*named, (None, data.get("team_alias"))):
            found = self._destinations.get((key, team))
            if found is not None:
                return found
        return None

    async def mapped_organization_id(self, destination: LiteLlmDestination | None, subject: str | None) -> str:
        """The organization that the mapping names, else that of the subject. Raises `NotTakenError`."""
        if destination is None or destination.organization_id is None:
            return await self.organization_id(subject, None)
        return await self._known(by_subject=False, reference=destination.organization_id)

    async def count_malformed(self, sent: Iterable[tuple[str, str]]) -> None:
        """Count events that could not be read, each by its source and type, where the request has an organization."""
        principal = self._call.principal
        if principal.is_operator and self._call.query.organization_id is None:
            return
        senders = [(self.credential.id, *source_and_type) for source_and_type in sent]
        counts = self._call.services.ingestion_counts
        counts.count(await self._call.organization_id(), senders, REFUSED + MALFORMED)

    async def _known(self, *, by_subject: bool, reference: str | None) -> str:
        name = (by_subject, reference)
        if name not in self._organizations:
            self._organizations[name] = await self._find(*name)
        return self._organizations[name]

    async def _find(self, by_subject: bool, reference: str | None) -> str:
        pointer = "/subject" if by_subject else "/organization"
        try:
            if not by_subject:
                return await self._call.organization_id(reference)
            found = await self._call.services.organizations.find_by_external_id(reference or "")
        except XyraError as error:
            raise NotTakenError(pointer, error.detail) from error
        if found is None:
            raise NotTakenError(pointer, "there is no organization with this external id")
        return found
