"""`/v1/chat/completions`: a reply as one JSON object, or as the chunks of a stream."""

from collections.abc import Mapping
from typing import Any

from workermd.testing.turns import Call, ReplyParts, Usage, pieces


def completion(reply: ReplyParts, model: str, number: int, created: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.content, "refusal": reply.refusal}
    if reply.calls:
        message["tool_calls"] = [_call(call, index, number) for index, call in enumerate(reply.calls)]
    if reply.function is not None:
        message["function_call"] = {"name": reply.function.name, "arguments": reply.function.text}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish_reason}
    answer = _frame("chat.completion", reply.model or model, number, created) | {"choices": [choice]}
    return answer if reply.usage is None else answer | {"usage": _usage(reply.usage)}


def chunks(reply: ReplyParts, model: str, number: int, created: int, *, include_usage: bool) -> list[dict[str, Any]]:
    """The objects of a stream in their order, without the closing `[DONE]`."""
    frame = _frame("chat.completion.chunk", reply.model or model, number, created)
    unknown = {"usage": None} if include_usage else {}  # the last chunk alone knows it
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": "" if reply.content is not None else None}]
    deltas += ({"content": piece} for piece in pieces(reply.text))
    deltas += ({"refusal": piece} for piece in pieces(reply.refusal or ""))
    for index, call in enumerate(reply.calls):
        whole = _call(call, index, number)
        opening = whole | {"index": index, "function": {"name": call.name, "arguments": ""}}
        deltas.append({"tool_calls": [opening]})
        deltas += ({"tool_calls": [{"index": index, "function": {"arguments": part}}]} for part in pieces(call.text))
    listed = [frame | {"choices": [_choice(delta, None)]} | unknown for delta in deltas]
    listed.append(frame | {"choices": [_choice({}, reply.finish_reason)]} | unknown)
    if include_usage and reply.usage is not None:
        listed.append(frame | {"choices": [], "usage": _usage(reply.usage)})
    return listed


def _frame(kind: str, model: str, number: int, created: int) -> dict[str, Any]:
    return {"id": f"chatcmpl-{number}", "object": kind, "created": created, "model": model, "system_fingerprint": None}


def _choice(delta: dict[str, Any], finish_reason: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def _call(call: Call, index: int, number: int) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.text}
    return {"id": call.id or f"call_{number}_{index}", "type": "function", "function": function}


def _usage(usage: Usage | Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(usage, Usage):
        return dict(usage)
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
