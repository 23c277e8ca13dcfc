"""What the provisioning asks of Azure, and what the code needs, both as plain facts that can be compared."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.places import ROOT
from tools.bicep import Resource, Unknown, provisioned

INFRA = ROOT / "infra"
MAIN = INFRA / "main.bicep"

NEEDED = {"environmentName": "test", "location": "westeurope"}
PRIVATE = {"privateNetworking": True, "alertEmail": "operator@example.com", "operatorPrincipalId": "operator"}
LARGE = {"ledgersThroughput": 20000, "zoneRedundant": True, "alwaysReadyHttp": 2, "alwaysReadyRating": 2}

DEAD_LETTERS = "/$deadletterqueue"


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of one file's text, to show that a check notices."""

    file: str
    before: str
    after: str

    def read(self, path: Path) -> str:
        text = path.read_text()
        if path.name != self.file:
            return text
        assert self.before in text, f"{self.file} does not contain {self.before!r}"
        return text.replace(self.before, self.after)


class Deployment:
    """The resources that `main.bicep` makes of these parameters."""

    def __init__(self, parameters: Mapping[str, Any] | None = None, edit: Edit | None = None) -> None:
        self.resources = provisioned(MAIN, {**NEEDED, **(parameters or {})}, edit.read if edit else Path.read_text)

    def of(self, type_name: str) -> list[Resource]:
        return [resource for resource in self.resources if resource.type == type_name]

    def one(self, type_name: str) -> Resource:
        (resource,) = self.of(type_name)
        return resource

    @property
    def app_settings(self) -> dict[str, Any]:
        pairs = self.one("Microsoft.Web/sites").properties["siteConfig"]["appSettings"]
        return {pair["name"]: pair["value"] for pair in pairs}


@dataclass(frozen=True, slots=True)
class Trigger:
    """A queue trigger as `functions/` declares it."""

    function: str
    queue: str
    connection: str
    sessions: bool


def triggers() -> list[Trigger]:
    """From the source: an app tells its functions once only."""
    return [trigger for path in sorted((ROOT / "functions").rglob("*.py")) for trigger in _triggers(path)]


def _triggers(path: Path) -> Iterator[Trigger]:
    for function in ast.walk(ast.parse(path.read_text())):
        if isinstance(function, ast.AsyncFunctionDef):
            for call in function.decorator_list:
                if isinstance(call, ast.Call) and _name(call) == "service_bus_queue_trigger":
                    arguments = {each.arg: each.value for each in call.keywords}
                    yield Trigger(
                        function=function.name,
                        queue=ast.literal_eval(arguments["queue_name"]),
                        connection=ast.literal_eval(arguments["connection"]),
                        sessions=ast.literal_eval(arguments.get("is_sessions_enabled", ast.Constant(value=False))),
                    )


def function_names() -> set[str]:
    return {
        ast.literal_eval(call.args[0])
        for path in (ROOT / "functions").rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and _name(call) == "function_name"
    }


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def function_timeout() -> timedelta:
    hours, minutes, seconds = map(int, json.loads((ROOT / "host.json").read_text())["functionTimeout"].split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def duration(text: str) -> timedelta:
    """ISO 8601, as far as Azure's settings use it."""
    match = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", text)
    assert match, f"{text} is no duration"
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def stand_in(value: Any) -> Any:
    """What a setting could be in Azure, where only Azure knows it."""
    return f"https://{value.text}/" if isinstance(value, Unknown) else value
