// Calls models by the AI SDK, whose spans go out by OTLP. Runs where the packages of package.json are installed:
// `send.mjs EXPORTER API PROVIDER`. Reads what is asked, as a list of texts, from its input.

import { createOpenAI } from "@ai-sdk/openai";
import { setGlobalErrorHandler } from "@opentelemetry/core";
import { OTLPTraceExporter as JsonExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { generateText } from "ai";
import { text } from "node:stream/consumers";

import { WholeBodyExporter } from "./whole_body_exporter.mjs";

const AT_ONCE = 10;

const EXPORTERS = {
  whole: () => new WholeBodyExporter(),
  json: () => new JsonExporter(),
  protobuf: () => new ProtobufExporter(),
  gzip: () => new ProtobufExporter({ compression: "gzip" }),
};

const tell = (error) => console.error(`not exported: ${error.code} ${error.message}`);
setGlobalErrorHandler(tell);
const [exporter, api, baseURL] = process.argv.slice(2);
const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ "service.name": "coder" }),
  spanProcessors: [
    new BatchSpanProcessor(EXPORTERS[exporter](), { maxQueueSize: 100_000 }),
  ],
});
provider.register();

const openai = createOpenAI({ baseURL, apiKey: "none" });
const model = api === "chat" ? openai.chat("gpt-5") : openai.responses("gpt-5");
const asked = JSON.parse(await text(process.stdin));
for (let start = 0; start < asked.length; start += AT_ONCE) {
  await Promise.all(
    asked.slice(start, start + AT_ONCE).map((prompt) =>
      generateText({ model, prompt, experimental_telemetry: { isEnabled: true } }),
    ),
  );
}
await provider.shutdown().catch(tell);
