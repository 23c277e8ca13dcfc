"""The timer of the outbox."""

from functions.storage import outbox

blueprints = (outbox.blueprint,)
