"""`workermd registry add`: put a contract into a registry."""

from typing import NamedTuple

from workermd.cli.documents import input_bytes
from workermd.contract import page
from workermd.protocol.errors import ContractUnusable
from workermd.registry import lookup
from workermd.report import say


class RegistryAddOptions(NamedTuple):
    file: str
    name: str | None
    registry: str
    quiet: bool


def execute(options: RegistryAddOptions) -> int:
    """Raises ContractUnusable, UsageError."""
    path = options.file
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
    entry, is_new = lookup.add(data, options.registry, options.name or "")
    notes.append(f"{entry.word}: {'added as' if is_new else 'is there already:'} {entry.path}")
    if not options.quiet:
        for note in notes:
            say.note(note)
    return 0
