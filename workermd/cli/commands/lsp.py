"""`workermd lsp`: a language server for editors, over standard input and output."""

import sys
from typing import Any

from workermd.config import configuration
from workermd.protocol.envelope import EXIT_BUG
from workermd.protocol.errors import UsageError


def execute(values: dict[str, Any]) -> int:
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
        if serve(configuration.Flags(config=values["config"] or "", no_config=values["no_config"]), sys.stdin.buffer)
        else EXIT_BUG
    )
