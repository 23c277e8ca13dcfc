"""Reads azure-functions-doctor's JSON from standard input: all must pass but what is accepted here."""

import json
import sys
from typing import Any

ACCEPTED = {
    ("check_programming_model_v2", "warn"): "it knows blueprints by the name bp only; tests/worker indexes ours",
    ("check_functions_runtime_lifecycle", "skip"): "Flex Consumption refuses the setting that it reads",
    ("check_functions_extension_version", "skip"): "Flex Consumption refuses the setting",
    ("check_linux_fx_version", "skip"): "Flex Consumption has no linuxFxVersion",
    ("check_durabletask_config", "skip"): "no Durable Functions here",
    ("check_asgi_wsgi_exposure", "skip"): "no ASGI or WSGI here",
}
"""Findings (rule, status) and why they stand."""


def objections(report: dict[str, Any]) -> list[str]:
    """Also to an accepted finding that is none any more: its reason is out of date."""
    findings = {
        (each["rule_id"], each["status"]): each["value"]
        for section in report["results"]
        for each in section["items"]
        if each["status"] != "pass"
    }
    return [
        *(f"{rule} ({status}): {findings[rule, status]}" for rule, status in findings.keys() - ACCEPTED.keys()),
        *(f"{rule} ({status}) is accepted, but not found" for rule, status in ACCEPTED.keys() - findings.keys()),
    ]


def main() -> int:
    report = json.load(sys.stdin)
    found = sorted(objections(report))
    for line in found:
        print(line)
    passed = sum(each["status"] == "pass" for section in report["results"] for each in section["items"])
    print(f"azure-functions-doctor: {passed} passed, {len(found)} refused, {len(ACCEPTED)} accepted with a reason")
    return 1 if found or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
