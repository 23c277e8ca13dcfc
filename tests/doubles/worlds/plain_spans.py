"""Spans by the conventions, for tests that say what they are about and nothing else."""

from dataclasses import replace
from typing import Any

from shared.domain.ingestion.calls import microseconds_of
from shared.domain.ingestion.spans import Span
from tests.doubles.worlds.sent_traces import NOON

TRACE = "a" * 32
SECOND = 1_000_000


def span(name: str, parent: str = "", *, begins: float = 0, lasts: float = 1, **attributes: Any) -> Span:
    """A span whose id follows from its name; `gen_ai__usage__input_tokens=3` is that attribute with dots."""
    start = microseconds_of(NOON) + int(begins * SECOND)
    return Span(
        trace_id=TRACE,
        span_id=id_of(name),
        parent_id=id_of(parent) if parent else "",
        name=name,
        start=start,
        end=start + int(lasts * SECOND),
        failed=False,
        attributes={attribute.replace("__", "."): value for attribute, value in attributes.items()},
        dropped_attributes=0,
        scope="plain",
        service="helpdesk",
    )


def id_of(name: str) -> str:
    return name.encode().hex().ljust(16, "0")[:16]


def call(
    name: str,
    parent: str = "",
    tokens: tuple[int, int] | None = (100, 10),
    *,
    answer: str | None = None,
    model: str = "gpt-5",
    **others: Any,
) -> Span:
    counts = (
        {} if tokens is None else {"gen_ai__usage__input_tokens": tokens[0], "gen_ai__usage__output_tokens": tokens[1]}
    )
    named = {} if answer is None else {"gen_ai__response__id": answer}
    about = {"gen_ai__operation__name": "chat", "gen_ai__provider__name": "openai", "gen_ai__request__model": model}
    return span(name, parent, **{**about, **counts, **named, **others})


def agent_run(name: str, parent: str = "", tokens: tuple[int, int] | None = None, **others: Any) -> Span:
    """The run of an agent that is named like its span, with the sum of its calls."""
    run = {"gen_ai__operation__name": "invoke_agent", "gen_ai__agent__name": name}
    return call(name, parent, tokens, **{**run, **others})


def tool(name: str, parent: str = "", **others: Any) -> Span:
    return span(name, parent, gen_ai__operation__name="execute_tool", **others)


def of(made: Span, **changes: Any) -> Span:
    """The same span from another library, service or trace."""
    return replace(made, **changes)
