"""DBOS brings runs to nodes, on the ledger's own database (extra `dbos`). It dispatches; nothing that it promises is relied on.

A workflow's id is the run's row and a generation, so that a run that is given again is a new workflow. Workflows return what
became of a key and raise nothing: a replayed error would be somebody else's.
"""

import time
from collections.abc import Callable, Sequence

from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer, EnqueueOptions

from workermd.batch.cluster.engine import Dispatched, Execute
from workermd.ledger.postgres.dispatches import Dispatch
from workermd.ledger.postgres.spool import open_spool
from workermd.protocol.envelope import Document

_NAME = "workermd-nodes"
_VERSION = "1"
"""Fixed: the default is a digest of the code, and after an upgrade nobody would take what waits."""

_WORKFLOW = "carry_out"
_LOOK_SECONDS = 0.2
_MOST_PRIORITY = 1_000_000


class DbosEngine:
    """`sslmode` and the rest of the address are the ledger's own."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._client: DBOSClient | None = None

    def prepare(self) -> None:
        self._connected()

    def submit(self, runs: Sequence[Dispatch]) -> None:
        client = self._connected()
        for run in runs:
            options: EnqueueOptions = {
                "workflow_name": _WORKFLOW,
                "queue_name": run.queue,
                "workflow_id": f"{run.key}.{run.generation}",
                "app_version": _VERSION,
                "priority": max(1, _MOST_PRIORITY - run.priority),
            }
            client.enqueue(options, run.key)

    def work(self, execute: Execute, queues: Sequence[str], jobs: int, stop: Callable[[], bool]) -> None:
        config: DBOSConfig = {
            "name": _NAME,
            "system_database_url": self._address,
            "application_version": _VERSION,
            "executor_id": open_spool(self._address).node,
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "WARNING",
            "enable_otlp": False,
        }
        DBOS(config=config)

        @DBOS.workflow(name=_WORKFLOW, max_recovery_attempts=1_000_000)
        def carry_out(key: str) -> list[object]:
            outcome: Dispatched = execute(key)
            return [outcome.done, outcome.seconds]

        DBOS.launch()
        for queue in queues:
            DBOS.register_queue(queue, worker_concurrency=jobs, polling_interval_sec=_LOOK_SECONDS)
        while not stop():
            time.sleep(_LOOK_SECONDS)

    def cancel(self, key: str) -> None:
        for status in self._connected().list_workflows(workflow_id_prefix=f"{key}."):
            self._connected().cancel_workflow(status.workflow_id)

    def health(self) -> Document:
        return {"engine": "dbos", "queued": len(self._connected().list_queued_workflows())}

    def _connected(self) -> DBOSClient:
        if self._client is None:
            self._client = DBOSClient(
                system_database_url=self._address, serializer=DBOSPortableJSONSerializer(), application_name=_NAME
            )
        return self._client
