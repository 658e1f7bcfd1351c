"""`workermd registry show`: print a contract of a registry, its digest checked."""

from typing import NamedTuple

from workermd.cli.registries import folders
from workermd.registry import lookup
from workermd.report import say


class RegistryShowOptions(NamedTuple):
    name: str
    registry: str | None
    config: str | None
    no_config: bool


def execute(options: RegistryShowOptions) -> int:
    """Raises ContractUnusable, ConfigurationError, UsageError."""
    searched = folders(options.registry, options.config, options.no_config)
    say.document(lookup.resolve(options.name, searched).data)
    return 0
