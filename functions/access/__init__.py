"""Sign-up, sign-in, sessions and API keys."""

from functions.access import accounts, api_keys, public_keys, sessions

blueprints = (accounts.blueprint, sessions.blueprint, public_keys.blueprint, api_keys.blueprint)
