"""What completes a value on the command line: looked up where it stands, and never a reason to fail."""

import glob
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from workermd.config import configuration
from workermd.protocol.errors import WorkermdError

MOST = 200
"""Run ids that are offered: the newest."""

Values = Mapping[str, Any]
"""What stands on the command line already, by name."""


def _flags(values: Values) -> configuration.Flags:
    return configuration.Flags(
        ledger=values.get("ledger") or "", config=values.get("config") or "", no_config=bool(values.get("no_config"))
    )


def _backends(_values: Values) -> Iterable[str]:
    from workermd.task.task import KINDS

    return KINDS


def _runs(values: Values) -> Iterable[tuple[str, str]]:
    """Worker and run id of the newest runs."""
    from workermd.ledger.opening import open_to_read
    from workermd.ledger.records import RunChoice

    ledger = open_to_read(configuration.load(_flags(values)).ledger)
    if ledger is None:
        return []
    with ledger:
        rows = ledger.runs(RunChoice(worker_id=values.get("worker")), limit=MOST)
    return [(row.worker_id, row.run_id) for row in rows]


def _run_ids(values: Values) -> Iterable[str]:
    return (run_id for _, run_id in _runs(values))


def _workers(values: Values) -> Iterable[str]:
    return (worker_id for worker_id, _ in _runs(values))


def _statuses(_values: Values) -> Iterable[str]:
    from workermd.protocol.envelope import Status

    return [*(status.value for status in Status), "waiting", "running"]


def _names(values: Values) -> Iterable[str]:
    from workermd.registry import lookup

    chosen = values.get("registry")
    folders = (chosen,) if chosen else lookup.folders(configuration.load(_flags(values)))
    return [word for folder in folders for entry in lookup.entries(folder) for word in (entry.name, entry.word)]


def _rules(_values: Values) -> Iterable[str]:
    from workermd.contract.rules import RULES

    return RULES


def _modes(_values: Values) -> Iterable[str]:
    from workermd.derive.mode import MODES

    return MODES


def _commands(_values: Values) -> Iterable[str]:
    from workermd.cli.table import COMMANDS

    return (word for command in COMMANDS for word in command.name)


def _pages(_values: Values) -> Iterable[str]:
    from workermd.cli import pages

    return pages.names()


def _schemas(_values: Values) -> Iterable[str]:
    from workermd.cli.commands.schema import SCHEMAS

    return SCHEMAS


def _of(look_up: Callable[[Values], Iterable[str]]) -> Callable[[str, Values], list[str]]:
    def offer(begun: str, values: Values) -> list[str]:
        try:
            return sorted({word for word in look_up(values) if word.startswith(begun)})
        except WorkermdError:
            return []  # an unreadable ledger or configuration: the command itself will say so

    return offer


def _contracts(begun: str, values: Values) -> list[str]:
    """Names of registries, contract files and the folders on the way to them."""
    paths = glob.glob(f"{glob.escape(begun)}*")
    files = [path for path in paths if path.endswith(".worker.md")]
    folders = [f"{path}/" for path in paths if os.path.isdir(path)]
    return [*_of(_names)(begun, values), *sorted(files), *sorted(folders)]


OFFERS: dict[str, Callable[[str, Values], list[str]]] = {
    "backends": _of(_backends),
    "commands": _of(_commands),
    "contracts": _contracts,
    "modes": _of(_modes),
    "names": _of(_names),
    "pages": _of(_pages),
    "rules": _of(_rules),
    "run_ids": _of(_run_ids),
    "schemas": _of(_schemas),
    "statuses": _of(_statuses),
    "workers": _of(_workers),
}
"""The table's `offers` to what gives the words that begin with what is typed."""
