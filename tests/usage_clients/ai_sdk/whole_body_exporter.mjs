import { JsonTraceSerializer } from "@opentelemetry/otlp-transformer";

export class WholeBodyExporter {
  url = process.env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
  headers = { "x-api-key": process.env.XYRA_API_KEY, "content-type": "application/json" };
  sending = new Set();

  export(spans, done) {
    const sent = this.send(JsonTraceSerializer.serializeRequest(spans))
      .then(() => done({ code: 0 }), (error) => done({ code: 1, error }))
      .finally(() => this.sending.delete(sent));
    this.sending.add(sent);
  }
  async send(body, retries = 6) {
    const answer = await fetch(this.url, { method: "POST", headers: this.headers, body }).catch(() => undefined);
    if (answer?.ok) return;
    if (retries === 0 || (answer && ![429, 502, 503, 504].includes(answer.status)))
      throw new Error(`spans were not taken: ${answer ? await answer.text() : "no answer"}`);
    await new Promise((wake) => setTimeout(wake, 1000 * (Number(answer?.headers.get("retry-after")) || 2)));
    return this.send(body, retries - 1);
  }
  forceFlush = () => Promise.all(this.sending);
  shutdown = () => this.forceFlush();
}
