"""Traces as libraries really sent them, and what each sequence of requests must count as."""

import gzip
import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from shared.adapters.otlp.decoder import OtlpDecoder
from shared.domain.ingestion.spans import Span
from shared.ports.traces import TraceEncoding
from tests.places import ROOT

CAPTURES = ROOT / "tests" / "data" / "otlp"


@cache
def _content_types() -> dict[str, str]:
    return json.loads((CAPTURES / "content_types.json").read_text())


def body_of(capture: str) -> bytes:
    """The request's body, byte for byte."""
    return gzip.decompress((CAPTURES / f"{capture}.bin.gz").read_bytes())


def encoding_of(capture: str) -> TraceEncoding:
    return TraceEncoding(_content_types()[capture])


@cache
def spans_of(capture: str) -> tuple[Span, ...]:
    decoded = OtlpDecoder().decode(body_of(capture), encoding_of(capture))
    assert not decoded.rejected
    return tuple(decoded.spans)


@dataclass(frozen=True)
class Sequence:
    """Requests of one process, one after the other."""

    name: str
    captures: tuple[str, ...]
    calls: tuple[dict[str, Any], ...]
    """What they have to count as."""

    @property
    def requests(self) -> list[tuple[Span, ...]]:
        return [spans_of(capture) for capture in self.captures]

    @property
    def spans(self) -> list[Span]:
        return [span for request in self.requests for span in request]


def sequences() -> list[Sequence]:
    return [
        Sequence(f"{folder}/{name}", tuple(f"{folder}/{capture}" for capture in name.split("+")), tuple(expected))
        for folder in ("dotnet", "js")
        for name, expected in json.loads((CAPTURES / folder / "expected.json").read_text()).items()
    ]
