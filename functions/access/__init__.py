"""Sign-up, sign-in, sessions, members, invitations, API keys and the audit trail."""

from functions.access import accounts, api_keys, audit, invitations, members, public_keys, sessions

blueprints = (
    accounts.blueprint,
    sessions.blueprint,
    public_keys.blueprint,
    api_keys.blueprint,
    members.blueprint,
    invitations.blueprint,
    audit.blueprint,
)
