"""The services that mail people links about their accounts, wired, and what makes each of their letters."""

from collections.abc import Mapping

from shared.ports.clock import Clock
from shared.services.access.api_keys import ApiKeys
from shared.services.access.email_verification import EmailVerification
from shared.services.access.invitations import Invitations
from shared.services.access.invited_accounts import InvitedAccounts
from shared.services.access.letters import Composer
from shared.services.access.mailed_links import MailedLinks
from shared.services.access.member_organizations import MemberOrganizations
from shared.services.access.members import Members
from shared.services.access.owner_counts import OwnerCounts
from shared.services.access.password_resets import PasswordResets
from shared.services.storage import Outbox, Store
from shared.services.tenancy.organizations import Organizations
from shared.sign_in_services import SignInServices


class MailedLinkServices:
    def __init__(  # noqa: PLR0913  the ports and neighbours of all of them
        self,
        store: Store,
        clock: Clock,
        outbox: Outbox,
        links: MailedLinks,
        sign_in: SignInServices,
        keys: ApiKeys,
        organizations: Organizations,
        members: Members,
        owner_counts: OwnerCounts,
        member_organizations: MemberOrganizations,
    ) -> None:
        made, changes, passwords = sign_in.made_credentials(keys), sign_in.password_changes, sign_in.passwords
        self.provider_links = sign_in.provider_links(links, made)
        self.email_verification = EmailVerification(store, clock, links, sign_in.sessions, passwords, made, outbox)
        self.password_resets = PasswordResets(store, clock, links, changes, made, outbox)
        self.invitations = Invitations(
            *(store, clock, outbox, organizations, members, owner_counts),
            *(member_organizations, links, InvitedAccounts(store, clock, passwords, changes, made)),
        )

    def composers(self) -> Mapping[str, Composer]:
        """What makes the letter of each template of mails."""
        return {
            "invitation": self.invitations.letter,
            "verification": self.email_verification.compose,
            "account_link": self.provider_links.compose,
            "password_reset": self.password_resets.compose,
            "password_reset_by_support": self.password_resets.compose_by_support,
        }
