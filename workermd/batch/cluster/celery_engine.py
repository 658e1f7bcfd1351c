"""Celery brings runs to nodes, over the broker that WORKERMD_BROKER names (extra `celery`; Redis or RabbitMQ).

Messages are acknowledged late and prefetched one by one. What the broker loses is given to it again by the nodes.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence

from celery import Celery

from workermd.batch.cluster.engine import Execute
from workermd.ledger.postgres.dispatches import Dispatch
from workermd.protocol.envelope import Document
from workermd.protocol.errors import ConfigurationError

_TASK = "workermd.carry_out"
_VISIBILITY_SECONDS = 3600
"""Longer than any run is expected to take; Redis hands a message to another worker after that."""

_MOST_PRIORITY = 9
_LOOK_SECONDS = 0.5


class CeleryEngine:
    """The ledger's address is none of Celery's."""

    def __init__(self, address: str) -> None:
        del address
        broker = os.environ.get("WORKERMD_BROKER")
        if not broker:
            raise ConfigurationError(
                "the engine celery needs a broker, and WORKERMD_BROKER names none",
                "set it to the broker's address, for example redis://HOST:6379/0",
            )
        self._app = Celery("workermd", broker=broker)
        self._app.conf.update(
            task_acks_late=True,
            task_reject_on_worker_lost=True,
            task_ignore_result=True,
            worker_prefetch_multiplier=1,
            broker_transport_options={"visibility_timeout": _VISIBILITY_SECONDS},
            broker_connection_retry_on_startup=True,
            worker_hijack_root_logger=False,
        )

    def prepare(self) -> None:
        """A broker makes its queues as they are used."""

    def submit(self, runs: Sequence[Dispatch]) -> None:
        with self._app.producer_pool.acquire(block=True, timeout=10) as producer:
            for run in runs:
                priority = max(0, min(_MOST_PRIORITY, run.priority))
                self._app.send_task(
                    _TASK, [run.key], queue=run.queue, priority=priority, producer=producer, retry=False
                )

    def work(self, execute: Execute, queues: Sequence[str], jobs: int, stop: Callable[[], bool]) -> None:
        @self._app.task(name=_TASK)  # type: ignore[untyped-decorator,unused-ignore]
        def carry_out(key: str) -> None:
            execute(key)

        def leave() -> None:
            while not stop():
                time.sleep(_LOOK_SECONDS)
            os._exit(0)  # the worker has no other way out than a signal

        threading.Thread(target=leave, daemon=True).start()
        words = ["worker", "--pool=threads", f"--concurrency={jobs}", "--loglevel=WARNING", "-Q", ",".join(queues)]
        self._app.worker_main([*words, "--without-gossip", "--without-mingle", "--without-heartbeat"])

    def cancel(self, key: str) -> None:
        """A message that was sent is not taken back: the ledger says that the run is done."""

    def health(self) -> Document:
        return {"engine": "celery", "reached": bool(self._app.connection_for_read().ensure_connection(max_retries=1))}
