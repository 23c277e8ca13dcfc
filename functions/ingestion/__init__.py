"""Usage as other protocols and products report it."""

from functions.ingestion import langfuse, signals, traces

blueprints = (traces.blueprint, langfuse.blueprint, signals.blueprint)
