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

    from workermd.cli.table import Command
    from workermd.protocol.errors import WorkermdError


def main() -> "NoReturn":
    """The entry point of the `workermd` command."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        from workermd import __version__

        sys.stdout.write(f"workermd {__version__}\n")
        sys.exit(0)
    _need_posix()
    _open_streams()
    try:
        code = _answer(arguments)
    except KeyboardInterrupt:  # before there was anything to interrupt
        code = 130
    # Standard output is written with os.write and standard error is flushed at each line: tearing the
    # interpreter down has nothing left to do and would take several milliseconds.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _need_posix() -> None:
    if os.name != "posix":
        sys.stderr.write("workermd: this system is not supported; use Linux, or WSL on Windows\n")
        sys.exit(2)


def _open_streams() -> None:
    """A caller may have closed a standard stream: the next file opened, such as the ledger, would take its number."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - open until the end
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - open until the end


def _answer(arguments: list[str]) -> int:
    gc.disable()  # what start-up makes stays: searching it for garbage would take a tenth of the time
    from workermd.cli.table import COMMANDS, quick
    from workermd.protocol.errors import WorkermdError

    called = quick(arguments) if "_WORKERMD_COMPLETE" not in os.environ else None
    if called is not None:
        return perform(*called)
    from workermd.cli.typer_app import call

    try:
        return call(arguments, perform)
    except WorkermdError as error:
        return _refused(error, document=any(arguments[:1] == [*each.name] for each in COMMANDS if each.document))


def perform(command: "Command", values: "dict[str, Any]") -> int:
    """Carry a command out. Every error ends here as one line and an exit code; no traceback reaches a user."""
    from workermd.protocol.errors import Interrupted, WorkermdError

    try:
        execute = import_module(command.module).execute
        gc.freeze()
        gc.enable()
        return int(execute(values))
    except WorkermdError as error:
        return _refused(error, document=command.document)
    except KeyboardInterrupt:
        return _refused(Interrupted("interrupted"), document=command.document)
    except Exception as error:  # the command line's last resort
        if "WORKERMD_TRACEBACK" in os.environ:
            raise
        return _our_fault(error, document=command.document)


def _refused(error: "WorkermdError", *, document: bool) -> int:
    from workermd.protocol.errors import ContractUnusable
    from workermd.report import say

    if isinstance(error, ContractUnusable) and error.findings:
        from workermd.report import text

        sources = {error.findings[0].path: error.source} if error.source else {}
        sys.stderr.write(text.findings(error.findings, sources))
    say.error(error)
    if document:
        _print_error(error.code, error.message, error.hint)
    return error.exit_code


def _our_fault(error: Exception, *, document: bool) -> int:
    from workermd.protocol.envelope import EXIT_BUG
    from workermd.report import say

    message = f"a fault of workermd itself ({type(error).__name__})"
    hint = "see where with WORKERMD_TRACEBACK=1 before the same command; please report it"
    say.note(f"{message}; {hint}")
    if document:
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
