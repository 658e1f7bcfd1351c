"""The environment of what an attempt starts, built from nothing: an allow-list, and what the operator lists (S6.3)."""

import os
from collections.abc import Iterable

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

OWN = (MARKER, ACTIVE, ARTIFACTS, CHECKPOINT, "WORKERMD_RUN_ID", "WORKERMD_ATTEMPT", "TRACEPARENT")
"""What an attempt's process passes on to everything that it starts."""


def chosen(names: Iterable[str]) -> dict[str, str]:
    """The allow-list, `LC_*` and the variables of these names, as far as they are set here."""
    found = {name: os.environ[name] for name in (*PASSED, *names) if name in os.environ}
    found.update({name: value for name, value in os.environ.items() if name.startswith("LC_")})
    return found


def login() -> str:
    """Who sits here: by the environment, else by the system's list of users; empty where neither knows."""
    if name := os.environ.get("USER") or os.environ.get("LOGNAME"):
        return name
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return ""
