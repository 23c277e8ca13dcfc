"""The SDK's generated modules are those of today's API description: `python -m tools.sdk_source` writes them anew."""

import json

from shared.http import openapi
from tools.sdk.operations import LEFT_OUT, PREFIX, WRITTEN_BY_HAND, operations_of
from tools.sdk_source import FOLDERS, PACKAGE, sources


def test_models_and_resources_are_those_of_the_description():
    written = sources()
    there = {
        path.relative_to(PACKAGE): path.read_text(encoding="utf-8")
        for folder in FOLDERS
        for path in (PACKAGE / folder).glob("*.py")
    }
    assert there.keys() == written.keys()
    assert [path.as_posix() for path in written if there[path] != written[path]] == []


def test_every_operation_of_the_api_has_a_method():
    document = json.loads(openapi.document())
    described = {
        one["operationId"]
        for path, methods in document["paths"].items()
        if path.startswith(PREFIX)
        for one in methods.values()
    }
    operations = operations_of(document)
    assert {operation.id for operation in operations} == described - LEFT_OUT
    assert described >= LEFT_OUT | WRITTEN_BY_HAND
    resources = "".join(path.read_text(encoding="utf-8") for path in (PACKAGE / "resources").glob("*.py"))
    for operation in operations:
        if operation.id not in WRITTEN_BY_HAND:
            assert f"def {operation.name}(" in resources, operation
