"""Structured log lines: JSON, each with the correlation id."""

import logging
from typing import TextIO

from pythonjsonlogger.json import JsonFormatter

from shared import correlation


class _CorrelationFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.correlation_id = correlation.current()
        return True


def log_to(stream: TextIO, level: str) -> None:
    """Send this process's log lines to the stream."""
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    structure_handlers()


def structure_handlers() -> None:
    """Make the root's handlers write structured lines; safe to repeat.

    On Azure these are the handlers of the platform's worker.
    """
    logging.getLogger("azure").setLevel(logging.WARNING)  # host.json does not govern what the worker logs
    formatter = JsonFormatter(
        "%(asctime)s %(levelname)s %(name)s %(message)s %(correlation_id)s",
        rename_fields={"asctime": "time", "levelname": "level"},
    )
    for handler in logging.getLogger().handlers:
        handler.setFormatter(formatter)
        if not any(isinstance(each, _CorrelationFilter) for each in handler.filters):
            handler.addFilter(_CorrelationFilter())
