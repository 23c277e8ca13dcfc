"""Usage as other protocols and products report it."""

from functions.ingestion import langfuse, litellm, openmeter, signals, traces

blueprints = (
    traces.blueprint,
    langfuse.blueprint,
    signals.blueprint,
    openmeter.blueprint,
    litellm.blueprint,
)
