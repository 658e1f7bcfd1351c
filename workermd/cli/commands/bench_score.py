"""`workermd bench score SUITE`: score what was run before, and start no run of a subject or a judge."""

from typing import TYPE_CHECKING

from workermd.cli.commands import bench

if TYPE_CHECKING:
    from workermd.cli.commands.bench import BenchOptions

BenchScoreOptions = bench.BenchOptions


def execute(options: "BenchOptions") -> int:
    return bench.measured(options, only_known=True)
