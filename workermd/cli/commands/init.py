"""`workermd init`: a configuration that says what it can say."""

import os
from typing import NamedTuple

from workermd.cli import starters
from workermd.protocol.errors import UsageError
from workermd.report import say
from workermd.system import files

_NAME = "workermd.toml"


class InitOptions(NamedTuple):
    pass


def execute(_options: InitOptions) -> int:
    """Raises UsageError where there is one."""
    if os.path.lexists(_NAME):
        raise UsageError(f"{_NAME}: is there already", "see what it says: workermd doctor")
    files.write(_NAME, starters.CONFIGURATION.encode())
    say.text(f"{_NAME}  every key that it can have, as a comment\nnext: workermd new NAME\n")
    return 0
