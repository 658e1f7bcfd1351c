"""What the supervisor sends to an attempt's process, and the descriptors between the two.

First the binding, so that the process can load and look before there is an attempt; then, perhaps, the order.
"""

import json
import os
from typing import NamedTuple

from workermd.protocol.envelope import Document
from workermd.task.binding import Binding
from workermd.task.task import Budget, Limits, Task

ORDER_FD = 3
"""Where the host reads its order."""
STATUS_FD = 4
"""Where the host says `ready`, or why it cannot be."""
LOCK_FD = 5
"""The run's lock: held while any process has this descriptor open, so programs started by a task inherit it."""

_LENGTH_BYTES = 8


class Order(NamedTuple):
    """One attempt, complete. `environment` is added to the host's own; `results_dir` and `token` name the result file."""

    task: Task
    limits: Limits
    environment: dict[str, str]
    results_dir: str
    token: str


def encode_binding(binding: Binding) -> bytes:
    return _framed(binding.to_document())


def encode(order: Order) -> bytes:
    return _framed(
        {
            "task": order.task.to_json(),
            "limits": order.limits._asdict() | {"budget": order.limits.budget._asdict()},
            "environment": order.environment,
            "results_dir": order.results_dir,
            "token": order.token,
        }
    )


def receive_binding(fd: int) -> Binding | None:
    """Wait for the binding. None when the other end was closed before a whole one came."""
    fields = _document(fd)
    return None if fields is None else Binding.of(fields)


def receive(fd: int) -> Order | None:
    """Wait for an order. None when the other end was closed before a whole one came."""
    fields = _document(fd)
    if fields is None:
        return None
    limits = fields["limits"]
    return Order(
        task=Task.from_json(fields["task"]),
        limits=Limits(**{**limits, "budget": Budget(**limits["budget"])}),
        environment=fields["environment"],
        results_dir=fields["results_dir"],
        token=fields["token"],
    )


def _framed(document: Document) -> bytes:
    """JSON behind its length: a host that reads less than that knows that its supervisor died."""
    body = json.dumps(document).encode()
    return len(body).to_bytes(_LENGTH_BYTES) + body


def _document(fd: int) -> Document | None:
    head = _read_exactly(fd, _LENGTH_BYTES)
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
