"""What the audit trail has to tell after a path: each change once, in a chain that is whole."""

from collections import Counter
from collections.abc import Iterator

from shared.containers import CATALOG, INVOICES, TENANTS
from shared.ports.store import Document
from shared.services.storage.audit.entries import HEAD, AuditEntry
from shared.services.storage.audit.verification import Verification, Verified
from tests.doubles.worlds.invoiced_organization import Scene

CREATED = {
    "agent": "agents.create",
    "api_key": "api_keys.create",
    "billing_model": "billing_models.create",
    "credit_note": "credit_notes.issue",
    "department": "departments.create",
    "member": "members.create",
    "project": "projects.create",
}
"""What tells that a thing of this kind was made."""


async def assert_each_change_is_told_once(scene: Scene) -> None:
    """Whatever is in the store was told of once: its creation, its end, and that an invoice was finalized."""
    told: Counter[tuple[str, str]] = Counter()
    verification = Verification(scene.store, scene.host().audited_store.keys)
    for trail in scene.store.partitions_of(TENANTS.name):
        items = [item.document for item in scene.store.items_of(TENANTS.name, trail)]
        if not any(document["id"] == HEAD for document in items):
            continue
        findings = [finding.detail async for finding in verification.findings(trail, Verified())]
        assert findings == []
        entries = [AuditEntry.read(document) for document in items if document["kind"] == AuditEntry.kind]
        told.update((entry.action, entry.target_id) for entry in entries)
    for action, id_ in _expected(scene):
        area, _, verb = action.partition(".")
        is_made_again = verb == "create" and area == "api_keys"  # under the same id, by a client that lost the token
        deleted = told[f"{area}.delete", id_] if is_made_again else 0
        assert told[action, id_] - deleted == 1, f"{action} of {id_}: {told[action, id_]} times"
    finalized = {number for (action, _), number in told.items() if action in ("invoices.finalize", "invoices.issue")}
    assert finalized <= {1}


def _expected(scene: Scene) -> Iterator[tuple[str, str]]:
    for document in _documents(scene):
        kind, id_ = document["kind"], document["id"]
        if kind in CREATED:
            yield CREATED[kind], id_
        if kind == "agent" and document["status"] == "deleted":
            yield "agents.delete", id_
        if kind == "invoice" and document["status"] in ("pending", "overdue", "paid"):
            yield "invoices.issue" if document["invoice_kind"] == "interim" else "invoices.finalize", id_
        if kind == "organization" and "slug" in document:
            yield "organizations.create", id_
        if kind == "billing_model" and document["archived_at"] is not None:
            yield "billing_models.archive", id_


def _documents(scene: Scene) -> Iterator[Document]:
    for container in (TENANTS, INVOICES, CATALOG):
        for partition in scene.store.partitions_of(container.name):
            yield from (item.document for item in scene.store.items_of(container.name, partition))
