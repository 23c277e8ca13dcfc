"""The containers of the store and their indexes. Both stores and the provisioning are held to this table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Container:
    """A container of the store, with the fields that queries may use.

    Queries may filter by the top-level fields `indexed`, besides `id`, `kind` and `due_at`, and order by those of them
    that are in `ordered`.
    """

    name: str
    indexed: tuple[str, ...] = ()
    ordered: tuple[str, ...] = ()
    """Each needs a composite index with `id`, which puts equal values in order and lets a cursor continue there."""


TENANTS = Container(
    "tenants",
    indexed=(
        *("status", "listed", "project_id", "department_id", "thread_id", "agent_id"),
        *("place", "actor_id", "action", "target_id"),  # of the audit trail
    ),
    ordered=("place",),
)
DIRECTORY = Container("directory", indexed=("status",))
LEDGERS = Container("ledgers", indexed=("period", "time", "agent_id", "run", "status"), ordered=("time",))
INVOICES = Container("invoices", indexed=("start", "status", "invoice_id"), ordered=("start",))
INBOX = Container("inbox")
CATALOG = Container("catalog")

CONTAINERS = {container.name: container for container in (TENANTS, DIRECTORY, LEDGERS, INVOICES, INBOX, CATALOG)}

ALWAYS_INDEXED = ("kind", "due_at")
PARTITION_KEY_PATH = "/pk"
"""Of every container. Indexed like the others: Cosmos DB does not do that by itself."""
