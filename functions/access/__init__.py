"""Sign-up, sign-in, sessions, members, invitations and API keys."""

from functions.access import accounts, api_keys, invitations, members, public_keys, sessions

blueprints = (
    accounts.blueprint,
    sessions.blueprint,
    public_keys.blueprint,
    api_keys.blueprint,
    members.blueprint,
    invitations.blueprint,
)
