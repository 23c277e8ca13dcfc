"""Sign-up, sign-in and API keys."""

from functions.access import accounts, api_keys

blueprints = (accounts.blueprint, api_keys.blueprint)
