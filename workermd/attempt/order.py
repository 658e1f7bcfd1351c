"""What the supervisor sends to an attempt's process, and the descriptors between the two.

First the binding, so that the process can load and look before there is an attempt; then, perhaps, the order.
"""

import json
import os
from typing import NamedTuple

from workermd.protocol.codec import from_document, to_document
from workermd.protocol.envelope import Document
from workermd.task.binding import Binding
from workermd.task.task import Limits, Task

ORDER_FD = 3
"""Where the host reads its order."""
STATUS_FD = 4
"""Where the host says `ready`, or why it cannot be."""
LOCK_FD = 5
"""The run's lock, held while any process has this descriptor open: the keeper alone, no host and no program."""
KEEPER_FD = 6
"""Where the keeper reads what the attempt may not reach, and later what it has to keep."""

HOST_FDS = (0, 1, 2, ORDER_FD, STATUS_FD, LOCK_FD, KEEPER_FD)
"""All that a keeper holds when it begins: nothing to read, the log twice, and the four above."""
FIRST_OWN_FD = 10
"""Above every number that a host's descriptors get: a `dup2` onto itself would keep the close-on-exec flag."""

END = b"e"
"""What a supervisor writes to have everything ended."""

MARKER_CHARACTERS = 32

_LENGTH_BYTES = 8


class Order(NamedTuple):
    """One attempt, complete. `environment` is added to the host's own; `results_dir` and `token` name the result file.

    `lease` is the file of the lease that the attempt must not outlive, where its ledger grants one to a machine.
    """

    task: Task
    limits: Limits
    environment: dict[str, str]
    results_dir: str
    token: str
    lease: str = ""


class Commission(NamedTuple):
    """What the keeper has to know of an attempt that begins. `deadline` is on `time.monotonic()`'s clock."""

    deadline: float
    results_dir: str
    token: str
    max_bytes: int
    key: str = ""
    lease: str = ""


def encode_binding(binding: Binding) -> bytes:
    return framed(to_document(binding))


def encode_environment(environment: dict[str, str]) -> bytes:
    """For a host that is forked: it was started with the environment of another process."""
    return framed(environment)


def encode(order: Order) -> bytes:
    """The whole order as one JSON document: the task in it is encoded here, and nowhere again on its way."""
    return framed(to_document(order))


def receive_binding(fd: int) -> Binding | None:
    """Wait for the binding. None when the other end was closed before a whole one came."""
    document = receive_document(fd)
    return None if document is None else from_document(Binding, document)


def receive_environment(fd: int) -> dict[str, str] | None:
    """Wait for the environment. None when the other end was closed before a whole one came."""
    return receive_document(fd)


def receive(fd: int) -> Order | None:
    """Wait for an order. None when the other end was closed before a whole one came."""
    document = receive_document(fd)
    return None if document is None else from_document(Order, document)


def framed(document: Document) -> bytes:
    """JSON behind its length: a host that reads less than that knows that its supervisor died."""
    body = json.dumps(document).encode()
    return len(body).to_bytes(_LENGTH_BYTES) + body


def receive_document(fd: int, begun: bytes = b"") -> Document | None:
    """Wait for a document, of which `begun` was read already. None when the other end was closed before a whole one came."""
    rest = _read_exactly(fd, _LENGTH_BYTES - len(begun))
    head = rest and begun + rest
    body = _read_exactly(fd, int.from_bytes(head)) if head else None
    document: Document | None = json.loads(body) if body else None
    return document


def _read_exactly(fd: int, count: int) -> bytes | None:
    chunks: list[bytes] = []
    while count > 0:
        chunk = os.read(fd, min(count, 1 << 20))
        if not chunk:
            return None
        chunks.append(chunk)
        count -= len(chunk)
    return b"".join(chunks)
