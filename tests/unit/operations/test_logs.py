"""Log lines: structured, and each with the correlation id of what is being done."""

import io
import json
import logging

import pytest

from shared import correlation
from shared.logs import structure_handlers


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a handler writes that was there before, as the platform's is."""
    stream = io.StringIO()
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [logging.StreamHandler(stream)])
    monkeypatch.setattr(root, "level", logging.INFO)
    return stream


def test_the_handlers_of_the_platform_write_the_correlation_id(lines):
    structure_handlers()
    structure_handlers()
    with correlation.correlated("request-7"):
        logging.getLogger("xyra.test").warning("parked", extra={"reason": "no price"})
    logging.getLogger("xyra.test").warning("afterwards")
    first, second = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert (first["message"], first["correlation_id"], first["reason"]) == ("parked", "request-7", "no price")
    assert (first["level"], second["correlation_id"]) == ("WARNING", "")
