"""The services by which people and machines sign in, wired: a part of the application of its own."""

from contextlib import AsyncExitStack

from shared.adapters.dns.text_records import DnsTextRecords
from shared.adapters.openid import OpenIdProviders
from shared.ports.clock import Clock
from shared.ports.outbound import Outbound
from shared.ports.secrets import Secrets
from shared.services.access.accounts import Accounts
from shared.services.access.api_keys import ApiKeys
from shared.services.access.arrivals import Arrivals
from shared.services.access.factor_checks import FactorChecks
from shared.services.access.identity_providers import IdentityProviders
from shared.services.access.lockout import Lockout
from shared.services.access.made_credentials import MadeCredentials
from shared.services.access.mailed_links import MailedLinks
from shared.services.access.member_organizations import MemberOrganizations
from shared.services.access.passkey_ceremonies import PasskeyCeremonies
from shared.services.access.passkey_challenges import PasskeyChallenges
from shared.services.access.passkeys import Passkeys
from shared.services.access.password_changes import PasswordChanges
from shared.services.access.passwords import Passwords
from shared.services.access.pending_sign_ins import PendingSignIns
from shared.services.access.provider_links import LinkOffers, ProviderLinks
from shared.services.access.scopes import SessionScopes
from shared.services.access.second_factors import SecondFactors
from shared.services.access.service_accounts import ServiceAccounts
from shared.services.access.sessions import Sessions
from shared.services.access.single_sign_on import SingleSignOn
from shared.services.access.tokens import Tokens
from shared.services.access.workload_clients import WorkloadClients
from shared.services.storage import Outbox, Owners, Store
from shared.services.storage.sealed_values import SealedValues
from shared.services.tenancy.organizations import Organizations
from shared.settings import Settings


class SignInServices:
    def __init__(  # noqa: PLR0913  the ports and neighbours of all of them
        self,
        store: Store,
        clock: Clock,
        secrets: Secrets,
        chosen: Settings,
        opened: AsyncExitStack,
        outbox: Outbox,
        tokens: Tokens,
        sealed_values: SealedValues,
        organizations: Organizations,
        owners: Owners,
        outbound: Outbound,
        member_organizations: MemberOrganizations,
    ) -> None:
        self.passwords = Passwords()
        opened.callback(self.passwords.close)
        scopes = SessionScopes(store, clock, chosen)
        self.sessions = Sessions(store, clock, secrets, tokens, scopes, chosen)
        lockout = Lockout(store, clock)
        challenges, ceremonies = PasskeyChallenges(store, clock), PasskeyCeremonies(chosen.public_origin)
        checks = FactorChecks(
            *(clock, sealed_values, challenges, ceremonies, organizations),
            staff_mfa_required=chosen.staff_mfa_required,
        )
        self.pending = PendingSignIns(store, clock, checks, scopes, self.sessions, lockout)
        self.accounts = Accounts(
            store, clock, organizations, scopes, self.sessions, lockout, self.passwords, self.pending, outbox
        )
        self.password_changes = PasswordChanges(store, clock, self.sessions, lockout, self.passwords)
        self.second_factors = SecondFactors(store, clock, sealed_values, checks, self.sessions, lockout, self.passwords)
        text_records = DnsTextRecords(chosen.dns_server)
        openid = OpenIdProviders(outbound)
        self.identity_providers = IdentityProviders(
            store, clock, owners, sealed_values, openid, text_records, organizations
        )
        self._arrivals = arrivals = Arrivals(store, clock, member_organizations)
        self._store, self._clock, self._organizations = store, clock, organizations
        self.single_sign_on = SingleSignOn(
            *(store, clock, owners, self.identity_providers, openid),
            *(scopes, self.sessions, arrivals, LinkOffers(store, clock, outbox), chosen.public_origin),
        )
        self.passkeys = Passkeys(store, clock, challenges, ceremonies, checks, scopes, self.sessions, self.pending)
        self.service_accounts = ServiceAccounts(store, clock, owners)
        self.workload_clients = WorkloadClients(
            store, clock, owners, self.service_accounts, openid, chosen.public_origin
        )

    def made_credentials(self, keys: ApiKeys) -> MadeCredentials:
        return MadeCredentials(keys, self.service_accounts, self.workload_clients)

    def provider_links(self, links: MailedLinks, credentials: MadeCredentials) -> ProviderLinks:
        return ProviderLinks(
            *(self._store, self._clock, links, self.identity_providers),
            *(self._organizations, self._arrivals, self.sessions, credentials),
        )
