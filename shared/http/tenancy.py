"""A validated request, and the organization that it is about."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Generic

import msgspec
from typing_extensions import TypeVar

from shared.bootstrap import Application
from shared.domain.access.identity import Principal
from shared.domain.kernel.errors import NotFoundError, ValidationError
from shared.domain.kernel.ids import named_id, new_id
from shared.domain.tenancy.organizations import Organization
from shared.http.schemas import NoBody, PathValues, Query
from shared.services.storage import OPERATOR

Body = TypeVar("Body", default=NoBody)
Parameters = TypeVar("Parameters", bound=Query, default=Query)
Values = TypeVar("Values", bound=PathValues, default=PathValues)

_IN_QUERY = "?organization_id"


class Call(msgspec.Struct, Generic[Body, Parameters, Values], frozen=True):
    """A request whose caller is authenticated and authorized, and whose values are valid."""

    services: Application
    principal: Principal
    body: Body
    query: Parameters
    path: Values
    headers: Mapping[str, str]
    now: datetime
    if_match: str | None
    idempotency_key: str | None
    request_hash: str
    """Tells requests with the same idempotency key apart; empty without one."""
    projects: frozenset[str] | None = None
    """The projects in which the caller may do this; None stands for the whole organization."""

    def sees(self, project_id: str | None) -> bool:
        """Whether the caller may do this with a thing of a project; None is one of the organization in no project."""
        return self.projects is None or project_id in self.projects

    def sees_all(self, project_ids: Collection[str] | None) -> bool:
        """Whether the caller may do this in all of these projects; None stands for the whole organization."""
        return self.projects is None or (project_ids is not None and self.projects.issuperset(project_ids))

    def check_sees(self, project_id: str | None) -> None:
        """Raises `NotFoundError` for a thing that the caller may not see."""
        if not self.sees(project_id):
            raise NotFoundError("There is no such thing in your projects")

    async def visible_agents(self, organization_id: str) -> frozenset[str] | None:
        """The ids of the agents that the caller may see; None stands for all of them."""
        if self.projects is None:
            return None
        return await self.services.agents.ids_in_projects(organization_id, self.projects)

    async def organization_id(self, named: str | None = None) -> str:
        """The id of the organization that the request is about.

        It is the credential's own; an operator's credential names one, here (from the path or the body), in the query,
        or in both.

        Raises `NotFoundError` for another organization than the credential's, and for one that does not exist.
        Raises `ValidationError` where an operator names none, two that differ, or one by a name that two have.
        """
        references = [reference for reference in (named, self.query.organization_id) if reference is not None]
        own = self.principal.organization_id
        if own is not None:
            for reference in references:
                if reference != own and own not in await self.services.organizations.holders(reference):
                    raise NotFoundError("There is no such organization")
            return own
        if not references:
            raise ValidationError.at(_IN_QUERY, "an operator's credential has to name the organization")
        found = [await self._named(reference) for reference in references]
        if len(set(found)) > 1:
            raise ValidationError.at(_IN_QUERY, "is another organization than the one in the path or the body")
        return found[0]

    async def _named(self, reference: str) -> str:
        """The id of the one organization that an operator names."""
        holders = await self.services.organizations.holders(reference)
        if not holders:
            raise NotFoundError("There is no such organization")
        if len(holders) > 1:
            raise ValidationError("Two organizations have this name; name the one you mean by its id")
        return next(iter(holders))

    def refuse_organization(self, instead: str) -> None:
        """Raises `ValidationError` where the query names an organization, which the request is not about."""
        if self.query.organization_id is not None:
            raise ValidationError.at(_IN_QUERY, f"has no meaning here: {instead}")

    async def organization(self) -> Organization:
        """The organization of `organization_id`."""
        return await self.services.organizations.get(await self.organization_id())

    async def organization_id_or_operator(self, named: str | None = None) -> str | None:
        """The id of the organization, or None for an operator who names none: the operator's own."""
        if self.principal.is_operator and named is None and self.query.organization_id is None:
            return None
        return await self.organization_id(named)

    async def organization_id_of(self, thing_id: str) -> str:
        """The id of the organization that owns the thing with this id.

        It is for paths that name nothing else.
        """
        if self.principal.is_operator and self.query.organization_id is None:
            return await self.services.owners.of(thing_id)
        return await self.organization_id()

    async def organization_of(self, thing_id: str) -> Organization:
        """The organization of `organization_id_of`."""
        return await self.services.organizations.get(await self.organization_id_of(thing_id))

    def new_id(self, prefix: str) -> str:
        """A new id; repeating the request with its idempotency key gives the same one."""
        if self.idempotency_key is None:
            return new_id(prefix)
        owner = self.principal.organization_id or OPERATOR
        return named_id(prefix, "idempotency", owner, self.idempotency_key, self.request_hash)
