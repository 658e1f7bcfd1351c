"""The key of a run (S4.1): a field of the input, or given from outside where the contract has no such field."""

import os
from typing import Any, NamedTuple

from workermd.contract.json.strict import canonical
from workermd.contract.model import Contract
from workermd.protocol.errors import RunKeyMissing, UsageError
from workermd.system.digest import sha256

MAX_LENGTH = 512
"""Characters of a key: it names rows, folders and variables."""

OF_INPUT = "input"

_WAYS = "--run-id ID, --new-run-id, --run-id-from input, --run-id-from /POINTER, or the run_id of a --request document"


class KeySource(NamedTuple):
    """Where the key comes from besides the input's own field: `given` outright, or `derived` from the input, by
    OF_INPUT or a JSON Pointer. `option` is what the caller wrote, for messages."""

    given: str = ""
    derived: str = ""
    option: str = ""


def chosen(run_id: str | None, run_id_from: str | None, *, new: bool) -> KeySource:
    """What the three options say. Raises UsageError where they contradict each other or themselves."""
    ways = [
        *([KeySource(given=run_id or "", option="--run-id")] if run_id is not None else []),
        *([KeySource(given=fresh(), option="--new-run-id")] if new else []),
        *([KeySource(derived=run_id_from or "", option="--run-id-from")] if run_id_from is not None else []),
    ]
    if len(ways) > 1:
        raise UsageError(f"{ways[0].option} and {ways[1].option} exclude each other", "leave one of the two out")
    source = ways[0] if ways else KeySource()
    if source.derived and source.derived != OF_INPUT and not source.derived.startswith("/"):
        field = source.derived.replace("~", "~0").replace("/", "~1")
        source = source._replace(derived=f"/{field}")
    if source.option == "--run-id-from" and not source.derived:
        raise UsageError(
            "--run-id-from takes the word input, a field or a JSON Pointer",
            "write --run-id-from input, or for example --run-id-from id, --run-id-from /message/id",
        )
    return source


def fresh() -> str:
    """A time-ordered UUID (RFC 9562, version 7)."""
    import time

    milliseconds = time.time_ns() // 1_000_000
    tail = int.from_bytes(os.urandom(10))
    number = milliseconds << 80 | 7 << 76 | (tail >> 4 & 0xFFF) << 64 | 0b10 << 62 | tail >> 8 & (1 << 62) - 1
    digits = f"{number:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def refuse_without(contract: Contract, source: KeySource) -> None:
    """Raises RunKeyMissing where neither the input nor the caller can name the run."""
    if not contract.key_in_input and not source.given and not source.derived:
        raise RunKeyMissing(
            f"the contract's input has no field {contract.constraints.idempotency_key!r}, so the call has to name the run",
            f"give one of: {_WAYS}",
        )


def hint(value: Any, contract: Contract) -> str:
    """What to do where the input lacks its own key; empty where it does not."""
    name = contract.constraints.idempotency_key
    if not contract.key_in_input or not isinstance(value, dict) or name in value:
        return ""
    return f"put {name!r} into the input, or name the run: --run-id ID, --new-run-id or --run-id-from"


class Keyed(NamedTuple):
    """An input with its key in its place. `run_id` None: there is no text for it; `problem` then says so. `is_usable`
    is False for a text that may be no key."""

    value: Any
    exact: Any
    run_id: str | None
    problem: str = ""

    @property
    def is_usable(self) -> bool:
        return not self.problem and self.run_id is not None


def keyed(value: Any, exact: Any, contract: Contract, source: KeySource) -> Keyed:
    """The input with its key. `exact` is that of `load_exact`. Raises UsageError where the caller contradicts the input."""
    name = contract.constraints.idempotency_key
    if not isinstance(value, dict):
        return Keyed(value, exact, source.given or None, "The input is no object, so it has no key.")
    if source.derived and not (contract.key_in_input and name in value):
        run_id = _derived(source.derived, exact)
        origin = f"--run-id-from {source.derived}"
    else:
        run_id, origin = source.given or None, source.option
    if contract.key_in_input:
        if run_id is not None and name not in value:
            value, exact = {name: run_id, **value}, {name: run_id, **exact}
        elif run_id is not None and value[name] != run_id:
            raise UsageError(
                f"the input has a {name!r} of its own, which is not that of {source.option}",
                f"leave out {source.option}, or take {name!r} out of the input",
            )
        run_id, origin = value.get(name), f"the input's {name!r}"
    if not isinstance(run_id, str):
        return Keyed(value, exact, None, f"No text is found by {origin}, which is to be the run's key.")
    if not 1 <= len(run_id) <= MAX_LENGTH or not run_id.isprintable():
        found = f"The key by {origin} is not usable: 1 to {MAX_LENGTH} printable characters are allowed."
        return Keyed(value, exact, run_id, found)
    return Keyed(value, exact, run_id)


def _derived(way: str, exact: Any) -> str | None:
    """The same input has the same key; a pointer's text, or whole number, is the key itself."""
    if way == OF_INPUT:
        return sha256(canonical(exact)).hex()
    found = at_pointer(way, exact)
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    return found if isinstance(found, str) else None


def at_pointer(pointer: str, exact: Any) -> Any:
    """What stands at a JSON Pointer of an input; None where nothing does."""
    found: Any = exact
    for part in pointer[1:].split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict):
            found = found.get(name)
        elif isinstance(found, list) and name.isdecimal() and len(name) < 10 and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    return found
