"""`workermd registry`: contracts by name: list them, print them, add to them, check them."""

import sys
from collections.abc import Callable
from typing import Any

from workermd.cli.commands.files import input_bytes
from workermd.config import configuration
from workermd.contract import page
from workermd.contract.model import Contract
from workermd.protocol.envelope import EXIT_FINDINGS
from workermd.protocol.errors import ContractUnusable
from workermd.registry import lookup
from workermd.registry.lookup import IndexRow
from workermd.report import registry as report
from workermd.report import say


def execute(values: dict[str, Any]) -> int:
    """0; `verify` 1 with findings. Raises ContractUnusable, ConfigurationError, UsageError."""
    deeds: dict[str, Callable[[dict[str, Any]], int]] = {
        "list": _list,
        "search": _list,
        "show": _show,
        "add": _add,
        "verify": _verify,
    }
    return deeds[values["deed"]](values)


def _folders(values: dict[str, Any]) -> tuple[str, ...]:
    if values["registry"]:
        return (values["registry"],)
    return lookup.folders(
        configuration.load(configuration.Flags(config=values["config"] or "", no_config=values["no_config"]))
    )


def _list(values: dict[str, Any]) -> int:
    """Entries that cannot be read are listed and said, so that one bad file hides no other."""
    folders = _folders(values)
    rows: list[tuple[IndexRow, Contract | None]] = []
    for entry in (entry for folder in folders for entry in lookup.entries(folder)):
        contract = None
        try:
            contract = lookup.reading_of(entry).contract
        except ContractUnusable as error:
            say.error(error)
        if values["deed"] == "list" or _holds(entry, contract, values["text"]):
            rows.append((entry, contract))
    if values["format"] == "json":
        say.document(report.listed(rows, folders))
    else:
        none = "no contract holds that text\n" if values["deed"] == "search" else "no contracts\n"
        say.text(report.table(rows) if rows else none)
    return 0


def _holds(entry: IndexRow, contract: Contract | None, text: str) -> bool:
    words = [entry.name]
    if contract is not None:
        tags = contract.front_matter.get("tags", [])
        words += [contract.id, contract.name, contract.purpose, *(tags if isinstance(tags, list) else [str(tags)])]
    return any(text.casefold() in word.casefold() for word in words)


def _show(values: dict[str, Any]) -> int:
    say.document(lookup.resolve(values["name"], _folders(values)).data)
    return 0


def _add(values: dict[str, Any]) -> int:
    path = values["file"]
    data = input_bytes(path, "workermd registry add -")
    notes = []
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise ContractUnusable(f"{path}: not UTF-8", f"see: workermd validate {path}") from None
    if page.is_page(text):
        found = page.cut(text, path)
        data = found.text.encode()
        notes.append(f"the contract was cut out of a page: {found.before} lines before it, {found.after} after it")
    entry, is_new = lookup.add(data, values["registry"], values["name"] or "")
    notes.append(f"{entry.word}: {'added as' if is_new else 'is there already:'} {entry.path}")
    if not values["quiet"]:
        for note in notes:
            say.note(note)
    return 0


def _verify(values: dict[str, Any]) -> int:
    folders = _folders(values)
    count = sum(len(lookup.entries(folder)) for folder in folders)
    faults = tuple(fault for folder in folders for fault in lookup.verify(folder))
    if values["format"] == "json":
        say.document(report.verified(faults, count))
    else:
        say.text(report.faults(faults))
    if not values["quiet"]:
        sys.stderr.write(report.summary(faults, count))
    return EXIT_FINDINGS if faults else 0
