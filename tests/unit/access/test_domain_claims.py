"""Domains that a provider gives up are free for others."""

from typing import Any

import pytest

from shared.containers import DIRECTORY, TENANTS
from shared.domain.access.identity_providers import DomainHolder, IdentityProvider, domain_partition
from shared.services.storage import Records
from tests.doubles.worlds.invoiced_organization import NOW
from tests.doubles.worlds.signed_up_user import SignedUpUser

DOMAIN = "engines.example.com"


@pytest.mark.parametrize("changes", [{"domains": ()}, None], ids=["given up", "removed"])
async def test_a_check_that_was_cut_short_keeps_no_domain(ada: SignedUpUser, changes: dict[str, Any] | None) -> None:
    """It had taken the domain, and had not noted yet that it is verified."""
    organization_id = ada.organization_id
    store = ada.host.audited_store
    provider = IdentityProvider(
        id="idp_engines",
        organization_id=organization_id,
        name="Engines",
        issuer="https://login.example.com",
        client_id="xyra",
        sealed_secret="",
        default_role="viewer",
        created_at=NOW,
    ).with_domains((DOMAIN,))
    await Records(store, TENANTS, IdentityProvider).create(organization_id, provider)
    holders = Records(store, DIRECTORY, DomainHolder)
    await holders.create(
        domain_partition(DOMAIN), DomainHolder(organization_id=organization_id, provider_id=provider.id)
    )

    providers = ada.host.identity_providers
    if changes is None:
        await providers.remove(organization_id, provider.id, None)
    else:
        await providers.change(organization_id, provider.id, changes, None)
    assert await holders.find(domain_partition(DOMAIN), "domain") is None
