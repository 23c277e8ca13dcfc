"""Readings as they are stored, each with its kind."""

from collections.abc import Mapping
from typing import Any

from shared.domain.metering.bands import Bands
from shared.domain.metering.readings import CountAndSum, Distinct, Highest, Latest, Reading, Weighted

_KINDS: Mapping[str, type[Reading]] = {
    kind.kind: kind for kind in (CountAndSum, Highest, Latest, Distinct, Weighted, Bands)
}


def document_of(reading: Reading) -> dict[str, Any]:
    return {"kind": reading.kind, **reading.document()}


def read_reading(document: Mapping[str, Any]) -> Reading:
    return _KINDS[document["kind"]].read(document)
