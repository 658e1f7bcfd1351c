"""What is compared: each subject a contract with a binding, and a digest of all that decides its answers."""

import os
from collections.abc import Iterator
from importlib.machinery import PathFinder
from typing import Any, NamedTuple

from workermd.config.configuration import Flags
from workermd.contract.json.strict import canonical
from workermd.protocol.codec import to_document
from workermd.protocol.envelope import Document
from workermd.runner.worker import Worker
from workermd.system.digest import sha256
from workermd.task.binding import Binding

_MOST_FILE = 64 << 20
"""Bytes of a file that a binding names: of a larger one its size and time stand in the digest."""

_NOT_DECIDING = ("origin", "record")
"""Fields of a binding that change no answer."""


class BenchSubject(NamedTuple):
    """`digest` (hex) changes with anything that may change an answer: model, endpoint, prompt, settings, program."""

    name: str
    worker: Worker
    digest: str


def flags_for(words: Document, folder: str, base: Flags) -> Flags:
    """The options of `run` that a subject's words stand for; paths are from the suite's folder."""

    def place(key: str) -> str:
        return os.path.join(folder, os.path.expanduser(words[key])) if key in words else ""

    return base._replace(
        backend=words.get("backend", "command" if "command" in words else ""),
        function=words.get("function", ""),
        command=tuple(words.get("command", ())),
        model=words.get("model", ""),
        base_url=words.get("base_url", ""),
        api_key_env=words.get("api_key_env", ""),
        settings=tuple(f"{key}={_as_json(value)}" for key, value in words.get("settings", {}).items()),
        env=tuple(words.get("env", ())),
        secret_env=tuple(words.get("secret_env", ())),
        vouch=tuple(words.get("vouch", ())),
        replay=place("replay"),
        sandbox=words.get("sandbox", "") or base.sandbox,
        config=place("config") or base.config,
        no_config=base.no_config and "config" not in words,
    )


def _as_json(value: Any) -> str:
    import json

    return json.dumps(value)


def digest_of(binding: Binding) -> str:
    """Of a binding with every file that it names: a changed prompt, program or function is another subject.

    Variables that are passed on count with their values, secret ones by their names alone.
    """
    document = {key: value for key, value in to_document(binding).items() if key not in _NOT_DECIDING}
    secret = {*binding.secret_env, *binding.key_variables}
    document["folder"] = ""
    document["values"] = {name: os.environ.get(name) for name in binding.env if name not in secret}
    document["files"] = [_of_file(path) for path in sorted({*_named(binding)})]
    return sha256(canonical(_plain(document))).hex()


def _plain(value: Any) -> Any:
    """Numbers as JSON has them: a setting may hold any that a configuration can say."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _named(binding: Binding) -> Iterator[str]:
    """The files that a binding names anywhere, and the modules of its functions."""
    for text in _texts(to_document(binding)):
        module, colon, _ = text.partition(":")
        if colon and module.replace(".", "").replace("_", "").isalnum():
            if path := _module(module):
                yield path
        elif 0 < len(text) < 1024 and "\n" not in text and "\0" not in text:
            path = os.path.join(binding.folder or os.getcwd(), text)
            if os.path.isfile(path):
                yield path
            elif os.path.isdir(path) and text == binding.replay:
                yield from (entry.path for entry in os.scandir(path) if entry.is_file())


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def _module(name: str) -> str:
    """The file of a module, found without importing it; empty where there is none."""
    import sys

    path, found = [os.getcwd(), *sys.path], ""
    for part in name.split("."):
        spec = PathFinder.find_spec(part, path)
        if spec is None:
            return ""
        path, found = list(spec.submodule_search_locations or ()), spec.origin or ""
    return found


def _of_file(path: str) -> list[Any]:
    try:
        size = os.path.getsize(path)
        if size > _MOST_FILE:
            return [size, os.stat(path).st_mtime_ns]
        with open(path, "rb") as file:
            return [sha256(file.read()).hex()]
    except OSError:
        return [None]
