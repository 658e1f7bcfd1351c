"""Artifacts: files that a task leaves beside its output, kept as long as their run is in the ledger.

The folder `<ledger>.artifacts` holds one folder per attempt that wrote any, named by the attempt's token.
What an approved call of a tool answered lies beside them, in a file by the id of the decision.
"""

import contextlib
import os
from collections.abc import Iterable

from workermd.ledger import attempt_logs
from workermd.ledger.records import QUESTION_ID_LENGTH
from workermd.protocol.envelope import Document


def folder_of(ledger_path: str) -> str:
    """The folder of a ledger's artifacts. Links are resolved, as the ledger does."""
    return os.path.realpath(ledger_path) + ".artifacts"


def prepare(folder: str, token: str) -> None:
    """Make a fresh, empty folder for an attempt. Raises OSError."""
    os.makedirs(os.path.join(folder, token), mode=0o700)


def drop(folder: str, token: str) -> None:
    """Remove an attempt's folder when there is nothing in it."""
    with contextlib.suppress(OSError):
        os.rmdir(os.path.join(folder, token))


def kept(folder: str, token: str, artifacts: tuple[Document, ...]) -> tuple[Document, ...]:
    """What the envelope says of the artifacts, with their `uri`. An attempt without any leaves no folder."""
    if not artifacts:
        with contextlib.suppress(OSError):
            os.rmdir(os.path.join(folder, token))  # files that the reply did not name stay until the run is pruned
        return ()
    from urllib.parse import quote  # most runs have no artifacts

    return tuple(
        {
            "name": each["name"],
            "sha256": each["sha256"],
            "bytes": each["bytes"],
            "media_type": each["media_type"],
            "uri": "file://" + quote(each["path"]),
        }
        for each in artifacts
    )


def remove(folder: str, tokens: Iterable[str]) -> None:
    """Remove the artifacts and logs of attempts that the ledger has forgotten. Never raises."""
    import shutil

    for token in tokens:
        attempt_logs.remove(folder, token)
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(folder, token[:QUESTION_ID_LENGTH] + ".approved"))
        if os.path.lexists(os.path.join(folder, token)):
            shutil.rmtree(os.path.join(folder, token), ignore_errors=True)
