"""`workermd serve`: contracts over HTTP."""

import os
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from workermd.cli.cluster import engine_of, submitted_worker
from workermd.cli.contract_paths import each_once
from workermd.config import configuration
from workermd.contract import cache
from workermd.protocol.errors import ConfigurationError, UsageError, WorkermdError
from workermd.registry.contract_files import contract_named
from workermd.report import say
from workermd.runner.worker import Worker
from workermd.system.environment import login

if TYPE_CHECKING:
    from workermd.serve.desk import CarriesOut


class ServeOptions(NamedTuple):
    specs: list[str]
    host: str
    port: int
    jobs: int | None
    queue: int | None
    tokens: str | None
    issuer: str | None
    public: list[str]
    tls_cert: str | None
    tls_key: str | None
    cluster: bool
    cluster_queue: str
    engine: str
    rate: int
    grace: float
    access_log: bool
    a2a: bool
    mcp: str | None
    mcp_run_id: str
    sandbox: str | None
    quiet: bool
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: ServeOptions) -> int:
    start = _imported(mcp=bool(options.mcp or options.issuer), a2a=options.a2a)
    flags = configuration.Flags(
        ledger=options.ledger or "",
        config=options.config or "",
        no_config=options.no_config,
        sandbox=options.sandbox or "",
    )
    settings = configuration.load(flags)
    secrets = tuple(filter(None, (options.tokens, options.tls_key)))
    carry_out = _elsewhere(options, settings.ledger) if options.cluster else None
    workers = [
        _worker(path, settings, flags, secrets, elsewhere=options.cluster) for path in _paths(options.specs, settings)
    ]
    here = _WAITING if options.cluster else len(os.sched_getaffinity(0))
    jobs = options.jobs if options.jobs is not None else here
    if jobs < 1:
        raise UsageError("--jobs takes a number from 1", "leave it out for as many as the machine has cores")
    wanted = start.Wanted(
        host=options.host,
        port=options.port,
        jobs=jobs,
        queue=4 * jobs if options.queue is None else options.queue,
        tokens=options.tokens or "",
        issuer=options.issuer or "",
        name=login() or "operator",
        public=tuple(options.public),
        certificate=options.tls_cert or "",
        key=options.tls_key or "",
        calls_per_minute=options.rate,
        grace=options.grace,
        log=options.access_log,
        a2a=options.a2a,
        mcp=options.mcp or "",
        key_by_model=options.mcp_run_id == "model",
        ledger=settings.ledger,
        max_input_bytes=settings.max_input_bytes,
        carry_out=carry_out,
    )
    start.serve(workers, wanted, say.note)
    return 0


_WAITING = 64
"""Runs on the nodes that a server waits for at a time: each takes a thread, and no core."""


def _elsewhere(options: ServeOptions, ledger: str) -> "CarriesOut":
    """Raises UsageError where no other machine reaches the ledger, ConfigurationError."""
    engine = engine_of(options.engine, ledger)
    from workermd.serve.elsewhere import Elsewhere

    return Elsewhere(engine, options.cluster_queue)


def _imported(*, mcp: bool, a2a: bool) -> ModuleType:
    """What serves. Raises ConfigurationError where an extra is missing."""
    wanted = {"serve": "start"} | ({"mcp": "mcp_transport"} if mcp else {}) | ({"a2a": "a2a_server"} if a2a else {})
    try:
        for module in wanted.values():
            import_module(f"workermd.serve.{module}")
    except ImportError as error:
        raise ConfigurationError(
            f"serving needs a package that is not there: {error.name}",
            f"run: pip install 'workermd[{','.join(wanted)}]'",
        ) from None
    return import_module("workermd.serve.start")


def _paths(specs: list[str], settings: configuration.Settings) -> list[str]:
    found = []
    for spec in each_once(specs, lambda: settings):
        if isinstance(spec, WorkermdError):
            raise spec
        found.append(spec)
    return found


def _worker(
    spec: str,
    settings: configuration.Settings,
    flags: configuration.Flags,
    secrets: tuple[str, ...],
    *,
    elsewhere: bool,
) -> tuple[Worker, bytes, str]:
    """A contract with what performs it; no attempt sees the files of secrets."""
    data, path = contract_named(spec, flags)
    contract, _ = cache.load(data, path)
    if elsewhere:
        return submitted_worker(contract, data, settings, flags), data, path
    binding = configuration.binding_for(contract.id, contract.mode, settings, flags)
    sandbox = configuration.sandbox_for(binding, settings, flags)._replace(hidden=secrets)
    return Worker(contract, binding, sandbox=sandbox, text=data), data, path
