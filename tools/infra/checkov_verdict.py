"""Reads checkov's JSON from standard input: all must pass but what is accepted here."""

import json
import sys
from pathlib import Path
from typing import Any

from tools.infra.snapshots import SHAPES

PUBLIC = ("default", "large")
NO_FIXED_ADDRESS = "privateNetworking closes it; without it the functions have no fixed address to let in"

ACCEPTED: dict[str, tuple[tuple[str, ...], str]] = {
    "CKV_AZURE_17": (SHAPES, "callers are known by API keys and tokens, not by certificates"),
    "CKV_AZURE_35": (PUBLIC, NO_FIXED_ADDRESS),
    "CKV_AZURE_59": (PUBLIC, NO_FIXED_ADDRESS),
    "CKV_AZURE_78": (SHAPES, "Flex Consumption has no FTP and refuses the setting"),
    "CKV_AZURE_99": (SHAPES, "it looks for a list of addresses; privateNetworking lets no public address in at all"),
    "CKV_AZURE_101": (PUBLIC, NO_FIXED_ADDRESS),
    "CKV_AZURE_109": (PUBLIC, NO_FIXED_ADDRESS),
    "CKV_AZURE_189": (PUBLIC, NO_FIXED_ADDRESS),
    "CKV_AZURE_206": (SHAPES, "a lost package is deployed again, and locks and host keys are made again"),
    "CKV_AZURE_212": (SHAPES, "Flex Consumption counts no workers; alwaysReadyHttp does"),
    "CKV_AZURE_213": (SHAPES, "Flex Consumption has no health check; an instance that does not answer is replaced"),
    "CKV_AZURE_222": (SHAPES, "the API is what agents and customers call from outside"),
    "CKV_AZURE_225": (("default", "private"), "zoneRedundant chooses it; not every region has zones"),
}
"""Checks, the snapshots in which they may fail, and why that stands."""


def objections(report: dict[str, Any]) -> list[str]:
    """Also to an accepted finding that is none any more: its reason is out of date."""
    results = report["results"]
    found = {
        (Path(each["file_path"]).stem, each["check_id"]): f"{each['check_name']} ({each['resource']})"
        for each in results["failed_checks"]
    }
    accepted = {(shape, check) for check, (shapes, _) in ACCEPTED.items() for shape in shapes}
    return [
        *(f"{shape}: {check} {found[shape, check]}" for shape, check in found.keys() - accepted),
        *(f"{shape}: {check} is accepted, but not found" for shape, check in accepted - found.keys()),
        *(f"{each}: cannot be parsed, so it was not checked" for each in results["parsing_errors"]),
    ]


def main() -> int:
    report = json.load(sys.stdin)
    found = sorted(objections(report))
    for line in found:
        print(line)
    passed = report["summary"]["passed"]
    print(f"checkov: {passed} passed, {len(found)} refused, {len(ACCEPTED)} accepted with a reason")
    return 1 if found or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
