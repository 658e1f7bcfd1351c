"""The errors that a user can meet, as one small tree.

    WorkermdError            exit 2: this call cannot be carried out as it stands
    ├── UsageError           the command line contradicts itself or the contract
    │   └── RunKeyMissing    neither the input nor the caller names the run
    ├── ConfigurationError   a binding, a setting or a configuration file is unusable
    ├── ContractUnusable     the contract has findings of level error; carries them
    ├── LedgerUnavailable    the ledger cannot be opened, read or written
    │   └── LedgerBusy       others write to it all the time: the same call may help later
    ├── OutputUnwritable     standard output takes no document
    ├── DeriveError          a repository cannot be reached or read
    └── Interrupted          exit 130: Ctrl-C or SIGTERM

Every error is one line that names the place, what was found, what is allowed and what to do next. It
quotes no value of an input, an output or an environment variable: those may be secrets.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workermd.protocol.finding import Finding


class WorkermdError(Exception):
    """An expected failure. `code` is stable snake_case, `message` one line, `hint` the next step."""

    code = "error"
    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(WorkermdError):
    code = "usage"


class RunKeyMissing(UsageError):
    code = "run_key_missing"


class ConfigurationError(WorkermdError):
    code = "configuration"


class ContractUnusable(WorkermdError):
    """`findings` holds everything that is wrong with the contract, sorted; `source` is its text, to quote from."""

    code = "contract_unusable"

    def __init__(self, message: str, hint: str = "", findings: "tuple[Finding, ...]" = (), source: str = "") -> None:
        super().__init__(message, hint)
        self.findings = findings
        self.source = source


class LedgerUnavailable(WorkermdError):
    code = "ledger_unavailable"


class LedgerBusy(LedgerUnavailable):
    """Others write to the ledger all the time. `run_id` is the run that waits for it, where there is one."""

    code = "ledger_busy"

    def __init__(self, message: str, hint: str = "", run_id: str = "") -> None:
        super().__init__(message, hint)
        self.run_id = run_id


class OutputUnwritable(WorkermdError):
    code = "output_unwritable"


class DeriveError(WorkermdError):
    code = "derive"


class Interrupted(WorkermdError):
    code = "interrupted"
    exit_code = 130
