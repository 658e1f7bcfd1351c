"""`workermd registry verify`: every digest checked, every contract validated."""

import sys
from typing import NamedTuple

from workermd.cli.registries import folders
from workermd.protocol.envelope import EXIT_FINDINGS
from workermd.registry import lookup
from workermd.report import outputs
from workermd.report import registry as report


class RegistryVerifyOptions(NamedTuple):
    format: str
    report: list[str]
    registry: str | None
    quiet: bool
    config: str | None
    no_config: bool


def execute(options: RegistryVerifyOptions) -> int:
    """0, or 1 with findings. Raises ConfigurationError, UsageError."""
    wanted = outputs.outputs(options.format, options.report, report.VERIFIED)
    searched = folders(options.registry, options.config, options.no_config)
    count = sum(len(lookup.entries(folder)) for folder in searched)
    faults = tuple(fault for folder in searched for fault in lookup.verify(folder))
    outputs.deliver(
        wanted,
        lambda name: report.VERIFIED[name](faults, count),
        printed=lambda name: (
            report.faults(faults).encode("utf-8", "replace") if name == "text" else report.VERIFIED[name](faults, count)
        ),
    )
    if not options.quiet:
        sys.stderr.write(report.summary(faults, count))
    return EXIT_FINDINGS if faults else 0
