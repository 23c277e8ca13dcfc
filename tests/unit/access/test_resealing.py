"""Secrets of second factors and identity providers stay readable when the sealing keys are replaced."""

from datetime import timedelta

import pyotp

from shared.containers import TENANTS
from shared.domain.access.identity import Principal
from shared.domain.access.identity_providers import SECRET_FIELD, IdentityProvider
from shared.domain.kernel.ids import new_id
from tests.doubles.worlds.invoiced_organization import NOW
from tests.doubles.worlds.signed_up_user import SignedUpUser

LATER = timedelta(hours=12)
"""After which every process knows the keys of a rotation."""


async def test_they_are_sealed_again_before_the_earlier_keys_are_forgotten(ada: SignedUpUser) -> None:
    host, signed_in = ada.host, await ada.sign_in()
    by = Principal(ada.account.user_id, None, frozenset(), user_id=ada.account.user_id, session_id=signed_in.session_id)
    secret = (await host.second_factors.enrol_totp(by)).secret
    provider_id = new_id("idp")
    sealed = await host.sealed_values.seal(
        "the client's secret", organization_id=ada.organization_id, field=f"{SECRET_FIELD}:{provider_id}"
    )
    provider = IdentityProvider(
        id=provider_id,
        organization_id=ada.organization_id,
        name="Acme",
        issuer="https://issuer.example.com",
        client_id="xyra",
        sealed_secret=sealed,
        default_role="viewer",
        created_at=NOW,
    )
    await ada.store.upsert(TENANTS.name, ada.organization_id, provider.document())
    for _ in range(2):
        await host.sealed_values.rotate()
        ada.clock.move(LATER)
        counts = await host.sealed_values.reseal()
        assert counts == {"second factors": 1, "identity providers": 1}
    kept = await host.identity_providers.get(ada.organization_id, provider_id)
    assert await host.identity_providers.secret_of(kept.entity) == "the client's secret"
    codes = await host.second_factors.confirm_totp(by, pyotp.TOTP(secret).at(ada.clock.now()))
    assert len(codes) == 10
