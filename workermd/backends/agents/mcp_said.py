"""What an MCP server says, as text, pictures and sounds that may be shown: cleaned and cut."""

import base64
import contextlib
import json
import re
from typing import Any, NamedTuple

from mcp import types

from workermd.system.text import cleaned

MAX_DESCRIPTION = 1024
MAX_DEPTH = 32

_MEDIA_TYPE = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,60}", re.ASCII)


class Medium(NamedTuple):
    """An image or a sound: `kind` says which."""

    kind: str
    media_type: str
    content: bytes


def text_of(result: types.CallToolResult) -> str:
    """A result as text: its texts, else its structured content as JSON; what is no text is named."""
    told = [_told(block) for block in result.content]
    if result.structured_content is not None and not any(
        isinstance(block, types.TextContent) for block in result.content
    ):
        told.insert(0, json.dumps(result.structured_content, ensure_ascii=False))
    return "\n".join(told) or "(the answer is empty)"


def media_of(result: types.CallToolResult) -> tuple[Medium, ...]:
    """The images and sounds of a result; one that cannot be read is left out."""
    found: list[Medium] = []
    for block in result.content:
        if isinstance(block, types.ImageContent | types.AudioContent):
            with contextlib.suppress(ValueError):
                plain = _MEDIA_TYPE.fullmatch(block.mime_type)
                content = base64.b64decode(block.data, validate=True)
                found.append(Medium(block.type, plain[0] if plain else "application/octet-stream", content))
    return tuple(found)


def _told(block: types.ContentBlock) -> str:
    if isinstance(block, types.TextContent):
        return block.text
    if isinstance(block, types.ImageContent | types.AudioContent):
        return f"[{block.type}, {cleaned(block.mime_type, 80)}, about {len(block.data) * 3 // 4} bytes]"
    if isinstance(block, types.ResourceLink):
        return f"[resource {cleaned(str(block.uri), 300)}]"
    resource = block.resource
    if isinstance(resource, types.TextResourceContents):
        return resource.text
    return f"[resource {cleaned(str(resource.uri), 300)}, about {len(resource.blob) * 3 // 4} bytes]"


def cleaned_schema(value: Any, depth: int = 0) -> Any:
    """A schema as a model may be shown it: what describes is cleaned and cut, what is too deep is left open."""
    if depth > MAX_DEPTH:
        return {}
    if isinstance(value, dict):
        return {
            cleaned(key, 200): cleaned(each, MAX_DESCRIPTION)
            if key in ("description", "title", "$comment") and isinstance(each, str)
            else cleaned_schema(each, depth + 1)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [cleaned_schema(each, depth + 1) for each in value]
    return value
