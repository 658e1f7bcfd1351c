"""`workermd lsp`: a language server for editors, over standard input and output."""

import sys
from typing import NamedTuple

from workermd.config import configuration
from workermd.protocol.envelope import EXIT_BUG
from workermd.protocol.errors import UsageError


class LspOptions(NamedTuple):
    stdio: bool
    config: str | None
    no_config: bool


def execute(options: LspOptions) -> int:
    """0 when the editor ended the session as the protocol has it, 1 when it went away. Raises UsageError."""
    try:
        from workermd.editor.server import serve
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("pygls", "lsprotocol"):
            raise
        raise UsageError(f"the module {error.name} is not installed", "run: pip install 'workermd[lsp]'") from None
    if sys.stdin is None or sys.stdin.isatty():
        message = "a language server is started by an editor, but standard input is a terminal"
        raise UsageError(message, "docs/validate.md has the set-up of editors")
    return (
        0
        if serve(configuration.Flags(config=options.config or "", no_config=options.no_config), sys.stdin.buffer)
        else EXIT_BUG
    )
