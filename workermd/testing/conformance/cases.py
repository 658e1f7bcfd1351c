"""A case: a contract, a task, and calls with what each must show. Data of files; nothing here knows a runtime."""

import os
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, get_args

from workermd.contract.json import quick
from workermd.contract.json.strict import JsonError
from workermd.contract.schema import checker
from workermd.protocol.errors import ConfigurationError

VERSION = 1
"""Of the form of the cases."""

Level = Literal["core", "durable", "strict", "people", "agents", "readers"]
LEVELS: tuple[Level, ...] = get_args(Level)

FOLDER = os.path.dirname(os.path.abspath(__file__))
SCHEMA = os.path.join(FOLDER, "case.schema.json")


class Edited(NamedTuple):
    """A contract of `contracts/` after edits of its text; each old text stands in it exactly once. Or the bytes of one."""

    file: str
    edits: tuple[tuple[str, str], ...] = ()
    usable: bool = True
    whole: bytes | None = None

    def data(self) -> bytes:
        """Raises ConfigurationError for an edit that says nothing any more."""
        if self.whole is not None:
            return self.whole
        with open(os.path.join(FOLDER, "contracts", f"{self.file}.worker.md"), encoding="utf-8", newline="") as file:
            text = file.read()
        for old, new in self.edits:
            if text.count(old) != 1:
                message = f"{self.file}.worker.md has {old[:40]!r} {text.count(old)} times; an edit needs it once"
                raise ConfigurationError(message, "mend the case")
            text = text.replace(old, new)
        return text.encode()


class KitStep(NamedTuple):
    """One call of a runtime. `role` is the command of the runtime that is called, `together` how many at once.

    `input` None: there is none. `signal` is sent once the task of this call has started. `before` is done to what the
    runtime keeps, ahead of the call. `contract` None: that of the case.
    """

    role: str
    input: bytes | None
    input_path: str
    options: dict[str, Any]
    environment: dict[str, str]
    together: int
    signal: str
    before: dict[str, Any]
    contract: Edited | None
    expect: dict[str, Any]


class KitCase(NamedTuple):
    """`moves` says what the task does at each of its starts; the last one stands for all further ones."""

    id: str
    level: Level
    rules: tuple[str, ...]
    title: str
    contract: Edited
    moves: tuple[dict[str, Any], ...]
    server: tuple[dict[str, Any], ...]
    steps: tuple[KitStep, ...]

    @property
    def roles(self) -> set[str]:
        return {step.role for step in self.steps}

    @property
    def options(self) -> set[str]:
        return {name for step in self.steps for name in step.options}


def load(folder: str = "") -> tuple[KitCase, ...]:
    """Every case, level by level. Raises ConfigurationError for a file that is not in the form, by its name."""
    folder = folder or os.path.join(FOLDER, "cases")
    found = [case for name in sorted(os.listdir(folder)) for case in _of_file(os.path.join(folder, name))]
    names = [case.id for case in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigurationError(f"{folder}: two cases are called {twice[0]}", "give each an id of its own")
    return tuple(sorted(found, key=lambda case: LEVELS.index(case.level)))


def schema() -> dict[str, Any]:
    """The JSON Schema of a file of cases."""
    return dict(_json(SCHEMA))


def _of_file(path: str) -> Iterator[KitCase]:
    document = _json(path)
    wrong = next(iter(checker(schema(), "2020-12").check(document)), None)
    if wrong is not None:
        raise ConfigurationError(f"{path}: {wrong.pointer or '/'}: {wrong.message}", "see case.schema.json of the kit")
    for row in document["cases"]:
        contract = _edited(row["contract"])
        steps = tuple(_step(step, row.get("input")) for step in row["steps"])
        yield KitCase(
            id=row["id"],
            level=document["level"],
            rules=tuple(row["rules"]),
            title=row["title"],
            contract=contract,
            moves=tuple(row.get("task", ({},))),
            server=tuple(row.get("server", ())),
            steps=steps,
        )


def _json(path: str) -> Any:
    with open(path, "rb") as file:
        try:
            return quick.load_bytes(file.read())
        except JsonError as error:
            raise ConfigurationError(f"{path}: at character {error.offset}: {error.message}", error.hint) from None


def _edited(given: str | dict[str, Any]) -> Edited:
    if isinstance(given, str):
        return Edited(given)
    if "text" in given or "bytes" in given:
        whole = bytes.fromhex(given["bytes"]) if "bytes" in given else given["text"].encode()
        return Edited("", usable=given.get("usable", True), whole=whole)
    edits = tuple((old, new) for old, new in given.get("edits", ()))
    return Edited(given["file"], edits, given.get("usable", True))


def _step(row: dict[str, Any], shared: Any) -> KitStep:
    return KitStep(
        role=row.get("do", "run"),
        input=_input(row, shared),
        input_path=row.get("input_path", ""),
        options=row.get("with", {}),
        environment=row.get("environment", {}),
        together=row.get("together", 1),
        signal=row.get("signal", ""),
        before=row.get("before", {}),
        contract=_edited(row["contract"]) if "contract" in row else None,
        expect=row["expect"],
    )


def _input(row: dict[str, Any], shared: Any) -> bytes | None:
    """`input_text` is the file as it stands; `input` a value, written plainly."""
    import json

    if "input_text" in row:
        return str(row["input_text"]).encode("utf-8", "surrogatepass")
    if "input_bytes" in row:
        return bytes.fromhex(row["input_bytes"])
    value = row.get("input", shared)
    return None if value is None else json.dumps(value, ensure_ascii=False).encode()
