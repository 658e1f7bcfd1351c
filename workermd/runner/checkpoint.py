"""How far a task had come: a document that an attempt writes down and the next attempt of the run is given (S3.11).

The attempt writes it into its own folder; the supervisor copies it, masked, to a place that no task sees.
"""

import json
import os
import stat

from workermd.ledger import results
from workermd.protocol.envelope import Document
from workermd.runner.session import Session
from workermd.system import bounded, files
from workermd.task.masking import Mask
from workermd.task.task import CHECKPOINT, MAX_CHECKPOINT_BYTES


def written(session: Session, token: str) -> str:
    """The path at which an attempt writes its checkpoint."""
    return os.path.join(session.artifacts_folder, token, CHECKPOINT)


def keep(session: Session, mask: Mask, token: str, worker_id: str, run_id: str) -> None:
    """Take over what the attempt wrote, if it is a JSON object within its size. The last one that was stays otherwise:
    an attempt may be ended in the middle of writing. Never raises: without it the next attempt begins anew."""
    path = written(session, token)
    if not os.path.lexists(path):
        return
    try:
        document = _read(path)
        os.unlink(path)
        if document is not None:
            text = json.dumps(mask.value(document), ensure_ascii=False)
            place = results.checkpoint_of(session.results_folder, worker_id, run_id)
            files.replace(place, text.encode("utf-8", "replace"), mode=0o600)
    except OSError:
        return


def load(session: Session, worker_id: str, run_id: str) -> Document | None:
    """The checkpoint of the run's earlier attempts; None where there is none."""
    try:
        with open(results.checkpoint_of(session.results_folder, worker_id, run_id), encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _read(path: str) -> Document | None:
    """A task of ours may have put a link, a pipe or a flood there. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        data = bounded.at_most(file, MAX_CHECKPOINT_BYTES)
    if len(data) > MAX_CHECKPOINT_BYTES:
        return None
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
