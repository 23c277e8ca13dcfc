"""Calls models by OpenAI's SDK under an instrumentation; its spans go out by OTLP, as the environment says.

Runs in the clients' environment: `send_by_openai.py INSTRUMENTATION PROVIDER`. Reads what is asked, as a list of texts,
from its input.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

from openai import OpenAI
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

AT_ONCE = 4


INSTRUMENTATIONS = {
    "openai_v2": "opentelemetry.instrumentation.openai_v2",
    "openinference": "openinference.instrumentation.openai",
}


def main(instrumentation: str, base_url: str, asked: list[str]) -> None:
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    import_module(INSTRUMENTATIONS[instrumentation]).OpenAIInstrumentor().instrument(tracer_provider=provider)
    client = OpenAI(base_url=base_url, api_key="none")

    def call(text: str) -> None:
        client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": text}])

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(call, asked))
    provider.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:], json.load(sys.stdin))
