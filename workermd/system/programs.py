"""Whether a program can be started, by the rules of execvp, and why not."""

import errno
import os

REASONS = {
    errno.ENOENT: "it was not found; give a path, or check PATH and, for a script, the program in its first line",
    errno.EACCES: "it may not be executed; set its execute bit (chmod +x), or name the interpreter first",
    errno.ENOEXEC: "it is no program; a script needs a first line such as #!/bin/sh",
    errno.E2BIG: "its arguments or the environment are too long",
}
"""What an error of exec means to who named the program."""

PASSING = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
"""Errors after which the same start may succeed later."""


def why_missing(named: str) -> str:
    """Why there is no such program; empty when there is one. Nothing is started."""
    folders = [""] if "/" in named else os.environ.get("PATH", os.defpath).split(":")
    paths = [os.path.join(folder, named) for folder in folders]
    if any(os.path.isfile(path) and os.access(path, os.X_OK) for path in paths):
        return ""
    words = named.split()
    if len(words) > 1 and not why_missing(words[0]):
        return f"program {named}: this is a program with its arguments; give each as a word of its own"
    reason = REASONS[errno.EACCES if any(map(os.path.exists, paths)) else errno.ENOENT]
    return f"program {named}: {reason}"
