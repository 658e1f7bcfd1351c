"""Artifacts: files that a task leaves beside its output, kept as long as their run is in the ledger.

The folder `<ledger>.artifacts` holds one folder per attempt that wrote any, named by the attempt's token.
What an approved call of a tool answered lies beside them, in a file by the id of the decision.
"""

import contextlib
import os
import stat
from collections.abc import Iterable
from typing import BinaryIO, Protocol

from workermd.ledger import attempt_logs
from workermd.ledger.records import QUESTION_ID_LENGTH, Attempt
from workermd.protocol.envelope import Document


class ArtifactLedger(Protocol):
    """What is asked of a ledger here."""

    artifacts_folder: str

    def attempts(self, run_row_id: int) -> tuple[Attempt, ...]: ...


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


def empty(path: str) -> None:
    """Remove everything in an attempt's folder; its processes are dead. Never raises."""
    import shutil

    with contextlib.suppress(OSError), os.scandir(path) as entries:
        for each in entries:
            if each.is_dir(follow_symlinks=False):
                shutil.rmtree(each.path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(each.path)


def kept(folder: str, token: str, artifacts: tuple[Document, ...]) -> tuple[Document, ...]:
    """What the envelope says of the artifacts, with their `uri`. An attempt without any leaves no folder."""
    if not artifacts:
        with contextlib.suppress(OSError):
            os.rmdir(os.path.join(folder, token))  # files that the reply did not name stay until the run is pruned
        return ()
    return tuple(
        {
            "name": each["name"],
            "sha256": each["sha256"],
            "bytes": each["bytes"],
            "media_type": each["media_type"],
            "uri": _address(folder, each["path"]),
        }
        for each in artifacts
    )


_IN_THE_FOLDER = ".artifacts/"


def _address(folder: str, path: str) -> str:
    """What is stored: relative to the ledger's folder, so that a ledger that moves takes it along."""
    from urllib.parse import quote  # most runs have no artifacts

    inside = os.path.relpath(path, folder) if path.startswith(folder + "/") else ""
    return _IN_THE_FOLDER.lstrip(".") + quote(inside) if inside else "file://" + quote(path)


def located(document: Document, folder: str) -> Document:
    """An envelope whose artifacts are where they are now, in place. Addresses of a ledger that moved are found again."""
    attempts = document.get("attempts") or ()
    for each in (*document.get("artifacts", ()), *(file for made in attempts for file in made.get("artifacts", ()))):
        each["uri"] = located_at(each["uri"], folder)
    return document


def located_at(uri: str, folder: str) -> str:
    """The address of a stored artifact in the folder of the ledger as it lies now."""
    _, found, inside = f".{uri}".partition(_IN_THE_FOLDER)
    if not found:
        return uri
    from urllib.parse import quote  # most runs have no artifacts

    return f"file://{quote(folder)}/{inside}"


def found(ledger: ArtifactLedger, run_row_id: int, digest: str) -> tuple[str, BinaryIO] | None:
    """A run's artifact of this SHA-256, in hexadecimal: its name and the file."""
    for attempt in ledger.attempts(run_row_id):
        for each in (attempt.detail or {}).get("artifacts", ()):
            if each.get("sha256") == digest and (file := _opened(ledger.artifacts_folder, attempt.token, each)):
                return str(each.get("name", digest)), file
    return None


def _opened(folder: str, token: str, artifact: Document) -> BinaryIO | None:
    """An attempt's artifact, open at its begin; None where it is not there any more, or no longer what it was."""
    import hashlib  # as `unquote`, for the few who fetch an artifact
    from urllib.parse import unquote

    path = os.path.realpath(unquote(located_at(str(artifact.get("uri", "")), folder).removeprefix("file://")))
    if not path.startswith(os.path.join(folder, token) + os.sep):
        return None
    try:
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK), "rb")
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest == artifact.get("sha256"):
            file.seek(0)
            return file
    file.close()
    return None


def remove(folder: str, tokens: Iterable[str]) -> None:
    """Remove the artifacts and logs of attempts that the ledger has forgotten. Never raises."""
    import shutil

    for token in tokens:
        attempt_logs.remove(folder, token)
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(folder, token[:QUESTION_ID_LENGTH] + ".approved"))
        if os.path.lexists(os.path.join(folder, token)):
            shutil.rmtree(os.path.join(folder, token), ignore_errors=True)
