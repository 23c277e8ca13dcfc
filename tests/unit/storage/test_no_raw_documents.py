"""Only `services.storage` sees stored documents: held over the syntax tree of everything above and beside it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.places import ROOT

CHECKED = ("shared/services", "shared/http", "functions", "cli")
EXEMPT = ROOT / "shared" / "services" / "storage"
SINGLE_REQUESTS = frozenset({"get", "get_many", "create", "replace", "upsert", "delete", "query", "due"})
"""Of a store. Only a batch of several entities may be sent by a service itself."""


def violations(source: str) -> Iterator[str]:
    tree = ast.parse(source)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr="document") if id(node) not in called:
                yield f"line {node.lineno} reads a stored document"
            case ast.Call(func=ast.Attribute(value=ast.Name(id="store") | ast.Attribute(attr="_store"), attr=method)):
                if method in SINGLE_REQUESTS and "Store" in names:
                    yield f"line {node.lineno} sends a request to the store"
            case ast.ImportFrom(module="shared.ports.store"):
                yield f"line {node.lineno} imports the store's port"
            case ast.ImportFrom(module="shared.ports") if any(alias.name == "store" for alias in node.names):
                yield f"line {node.lineno} imports the store's port"
            case ast.Import() if any(alias.name == "shared.ports.store" for alias in node.names):
                yield f"line {node.lineno} imports the store's port"


def modules() -> Iterator[Path]:
    for folder in CHECKED:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if EXEMPT not in path.parents:
                yield path


def test_no_service_or_entrypoint_sees_a_stored_document() -> None:
    checked = list(modules())
    assert len(checked) > 50
    found = [f"{path.relative_to(ROOT)}: {what}" for path in checked for what in violations(path.read_text())]
    assert found == []


@pytest.mark.parametrize(
    "planted",
    [
        'name = item.document["name"]',
        'name = item.document.get("name")',
        "project = Project.read(item.document)",
        "item = await self._store.get(container, partition, id_)",
        "await store.upsert(container, partition, project.document())",
        "from shared.ports.store import Item",
        "from shared.ports import store",
        "import shared.ports.store",
    ],
)
def test_a_planted_one_is_found(planted: str) -> None:
    assert list(violations(f"async def planted(store: Store):\n    {planted}\n"))


@pytest.mark.parametrize(
    "harmless",
    [
        "from shared.services.storage import Records, Store",
        "await self._store.batch(container, partition, [creating(project)])",
        "reply = openapi.document()",
        "kept = self._cache.get(key)",
    ],
)
def test_what_is_harmless_passes(harmless: str) -> None:
    assert not list(violations(f"async def harmless(store: Store):\n    {harmless}\n"))
