"""The kind `command` in a container: an image by its digest, as the operator's engine runs it (podman or docker).

The container is the fence: the image's files for reading only, a temporary folder in memory, no capability, no privilege to be
gained, no socket of the engine, and the bounds of the contract by the engine's own means. The task goes in and comes out as
it does without one. A container is no child of ours, so that no kill of ours reaches it: it is ended by its name.
"""

import contextlib
import math
import os
import shutil
import subprocess
from typing import NamedTuple

from workermd.protocol.envelope import Document
from workermd.system import environment

ENGINES = ("podman", "docker")
"""In the order in which they are looked for: the first needs no service that runs as root."""

_TEMPORARY = "/tmp"  # noqa: S108 - inside the container, where it is memory of its own
_TEMPORARY_SIZE = "256m"
_SECONDS = 10.0


OF_THE_ENGINE = ("DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT", "CONTAINER_HOST", "XDG_RUNTIME_DIR")
"""Variables that an operator lists for the engine's client. They lead to the engine, so no container is given them."""


class Container(NamedTuple):
    """How one attempt is contained. `folder` is that of its artifacts; its name makes the container's."""

    engine: str
    image: str
    folder: str

    @property
    def name(self) -> str:
        return f"workermd-{os.path.basename(self.folder)}"

    def end(self) -> None:
        """End it, whatever has become of who started it. One that has ended is gone already."""
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(end(self), capture_output=True, timeout=_SECONDS, check=False)


def engine() -> str:
    """The engine that is installed; empty where none is."""
    return next((found for each in ENGINES if (found := shutil.which(each))), "")


def why_missing() -> str:
    """Why no image can be run here; empty where an engine answers."""
    found = engine()
    if not found:
        return f"an image needs an engine, and none of {', '.join(ENGINES)} is installed"
    try:
        done = subprocess.run([found, "version"], capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"the engine {found} does not answer ({type(error).__name__})"
    said = done.stderr.strip().splitlines()
    return (
        "" if done.returncode == 0 else f"the engine {found} does not answer: {said[-1][:200] if said else 'no word'}"
    )


def words(
    container: Container, command: tuple[str, ...], reach: Document, variables: tuple[str, ...], seconds: float = 0
) -> list[str]:
    """The engine's command line. Variables go by name: their values stand in no list of processes."""
    return [
        *(container.engine, "run", "--rm", "--interactive", "--name", container.name),
        *("--read-only", "--tmpfs", f"{_TEMPORARY}:rw,nosuid,nodev,size={_TEMPORARY_SIZE}"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--init", "--log-driver", "none"),
        *_user(container.engine),
        *(("--timeout", str(math.ceil(seconds) + 1)) if seconds and is_podman(container.engine) else ()),
        *_bounds(reach),
        *_folders(container, reach),
        *(word for name in variables for word in ("--env", name)),
        *("--workdir", container.folder, container.image, *command),
    ]


def end(container: Container) -> list[str]:
    """What ends a container, whatever has become of who started it."""
    return [container.engine, "rm", "--force", container.name]


def is_podman(engine: str) -> bool:
    """It has no service that could outlive us, and bounds the time of a container by itself."""
    return os.path.basename(engine) == "podman"


def _user(engine: str) -> list[str]:
    """Ours, so that artifacts are ours. Podman without root maps it; docker takes the number."""
    if is_podman(engine):
        return ["--userns", "keep-id"] if os.geteuid() else []
    return ["--user", f"{os.geteuid()}:{os.getegid()}"]


def _bounds(reach: Document) -> list[str]:
    memory, processes = reach.get("max_memory_mb"), reach.get("max_processes")
    return [
        *(("--memory", f"{memory}m", "--memory-swap", f"{memory}m") if memory else ()),
        *(("--pids-limit", str(processes + 1)) if processes else ()),
        *(("--network", "none") if "network" in reach else ()),
    ]


def _folders(container: Container, reach: Document) -> list[str]:
    """The artifacts, and what was granted, each at its own path."""
    shown = [f"type=bind,source={container.folder},target={container.folder}"]
    for name, path in sorted(reach.get("files", {}).items()):
        readonly = "" if name in reach.get("written", ()) else ",readonly"
        shown.append(f"type=bind,source={path},target={path}{readonly}")
    return [word for each in shown for word in ("--mount", each)]


def variables_of(names: tuple[str, ...]) -> tuple[str, ...]:
    """The variables that the container is given: the operator's, and the attempt's own; not the caller's PATH and HOME."""
    wanted = dict.fromkeys((*names, *environment.OWN))
    return tuple(name for name in wanted if name in os.environ and name not in OF_THE_ENGINE)
