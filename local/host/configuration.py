"""Reads host.json and app settings, and resolves `%NAME%` in bindings."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.host.errors import StartupError

_TIME_SPAN = re.compile(r"(?P<hours>[01]\d|2[0-3]):(?P<minutes>[0-5]\d):(?P<seconds>[0-5]\d(?:\.\d{1,7})?)")
_REFERENCE = re.compile(r"%([^%]+)%")


class AppSettings:
    """App settings: those given, else the environment. Functions themselves read the environment only."""

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        self._given = dict(given or {})

    def get(self, name: str) -> str | None:
        return self._given.get(name, os.environ.get(name))

    def resolve(self, text: str) -> str:
        """Replace every `%NAME%` by the setting of that name. Raises `StartupError` for one that is not set."""

        def value(reference: re.Match[str]) -> str:
            setting = self.get(reference.group(1))
            if setting is None:
                raise StartupError(f"the setting {reference.group(1)}, named in a binding, is not set")
            return setting

        return _REFERENCE.sub(value, text)

    @property
    def loses_chunked_bodies(self) -> bool:
        """Whether bodies that come in chunks are handed over as empty, as the platform does: unless it is `0`."""
        return (self.get("LOCAL_HOST_LOSES_CHUNKED_BODIES") or "true").strip().lower() in {"true", "1"}

    def disables(self, function: str) -> bool:
        """Whether `AzureWebJobs.{function}.Disabled` is set; `__` stands for dots where names cannot have them."""
        for separator in (".", "__"):
            value = self.get(f"AzureWebJobs{separator}{function}{separator}Disabled")
            if value is not None:
                return value.strip().lower() in {"true", "1"}
        return False


@dataclass(frozen=True, slots=True)
class ServiceBusOptions:
    """`extensions.serviceBus` of host.json, with the platform's defaults."""

    max_message_batch_size: int = 1000
    max_concurrent_sessions: int = 8
    max_concurrent_calls: int = 16
    session_idle_seconds: float = 60
    max_auto_lock_renewal_seconds: float = 300


@dataclass(frozen=True, slots=True)
class HostConfiguration:
    route_prefix: str = "api"
    function_timeout_seconds: float = 30 * 60
    service_bus: ServiceBusOptions = field(default_factory=ServiceBusOptions)

    @classmethod
    def read(cls, path: Path) -> "HostConfiguration":
        """Read the host's configuration.

        Raises `StartupError` for a file that is missing, not JSON, or not what the platform would accept.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise StartupError(f"{path}: cannot be read ({error.strerror})") from error
        except ValueError as error:
            raise StartupError(f"{path}: is not JSON ({error})") from error
        if not isinstance(document, dict) or document.get("version") != "2.0":
            raise StartupError(f'{path}: must be an object with "version": "2.0"')
        http = _section(document, path, "extensions", "http")
        prefix = http.get("routePrefix", "api")
        if not isinstance(prefix, str):
            raise StartupError(f"{path}: extensions.http.routePrefix must be a string")
        defaults = cls()
        return cls(
            route_prefix=prefix.strip("/"),
            function_timeout_seconds=_seconds(document, "functionTimeout", defaults.function_timeout_seconds, path),
            service_bus=_service_bus(document, path),
        )


def _service_bus(document: dict[str, Any], path: Path) -> ServiceBusOptions:
    section = _section(document, path, "extensions", "serviceBus")

    def positive(name: str, default: int) -> int:
        value = section.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise StartupError(f"{path}: extensions.serviceBus.{name} must be a positive integer")
        return value

    defaults = ServiceBusOptions()
    return ServiceBusOptions(
        max_message_batch_size=positive("maxMessageBatchSize", defaults.max_message_batch_size),
        max_concurrent_sessions=positive("maxConcurrentSessions", defaults.max_concurrent_sessions),
        max_concurrent_calls=positive("maxConcurrentCalls", defaults.max_concurrent_calls),
        session_idle_seconds=_seconds(section, "sessionIdleTimeout", defaults.session_idle_seconds, path),
        max_auto_lock_renewal_seconds=_seconds(
            section, "maxAutoLockRenewalDuration", defaults.max_auto_lock_renewal_seconds, path
        ),
    )


def _seconds(section: Mapping[str, Any], name: str, default: float, path: Path) -> float:
    """The seconds of a time span `hh:mm:ss`, which may have a fraction."""
    text = section.get(name)
    if text is None:
        return default
    found = _TIME_SPAN.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise StartupError(f"{path}: {name} must be a time span hh:mm:ss")
    return int(found["hours"]) * 3600 + int(found["minutes"]) * 60 + float(found["seconds"])


def _section(document: dict[str, Any], path: Path, *names: str) -> dict[str, Any]:
    section: Any = document
    for position, name in enumerate(names, start=1):
        section = section.get(name, {})
        if not isinstance(section, dict):
            raise StartupError(f"{path}: {'.'.join(names[:position])} must be an object")
    return dict(section)
