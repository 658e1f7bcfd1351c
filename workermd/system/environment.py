"""The environment of what an attempt starts, built from nothing: an allow-list, and what the operator lists (S6.3)."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

PASSED = ("PATH", "HOME", "LANG", "TZ", "TMPDIR")
"""What every task may see of the caller's environment, beside `LC_*` and what its binding lists."""

MARKER = "WORKERMD_HOST"
"""The variable by which the orphans of a crashed attempt are found."""

ACTIVE = "WORKERMD_ACTIVE"
"""Names, to what a task starts, the runs it is part of: asking for one of them again would wait for itself."""

ARTIFACTS = "WORKERMD_ARTIFACTS"
"""Names, to what a task starts, its attempt's folder. Every attempt has one of its own, so it marks its orphans too."""

CHECKPOINT = "WORKERMD_CHECKPOINT"
"""Names, to what a task starts, the file in which it keeps how far it has come."""

PROXY = "WORKERMD_PROXY"
"""The address of our proxy, where an attempt reaches the hosts of a list and no others."""

PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy")
"""Under these names programs look for it."""

OWN = (MARKER, ACTIVE, ARTIFACTS, CHECKPOINT, "WORKERMD_RUN_ID", "WORKERMD_ATTEMPT", "TRACEPARENT")
"""What an attempt's process passes on to everything that it starts."""


class Surroundings(NamedTuple):
    """What a caller in this process runs in instead of the process's own: variables, and an absolute folder."""

    variables: dict[str, str]
    folder: str


_CHOSEN: ContextVar[Surroundings | None] = ContextVar("surroundings", default=None)


@contextmanager
def within(surroundings: Surroundings) -> Iterator[None]:
    """In this block, and in this thread or task only, the surroundings are these."""
    token = _CHOSEN.set(surroundings)
    try:
        yield
    finally:
        _CHOSEN.reset(token)


def variables() -> Mapping[str, str]:
    """The caller's variables: the process's own, where nothing else was chosen."""
    given = _CHOSEN.get()
    return os.environ if given is None else given.variables


def provide(name: str, value: str | None) -> None:
    """Set one of the caller's variables; None takes it away."""
    given = _CHOSEN.get()
    target = os.environ if given is None else given.variables
    if value is None:
        target.pop(name, None)
    else:
        target[name] = value


def folder() -> str:
    """The caller's folder. Empty: the working directory of the process."""
    given = _CHOSEN.get()
    return "" if given is None else given.folder


def absolute(path: str) -> str:
    """A path as the caller means it."""
    return os.path.normpath(os.path.join(folder() or os.getcwd(), path))


def chosen(names: Iterable[str]) -> dict[str, str]:
    """The allow-list, `LC_*` and the variables of these names, as far as the caller has them."""
    given = variables()
    found = {name: given[name] for name in (*PASSED, *names) if name in given}
    found.update({name: value for name, value in given.items() if name.startswith("LC_")})
    return found


def own() -> tuple[str, ...]:
    """The variables of an attempt that are handed on to what it starts: our proxy is one, another's is not."""
    return (*OWN, PROXY, *PROXIES) if PROXY in os.environ else OWN


def login() -> str:
    """Who sits here: by the environment, else by the system's list of users; empty where neither knows."""
    if name := os.environ.get("USER") or os.environ.get("LOGNAME"):
        return name
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return ""
