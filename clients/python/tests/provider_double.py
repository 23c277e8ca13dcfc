"""A server that answers as OpenAI, Anthropic and Google do: plain, streamed, with tools, errors, cached tokens."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

CHAT_USAGE = {
    "prompt_tokens": 1200,
    "completion_tokens": 90,
    "total_tokens": 1290,
    "prompt_tokens_details": {"cached_tokens": 800},
    "completion_tokens_details": {"reasoning_tokens": 30},
}
RESPONSES_USAGE = {
    "input_tokens": 1200,
    "output_tokens": 90,
    "total_tokens": 1290,
    "input_tokens_details": {"cached_tokens": 800},
    "output_tokens_details": {"reasoning_tokens": 30},
}
MESSAGES_USAGE = {"input_tokens": 100, "cache_read_input_tokens": 800, "cache_creation_input_tokens": 50}
GOOGLE_USAGE = {
    "promptTokenCount": 1200,
    "cachedContentTokenCount": 800,
    "candidatesTokenCount": 60,
    "thoughtsTokenCount": 30,
    "totalTokenCount": 1290,
}
TOOL_CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"a": 1}'}}


class ProviderDouble:
    """`model` of a request says how it is answered: `tools`, `gzip`, `error`, `refuses-options`, `slow`, or plainly."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self._numbers = count(1)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.bodies.append(body)
                try:
                    outer._answer(self, body)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.base = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        model = body.get("model")
        if model == "error" or (model == "refuses-options" and "stream_options" in body):
            _send(handler, 400, json.dumps({"error": {"message": "no", "type": "invalid_request_error"}}).encode())
            return
        id_ = f"id-{next(self._numbers)}"
        whole, events = _forms(handler.path, id_, body)
        if not (body.get("stream") or ":stream" in handler.path):
            _send(handler, 200, json.dumps(whole).encode(), is_zipped=model == "gzip")
            return
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream; charset=utf-8")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for event in events:
            half = len(event) // 2
            for piece in (event[:half], event[half:]):
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            handler.wfile.flush()
            if model == "slow":
                time.sleep(0.05)
        handler.wfile.write(b"0\r\n\r\n")


def _forms(path: str, id_: str, body: dict[str, Any]) -> tuple[dict[str, Any], Iterator[bytes]]:
    if path == "/v1/chat/completions":
        return _chat(id_, body), _chat_events(id_, body)
    if path == "/v1/responses":
        return _response(id_, body), _response_events(id_, body)
    if "enerateContent" in path:
        return _content(id_), _content_events(id_)
    return _message(id_, body), _message_events(id_, body)


def _send(handler: BaseHTTPRequestHandler, status: int, content: bytes, *, is_zipped: bool = False) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    if is_zipped:
        content = gzip.compress(content)
        handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def _data(value: Any, name: str = "") -> bytes:
    event = f"event: {name}\n" if name else ""
    return f"{event}data: {json.dumps(value, separators=(',', ':'))}\n\n".encode()


def _chat(id_: str, body: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": 'says "usage": null, really'}
    if body["model"] == "tools":
        message = {"role": "assistant", "content": None, "tool_calls": [TOOL_CALL]}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    about = {"id": id_, "object": "chat.completion", "created": 1, "model": "gpt-5-2025", "service_tier": "default"}
    return {**about, "choices": [choice], "usage": CHAT_USAGE}


def _chat_events(id_: str, body: dict[str, Any]) -> Iterator[bytes]:
    asked = body.get("stream_options", {}).get("include_usage")
    about = {"id": id_, "object": "chat.completion.chunk", "created": 1, "model": "gpt-5-2025"}
    added = {"usage": None} if asked else {}
    texts = ["says ", '"usage": null', ', "usage":null', " really"]
    deltas: list[dict[str, Any]] = [{"content": text} for text in texts]
    if body["model"] == "tools":
        deltas = [{"tool_calls": [TOOL_CALL]}]
    for delta in deltas:
        yield _data({**about, "choices": [{"index": 0, "delta": delta, "finish_reason": None}], **added})
    yield _data({**about, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], **added})
    if asked:
        yield _data({**about, "choices": [], "usage": CHAT_USAGE})
    yield b"data: [DONE]\n\n"


def _response(id_: str, _: dict[str, Any]) -> dict[str, Any]:
    text = {"type": "output_text", "text": "yes", "annotations": []}
    output = [{"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [text]}]
    about = {"id": id_, "object": "response", "created_at": 1, "status": "completed", "model": "gpt-5-2025"}
    rest = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "error": None, "incomplete_details": None}
    return {**about, "output": output, "usage": RESPONSES_USAGE, **rest}


def _response_events(id_: str, body: dict[str, Any]) -> Iterator[bytes]:
    whole = _response(id_, body)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    yield _data({"type": "response.created", "sequence_number": 0, "response": begun}, "response.created")
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    added = {"output_index": 0, "item": item}
    yield _data({"type": "response.output_item.added", "sequence_number": 1, **added}, "response.output_item.added")
    part = {"type": "output_text", "text": "", "annotations": []}
    added = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "part": part}
    yield _data({"type": "response.content_part.added", "sequence_number": 1, **added}, "response.content_part.added")
    delta = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": "yes", "logprobs": []}
    yield _data({"type": "response.output_text.delta", "sequence_number": 1, **delta}, "response.output_text.delta")
    yield _data({"type": "response.completed", "sequence_number": 2, "response": whole}, "response.completed")


def _message(id_: str, _: dict[str, Any]) -> dict[str, Any]:
    about = {"id": id_, "type": "message", "role": "assistant", "model": "claude-sonnet-4-5"}
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    return {
        **about,
        "content": [{"type": "text", "text": "yes"}],
        **end,
        "usage": {**MESSAGES_USAGE, "output_tokens": 9},
    }


def _message_events(id_: str, body: dict[str, Any]) -> Iterator[bytes]:
    begun = {**_message(id_, body), "content": [], "stop_reason": None, "usage": {**MESSAGES_USAGE, "output_tokens": 1}}
    yield _data({"type": "message_start", "message": begun}, "message_start")
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    yield _data(block, "content_block_start")
    for text in ("y", "es"):
        delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
        yield _data(delta, "content_block_delta")
    yield _data({"type": "content_block_stop", "index": 0}, "content_block_stop")
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    yield _data({"type": "message_delta", "delta": end, "usage": {"output_tokens": 9}}, "message_delta")
    yield _data({"type": "message_stop"}, "message_stop")


def _content(id_: str, text: str = "yes", **further: Any) -> dict[str, Any]:
    candidate = {"index": 0, "content": {"role": "model", "parts": [{"text": text}]}, **further}
    return {"candidates": [candidate], "usageMetadata": GOOGLE_USAGE, "modelVersion": "gemini-3", "responseId": id_}


def _content_events(id_: str) -> Iterator[bytes]:
    first = _content(id_, "y")
    yield _data({**first, "usageMetadata": {"promptTokenCount": 1200, "totalTokenCount": 1200}})
    yield _data(_content(id_, "es", finishReason="STOP"))
