"""The command line's front door: read the call, do the one deed, report what went wrong, exit.

It imports next to nothing: `workermd --version` costs an interpreter start and little more.
"""

import gc
import os
import sys
from importlib import import_module

TYPE_CHECKING = False  # type checkers know the name; importing typing costs as much as starting the interpreter

if TYPE_CHECKING:
    from typing import Any, NoReturn

    from workermd.cli.table.form import CommandSpec
    from workermd.protocol.errors import WorkermdError

_COMPLETION = ("--install-completion", "--show-completion")


def main() -> "NoReturn":
    """The entry point of the `workermd` command."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["--version"] or arguments == ["version"]:
        sys.exit(_version())
    _open_streams()
    try:
        code = answer(arguments)
    except KeyboardInterrupt:  # before there was anything to interrupt
        code = 130
    # Standard output is written with os.write and standard error is flushed at each line: tearing the
    # interpreter down has nothing left to do and would take several milliseconds.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _version() -> int:
    """Print it without loading anything: not even what `report.say` needs."""
    from workermd import __version__

    try:
        os.write(1, f"workermd {__version__}\n".encode())
    except BrokenPipeError:
        pass  # whoever asked went away
    except OSError as error:
        if sys.stderr is not None:
            sys.stderr.write(f"workermd: standard output cannot be written ({error.strerror})\n")
        return 2
    return 0


def _open_streams() -> None:
    """A caller may have closed a standard stream: the next file opened, such as the ledger, would take its number.

    Standard output stays unwritable then: a document that nobody gets is no success (S5.1)."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if number == 1 else os.O_RDWR)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - open until the end
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - open until the end


def answer(arguments: list[str]) -> int:
    """Read a call and carry it out; the exit code."""
    gc.disable()  # what start-up makes stays: searching it for garbage would take a tenth of the time
    from workermd.cli.quick_reader import quick
    from workermd.protocol.errors import WorkermdError

    completing = "_WORKERMD_COMPLETE" in os.environ or arguments[:1] in ([word] for word in _COMPLETION)
    called = None if completing else quick(arguments)
    if called is not None:
        return perform(*called)
    from workermd.cli import full_reader

    try:
        words = arguments if completing else full_reader.help_wanted(arguments)
        if words is not None:
            from workermd.cli.typer_app import shown

            return shown(words)
        called = full_reader.read(arguments)
    except WorkermdError as error:
        return _refused(error, document=arguments[:1] == ["run"])
    return perform(*called)


def perform(command: "CommandSpec", values: "dict[str, Any]") -> int:
    """Carry a command out. Every error ends here as one line and an exit code; no traceback reaches a user."""
    from workermd.protocol.errors import Interrupted, WorkermdError

    try:
        _need_linux(command)
        module = import_module(command.module)
        options = getattr(module, command.options_type)(**values)
        gc.freeze()
        gc.enable()
        return int(module.execute(options))
    except WorkermdError as error:
        return _refused(error, document=command.document)
    except KeyboardInterrupt:
        return _refused(Interrupted("interrupted"), document=command.document)
    except Exception as error:  # the command line's last resort
        if "WORKERMD_TRACEBACK" in os.environ:
            raise
        return _our_fault(error, document=command.document)


def _need_linux(command: "CommandSpec") -> None:
    """Attempts are watched and ended by what only Linux has; what reads contracts works everywhere."""
    if command.linux and sys.platform != "linux":
        from workermd.protocol.errors import ConfigurationError

        raise ConfigurationError(
            f"workermd {' '.join(command.name)} needs Linux, and this is {sys.platform}",
            "use Linux, or WSL on Windows; validate, fmt, diff, derive and lsp work here",
        )


def _refused(error: "WorkermdError", *, document: bool) -> int:
    from workermd.protocol.errors import ContractUnusable
    from workermd.report import say

    if isinstance(error, ContractUnusable) and error.findings:
        from workermd.report import text

        sources = {error.findings[0].path: error.source} if error.source else {}
        sys.stderr.write(text.findings(error.findings, sources, say.style(sys.stderr)))
    say.error(error)
    if document and not say.is_terminal():
        _print_error(error.code, error.message, error.hint)
    return error.exit_code


def _our_fault(error: Exception, *, document: bool) -> int:
    from workermd.protocol.envelope import EXIT_BUG
    from workermd.report import say

    message = f"a fault of workermd itself ({type(error).__name__})"
    hint = "see where with WORKERMD_TRACEBACK=1 before the same command; please report it"
    say.note(f"{message}; {hint}")
    if document and not say.is_terminal():
        _print_error("internal_error", message, hint)
    return EXIT_BUG


def _print_error(code: str, message: str, hint: str) -> None:
    """A run prints one document even where there is no run to speak of (S5.1)."""
    from contextlib import suppress

    from workermd.protocol.envelope import Failure, encoded
    from workermd.protocol.errors import OutputUnwritable
    from workermd.report import say

    with suppress(OutputUnwritable):  # said on standard error already, or about to be
        say.document(encoded({"error": Failure(code, message, False, hint).document()}))
