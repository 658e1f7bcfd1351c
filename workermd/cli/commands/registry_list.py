"""`workermd registry list`: the contracts of the registries."""

from typing import NamedTuple

from workermd.cli.registries import folders, print_rows, rows


class RegistryListOptions(NamedTuple):
    format: str
    registry: str | None
    config: str | None
    no_config: bool


def execute(options: RegistryListOptions) -> int:
    searched = folders(options.registry, options.config, options.no_config)
    print_rows(list(rows(searched)), searched, options.format, "no contracts\n")
    return 0
