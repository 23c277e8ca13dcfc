"""Reads the committed snapshots of `infra/`: each deployment as the Bicep compiler evaluates it.

What only Azure knows (endpoints, client ids) stays an expression: text that starts with `[`.
"""

import copy
import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
SNAPSHOTS = INFRA / "snapshots"
SOURCES = SNAPSHOTS / "sources.sha256"

SHAPES = ("default", "large", "private", "private-large")
"""Together they take every branch of the Bicep."""

Content = dict[str, Any]
Edit = Callable[[Content], None]


def is_expression(value: object) -> bool:
    """True for what only Azure can evaluate."""
    return isinstance(value, str) and value.startswith("[")


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource as it would be sent. `body` has its `name`, `location`, `properties` and so on."""

    type: str
    api_version: str
    id: str
    """Of a role assignment it begins, perhaps inside an expression, with the id of what it gives access to."""
    body: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.body["name"])

    @property
    def properties(self) -> dict[str, Any]:
        properties: dict[str, Any] = self.body["properties"]
        return properties

    @property
    def scope(self) -> str:
        """The type of the resource whose id comes first in this one's.

        Of an extension resource it is that of what it extends.
        """
        found = re.search(r"/providers/([^/']+/[^/']+)/", self.id)
        return found.group(1) if found else ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All resources and outputs of one deployment."""

    resources: list[Resource]
    outputs: dict[str, str]

    def of(self, type_name: str) -> list[Resource]:
        return [resource for resource in self.resources if resource.type == type_name]

    def one(self, type_name: str) -> Resource:
        (resource,) = self.of(type_name)
        return resource

    @property
    def app_settings(self) -> dict[str, str]:
        pairs = self.one("Microsoft.Web/sites").properties["siteConfig"]["appSettings"]
        return {pair["name"]: pair["value"] for pair in pairs}


def snapshot(shape: str, *edits: Edit) -> Snapshot:
    """The committed snapshot, edited. Raises `ValueError` where an edit changes nothing."""
    content = json.loads((SNAPSHOTS / f"{shape}.snapshot.json").read_text())
    for edit in edits:
        before = copy.deepcopy(content)
        edit(content)
        if content == before:
            raise ValueError("the edit changes nothing")
    return read(content)


def read(content: Content) -> Snapshot:
    """A snapshot as the compiler writes it."""
    return Snapshot([_resource(each) for each in content["predictedResources"]], content["outputs"])


def _resource(content: Content) -> Resource:
    body = {key: value for key, value in content.items() if key not in {"id", "type", "apiVersion"}}
    if not is_expression(body["name"]):
        body["name"] = body["name"].rpartition("/")[2]  # of a child resource the snapshot has the whole path
    return Resource(content["type"], content["apiVersion"], content["id"], body)


def changed(of: str, path: str, value: object) -> Edit:
    """Sets a value in every resource that `of` names: a type, or a type and a name, or the end of either."""

    def edit(content: Content) -> None:
        for owner, key in _places(content, of, path):
            owner[key] = value

    return edit


def dropped(of: str, path: str = "") -> Edit:
    """Removes a value from every resource that `of` names; without a path the resources themselves."""

    def edit(content: Content) -> None:
        if not path:
            content["predictedResources"] = [each for each in content["predictedResources"] if not _is(each, of)]
            return
        for owner, key in _places(content, of, path):
            del owner[key]

    return edit


def copied(of: str, path: str, value: object) -> Edit:
    """Adds a second of each resource that `of` names, with another value."""

    def edit(content: Content) -> None:
        copies = [copy.deepcopy(each) for each in content["predictedResources"] if _is(each, of)]
        changed(of, path, value)({"predictedResources": copies})
        content["predictedResources"] += copies

    return edit


def _is(resource: Content, of: str) -> bool:
    name = resource["name"].rpartition("/")[2]
    return any(text.endswith(of) for text in (resource["type"], f"{resource['type']} {name}"))


def _places(content: Content, of: str, path: str) -> Iterable[tuple[Any, Any]]:
    """Where the path leads: the object or list that holds the value, and its key there."""
    *steps, last = (int(step) if step.isdecimal() else step for step in path.split("/"))
    for resource in content["predictedResources"]:
        if _is(resource, of):
            owner = resource
            for step in steps:
                owner = owner[step]
            yield owner, last


def sources() -> str:
    """The hash of every file that snapshots are made of, as `sha256sum` prints it."""
    files = sorted(path for pattern in ("*.bicep", "*.bicepparam") for path in INFRA.rglob(pattern))
    hashes = ((hashlib.sha256(path.read_bytes()).hexdigest(), path.relative_to(ROOT).as_posix()) for path in files)
    return "".join(f"{digest}  {path}\n" for digest, path in hashes)
