"""`workermd version`: the same as `--version`, which `main` answers without loading anything."""

from typing import NamedTuple

from workermd import __version__
from workermd.report import say


class VersionOptions(NamedTuple):
    pass


def execute(_options: VersionOptions) -> int:
    say.text(f"workermd {__version__}\n")
    return 0
