"""Attempts on disk: what a task was, what was asked and answered on the way, and what it came to.

A recording is one JSON file an attempt. It is found by the task: every field but those that differ between two runs
of the same thing (`VOLATILE`). Values of secret variables are masked before anything is written, and headers are not
kept, so that no key gets in.
"""

import json
import os
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from workermd.protocol.codec import from_document, to_document
from workermd.protocol.envelope import Document
from workermd.system import files
from workermd.system.digest import sha256
from workermd.task.binding import Binding
from workermd.task.masking import Mask
from workermd.task.task import Result, Task

FORMAT = 1

VOLATILE = frozenset({"seconds_left", "max_attempts", "budget", "trace", "artifacts_dir", "reach", "checkpoint"})
"""The fields of a task that a recording is not found by."""

_SUFFIX = ".recording.json"


class Miss(Exception):
    """There is no recording of this. The message names the field that differs from the nearest one."""


class Recording(NamedTuple):
    """One attempt. `exchanges` are requests to models with their answers, `{agent, request, status, headers, answer}`;
    `calls` are tool calls, `{agent, tool, arguments, text}`; `tools` describes the tools that were offered."""

    kind: str
    task: Document
    result: Document
    tools: tuple[Document, ...] = ()
    exchanges: tuple[Document, ...] = ()
    calls: tuple[Document, ...] = ()


def save(recording: Recording, binding: Binding) -> None:
    """Write a recording into the folder that the binding names. Where that cannot be, the attempt's log says so: what
    the attempt came to is worth more than its recording."""
    masked: Document = {"workermd_recording": FORMAT} | Mask(binding, recording.task.get("input")).value(
        to_document(recording)
    )
    path = os.path.join(binding.record, _name(masked["task"]))
    try:
        os.makedirs(binding.record, exist_ok=True)
        text = json.dumps(masked, ensure_ascii=False, indent=1) + "\n"
        files.put(path, text.encode("utf-8", "surrogatepass"))
    except OSError as error:
        sys.stderr.write(
            f"workermd: the attempt is not recorded: {binding.record} cannot be written ({error.strerror})\n"
        )


def key_of(task: Task) -> Document:
    """What a recording of this task is found by: its fields, but for those that hold their default. So a recording of
    a version that did not have a field yet is found by one that has it."""
    fields, defaults = to_document(task), Task._field_defaults
    told = {name: value for name, value in fields.items() if name not in VOLATILE}
    return {name: value for name, value in told.items() if name not in defaults or value != to_document(defaults[name])}


def find(binding: Binding, task: Task) -> Recording:
    """The recording of this task in the folder that the binding names. Raises `Miss`."""
    wanted: Document = Mask(binding, task.input).value(key_of(task))
    folder = binding.replay
    try:
        return _read(os.path.join(folder, _name(wanted)))
    except FileNotFoundError:
        pass
    others = [_read(path) for path in _paths(folder)]
    if not others:
        raise Miss(f"{folder} holds no recording; make one with: --record {folder}")
    near = min(others, key=lambda other: len(list(differences(wanted, other.task))))
    places = list(differences(wanted, near.task))
    raise Miss(
        f"{folder} holds no recording of this task; the nearest of {len(others)} differs in {', '.join(places[:3])}"
        + (f" and {len(places) - 3} more places" if len(places) > 3 else "")
    )


def differences(wanted: Any, found: Any, pointer: str = "") -> Iterator[str]:
    """JSON Pointers of the places in which two documents differ, in the order of the first; values are not told."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in [*wanted, *(key for key in found if key not in wanted)]:
            below = f"{pointer}/{str(key)[:80].replace('~', '~0').replace('/', '~1')}"
            if key not in wanted or key not in found:
                yield below
            else:
                yield from differences(wanted[key], found[key], below)
    elif isinstance(wanted, list) and isinstance(found, list):
        for index in range(max(len(wanted), len(found))):
            if index >= len(wanted) or index >= len(found):
                yield f"{pointer}/{index}"
            else:
                yield from differences(wanted[index], found[index], f"{pointer}/{index}")
    elif wanted != found or type(wanted) is not type(found):
        yield pointer or "/"


def replayed(recording: Recording) -> Result:
    """The result of a recorded attempt, without its artifacts: their files were not kept."""
    return from_document(Result, recording.result | {"artifacts": []})


def _name(key: Document) -> str:
    digest = sha256(json.dumps(key, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")).hex()[:16]
    worker = "".join(character if character.isalnum() or character in "-_." else "-" for character in key["worker_id"])
    return f"{worker[:80]}-{key['attempt']}-{digest}{_SUFFIX}"


def _paths(folder: str) -> list[str]:
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise Miss(f"{folder} cannot be read ({error.strerror})") from None
    return [os.path.join(folder, name) for name in names if name.endswith(_SUFFIX)]


def _read(path: str) -> Recording:
    """Raises `Miss` for what is no recording of ours, FileNotFoundError."""
    try:
        with open(path, encoding="utf-8", errors="surrogatepass") as file:
            document = json.load(file)
        if document.pop("workermd_recording") != FORMAT:
            raise Miss(f"{path} was written by another version; record again")
        return Recording(**document)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise Miss(f"{path} is not a recording; remove it") from None
