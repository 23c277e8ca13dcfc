"""Sign-up, sign-in, sessions, users, members, invitations, API keys and the audit trail."""

from functions.access import (
    account_pages,
    accounts,
    api_keys,
    audit,
    email_addresses,
    invitations,
    members,
    password_resets,
    public_keys,
    sessions,
    users,
)

blueprints = (
    accounts.blueprint,
    sessions.blueprint,
    email_addresses.blueprint,
    password_resets.blueprint,
    account_pages.blueprint,
    public_keys.blueprint,
    api_keys.blueprint,
    members.blueprint,
    invitations.blueprint,
    users.blueprint,
    audit.blueprint,
)
