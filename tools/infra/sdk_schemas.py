"""Schemas of resource types that the vendor's offline program lacks.

They come from the models of the vendor's Python SDKs. Prints them in the form of that program's answers. Runs where
`azure-mgmt-monitor`, `-privatedns` and `-resource` are installed (`make infra-check`): their models state names, types,
enumerations, required and read-only properties.
"""

import enum
import importlib
import json
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

MODELS = {
    "Microsoft.Authorization/locks@2016-09-01": ("azure.mgmt.resource.locks.v2016_09_01", "ManagementLockObject"),
    "Microsoft.Insights/actionGroups@2023-01-01": ("azure.mgmt.monitor.v2023_01_01", "ActionGroupResource"),
    "Microsoft.Insights/activityLogAlerts@2020-10-01": ("azure.mgmt.monitor.v2020_10_01", "ActivityLogAlertResource"),
    "Microsoft.Insights/diagnosticSettings@2021-05-01-preview": (
        "azure.mgmt.monitor.v2021_05_01_preview",
        "DiagnosticSettingsResource",
    ),
    "Microsoft.Insights/metricAlerts@2018-03-01": ("azure.mgmt.monitor.v2018_03_01", "MetricAlertResource"),
    # The stable version that followed this preview has the same properties, and no model of its own.
    "Microsoft.Insights/scheduledQueryRules@2023-12-01": (
        "azure.mgmt.monitor.v2022_08_01_preview",
        "ScheduledQueryRuleResource",
    ),
    "Microsoft.Network/privateDnsZones@2024-06-01": ("azure.mgmt.privatedns", "PrivateZone"),
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01": ("azure.mgmt.privatedns", "VirtualNetworkLink"),
}

_PRIMITIVES = {
    "str": "string",
    "duration": "string",
    "iso-8601": "string",
    "int": "int",
    "long": "int",
    "float": "int",  # Bicep has no other numbers
    "bool": "bool",
    "object": "any",
}
_SEPARATOR = re.compile(r"(?<!\\)\.")


class Models:
    """The models of one module, as entries of an answer."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self.entries: dict[str, dict[str, Any]] = {}

    def resource(self, name: str, type_and_version: str) -> dict[str, Any]:
        body = self._object(getattr(self._module, name), type_and_version)
        for each in body["properties"]:
            if each["name"] == "name":  # the SDK takes it as an argument
                each["flags"] = "Required"
        return {"$type": "Resource", "name": type_and_version, "bodyType": body}

    def _object(self, model: Any, name: str) -> dict[str, Any]:  # noqa: ANN401  a class of the SDK's
        top: list[dict[str, Any]] = []
        inner: dict[str, list[dict[str, Any]]] = {}
        for attribute, mapping in model._attribute_map.items():  # noqa: SLF001  what the SDK serializes by
            *owner, key = (part.replace("\\.", ".") for part in _SEPARATOR.split(mapping["key"]))
            if key:
                shown = {"name": key, **self._property(model, attribute, mapping["type"])}
                (inner.setdefault(owner[0], []) if owner else top).append(shown)
        for owner_name, properties in inner.items():
            entry_name = f"{name}/{owner_name}"
            self.entries[entry_name] = {"$type": "Object", "name": entry_name, "properties": properties}
            required = any("Required" in each["flags"] for each in properties)
            top.append({"name": owner_name, "type": entry_name, "flags": "Required" if required else ""})
        return {"$type": "Object", "name": name, "properties": top}

    def _property(self, model: Any, attribute: str, type_name: str) -> dict[str, str]:  # noqa: ANN401  as above
        rules = model._validation.get(attribute, {})  # noqa: SLF001  as above
        flags = "Required" if rules.get("required") else "ReadOnly" if rules.get("readonly") else ""
        modifiers = f"maxLength: {rules['max_length']}" if "max_length" in rules else ""
        values = self._enumeration(model, attribute) if type_name in {"str", "[str]"} else ""
        return {"type": values or self._type(type_name), "flags": flags, "modifiers": modifiers}

    def _enumeration(self, model: Any, attribute: str) -> str:  # noqa: ANN401  as above
        for name in re.findall(r"_models\.(\w+)", str(model.__init__.__annotations__.get(attribute, ""))):
            found = getattr(self._module, name)
            if issubclass(found, enum.Enum):
                return " | ".join(member.value for member in found)
        return ""

    def _type(self, type_name: str) -> str:
        if type_name.startswith("["):
            return f"{self._type(type_name[1:-1])}[]"
        if type_name.startswith("{"):
            name = f"map of {self._type(type_name[1:-1])}"
            self.entries[name] = {
                "$type": "Object",
                "name": name,
                "additionalPropertiesType": self._type(type_name[1:-1]),
            }
            return name
        if type_name not in _PRIMITIVES and type_name not in self.entries:
            self.entries[type_name] = {}  # models may contain one another
            self.entries[type_name] = self._shape(type_name)
        return _PRIMITIVES.get(type_name, type_name)

    def _shape(self, type_name: str) -> dict[str, Any]:
        model = getattr(self._module, type_name)
        if "_subtype_map" not in vars(model):
            return self._object(model, type_name)
        ((attribute, subtypes),) = model._subtype_map.items()  # noqa: SLF001  as above
        discriminator = model._attribute_map[attribute]["key"].replace("\\.", ".")  # noqa: SLF001  as above
        return {
            "$type": "DiscriminatedObject",
            "name": type_name,
            "discriminator": discriminator,
            "baseProperties": [],
            "elements": [self._element(discriminator, *each) for each in subtypes.items()],
        }

    def _element(self, discriminator: str, value: str, subtype: str) -> dict[str, Any]:
        element = self._object(getattr(self._module, subtype), subtype)
        for each in element["properties"]:
            if each["name"] == discriminator:
                each |= {"type": value, "flags": "Required"}
        return element


def answers() -> Iterator[tuple[str, dict[str, Any]]]:
    for type_and_version, (module, name) in MODELS.items():
        models = Models(importlib.import_module(f"{module}.models"))
        resource = models.resource(name, type_and_version)
        answer = {"results": {"BicepSchemaResult": [resource, *models.entries.values()]}}
        yield type_and_version.partition("@")[0], answer


if __name__ == "__main__":
    print(json.dumps(dict(answers())))
