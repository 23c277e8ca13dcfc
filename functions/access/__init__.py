"""Sign-up, sign-in, sessions, users, members, invitations, API keys and the audit trail."""

from functions.access import accounts, api_keys, audit, invitations, members, public_keys, sessions, users

blueprints = (
    accounts.blueprint,
    sessions.blueprint,
    public_keys.blueprint,
    api_keys.blueprint,
    members.blueprint,
    invitations.blueprint,
    users.blueprint,
    audit.blueprint,
)
