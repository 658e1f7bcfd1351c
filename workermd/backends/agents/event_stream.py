"""The events of a streamed completion put together again: the one document that a plain answer would have been."""

import json
from typing import Any

from workermd.protocol.envelope import Document

_DONE = "[DONE]"
_TEXTS = ("content", "refusal", "reasoning_content", "reasoning")


def is_stream(content_type: str, body: bytes) -> bool:
    return content_type.partition(";")[0].strip().lower() == "text/event-stream" or body[:5] == b"data:"


def put_together(body: bytes) -> Document | None:
    """The completion whose chunks a body holds; an error that one of them is, as the answer; None for neither."""
    chunks = list(_chunks(body))
    for chunk in chunks:
        if chunk.get("error"):
            return chunk
    if not any(isinstance(chunk.get("choices"), list) for chunk in chunks):
        return None
    document: Document = {}
    message: Document = {"role": "assistant", "content": None}
    calls: dict[Any, Document] = {}
    finish: Any = None
    for chunk in chunks:
        document |= {key: chunk[key] for key in ("id", "created", "model", "system_fingerprint") if key in chunk}
        if chunk.get("usage"):
            document["usage"] = chunk["usage"]
        for choice in _of_first(chunk.get("choices")):
            finish = choice.get("finish_reason") or finish
            delta = choice.get("delta")
            if isinstance(delta, dict):
                _add(delta, message, calls)
    if calls:
        message["tool_calls"] = list(calls.values())
    return document | {"choices": [{"index": 0, "message": message, "finish_reason": finish}]}


def _chunks(body: bytes) -> list[Document]:
    found: list[Document] = []
    for event in body.decode("utf-8", "replace").replace("\r\n", "\n").split("\n\n"):
        data = "\n".join(line[5:].strip() for line in event.split("\n") if line.startswith("data:"))
        if not data or data == _DONE:
            continue
        try:
            chunk = json.loads(data)
        except (ValueError, RecursionError):
            continue
        if isinstance(chunk, dict):
            found.append(chunk)
    return found


def _of_first(choices: Any) -> list[Document]:
    listed = choices if isinstance(choices, list) else []
    return [each for each in listed if isinstance(each, dict) and each.get("index", 0) in (0, None)]


def _add(delta: Document, message: Document, calls: dict[Any, Document]) -> None:
    for key in _TEXTS:
        if isinstance(delta.get(key), str):
            message[key] = (message.get(key) or "") + delta[key]
    if delta.get("function_call"):
        message["function_call"] = delta["function_call"]
    for place, piece in enumerate(delta.get("tool_calls") or ()):
        if not isinstance(piece, dict):
            continue
        call = calls.setdefault(piece.get("index", place), {"type": "function", "function": {"arguments": ""}})
        if piece.get("id"):
            call["id"] = piece["id"]
        function = piece.get("function")
        if isinstance(function, dict):
            if isinstance(function.get("name"), str):
                call["function"]["name"] = function["name"]
            if isinstance(function.get("arguments"), str):
                call["function"]["arguments"] += function["arguments"]
