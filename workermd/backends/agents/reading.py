"""The last words of a conversation become a `Result`: empty, prose, fenced and bare answers told apart."""

import json
import re

from workermd.protocol.envelope import Document
from workermd.task.task import Limits, Result, failed

_FENCED = re.compile(r"(`{3,}|~{3,})[A-Za-z0-9]*[ \t]*\r?\n(.*?)\r?\n?\1", re.DOTALL)


def result_of(text: str, limits: Limits, model: str | None = None, finish_reason: str | None = None) -> Result:
    """The output that a text holds. It must be one JSON object, bare or as the only thing in one fence; whether it
    is strict JSON and matches the schema is for the output check, which every attempt passes."""
    text = text.strip().removeprefix("\ufeff")
    if not text:
        return _not_json("the reply is empty; answer with one JSON object")
    fences = [inside for _, inside in _FENCED.findall(text)]
    if len(fences) == 1 and _FENCED.sub("", text).strip() == "":
        text = fences[0].strip()
    elif fences:
        return _not_json("the reply has text around its fenced block; answer with one JSON object and nothing else")
    elif not text.startswith("{"):
        inside = "text around JSON" if "{" in text and text.count("}") else "prose, without a JSON object"
        return _not_json(f"the reply is {inside}; answer with one JSON object and nothing else")
    if len(text.encode("utf-8", "surrogatepass")) > limits.max_output_bytes:
        message = f"the output is larger than the {limits.max_output_bytes} bytes allowed"
        return failed("invalid_output", "output_too_large", message)
    return Result(output=text, model=model, finish_reason=finish_reason)


def whole_object(text: str) -> str:
    """The one JSON object, bare or in a fence, that a text comes to, blanks aside; empty where it is cut off or more."""
    text = text.strip()
    fence = _FENCED.fullmatch(text)
    try:
        found = json.loads(fence[2] if fence else text)
    except (ValueError, RecursionError):
        return ""
    return text if isinstance(found, dict) else ""


_MOST_STARTS = 20
"""Places in a text at which an object may begin."""


def objects_in(text: str) -> list[Document]:
    """The JSON objects in a text, whatever stands around them."""
    found: list[Document] = []
    decoder, at = json.JSONDecoder(), text.find("{")
    for _ in range(_MOST_STARTS):
        if at < 0:
            break
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            found.append(value)
        at = text.find("{", end)
    return found


def _not_json(message: str) -> Result:
    return failed("invalid_output", "output_not_json", message)
