"""What a user has made that opens an organization: API keys, tokens of service accounts, and clients of workloads."""

from shared.domain.access.accounts import Account
from shared.services.access.api_keys import ApiKeys
from shared.services.access.service_accounts import ServiceAccounts
from shared.services.access.workload_clients import WorkloadClients

_UNPROVEN = "made before its maker had shown that the e-mail address is theirs"


class MadeCredentials:
    def __init__(self, keys: ApiKeys, tokens: ServiceAccounts, clients: WorkloadClients) -> None:
        self._keys = keys
        self._tokens = tokens
        self._clients = clients

    async def remove_unproven(self, account: Account) -> None:
        """Stop what was made before the account was proven. Comes before that, so that no proof leaves anything.

        Accounts of earlier versions were not asked to prove anything, and keep theirs.
        """
        if not account.is_unverified:
            return
        for organization_id in account.organization_ids:
            await self._keys.delete_made_by(organization_id, account.user_id)
            await self._clients.remove_made_by(organization_id, account.user_id)
            await self._tokens.revoke_made_by(organization_id, account.user_id, _UNPROVEN)
