"""A request in the words that an endpoint takes: what is said stays the same, and how it is said is the model's table's."""

from typing import Any

from workermd.protocol.envelope import Document
from workermd.task.binding import Model


def spoken(request: Document, model: Model) -> Document:
    """The request as this model's endpoint takes it."""
    messages = request.get("messages")
    if not isinstance(messages, list):
        return request
    if not model.names:
        messages = [{key: value for key, value in each.items() if key != "name"} for each in messages]
    if model.system != "system":
        messages = _without_system(messages, model.system)
    if model.merge_roles:
        messages = _merged(messages)
    said = request | {"messages": messages}
    return said | {"stream": True, "stream_options": {"include_usage": True}} if model.stream else said


def _without_system(messages: list[Document], instead: str) -> list[Document]:
    """System messages by another role. A user's go into one with what follows: the endpoint takes turns of two."""
    renamed = [each | {"role": instead} if each.get("role") == "system" else each for each in messages]
    joins = instead == "user" and len(messages) > 1 and messages[0].get("role") == "system"
    return [*_merged(renamed[:2]), *renamed[2:]] if joins else renamed


def _merged(messages: list[Document]) -> list[Document]:
    """Messages of one role in a row as one. What answers a tool's call, or makes one, stays by itself."""
    merged: list[Document] = []
    for each in messages:
        last = merged[-1] if merged else None
        if last is not None and last.get("role") == each.get("role") and _is_plain(last) and _is_plain(each):
            merged[-1] = last | {"content": f"{_text(last['content'])}\n\n{_text(each['content'])}"}
        else:
            merged.append(each)
    return merged


def _is_plain(message: Document) -> bool:
    if message.get("role") == "tool" or message.get("tool_calls"):
        return False
    content = message.get("content")
    return isinstance(content, str) or (isinstance(content, list) and all(_is_text(part) for part in content))


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("text"), str)


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)
