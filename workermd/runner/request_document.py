"""The request document of the worker protocol: which contract, whose trace, the inputs, and tighter bounds (S8.7)."""

from collections.abc import Callable
from typing import Any, NamedTuple

from workermd.config.configuration import MAX_INPUT_BYTES
from workermd.contract.constraints import ALIASES, FORMS, NESTED
from workermd.contract.forms import WrongForm
from workermd.contract.json import located
from workermd.contract.json.strict import JsonError
from workermd.contract.model import Constraints, Contract
from workermd.protocol import reach, tool_pattern
from workermd.protocol.envelope import Document
from workermd.protocol.errors import UsageError
from workermd.runner.request import InputRefused
from workermd.runner.run_key import OF_INPUT, KeySource
from workermd.runner.trace import Trace, named

_FIELDS = ("worker_id", "version", "trace", "inputs", "constraints", "run_id")
_NUMBERS = (
    "timeout_seconds",
    "attempt_timeout_seconds",
    "max_attempts",
    "max_tokens",
    "max_cost_usd",
    "max_tool_calls",
    "max_turns",
    "max_output_bytes",
    *reach.COUNTS,
)
_LONGEST = 128
"""Characters of a trace id."""


class RequestDocument(NamedTuple):
    """What a request asks for. `inputs` is the source of that part; `constraints` are the contract's, tightened.
    `run_id` and `trace_id` are empty where it names none."""

    inputs: bytes
    constraints: Constraints
    run_id: str
    trace_id: str


def read(data: bytes, contract: Contract, max_bytes: int = MAX_INPUT_BYTES) -> RequestDocument:
    """Read a request for a contract. Raises InputRefused where it is none, or none for this contract."""
    if len(data) > max_bytes:
        message = f"The request is larger than max_input_bytes ({max_bytes})."
        raise InputRefused("input_too_large", message, "send less, or raise max_input_bytes in workermd.toml")
    try:
        text = data.decode()
        document = located.read(text)
    except UnicodeDecodeError:
        raise InputRefused("input_schema_mismatch", "The request is not UTF-8.", "save it as UTF-8") from None
    except JsonError as error:
        message = f"The request is not strict JSON: {error.message}."
        raise InputRefused("input_schema_mismatch", message, error.hint) from None
    request = document.value
    if not isinstance(request, dict) or not isinstance(request.get("inputs"), dict):
        raise _mismatch("The request has no object `inputs`.", f"write an object with: {', '.join(_FIELDS)}")
    if unknown := [name for name in request if name not in _FIELDS]:
        raise _mismatch(f"The request has {unknown[0][:40]!r}, which no request has.", f"known: {', '.join(_FIELDS)}")
    _check_addressee(request, contract)
    span = document.places["/inputs"].value
    return RequestDocument(
        text[span.start : span.end].encode(),
        _tightened(contract.constraints, request.get("constraints", {})),
        _text(request, "run_id"),
        _trace_id(request),
    )


class RequestedCall(NamedTuple):
    """A request as an invocation needs it. Where it was refused, `read_input` raises why."""

    contract: Contract
    read_input: Callable[[], bytes]
    key: KeySource
    trace: Trace


def called(data: bytes, contract: Contract, key: KeySource, trace: Trace, max_bytes: int) -> RequestedCall:
    """What a request document asks for, with the caller's own key and trace where it names none.

    Raises UsageError where both name the run, and differ.
    """
    try:
        request = read(data, contract, max_bytes)
    except InputRefused as error:
        refused = error  # the name in the clause ends with it

        def refuse() -> bytes:
            raise refused

        return RequestedCall(contract, refuse, key if key != KeySource() else KeySource(derived=OF_INPUT), trace)
    if request.run_id:
        if key.option and key.given != request.run_id:
            raise UsageError(
                f"the request has a run_id of its own, which is not that of {key.option}", f"leave out {key.option}"
            )
        key = KeySource(given=request.run_id, option="the request's run_id")
    if request.trace_id:
        trace = named(request.trace_id, trace)
    tightened = contract._replace(constraints=request.constraints)
    return RequestedCall(tightened, lambda: request.inputs, key, trace)


def _mismatch(message: str, hint: str) -> InputRefused:
    return InputRefused("request_mismatch", message, hint)


def _text(fields: Document, name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise _mismatch(f"The request's {name!r} is no text.", "write it in double quotes")
    return value


def _check_addressee(request: Document, contract: Contract) -> None:
    for name, own in (("worker_id", contract.id), ("version", contract.version)):
        if name in request and _text(request, name) != own:
            raise _mismatch(f"The request is for another {name}; the contract's is {own!r}.", "send it to that one")


def _trace_id(request: Document) -> str:
    trace = request.get("trace", {})
    if not isinstance(trace, dict):
        raise _mismatch("The request's 'trace' is no object.", 'write {"trace_id": "..."}')
    trace_id = _text(trace, "trace_id")
    if not trace_id.isprintable() or len(trace_id) > _LONGEST:
        raise _mismatch(f"The trace id is not printable, or longer than {_LONGEST} characters.", "send another")
    return trace_id


def _tightened(bounds: Constraints, sent: Any) -> Constraints:
    """The contract's bounds with the request's, each of which may only tighten (S3.7)."""
    if not isinstance(sent, dict):
        raise _mismatch("The request's 'constraints' is no object.", 'write {"timeout_seconds": 10}')
    for name, value in _flat(sent):
        try:
            asked: Any = FORMS[name](value, False)
        except WrongForm as wrong:
            raise _mismatch(f"The request's {name} is not of its form.", f"allowed is {wrong}") from None
        field = ALIASES.get(name, name)
        own = getattr(bounds, field)
        if field == "tools_allowed":
            _check_tools(asked, own)
        elif field == "network":
            if not reach.network_covers(own, asked):
                raise _mismatch(
                    "The request's network reaches more than the contract's.", "a request may only tighten a bound"
                )
        elif field not in _NUMBERS:
            known = ", ".join((*_NUMBERS, "tools_allowed", "network"))
            raise _mismatch(f"A request cannot set {name}.", f"it may tighten: {known}")
        elif own is not None and asked > own:
            raise _mismatch(
                f"The request's {name} is above the contract's {own:g}.", "a request may only tighten a bound"
            )
        bounds = bounds._replace(**{field: asked})
    return bounds


def _flat(sent: Document) -> list[tuple[str, Any]]:
    pairs = []
    for name, value in sent.items():
        if name in NESTED and isinstance(value, dict):
            pairs += [(f"{name}.{below}", each) for below, each in value.items()]
        else:
            pairs.append((name, value))
    for name, _ in pairs:
        if name not in FORMS:
            raise _mismatch(f"The request has the constraint {name[:40]!r}, which nobody knows.", "remove it")
    return pairs


def _check_tools(asked: Any, own: tuple[str, ...] | None) -> None:
    for tool in asked if own is not None else ():
        if not any(_covers(pattern, tool) for pattern in own or ()):
            raise _mismatch(
                "The request allows a tool that the contract does not.", "a request may only tighten a bound"
            )


def _covers(pattern: str, tool: str) -> bool:
    if pattern == tool:
        return True
    try:
        return tool_pattern.read(pattern).covers(tool_pattern.read(tool))
    except tool_pattern.MalformedPattern:
        return False
