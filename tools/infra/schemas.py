"""Compares every resource of the snapshots with the vendor's schema of its type: `make infra-check`.

Names of properties, types, enumerations, required and read-only properties, bounds and the API version. The schemas
come from the vendor's own program (npm `@azure/mcp-linux-x64`), which knows them offline, and for the types that it
lacks from the vendor's SDKs (`sdk_schemas.py`).
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tools.infra.snapshots import SHAPES, Edit, Resource, changed, dropped, is_expression, snapshot

QUEUES = "Microsoft.ServiceBus/namespaces/queues"
ACCOUNTS = "Microsoft.DocumentDB/databaseAccounts"
LEDGERS = "databaseAccounts/sqlDatabases/containers ledgers"
METRIC_ALERTS = "Microsoft.Insights/metricAlerts"

FAULTS: dict[str, Edit] = {
    "a property misspelled": changed(QUEUES, "properties/requireSession", value=True),
    "a number as text": changed(QUEUES, "properties/maxDeliveryCount", "100"),
    "an order that does not exist": changed(
        LEDGERS, "properties/resource/indexingPolicy/compositeIndexes/0/0/order", "upwards"
    ),
    "a required property missing": dropped(ACCOUNTS, "properties/databaseAccountOfferType"),
    "a kind of backup that does not exist": changed(ACCOUNTS, "properties/backupPolicy/type", "Continual"),
    "a property that only Azure sets": changed(ACCOUNTS, "properties/documentEndpoint", "https://example.com/"),
    "a kind of authentication that does not exist": changed(
        "Microsoft.Web/sites", "properties/functionAppConfig/deployment/storage/authentication/type", "ManagedIdentity"
    ),
    "another API version": changed("Microsoft.KeyVault/vaults", "apiVersion", "2023-07-01"),
    "an alert without its severity": dropped(METRIC_ALERTS, "properties/severity"),
    "an aggregation that does not exist": changed(METRIC_ALERTS, "properties/criteria/allOf/0/timeAggregation", "Mean"),
    "a kind of criteria that does not exist": changed(
        METRIC_ALERTS, "properties/criteria/odata.type", "Microsoft.Azure.Monitor.SingleMetricCriteria"
    ),
    "an unknown property of a child resource": changed(
        "privateDnsZones/virtualNetworkLinks", "properties/autoRegistration", value=False
    ),
    "a version of TLS in another service's words": changed(
        "Microsoft.Storage/storageAccounts", "properties/minimumTlsVersion", "1.2"
    ),
}
"""Edits of a snapshot that the comparison must notice, or it is worth nothing."""

Value = Any  # what JSON has

_PRIMITIVES: dict[str, type] = {"string": str, "int": int, "bool": bool}


class Schema:
    """One resource type: its body and the objects in it."""

    def __init__(self, answer: dict[str, Any]) -> None:
        entries = answer["results"]["BicepSchemaResult"]
        (resource,) = (entry for entry in entries if entry["$type"] == "Resource")
        self.api_version = resource["name"].partition("@")[2]
        self._body = resource["bodyType"]
        self._objects = {entry["name"]: entry for entry in entries if "Object" in entry["$type"]}

    def problems(self, resource: Resource) -> Iterator[str]:
        if resource.api_version != self.api_version:
            yield f"API version {resource.api_version}, the schema is of {self.api_version}"
        yield from self._of_object(resource.body, self._body, "")

    def _of_object(self, value: Value, shape: dict[str, Any], path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{path}: an object is expected, not {value!r}"
            return
        value = {name: member for name, member in value.items() if member is not None}  # null is the same as absent
        properties = {each["name"]: each for each in shape.get("properties", shape.get("baseProperties", []))}
        if shape["$type"] == "DiscriminatedObject":
            chosen = self._chosen(value, shape)
            if chosen is None:
                yield f"{path}: {shape['discriminator']} {value.get(shape['discriminator'])!r} is none that exists"
                return
            properties |= {each["name"]: each for each in chosen["properties"]}
        for name, declared in properties.items():
            if "Required" in declared.get("flags", "") and name not in value:
                yield f"{path}/{name} is required"
        for name, member in value.items():
            if name in properties:
                yield from self._of_property(member, properties[name], f"{path}/{name}")
            elif "additionalPropertiesType" in shape:
                yield from self._of_type(member, shape["additionalPropertiesType"], f"{path}/{name}")
            else:
                yield f"{path}/{name} does not exist"

    def _chosen(self, value: dict[str, Any], shape: dict[str, Any]) -> dict[str, Any] | None:
        wanted = value.get(shape["discriminator"])
        for element in shape["elements"]:
            for each in element["properties"]:
                if each["name"] == shape["discriminator"] and each["type"] == wanted:
                    found: dict[str, Any] = element
                    return found
        return None

    def _of_property(self, value: Value, declared: dict[str, Any], path: str) -> Iterator[str]:
        if "ReadOnly" in declared.get("flags", ""):
            yield f"{path} is read-only"
        yield from self._of_type(value, declared["type"], path)
        for bound in filter(None, declared.get("modifiers", "").split(", ")):
            if not is_expression(value):
                yield from _of_bound(value, bound, path)

    def _of_type(self, value: Value, type_name: str, path: str) -> Iterator[str]:
        if is_expression(value) or type_name == "any":
            return
        if type_name.endswith("[]") and " | " not in type_name:
            if not isinstance(value, list):
                yield f"{path}: a list is expected, not {value!r}"
                return
            for position, element in enumerate(value):
                yield from self._of_type(element, type_name.removesuffix("[]").strip("()"), f"{path}/{position}")
        elif type_name in self._objects:
            yield from self._of_object(value, self._objects[type_name], path)
        elif type_name in _PRIMITIVES:
            if type(value) is not _PRIMITIVES[type_name]:
                yield f"{path}: {type_name} is expected, not {value!r}"
        elif value not in (names := type_name.split(" | ")):
            # Many enumerations end in `string`, for values of later versions. They are not for this one.
            yield f"{path}: {value!r} is none of {', '.join(name for name in names if name not in _PRIMITIVES)}"


def _of_bound(value: Value, bound: str, path: str) -> Iterator[str]:
    name, _, limit = bound.partition(": ")
    kept: dict[str, Callable[[], bool]] = {
        "minLength": lambda: len(value) >= int(limit),
        "maxLength": lambda: len(value) <= int(limit),
        "minValue": lambda: value >= int(limit),
        "maxValue": lambda: value <= int(limit),
        "pattern": lambda: re.search(limit, value) is not None,
    }
    if name in kept and not kept[name]():
        yield f"{path}: {value!r} breaks {bound}"


class Schemas:
    """Asks the program once for each type that is not known already."""

    def __init__(self, program: Path, known: dict[str, Schema]) -> None:
        self._program = program
        self._known = known

    def of(self, type_name: str) -> Schema:
        if type_name not in self._known:
            finished = subprocess.run(  # noqa: S603  the program of the vendor's package
                [self._program, "bicepschema", "get", "--resource-type", type_name],
                env={"AZURE_MCP_COLLECT_TELEMETRY": "false", "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"},
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            if not finished.stdout.lstrip().startswith("{"):
                raise LookupError(f"{type_name}: {finished.stderr.strip()[:400]}")
            self._known[type_name] = Schema(json.loads(finished.stdout))
        return self._known[type_name]


def unnoticed(schemas: Schemas) -> list[str]:
    """The faults that the comparison does not see."""
    return [
        f"{fault} is not noticed"
        for fault, edit in FAULTS.items()
        if not any(any(schemas.of(each.type).problems(each)) for each in snapshot("private", edit).resources)
    ]


def main(program: str, from_sdks: str) -> int:
    answers = json.loads(Path(from_sdks).read_text())
    schemas = Schemas(Path(program), {type_name: Schema(answer) for type_name, answer in answers.items()})
    resources = [each for shape in SHAPES for each in snapshot(shape).resources]
    types = {each.type for each in resources}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(schemas.of, types))  # the program takes a second for each
    found = {
        f"{each.name} ({each.type}): {problem}"
        for each in resources
        for problem in schemas.of(each.type).problems(each)
    }
    missed = unnoticed(schemas)
    for line in [*sorted(found), *missed]:
        print(line)
    print(
        f"{len(resources)} resources of {len(types)} types in {len(SHAPES)} snapshots: {len(found)} problems;"
        f" {len(FAULTS) - len(missed)} of {len(FAULTS)} known faults noticed"
    )
    return 1 if found or missed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
