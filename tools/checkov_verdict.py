"""Reads checkov's JSON from standard input: nothing may fail, be unreadable, or be skipped without a reason."""

import json
import sys
from typing import Any


def objections(report: dict[str, Any]) -> list[str]:
    results = report["results"]
    return [
        *(f"{each['file_path']}: {each['check_id']} {each['check_name']}" for each in results["failed_checks"]),
        *(f"{each}: cannot be parsed, so it was not checked" for each in results["parsing_errors"]),
        *(
            f"{each['file_path']}: {each['check_id']} is skipped without a reason"
            for each in results["skipped_checks"]
            if not each["check_result"].get("suppress_comment", "").strip()
        ),
    ]


def main() -> int:
    report = json.load(sys.stdin)
    found = objections(report)
    for line in found:
        print(line)
    summary = report["summary"]
    print(
        f"checkov: {summary['passed']} passed, {summary['failed']} failed, {summary['skipped']} skipped with a reason"
    )
    return 1 if found or not summary["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
