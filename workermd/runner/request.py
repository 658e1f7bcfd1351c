"""What one invocation is asked to do, and the input that it is asked with."""

from collections.abc import Callable
from typing import Any, NamedTuple

from workermd.config.configuration import MAX_INPUT_BYTES
from workermd.contract.json import quick, strict
from workermd.contract.meaning_hash import has_meaning
from workermd.contract.model import Contract, Lines
from workermd.ledger.records import Key, Run
from workermd.protocol.errors import UsageError
from workermd.runner import run_key
from workermd.runner.events import Subscriber
from workermd.runner.run_key import KeySource
from workermd.runner.trace import Trace
from workermd.runner.worker import Worker
from workermd.system.digest import sha256
from workermd.task import sensitive


class Request(NamedTuple):
    """One invocation of a worker. `publish` is told what happens, `interrupted` says whether to end early.

    `key` is where the run's key comes from where the input has none.
    """

    worker: Worker
    read_input: Callable[[], bytes]
    publish: Subscriber
    interrupted: Callable[[], bool]
    key: KeySource = KeySource()
    wait: bool = True
    trace: Trace | None = None
    max_input_bytes: int = MAX_INPUT_BYTES
    again_by: str = ""
    """Who grants a settled run one further start; empty: nobody does."""
    checked_by: str = ""
    """The command that shows everything that is wrong with the input; empty where there is none."""


class Input(NamedTuple):
    """A strictly read input. `key` is None when it has no usable idempotency key, and `problem` says why. `exact` is
    what its hash is made of."""

    value: Any
    exact: Any
    key: Key | None
    run_id: str | None
    problem: str = ""

    def is_that_of(self, run: Run) -> bool:
        """Whether a run was admitted with this very input. Its hash is compared as it was made then."""
        if self.key is not None and run.hash_version == self.key.hash_version:
            return run.input_sha256 == self.key.input_sha256
        return run.input_sha256 == strict.input_hash(self.exact, run.hash_version)


def holds_its_input(run: Run) -> bool:
    """Whether the ledger has the input whole: what is sensitive in one is not there (S6.6)."""
    return run.hash_version != strict.HASH_VERSION or sha256(run.input) == run.input_sha256


def means_the_same(run: Run, contract: Contract) -> bool:
    """Whether a run was admitted under a contract of this meaning (S4.5). Its hash is compared as it was made then."""
    return has_meaning(contract, run.contract_sha256, run.hash_version)


class InputRefused(Exception):
    """An input that cannot be read: what its refusal says (S2.2)."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


def read_input(request: Request) -> Input:
    """Read strictly and find the run's key, or put it where it is absent (S2.2).

    Raises InputRefused, and UsageError where the caller's key contradicts the input's.
    """
    contract = request.worker.contract
    data = request.read_input()
    if len(data) > request.max_input_bytes:
        message = f"The input is larger than max_input_bytes ({request.max_input_bytes})."
        raise InputRefused("input_too_large", message, "send less, or raise max_input_bytes in workermd.toml")
    try:
        loaded = quick.load_exact(data)
    except strict.JsonError as error:
        place = Lines(data[: error.offset * 4].decode(errors="ignore")).position(error.offset)
        message = f"The input is not strict JSON: at {place.line}:{place.column}, {error.message}."
        hint = f"{error.hint} A run for each line: workermd batch." if error.message == strict.MORE_TEXT else error.hint
        raise InputRefused("input_schema_mismatch", message, hint) from None
    found = run_key.keyed(loaded.value, loaded.exact, contract, request.key)
    if not found.is_usable or found.run_id is None:
        return Input(found.value, found.exact, None, found.run_id, found.problem)
    canonical = strict.canonical(found.exact)
    kept = canonical
    if pointers := request.worker.binding.sensitive:
        if found.run_id in sensitive.texts(found.exact, pointers):
            raise UsageError(
                "the run's key stands at a place that the binding calls sensitive, and a key is kept as it is",
                "name the run otherwise: --run-id ID, or --run-id-from input, which is a digest",
            )
        kept = strict.canonical(sensitive.hidden(found.exact, pointers))
    meaning = bytes.fromhex(contract.meaning_sha256)
    most = request.worker.bounds.max_attempts
    key = Key(contract.id, found.run_id, sha256(canonical), kept, meaning, most, strict.HASH_VERSION)
    return Input(found.value, found.exact, key, found.run_id)
