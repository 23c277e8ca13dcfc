"""Identity providers of an organization, and the domains that they speak for."""

from datetime import datetime
from typing import Annotated, Self

import azure.functions as func
from pydantic import AfterValidator, Field, StringConstraints

from functions.fields import Listed, Name
from shared.domain.access.identity import Permission, Role
from shared.domain.access.identity_providers import MAXIMUM_DOMAINS, RECORD, IdentityProvider, checked_domain
from shared.domain.kernel.errors import ConflictError, ForbiddenError
from shared.domain.kernel.validation import Length
from shared.http import Call, MergePatch, NoBody, PathValues, Query, Reply, Schema, ThingId, endpoint

blueprint = func.Blueprint()

Issuer = Annotated[str, StringConstraints(min_length=8, max_length=512, pattern=r"^https?://[^\s?#]+$")]
Domain = Annotated[str, StringConstraints(max_length=253), AfterValidator(checked_domain)]
Domains = Annotated[tuple[Domain, ...], Length(0, MAXIMUM_DOMAINS)]
ClientText = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class ProviderPath(PathValues):
    provider_id: Annotated[str, ThingId("idp")]
    """The provider's id."""


class DomainPath(ProviderPath):
    domain: Domain
    """One of the provider's domains."""


class IdentityProviderRequest(Schema):
    name: Name
    issuer: Issuer
    """As the provider calls itself: `https://login.microsoftonline.com/{tenant}/v2.0`, `https://accounts.google.com`.
    Its description is at `/.well-known/openid-configuration` below it.
    """
    client_id: ClientText
    """As what Xyra is registered there."""
    client_secret: ClientText
    """Of that registration. It is stored sealed, and never shown."""
    domains: Domains = ()
    """Domains of e-mail addresses that it speaks for, once each is verified."""
    default_role: Role = "viewer"
    """Of members who come from it for the first time; never owner."""
    password_allowed: bool = True
    """Whether members may sign in to the organization otherwise, too. False once a domain was verified."""
    organization_id: str | None = Field(default=None, max_length=256)
    """Whose it is; only operators need it."""


class IdentityProviderPatch(MergePatch):
    name: Name = ""
    client_id: ClientText = ""
    """As what Xyra is registered there."""
    client_secret: ClientText = ""
    """Of that registration."""
    domains: Domains = ()
    """All of them: those that are left out are given up."""
    default_role: Role = "viewer"
    """Of members who come from it for the first time; never owner."""
    password_allowed: bool = True
    """Whether members may sign in to the organization otherwise, too."""


class DomainAnswer(Schema):
    domain: str
    """A domain of e-mail addresses."""
    record: str
    """The name at which a TXT record is looked for."""
    token: str
    """What the record has to say."""
    verified_at: datetime | None
    """When the record was found; null until then."""


class IdentityProviderAnswer(Schema):
    id: str
    organization_id: str
    name: str
    issuer: str
    """As the provider calls itself."""
    client_id: str
    """As what Xyra is registered there."""
    redirect_uri: str
    """To be registered at the provider."""
    domains: list[DomainAnswer]
    """Domains that it speaks for, as far as they are verified."""
    default_role: str
    """Of members who come from it for the first time."""
    password_allowed: bool
    """Whether members may sign in to the organization otherwise, too."""
    created_at: datetime

    @classmethod
    def of(cls, provider: IdentityProvider, redirect_uri: str) -> Self:
        domains = [DomainAnswer.showing(each, record=RECORD + each.domain) for each in provider.domains]
        return cls.showing(provider, domains=domains, redirect_uri=redirect_uri)


def _check_role(role: Role) -> None:
    if role == "owner":
        raise ForbiddenError("Nobody becomes an owner by arriving: choose another default_role")


def _answer(call: Call[object, Query, PathValues], provider: IdentityProvider) -> IdentityProviderAnswer:
    return IdentityProviderAnswer.of(provider, call.services.single_sign_on.redirect_uri(provider))


@endpoint(
    blueprint,
    "POST",
    "identity-providers",
    summary="Let an organization's people sign in by its identity provider",
    access=Permission.IDENTITY_PROVIDERS_WRITE,
    body=IdentityProviderRequest,
    answers={201: IdentityProviderAnswer},
    example={
        "name": "Acme",
        "issuer": "https://login.example.com",
        "client_id": "xyra",
        "client_secret": "the-secret-of-the-registration",
        "domains": ["acme.example.com"],
    },
)
async def create_identity_provider(call: Call[IdentityProviderRequest]) -> Reply:
    body = call.body
    _check_role(body.default_role)
    provider = IdentityProvider(
        id=call.new_id("idp"),
        organization_id=await call.organization_id(body.organization_id),
        name=body.name,
        issuer=body.issuer,
        client_id=body.client_id,
        sealed_secret="",
        default_role=body.default_role,
        password_allowed=body.password_allowed,
        created_at=call.now,
    )
    stored = await call.services.identity_providers.create(provider, body.client_secret, body.domains)
    return Reply(_answer(call, stored.entity), etag=stored.etag)


@endpoint(
    blueprint,
    "GET",
    "identity-providers",
    summary="The identity providers of an organization. There are at most 10",
    access=Permission.IDENTITY_PROVIDERS_WRITE,
    answers={200: Listed[IdentityProviderAnswer]},
)
async def list_identity_providers(call: Call) -> Reply:
    providers = await call.services.identity_providers.all(await call.organization_id())
    return Reply({"data": [_answer(call, provider) for provider in providers], "next_cursor": None})


@endpoint(
    blueprint,
    "GET",
    "identity-providers/{provider_id}",
    summary="One identity provider",
    access=Permission.IDENTITY_PROVIDERS_WRITE,
    path_values=ProviderPath,
    answers={200: IdentityProviderAnswer},
)
async def get_identity_provider(call: Call[NoBody, Query, ProviderPath]) -> Reply:
    owner = await call.organization_id_of(call.path.provider_id)
    stored = await call.services.identity_providers.get(owner, call.path.provider_id)
    return Reply(_answer(call, stored.entity), etag=stored.etag)


@endpoint(
    blueprint,
    "PATCH",
    "identity-providers/{provider_id}",
    summary="Change an identity provider. Another issuer is another provider",
    access=Permission.IDENTITY_PROVIDERS_WRITE,
    path_values=ProviderPath,
    body=IdentityProviderPatch,
    answers={200: IdentityProviderAnswer},
    example={"password_allowed": True},
)
async def update_identity_provider(call: Call[IdentityProviderPatch, Query, ProviderPath]) -> Reply:
    owner = await call.organization_id_of(call.path.provider_id)
    changes = call.body.model_dump(exclude_unset=True)
    _check_role(changes.get("default_role", "viewer"))
    stored = await call.services.identity_providers.change(owner, call.path.provider_id, changes, call.if_match)
    return Reply(_answer(call, stored.entity), etag=stored.etag)


@endpoint(
    blueprint,
    "DELETE",
    "identity-providers/{provider_id}",
    summary="Remove an identity provider. Sessions by it end, and its domains are free",
    access=Permission.IDENTITY_PROVIDERS_WRITE,
    path_values=ProviderPath,
    answers={204: None},
)
async def remove_identity_provider(call: Call[NoBody, Query, ProviderPath]) -> Reply:
    owner = await call.organization_id_of(call.path.provider_id)
    await call.services.identity_providers.remove(owner, call.path.provider_id, call.if_match)
    return Reply()


@endpoint(
    blueprint,
    "POST",
    "identity-providers/{provider_id}/domains/{domain}/verify",
    summary="Look for the record that shows that a domain is the organization's",
    access=Permission.IDENTITY_PROVIDERS_WRITE,
    path_values=DomainPath,
    answers={200: IdentityProviderAnswer},
    errors=(ConflictError,),
)
async def verify_domain(call: Call[NoBody, Query, DomainPath]) -> Reply:
    owner = await call.organization_id_of(call.path.provider_id)
    verify = call.services.identity_providers.verify
    stored = await verify(owner, call.path.provider_id, call.path.domain)
    return Reply(_answer(call, stored.entity), etag=stored.etag)
