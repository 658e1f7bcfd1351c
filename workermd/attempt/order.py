"""What the supervisor sends to an attempt's process, and the descriptors between the two."""

import json
import os
from typing import NamedTuple

from workermd.backend import Binding, Limits, Task

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
    binding: Binding
    limits: Limits
    environment: dict[str, str]
    results_dir: str
    token: str


def encode(order: Order) -> bytes:
    """The order as JSON behind its length: a host that reads less than that knows that its supervisor died."""
    body = json.dumps(
        {
            "task": order.task.to_json(),
            "binding": order.binding._asdict(),
            "limits": order.limits._asdict(),
            "environment": order.environment,
            "results_dir": order.results_dir,
            "token": order.token,
        }
    ).encode()
    return len(body).to_bytes(_LENGTH_BYTES) + body


def receive(fd: int) -> Order | None:
    """Wait for an order. None when the other end was closed before a whole one came."""
    head = _read_exactly(fd, _LENGTH_BYTES)
    body = _read_exactly(fd, int.from_bytes(head)) if head else None
    if not body:
        return None
    fields = json.loads(body)
    binding = fields["binding"]
    for name in ("command", "env", "secret_env", "retry_exit_codes"):
        binding[name] = tuple(binding[name])
    return Order(
        task=Task.from_json(fields["task"]),
        binding=Binding(**binding),
        limits=Limits(**fields["limits"]),
        environment=fields["environment"],
        results_dir=fields["results_dir"],
        token=fields["token"],
    )


def _read_exactly(fd: int, count: int) -> bytes | None:
    chunks: list[bytes] = []
    while count > 0:
        chunk = os.read(fd, min(count, 1 << 20))
        if not chunk:
            return None
        chunks.append(chunk)
        count -= len(chunk)
    return b"".join(chunks)
