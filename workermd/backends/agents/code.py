"""Code that a model writes, run by AutoGen's executors: in the attempt's own process tree, or in a container.

Local code runs as the user who runs us. It is bounded in time and in what it prints, its files land in the attempt's
artifacts folder, and it is started without the variables that hold keys; but it sees the network and whatever files
that user sees, and a process of the same user can look into ours. A container keeps it from the files.
"""

import asyncio
import contextlib
import os
import shlex
import shutil
import socket
import sys
import tempfile
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from autogen_core import CancellationToken
from autogen_core.code_executor import CodeBlock, CodeExecutor
from autogen_ext.code_executors._common import CommandLineCodeResult, get_file_name_from_content
from autogen_ext.code_executors.local import LocalCommandLineCodeExecutor

from workermd.backends.agents import bounded
from workermd.backends.agents.tools import Runner, cut
from workermd.protocol.envelope import Document
from workermd.system import environment, processes, programs
from workermd.task.binding import Binding, ToolBinding
from workermd.task.task import Task

SOCKET = "/var/run/docker.sock"
PRINTED_BYTES = 1 << 20
"""What code may print to each of stdout and stderr; the rest is dropped."""
MOST_FILES = 200
"""Files of one attempt's code that become artifacts."""
LATE = 1
"""Seconds beyond its own timeout after which code is ended from here: it may have stopped the script that watches it."""
SLACK = 3
"""Seconds beyond its own timeout after which AutoGen's executor gives up on code: ours come first."""
MARKER = "WORKERMD_CODE"
"""The variable by which everything that code started is found."""


def unusable(code: Document) -> str:
    """Why code cannot be run: an interpreter that is not there, a container engine that does not answer."""
    if code["executor"] == "docker":
        return _no_engine()
    return next(
        (reason for language in code["languages"] if (reason := programs.why_missing(_interpreter(code, language)))), ""
    )


def _interpreter(code: Document, language: str) -> str:
    named: str = (code["python"] or sys.executable) if language == "python" else language
    return named


def _no_engine() -> str:
    for module in ("docker", "asyncio_atexit"):
        if find_spec(module) is None:
            return f"it needs the module {module!r}, which is not installed: pip install 'autogen-ext[docker]==0.7.5'"
    address = os.environ.get("DOCKER_HOST", f"unix://{SOCKET}")
    scheme, _, place = address.partition("://")
    host, _, port = place.rpartition(":")
    family, where = (socket.AF_UNIX, place) if scheme == "unix" else (socket.AF_INET, (host, int(port or 2375)))
    try:
        with socket.socket(family) as found:
            found.settimeout(2)
            found.connect(where)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        return f'no container engine answers at {address} ({reason}); start one, or choose executor = "local"'
    return ""


def written(folder: str) -> list[str]:
    """The files that code left in its folder, but for the scripts that AutoGen wrote the code itself into."""
    found: list[str] = []
    for place, folders, names in os.walk(folder):
        folders.sort()
        paths = (os.path.join(place, name) for name in sorted(names) if not name.startswith("tmp_code_"))
        found += [path for path in paths if os.path.isfile(path) and not os.path.islink(path)]
    return found[:MOST_FILES]


@asynccontextmanager
async def runners(tool: ToolBinding, binding: Binding, task: Task) -> AsyncIterator[tuple[Runner, ...]]:
    """The one tool that runs code."""
    code = tool.code or {}
    with tempfile.TemporaryDirectory(prefix="workermd-") as folder:
        executor = _local(code, binding, task, folder) if code["executor"] == "local" else _docker(code, task)
        await executor.start()
        try:
            yield (_runner(tool, code, executor, task.artifacts_dir, _mark(folder)),)
        finally:
            await executor.stop()


def _mark(folder: str) -> bytes:
    return f"{MARKER}={os.path.basename(folder)}".encode()


def _make_folders(text: str, work_dir: str) -> None:
    """The folders in the name that code gives its file: AutoGen makes none. One that leads out is AutoGen's to refuse."""
    with contextlib.suppress(ValueError, OSError):
        if name := get_file_name_from_content(text, Path(work_dir)):
            os.makedirs(os.path.join(work_dir, os.path.dirname(name)), exist_ok=True)


def _runner(tool: ToolBinding, code: Document, executor: CodeExecutor, work_dir: str, mark: bytes) -> Runner:
    languages = code["languages"]
    one_at_a_time = asyncio.Lock()

    async def call(arguments: Document) -> str:
        language, text = arguments.get("language", languages[0]), arguments.get("code")
        if language not in languages or not isinstance(text, str):
            return f"error: give code as text, and as language one of: {', '.join(languages)}"
        async with one_at_a_time:
            _make_folders(text, work_dir)
            late = asyncio.get_running_loop().call_later(code["timeout"] + LATE, processes.end_marked, mark)
            try:
                result = await executor.execute_code_blocks([CodeBlock(text, language)], CancellationToken())
            finally:
                late.cancel()
        if late.when() <= asyncio.get_running_loop().time() and code["executor"] == "local":
            result = CommandLineCodeResult(bounded.TIME_OVER, result.output, None)
        ending = {0: "", bounded.TIME_OVER: f" (it was ended after {code['timeout']} seconds)"}.get(
            result.exit_code, ""
        )
        return cut(f"exit code {result.exit_code}{ending}\n{result.output}")

    schema = {
        "type": "object",
        "properties": {"language": {"type": "string", "enum": list(languages)}, "code": {"type": "string"}},
        "required": ["language", "code"],
        "additionalProperties": False,
    }
    told = (
        f"Runs a program of its own, {' or '.join(languages)}, for at most {code['timeout']} seconds, in a folder that "
        "stays the same; answers with its exit code and what it printed. Nothing else is kept between two calls."
    )
    return Runner(tool, tool.description or told, schema, call)


def _local(code: Document, binding: Binding, task: Task, folder: str) -> CodeExecutor:
    """AutoGen's executor, with its interpreters replaced by ours: it would pass every variable on, read without a
    bound, and end one process of what may be many."""
    for language in code["languages"]:
        _put_launcher(folder, language, _interpreter(code, language), code["timeout"], binding)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that code runs here is what the operator chose
        return LocalCommandLineCodeExecutor(
            timeout=code["timeout"] + SLACK,
            work_dir=task.artifacts_dir,
            virtual_env_context=SimpleNamespace(bin_path=folder, env_exe=os.path.join(folder, "python")),
        )


def _put_launcher(folder: str, name: str, program: str, seconds: int, binding: Binding) -> None:
    """A script by the name of an interpreter, which starts it bounded and with the listed variables alone."""
    found = shutil.which(program) or program
    listed = sorted(environment.chosen((*environment.own(), *binding.env)).keys() - {"PATH"})
    # By name: no value stands in the file. PATH as it is here, because the executor puts this folder before it.
    passed = [f'"{name}=${name}"' for name in listed if name.isidentifier()]
    words = [sys.executable, "-I", "-S", bounded.__file__, str(seconds), str(PRINTED_BYTES), found]
    own = (f"PATH={os.environ.get('PATH', os.defpath)}", _mark(folder).decode())
    line = " ".join(["exec env -i", *map(shlex.quote, own), *passed])
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'#!/bin/sh\n{line} {shlex.join(words)} "$@"\n')
    os.chmod(path, 0o700)


def _docker(code: Document, task: Task) -> CodeExecutor:
    """A container that ends by itself: it is no child of ours, so that no kill of ours reaches it."""
    from autogen_ext.code_executors.docker import DockerCommandLineCodeExecutor

    executor: Any = DockerCommandLineCodeExecutor(
        image=code["image"],
        timeout=code["timeout"],
        work_dir=task.artifacts_dir,
        init_command=lifetime(task.seconds_left),
    )
    return executor  # type: ignore[no-any-return]


def lifetime(seconds: float) -> str:
    """The first words of the container's shell: it ends when asked to, and a second after the attempt's deadline."""
    return f"exec sh -c 'trap \"exit 0\" TERM; sleep {int(seconds) + 1} & wait'"
