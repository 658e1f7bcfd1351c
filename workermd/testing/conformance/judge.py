"""What a call showed, held against what its step expects: one function for each key of an expectation."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from workermd.contract.json import quick
from workermd.contract.json.strict import JsonError
from workermd.system.text import quoted


class Shown(NamedTuple):
    """What one call showed. `outcome` is empty where it was ended by a signal; `earlier` are the calls before it.

    `started` counts the starts of the case so far; `given` is the task's document at the last of them, `environment` its
    variables. `alive` is true while something lives that a task started. `asked` counts requests to the scripted server.
    `beside` is what the first of several calls at once printed.
    """

    outcome: str
    stdout: bytes
    stderr: bytes
    seconds: float
    started: int
    given: Any
    environment: dict[str, str]
    alive: bool
    asked: int
    written: bytes | None
    earlier: "tuple[Shown, ...]"
    beside: bytes | None
    patience: float
    same_codes: bool = True


def reasons(shown: Shown, expect: dict[str, Any]) -> Iterator[str]:
    """Why the call is not what was expected: one line a reason, none for a call that is right."""
    for key, wanted in expect.items():
        yield from CHECKS[key](shown, wanted)


def document(data: bytes) -> Any:
    """Strict JSON, or None: what was printed is not one document."""
    try:
        return quick.load_bytes(data)
    except JsonError:
        return None


def _outcome(shown: Shown, wanted: str | list[str]) -> Iterator[str]:
    if shown.outcome not in ([wanted] if isinstance(wanted, str) else wanted):
        said = shown.stderr.decode("utf-8", "replace").strip().splitlines()
        yield f"{shown.outcome or 'it was killed'}; expected {wanted}" + (f" ({said[-1][:160]})" if said else "")


def _stdout(shown: Shown, wanted: str) -> Iterator[str]:
    if wanted == "empty" and shown.stdout:
        yield f"standard output has {len(shown.stdout)} bytes; expected none"
    if wanted == "document" and not isinstance(document(shown.stdout), dict):
        yield "standard output is not exactly one JSON object"


def _at(value: Any, pointer: str) -> Any:
    """The value at a JSON Pointer. Raises LookupError or TypeError."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list):
            if not name.isdecimal():
                raise LookupError(pointer)
            value = value[int(name)]
        elif isinstance(value, dict):
            value = value[name]
        else:
            raise TypeError(pointer)
    return value


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: true is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _held(what: str, value: Any, wanted: dict[str, Any]) -> Iterator[str]:
    for pointer, expected in wanted.items():
        try:
            found = _at(value, pointer)
        except (LookupError, TypeError):
            yield f"{what} has no {pointer}; expected {quoted(expected)}"
            continue
        if not _same(found, expected):
            yield f"{what} has {quoted(found)} at {pointer}; expected {quoted(expected)}"


def _values(shown: Shown, wanted: dict[str, Any]) -> Iterator[str]:
    yield from _held("the document", document(shown.stdout), wanted)


def _task(shown: Shown, wanted: dict[str, Any]) -> Iterator[str]:
    yield from _held("the task", shown.given, wanted)


def _written(shown: Shown, wanted: dict[str, Any]) -> Iterator[str]:
    yield from _held("the file", document(shown.written or b""), wanted)


_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
    "null": type(None),
}


def _types(shown: Shown, wanted: dict[str, str]) -> Iterator[str]:
    whole = document(shown.stdout)
    for pointer, name in wanted.items():
        try:
            found = _at(whole, pointer)
        except (LookupError, TypeError):
            yield f"the document has no {pointer}; expected a value of type {name}"
            continue
        if not isinstance(found, _TYPES[name]) or (name == "number" and isinstance(found, bool)):
            yield f"the document has {quoted(found)} at {pointer}; expected a value of type {name}"


def _absent(shown: Shown, wanted: list[str]) -> Iterator[str]:
    whole = document(shown.stdout)
    for pointer in wanted:
        try:
            _at(whole, pointer)
        except (LookupError, TypeError):
            continue
        yield f"the document has {pointer}; expected none"


def _task_has(shown: Shown, wanted: list[str]) -> Iterator[str]:
    for pointer in wanted:
        try:
            _at(shown.given, pointer)
        except (LookupError, TypeError):
            yield f"the task has no {pointer}"


def _says(shown: Shown, wanted: list[str]) -> Iterator[str]:
    text = (shown.stdout + shown.stderr).decode("utf-8", "replace")
    yield from (f"nothing says {quoted(each)}" for each in wanted if each not in text)


def _hides(shown: Shown, wanted: list[str]) -> Iterator[str]:
    text = (shown.stdout + shown.stderr + (shown.written or b"")).decode("utf-8", "replace")
    yield from (f"what must not be told is told: {quoted(each)}" for each in wanted if each in text)


def _starts(shown: Shown, wanted: int | list[int]) -> Iterator[str]:
    if shown.started not in ([wanted] if isinstance(wanted, int) else wanted):
        yield f"{shown.started} starts of the task; expected {wanted}"


def _asked(shown: Shown, wanted: int) -> Iterator[str]:
    if shown.asked != wanted:
        yield f"{shown.asked} requests to the server; expected {wanted}"


def _at_most(shown: Shown, wanted: float) -> Iterator[str]:
    if shown.seconds > wanted * shown.patience:
        yield f"it took {shown.seconds:.1f} s; expected at most {wanted * shown.patience:g} s"


def _at_least(shown: Shown, wanted: float) -> Iterator[str]:
    if shown.seconds < wanted:
        yield f"it took {shown.seconds:.1f} s; expected at least {wanted:g} s"


def _same_bytes(shown: Shown, wanted: int) -> Iterator[str]:
    if shown.stdout != shown.earlier[wanted - 1].stdout:
        yield f"standard output is not that of step {wanted}, byte for byte"


def _alike(shown: Shown, _wanted: bool) -> Iterator[str]:
    if shown.beside not in (None, shown.stdout):
        yield "two calls at once printed different bytes"


def _findings(shown: Shown, wanted: list[dict[str, Any]]) -> Iterator[str]:
    """Each finding is told at its place, as SARIF; nothing else is an error. Another reader has codes of its own."""
    told = _of_sarif(document(shown.stdout))
    if told is None:
        yield "standard output is no SARIF document"
        return
    places = {(line, column, code if shown.same_codes else "") for line, column, code, _ in told}
    for each in wanted:
        if (each["line"], each["column"], each["code"] if shown.same_codes else "") not in places:
            yield f"nothing is told at {each['line']}:{each['column']}; expected {each['code']}"
    expected = {(each["line"], each["column"]) for each in wanted}
    for line, column, code, severity in told:
        if severity == "error" and (line, column) not in expected:
            yield f"an error is told at {line}:{column} ({code}); expected none"


def _of_sarif(whole: Any) -> list[tuple[int, int, str, str]] | None:
    try:
        return [
            (
                region["startLine"],
                region.get("startColumn", 1),
                result.get("ruleId", ""),
                result.get("level", "warning"),
            )
            for run in whole["runs"]
            for result in run["results"]
            for region in [result["locations"][0]["physicalLocation"]["region"]]
        ]
    except (LookupError, TypeError, AttributeError):
        return None


def _survivors(shown: Shown, wanted: bool) -> Iterator[str]:
    if shown.alive != wanted:
        yield "what the task had started lives on" if shown.alive else "what the task had started is dead"


def _environment(shown: Shown, wanted: dict[str, str | None]) -> Iterator[str]:
    for name, value in wanted.items():
        if shown.environment.get(name) != value:
            yield f"the task has the variable {name}" if value is None else f"the task's {name} is not {quoted(value)}"


CHECKS: dict[str, Callable[[Shown, Any], Iterator[str]]] = {
    "outcome": _outcome,
    "stdout": _stdout,
    "values": _values,
    "types": _types,
    "absent": _absent,
    "says": _says,
    "hides": _hides,
    "starts": _starts,
    "requests": _asked,
    "at_most_seconds": _at_most,
    "at_least_seconds": _at_least,
    "same_bytes_as": _same_bytes,
    "alike": _alike,
    "survivors": _survivors,
    "findings": _findings,
    "task": _task,
    "task_has": _task_has,
    "environment": _environment,
    "file": _written,
}
