"""`/v1/responses`: a reply as one JSON object, or as the events of a stream."""

from collections.abc import Mapping
from typing import Any

from workermd.testing.turns import Call, ReplyParts, Usage, pieces

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


def response(reply: ReplyParts, asked: dict[str, Any], number: int, created: int) -> dict[str, Any]:
    """The finished response; what the request chose is repeated in it, as the API does."""
    reason = _INCOMPLETE.get(reply.finish_reason)
    answer = _opening(reply, asked, number, created) | {
        "status": "incomplete" if reason else "completed",
        "incomplete_details": {"reason": reason} if reason else None,
        "output": _output(reply, number),
    }
    if reply.usage is None:
        del answer["usage"]
    else:
        answer["usage"] = _usage(reply.usage)
    return answer


def events(reply: ReplyParts, asked: dict[str, Any], number: int, created: int) -> list[dict[str, Any]]:
    """The events of a stream in their order; the last is `response.completed` or `response.incomplete`."""
    opening = _opening(reply, asked, number, created)
    listed: list[dict[str, Any]] = [
        {"type": "response.created", "response": opening},
        {"type": "response.in_progress", "response": opening},
    ]
    for index, item in enumerate(_output(reply, number)):
        parts = _call_events(item, index) if item["type"] == "function_call" else _message_events(item, index)
        bare: dict[str, Any] = {"content": []} if item["type"] == "message" else {"arguments": ""}
        listed.append(_item("added", index, item | bare | {"status": "in_progress"}))
        listed += parts
        listed.append(_item("done", index, item))
    final = response(reply, asked, number, created)
    listed.append({"type": f"response.{final['status']}", "response": final})
    return [event | {"sequence_number": place} for place, event in enumerate(listed)]


def _opening(reply: ReplyParts, asked: dict[str, Any], number: int, created: int) -> dict[str, Any]:
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": asked.get("instructions"),
        "max_output_tokens": asked.get("max_output_tokens"),
        "metadata": asked.get("metadata") or {},
        "model": reply.model or asked.get("model", ""),
        "output": [],
        "parallel_tool_calls": asked.get("parallel_tool_calls", True),
        "previous_response_id": asked.get("previous_response_id"),
        "reasoning": {"effort": None, "summary": None},
        "store": asked.get("store", True),
        "temperature": asked.get("temperature", 1.0),
        "text": asked.get("text") or {"format": {"type": "text"}},
        "tool_choice": asked.get("tool_choice", "auto"),
        "tools": asked.get("tools") or [],
        "top_p": asked.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": None,
    }


def _output(reply: ReplyParts, number: int) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    if reply.content is not None:
        content.append({"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []})
    if reply.refusal is not None:
        content.append({"type": "refusal", "refusal": reply.refusal})
    status = "incomplete" if reply.finish_reason in _INCOMPLETE else "completed"
    message = {"id": f"msg_{number}", "type": "message", "role": "assistant", "status": status, "content": content}
    calls = [_call(call, index, number) for index, call in enumerate(reply.calls)]
    return [*([message] if content else []), *calls]


def _call(call: Call, index: int, number: int) -> dict[str, Any]:
    return {
        "id": f"fc_{number}_{index}",
        "type": "function_call",
        "call_id": call.id or f"call_{number}_{index}",
        "name": call.name,
        "arguments": call.text,
        "status": "completed",
    }


def _item(deed: str, index: int, item: dict[str, Any]) -> dict[str, Any]:
    return {"type": f"response.output_item.{deed}", "output_index": index, "item": item}


def _call_events(item: dict[str, Any], index: int) -> list[dict[str, Any]]:
    where = {"item_id": item["id"], "output_index": index}
    kind = "response.function_call_arguments"
    deltas = [{"type": f"{kind}.delta", **where, "delta": piece} for piece in pieces(item["arguments"])]
    return [*deltas, {"type": f"{kind}.done", **where, "name": item["name"], "arguments": item["arguments"]}]


def _message_events(item: dict[str, Any], index: int) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = []
    for place, part in enumerate(item["content"]):
        where = {"item_id": item["id"], "output_index": index, "content_index": place}
        name = "text" if part["type"] == "output_text" else "refusal"
        kind = f"response.{part['type']}"
        more: dict[str, Any] = {"logprobs": []} if name == "text" else {}
        listed.append({"type": "response.content_part.added", **where, "part": part | {name: ""}})
        listed += ({"type": f"{kind}.delta", **where, **more, "delta": piece} for piece in pieces(part[name]))
        listed.append({"type": f"{kind}.done", **where, **more, name: part[name]})
        listed.append({"type": "response.content_part.done", **where, "part": part})
    return listed


def _usage(usage: Usage | Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(usage, Usage):
        return dict(usage)
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
