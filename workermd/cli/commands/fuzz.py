"""`workermd fuzz SPEC`: draw inputs from a contract's input schema, perform them, and keep the smallest that fails."""

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from workermd.cli.commands.run import flags_of
from workermd.cli.documents import contract_named, input_bytes
from workermd.config import configuration
from workermd.contract import cache
from workermd.contract.json import quick
from workermd.contract.json.strict import JsonError
from workermd.contract.problems import SUFFIX
from workermd.protocol.envelope import EXIT_FINDINGS, Document
from workermd.protocol.errors import ConfigurationError, UsageError
from workermd.report import say
from workermd.report.outputs import deliver, outputs
from workermd.runner.worker import Worker

if TYPE_CHECKING:
    from workermd.fuzz.search import Performs

SECONDS, HANG = 30.0, 5.0
"""How long is searched, and how long an answer may take, where the call says nothing."""

_TELL_EVERY = 5.0


class FuzzOptions(NamedTuple):
    spec: str
    program: list[str]
    in_process: bool
    seconds: float | None
    draws: int | None
    show_inputs: bool
    until_found: bool
    seed: int | None
    hang: float | None
    example: list[str]
    kept: str | None
    no_keep: bool
    skip: list[str]
    format: str | None
    report: list[str]
    backend: str | None
    function: str | None
    model: str | None
    base_url: str | None
    api_key_env: str | None
    setting: list[str]
    vouch: list[str]
    env: list[str]
    secret_env: list[str]
    record: str | None
    replay: str | None
    sandbox: str | None
    quiet: bool
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: FuzzOptions) -> int:
    """1 where a fault was found, the kept ones included."""
    try:
        from workermd.fuzz import kept, search
        from workermd.fuzz.observed import CHECKS
        from workermd.report.fuzz import FORMATS, FuzzReport
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"fuzzing needs {error.name}, which is not installed", "run: pip install 'workermd[fuzz]'"
        ) from None
    unknown = [check for check in options.skip if check not in CHECKS]
    if unknown:
        raise UsageError(f"--skip: there is no check {unknown[0][:40]!r}", f"allowed: {', '.join(CHECKS)}")
    wanted = outputs(options.format, options.report, FORMATS)
    flags = flags_of(options)
    data, path = contract_named(options.spec, flags)
    contract, _ = cache.load(data, path)
    settings = configuration.load(flags)
    binding = configuration.binding_for(contract.id, contract.mode, settings, flags)
    hang = options.hang or HANG
    worker = Worker(
        contract,
        binding,
        timeout=None if options.in_process else min(hang, contract.constraints.timeout_seconds or hang),
        sandbox=configuration.sandbox_for(binding, settings, flags),
    )
    place = options.kept or kept.beside(path)
    before = kept.load(place)
    plan = search.SearchPlan(
        seconds=options.seconds or SECONDS,
        draws=options.draws or 0,
        until_found=options.until_found,
        seed=_seed(options.seed),
        checks=frozenset(CHECKS) - {*options.skip},
        examples=tuple(_example(each) for each in (*options.example, *_beside(path))),
        told=_teller(contract.id, quiet=options.quiet),
    )
    performs = _performing(worker, hang, in_process=options.in_process)
    try:
        searched = search.search(contract, worker.input_checker, performs, plan, [case["input"] for case in before])
    finally:
        performs.close()
    report = FuzzReport(searched, contract.id, plan.seed, "in process" if options.in_process else "runs")
    if options.show_inputs:
        report.document["inputs"] = list(searched.inputs)
    deliver(wanted, lambda name: FORMATS[name](report.document), read=[path])
    if searched.found and not options.no_keep:
        new = kept.save(place, before, searched.found)
        if new and not options.quiet:
            say.note(f"{new} input{'s' * (new != 1)} kept in {place}, to be played first the next time")
    return EXIT_FINDINGS if searched.found else 0


def _performing(worker: Worker, hang: float, *, in_process: bool) -> "Performs":
    if in_process:
        from workermd.fuzz.loaded import LoadedTask

        return LoadedTask(worker, hang)
    from workermd.fuzz.whole_runs import WholeRuns

    return WholeRuns(worker)


def _seed(given: int | None) -> int:
    return int.from_bytes(os.urandom(4)) if given is None else given


def _beside(path: str) -> list[str]:
    """The contract's own examples: NAME.input.json beside it, or in the folder `examples`."""
    folder, name = os.path.split(path.removesuffix(SUFFIX))
    places = (os.path.join(folder, f"{name}.input.json"), os.path.join(folder, "examples", f"{name}.input.json"))
    return [place for place in places if os.path.isfile(place)]


def _example(path: str) -> Document:
    try:
        found = quick.load_bytes(input_bytes(path, "workermd fuzz SPEC"))
    except JsonError as error:
        raise UsageError(f"--example {path}: not strict JSON ({error.message})", "name an input document") from None
    if not isinstance(found, dict):
        raise UsageError(f"--example {path}: no JSON object", "name an input document")
    return found


class _Teller:
    """A line every few seconds: how many inputs, how many faults."""

    def __init__(self, worker_id: str) -> None:
        self._worker_id = worker_id
        self._next = time.monotonic() + _TELL_EVERY

    def __call__(self, inputs: int, faults: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _TELL_EVERY
            say.note(f"{self._worker_id}: {inputs} inputs, {faults} fault{'s' * (faults != 1)}")


def _teller(worker_id: str, *, quiet: bool) -> "_Teller | _Silent":
    return _Silent() if quiet else _Teller(worker_id)


class _Silent:
    def __call__(self, inputs: int, faults: int) -> None:
        pass
