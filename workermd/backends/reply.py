"""A worker's answer becomes a `Result`: JSON text, numbers and files that can be relied on (S8.2)."""

import hashlib
import json
import math
import mimetypes
import os
import stat
from pathlib import Path
from typing import Any

from workermd.protocol.envelope import Document
from workermd.system.text import printable
from workermd.task.task import Limits, Refused, Reply, Result, Task, failed

MAX_DEPTH = 64
"""The strict reader's own bound. Below it neither the walk nor `json.dumps` can run out of stack."""

MAX_INTEGER_BITS = 1300
"""Just under 400 digits, which is what the strict reader takes for one number."""


Where = tuple["Where", str | int] | None
"""A place in a document as its key and the place of what holds it; only an error makes text of it."""


class NotJson(Exception):
    """The answer cannot be written as JSON. The message names a place and a type, never a value."""


class ReplyTooLarge(Exception):
    """The answer is larger than `max_output_bytes`."""


def result_of(answer: object, task: Task, limits: Limits) -> Result:
    """What a worker returned, as a `Result`. Raises `Refused` for a `Reply` whose other fields are unusable."""
    reply = answer if isinstance(answer, Reply) else Reply(answer)  # type: ignore[arg-type]  # checked next
    output: object = reply.output
    if not isinstance(output, dict):
        found = type(output).__name__
        return failed(
            "invalid_output", "output_not_json", f"the output is a {found}; return a dict or a Reply of a dict"
        )
    try:
        text = _text(output, limits.max_output_bytes)
    except NotJson as error:
        return failed("invalid_output", "output_not_json", str(error))
    except ReplyTooLarge:
        message = f"the output is larger than the {limits.max_output_bytes} bytes allowed"
        return failed("invalid_output", "output_too_large", message)
    return Result(
        output=text,
        usage=_usage(reply.usage),
        artifacts=_artifacts(reply.artifacts, task.artifacts_dir),
        model=_word("model", reply.model),
        finish_reason=_word("finish_reason", reply.finish_reason),
    )


def _text(output: Document, max_bytes: int) -> str:
    _check(output, max_bytes)
    text = json.dumps(output, ensure_ascii=False)
    # A lone surrogate is not ours to judge: the strict check names its place.
    if len(text) > max_bytes or len(text.encode("utf-8", "surrogatepass")) > max_bytes:
        raise ReplyTooLarge
    return text


def _check(output: Document, max_bytes: int) -> None:
    """Walk the document before it is copied into text. `size` never exceeds the text's length, so a document
    that is far too large, or that holds itself, is found after `max_bytes` steps at most."""
    size = 0
    pending: list[tuple[Any, Where, int]] = [(output, None, 1)]
    while pending:
        value, where, depth = pending.pop()
        if not isinstance(value, dict | list | tuple):
            size += _scalar_size(value, where)
        elif depth > MAX_DEPTH:
            raise NotJson(f"the output is nested deeper than {MAX_DEPTH} levels")
        else:
            size += 2 if isinstance(value, dict) else max(2, len(value))
            for key, item in value.items() if isinstance(value, dict) else enumerate(value):
                size += _key_size(key, where) if isinstance(value, dict) else 0
                if size > max_bytes:
                    raise ReplyTooLarge
                pending.append((item, (where, key), depth + 1))
        if size > max_bytes:
            raise ReplyTooLarge


def _key_size(key: object, where: Where) -> int:
    if not isinstance(key, str):
        raise NotJson(f"a key of the object at {_pointer(where)} is a {type(key).__name__}, not a str")
    return len(key) + 3


def _scalar_size(value: object, where: Where) -> int:
    if isinstance(value, str):
        return len(value) + 2
    if value is not None and not isinstance(value, int | float):
        raise NotJson(f"the value at {_pointer(where)} is a {type(value).__name__}, which JSON does not have")
    if isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS:
        raise NotJson(f"the number at {_pointer(where)} has more than 390 digits")
    return 1


def _pointer(where: Where) -> str:
    """A JSON Pointer, each key cut to 80 characters."""
    keys: list[str] = []
    while where is not None:
        where, key = where
        keys.append(str(key)[:80].replace("~", "~0").replace("/", "~1"))
    return repr("".join("/" + key for key in reversed(keys))) if keys else "the top"


def _usage(usage: object) -> Document | None:
    if usage is None:
        return None
    if not isinstance(usage, dict):
        raise Refused(f"Reply.usage is a {type(usage).__name__}; give names and numbers, such as input_tokens")
    for name, number in usage.items():
        counts = isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number < math.inf
        if not isinstance(name, str) or not counts:
            raise Refused("Reply.usage must map names to numbers from 0 up")
    return usage


def _word(field: str, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise Refused(f"Reply.{field} is a {type(value).__name__}, not a str")
    return printable(value[:200], " ")


def artifacts_of(paths: list[str], folder: str) -> tuple[Document, ...]:
    """Files in the task's folder that no reply names, as artifacts by their path in it; what cannot be read is left out."""
    found: list[Document] = []
    for path in paths:
        name = os.path.relpath(path, folder)
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        try:
            found.append(_artifact(len(found), {"name": name, "path": path, "media_type": kind}, folder))
        except Refused:
            continue
    return tuple(found)


def _artifacts(artifacts: object, folder: str) -> tuple[Document, ...]:
    if not isinstance(artifacts, tuple | list):
        raise Refused(f"Reply.artifacts is a {type(artifacts).__name__}; give a tuple of dicts")
    checked = tuple(_artifact(number, artifact, folder) for number, artifact in enumerate(artifacts))
    if len({artifact["name"] for artifact in checked}) < len(checked):
        raise Refused("Reply.artifacts holds the same name twice")
    return checked


def _artifact(number: int, artifact: object, folder: str) -> Document:
    """`{name, path, sha256, bytes, media_type}` of a regular file in the task's folder."""
    place = f"Reply.artifacts[{number}]"
    if not isinstance(artifact, dict):
        raise Refused(f"{place} is a {type(artifact).__name__}; give a dict with name, path and media_type")
    name, path = artifact.get("name"), artifact.get("path")
    media_type = artifact.get("media_type", "application/octet-stream")
    if not (isinstance(name, str) and 0 < len(name) <= 255 and name.isprintable()):
        raise Refused(f"{place}: name must be printable text of 1 to 255 characters")
    if not (isinstance(media_type, str) and 0 < len(media_type) <= 255 and media_type.isprintable()):
        raise Refused(f"{place}: media_type must be printable text")
    if not (isinstance(path, str) and path and "\0" not in path):
        raise Refused(f"{place}: path must be the path of a file in artifacts_dir")
    inside = os.path.realpath(folder)
    real = os.path.realpath(Path(inside, path))
    if not real.startswith(inside.rstrip("/") + "/"):
        raise Refused(f"{place}: path leads out of artifacts_dir; write the file into that folder")
    sha256, size = _digest(real, place)
    return {"name": name, "path": real, "sha256": sha256, "bytes": size, "media_type": media_type}


def _digest(path: str, place: str) -> tuple[str, int]:
    try:
        # NONBLOCK: opening a pipe would wait for its writer. NOFOLLOW: the path was resolved before.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise Refused(f"{place}: the file cannot be read ({error.strerror})") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Refused(f"{place}: path is not a regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return digest, file.tell()
    finally:
        os.close(descriptor)
