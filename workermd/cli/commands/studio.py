"""`workermd studio`: the ledger and the contracts as pages in a browser."""

import glob
import os
from collections.abc import Callable
from typing import NamedTuple

from workermd.cli.contract_paths import each_once
from workermd.config import configuration
from workermd.protocol.errors import ConfigurationError, UsageError, WorkermdError
from workermd.registry import lookup
from workermd.report import say
from workermd.system.environment import login


class StudioOptions(NamedTuple):
    specs: list[str]
    edit: str | None
    host: str
    jobs: int | None
    queue: int | None
    public: list[str]
    tls_cert: str | None
    tls_key: str | None
    grace: float
    port: int
    sandbox: str | None
    quiet: bool
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: StudioOptions) -> int:
    try:
        from workermd.serve import start
        from workermd.studio.entrance import Entrance
        from workermd.studio.frame import StartFailures, StudioRoom
        from workermd.studio.guest import Studio
        from workermd.studio.offers import usable
        from workermd.studio.shelf import Shelf
    except ImportError as error:
        raise ConfigurationError(
            f"the studio needs the extra studio ({error.name} is missing)", "run: pip install 'workermd[studio]'"
        ) from None
    flags = configuration.Flags(
        ledger=options.ledger or "",
        config=options.config or "",
        no_config=options.no_config,
        sandbox=options.sandbox or "",
    )
    edit = _edited(options)
    settings = configuration.load(flags, edit)
    jobs = options.jobs if options.jobs is not None else len(os.sched_getaffinity(0))
    if jobs < 1:
        raise UsageError("--jobs takes a number from 1", "leave it out for as many as the machine has cores")
    wanted = start.Wanted(
        host=options.host,
        port=options.port,
        jobs=jobs,
        queue=4 * jobs if options.queue is None else options.queue,
        tokens="",
        issuer="",
        name=login() or "operator",
        public=tuple(options.public),
        certificate=options.tls_cert or "",
        key=options.tls_key or "",
        calls_per_minute=6000,
        grace=options.grace,
        log=False,
        a2a=False,
        mcp="",
        key_by_model=False,
        ledger=settings.ledger,
        max_input_bytes=settings.max_input_bytes,
    )
    shelf = Shelf(_paths(options.specs or [edit or "."], edit, settings))
    room = StudioRoom(
        settings.ledger, shelf, lambda: configuration.load(flags, edit), Entrance(), StartFailures(), edit=edit
    )
    start.serve(usable(room), wanted, say.note, Studio(room, wanted.name).guest())
    return 0


def _edited(options: StudioOptions) -> str:
    """The folder of --edit, links resolved; empty where nothing may be written. Raises UsageError."""
    if not options.edit:
        return ""
    if options.host not in ("127.0.0.1", "::1", "localhost"):
        raise UsageError(
            f"--edit with --host {options.host[:80]}", "files are changed from this machine only: leave one out"
        )
    if not os.path.isdir(options.edit):
        raise UsageError(f"--edit {options.edit[:200]}: no such folder", "name a folder that is there")
    return os.path.realpath(options.edit)


def _paths(specs: list[str], edit: str, settings: configuration.Settings) -> Callable[[], list[str]]:
    """The files that the words mean, looked for anew each time: a contract that is made meanwhile is seen. Raises
    UsageError for a word that means none now."""
    named = [_of_registry(spec, settings) for spec in specs]
    if edit and edit not in map(os.path.realpath, named):
        named.append(edit)

    def found() -> list[str]:
        return [each for each in each_once(named, lambda: settings) if isinstance(each, str)]

    for spec in named:
        if not os.path.lexists(spec) and not glob.has_magic(spec):
            raise UsageError(f"{spec[:200]}: no such file or folder", "name a contract, or a folder that has one")
    return found


def _of_registry(spec: str, settings: configuration.Settings) -> str:
    if os.path.lexists(spec) or not lookup.is_name(spec):
        return spec
    try:
        return lookup.resolve(spec, lookup.folders(settings)).path
    except WorkermdError:
        return spec
