"""What callers keep with a thing of theirs, for themselves."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StringConstraints

from shared.services.storage.caller_json import text_of_metadata

Metadata = Annotated[
    str,
    BeforeValidator(text_of_metadata, json_schema_input_type=dict[str, Any]),
    Field(json_schema_extra={"default": {}}),
]
"""An object of at most 50 keys, carried as its text."""

ObjectPatch = dict[str, Any] | None
"""What changes in an object, by JSON Merge Patch: the bounds are of what it becomes."""

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(max_length=2000)]
Reference = Annotated[str, StringConstraints(min_length=1, max_length=256)]
