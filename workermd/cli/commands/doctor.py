"""`workermd doctor`: say what is there and whether it would work."""

import json
from typing import NamedTuple

from workermd.config import configuration, rewrite
from workermd.protocol.envelope import EXIT_FINDINGS, encoded, versioned
from workermd.protocol.errors import ConfigurationError, UsageError
from workermd.report import doctor as report
from workermd.report import say
from workermd.runner import doctor
from workermd.system import files
from workermd.task.binding import unset_variable


class DoctorOptions(NamedTuple):
    json: bool
    offline: bool
    probe: str | None
    write: bool
    exit_zero: bool
    ledger: str | None
    config: str | None
    no_config: bool


def execute(options: DoctorOptions) -> int:
    flags = configuration.Flags(ledger=options.ledger or "", config=options.config or "", no_config=options.no_config)
    settings = configuration.load(flags)
    if options.probe:
        return _probe(options.probe, settings, write=options.write, as_json=options.json)
    if options.write:
        raise UsageError("--write puts down what a probe found", "add --probe MODEL")
    examined = doctor.examine(settings, offline=options.offline)
    if options.json:
        say.document(encoded(versioned(examined.document)))
    else:
        say.text(report.lines(examined.document, say.columns()))
    return EXIT_FINDINGS if examined.problems and not options.exit_zero else 0


def _probe(name: str, settings: configuration.Settings, *, write: bool, as_json: bool) -> int:
    """Ask one model's endpoint what it takes; its keys go to standard output, the way to them to standard error."""
    if name not in settings.models:
        known = ", ".join(sorted(settings.models)) or "none"
        where = settings.origin or "the configuration"
        raise ConfigurationError(f"--probe: {where} has no [models.{name[:40]}]; it has: {known}", "name one of these")
    try:
        from workermd.backends.agents import probe
    except ModuleNotFoundError as error:
        missing = f"--probe needs the module {error.name!r}, which is not installed"
        raise ConfigurationError(missing, "pip install 'workermd[agentchat]'") from None
    model = settings.models[name]
    if reason := unset_variable(model):
        raise ConfigurationError(reason, "set it for this command too")
    found = probe.probed(model, lambda step, outcome: say.note(f"{step}: {outcome}"))
    if found.problem:
        raise ConfigurationError(f"[models.{name}]: nothing can be found out: {found.problem}", "mend that first")
    if as_json:
        say.document(encoded(versioned({"model": name, "keys": found.keys, "steps": dict(found.steps)})))
    else:
        told = "".join(f"{key} = {json.dumps(value)}\n" for key, value in found.keys.items())
        say.text(f"[models.{name}]\n{told}" if told else f"[models.{name}] needs none of the keys of a dialect\n")
    if write and found.keys:
        rewritten = rewrite.with_keys(settings.origin, ("models", name), found.keys)
        say.note(rewritten.patch.rstrip("\n") or f"{settings.origin} has these keys already")
        files.write(settings.origin, rewritten.after.encode())
    return 0
