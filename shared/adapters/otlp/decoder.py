"""The decoder of traces for both encodings of OTLP."""

from shared.adapters.otlp.json_form import decode_json
from shared.adapters.otlp.protobuf import decode_protobuf
from shared.ports.traces import DecodedTraces, TraceEncoding


class OtlpDecoder:
    def decode(self, body: bytes, encoding: TraceEncoding) -> DecodedTraces:
        """Raises `MalformedTraces`."""
        return decode_json(body) if encoding is TraceEncoding.JSON else decode_protobuf(body)
