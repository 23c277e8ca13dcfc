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
    """Send this process's log lines to the stream. On Azure the platform's worker does this instead."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        JsonFormatter(
            "%(asctime)s %(levelname)s %(name)s %(message)s %(correlation_id)s",
            rename_fields={"asctime": "time", "levelname": "level"},
        )
    )
    handler.addFilter(_CorrelationFilter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


def correlate_existing_handlers() -> None:
    """Give the platform's own handlers the correlation id, too; safe to repeat."""
    for handler in logging.getLogger().handlers:
        if not any(isinstance(existing, _CorrelationFilter) for existing in handler.filters):
            handler.addFilter(_CorrelationFilter())
