"""The outbox's sweep."""

from functions.storage import outbox

blueprints = (outbox.blueprint,)
