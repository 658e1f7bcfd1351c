"""`workermd run`: arguments in, one run, its document out."""

import os
import signal
from collections.abc import Callable
from typing import Any

from workermd.cli.commands.files import contract_named, input_bytes
from workermd.config import configuration
from workermd.contract import cache
from workermd.protocol.envelope import EXIT_INTERRUPTED
from workermd.protocol.errors import UsageError
from workermd.report import say
from workermd.report.audience import Audience, Listener
from workermd.report.live import Live
from workermd.runner.answers import Answered
from workermd.runner.invocation import Request, run
from workermd.runner.trace import Trace, of_environment


def execute(values: dict[str, Any]) -> int:
    """Run a contract. `values` are the command's arguments and options by name (see `arguments.py`)."""
    if values["interactive"]:
        from workermd.cli.commands.interactive import refuse_without_terminal

        refuse_without_terminal(values)
    flags = flags_of(values)
    contract, warnings = cache.load(*contract_named(values["spec"], flags))
    settings = configuration.load(flags)
    signals = Signals()
    trace = of_environment()
    live = Live(quiet=values["quiet"], interrupted=lambda: signals.noted, verbose=values["verbose"])
    audience = Audience(live, _listeners(values, trace))
    request = Request(
        contract=contract,
        binding=configuration.binding_for(contract.id, contract.mode, settings, flags),
        ledger_path=settings.ledger,
        read_input=_once(lambda: _read_input(values, signals)),
        watch=audience,
        trace=trace,
        run_id=_run_id(values),
        timeout=values["timeout"],
        max_attempts=values["max_attempts"],
        wait=not values["no_wait"],
    )
    if not values["quiet"] and warnings:
        count = len(warnings)
        say.note(f"{values['spec']}: {count} warning{'s' * (count != 1)}; see: workermd validate {values['spec']}")
    if values["dry_run"]:
        from workermd.runner.dry_run import plan

        return _print(plan(request), values)
    signals.catch()
    answered = _answered(request, live, signals, interactive=values["interactive"])
    code = _print(answered, values)
    audience.finished(answered.envelope)  # the answer is printed and stands
    return code


def _listeners(values: dict[str, Any], trace: Trace) -> list[Listener]:
    listeners: list[Listener] = []
    if values["events"]:
        from workermd.report.events import EventFile

        listeners.append(EventFile(values["events"]))
    if any(name.startswith("OTEL_") for name in os.environ):
        from workermd.report import spans

        if spans.wanted():
            listeners.append(spans.Spans(trace, quiet=values["quiet"]))
    return listeners


def _answered(request: Request, live: Live, signals: "Signals", *, interactive: bool) -> Answered:
    """Run; with --interactive again after each decision, under a fresh deadline (S9.5)."""
    while True:
        try:
            answered = run(request)
        finally:
            live.close()
        if not interactive or "request" not in answered.envelope:
            return answered
        from workermd.cli.commands.interactive import decided

        signals.break_off = True
        try:
            if not decided(answered, request):
                return answered
        except KeyboardInterrupt:  # the answer is on disk, and the request stays open
            return answered._replace(exit_code=EXIT_INTERRUPTED)
        finally:
            signals.break_off = False


def _print(answered: Answered, values: dict[str, Any]) -> int:
    from workermd.protocol.envelope import encoded

    envelope = answered.envelope
    say.document(encoded(envelope) if values["envelope"] else answered.output)
    if not values["quiet"]:
        if envelope.get("replayed"):
            say.note("replayed: this run was settled before; no attempt was started")
        for line in envelope.get("notes", ()):
            say.note(line)
        if "error" in envelope:
            error = envelope["error"]
            hint = f"; {error['hint']}" if "hint" in error else ""
            say.note(f"{envelope['status']}: {error['message']} [{error['code']}]{hint}")
    if values["exit_zero"] and 3 <= answered.exit_code <= 7:
        return 0
    return answered.exit_code


def flags_of(values: dict[str, Any]) -> configuration.Flags:
    return configuration.Flags(
        backend=values["backend"] or "",
        function=values["function"] or "",
        command=tuple(values["program"]),
        model=values["model"] or "",
        base_url=values["base_url"] or "",
        api_key_env=values["api_key_env"] or "",
        env=tuple(values["env"]),
        secret_env=tuple(values["secret_env"]),
        settings=tuple(values["setting"]),
        record=values["record"] or "",
        replay=values["replay"] or "",
        ledger=values["ledger"] or "",
        config=values["config"] or "",
        no_config=values["no_config"],
    )


def _once(read: Callable[[], bytes]) -> Callable[[], bytes]:
    """The same bytes at every call: a run that goes on has the input that it began with."""
    seen: list[bytes] = []

    def given() -> bytes:
        if not seen:
            seen.append(read())
        return seen[0]

    return given


def _read_input(values: dict[str, Any], signals: "Signals") -> bytes:
    signals.break_off = True
    try:
        return input_bytes(values["input"], f"workermd run {values['spec']} -")
    finally:
        signals.break_off = False


def _run_id(values: dict[str, Any]) -> str:
    if values["new_run_id"]:
        if values["run_id"]:
            raise UsageError("--run-id and --new-run-id exclude each other", "leave one of the two out")
        return _uuid7()
    return values["run_id"] or ""


def _uuid7() -> str:
    """A time-ordered UUID (RFC 9562, version 7)."""
    import time

    milliseconds = time.time_ns() // 1_000_000
    tail = int.from_bytes(os.urandom(10))
    number = milliseconds << 80 | 7 << 76 | (tail >> 4 & 0xFFF) << 64 | 0b10 << 62 | tail >> 8 & (1 << 62) - 1
    digits = f"{number:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


class Signals:
    """Notes an interrupt. A run looks at it while it waits, so that nothing is left half-done.

    While the input is read nothing has begun: `break_off` ends that at once, also where nobody writes to the pipe.
    """

    def __init__(self) -> None:
        self.noted = False
        self.break_off = False

    def catch(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._note)

    def _note(self, _number: int, _frame: object) -> None:
        self.noted = True
        if self.break_off:
            raise KeyboardInterrupt
