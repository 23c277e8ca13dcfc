"""Standard logging payloads as LiteLLM 1.110 writes them, without what is never read."""

from typing import Any

Json = dict[str, Any]


def payload(call_id: str, **fields: Any) -> Json:
    """A chat completion of OpenAI by the proxy; `usage` and `metadata` are merged into what is there."""
    usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100, **fields.pop("usage", {})}
    metadata = {"user_api_key_user_id": "coder", **fields.pop("metadata", {})}
    return {
        "id": call_id,
        "trace_id": "trace-1",
        "session_id": "",
        "call_type": "acompletion",
        "cache_hit": None,
        "status": "success",
        "custom_llm_provider": "openai",
        "model": "gpt-4o",
        "startTime": 1793620798.25,
        "endTime": 1793620800.5,
        "response_cost": 0.00022500000000000002,
        "prompt_tokens": usage["prompt_tokens"],
        "completion_tokens": usage["completion_tokens"],
        "total_tokens": usage["total_tokens"],
        "request_tags": [],
        "end_user": None,
        "messages": [{"role": "user", "content": "a secret prompt"}],
        "response": {"id": call_id, "choices": [{"message": {"content": "a secret answer"}}], "usage": usage},
        "cost_breakdown": {"total_cost": 0.00022500000000000002, "service_tier": None},
        **fields,
        "metadata": {**metadata, "usage_object": usage},
    }
