"""Temporal brings runs to nodes, from the server that WORKERMD_TEMPORAL names (extra `temporal`).

One workflow with one activity carries a key out. A workflow's id is the run's row and a generation, so that a run that is
given again is a new workflow. It returns what became of the key, and its own attempts are none of ours: the ledger counts.
"""

import asyncio
import concurrent.futures
import contextlib
import os
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from workermd.batch.cluster.engine import Dispatched, Execute
from workermd.ledger.postgres.dispatches import Dispatch
from workermd.protocol.envelope import Document
from workermd.protocol.errors import ConfigurationError

_NAME = "workermd.carry_out"
_SERVER, _NAMESPACE = "WORKERMD_TEMPORAL", "WORKERMD_TEMPORAL_NAMESPACE"
_LONGEST = timedelta(days=1)
_BEAT_SECONDS, _SILENT = 5.0, timedelta(seconds=30)
_AT_ONCE = 20
_LOOK_SECONDS = 0.2
_T = TypeVar("_T")


@workflow.defn(name=_NAME, sandboxed=False)
class CarryOut:
    @workflow.run
    async def run(self, key: str) -> list[object]:
        found: list[object] = await workflow.execute_activity(
            _NAME,
            key,
            start_to_close_timeout=_LONGEST,
            heartbeat_timeout=_SILENT,  # a worker that is gone is noticed by then, and another is given the key
            retry_policy=RetryPolicy(maximum_attempts=0, maximum_interval=timedelta(seconds=10)),
        )
        return found


class TemporalEngine:
    """The ledger's address is none of Temporal's."""

    def __init__(self, address: str) -> None:
        del address
        self._server = os.environ.get(_SERVER, "")
        self._namespace = os.environ.get(_NAMESPACE, "default")
        if not self._server:
            raise ConfigurationError(
                f"the engine temporal needs a server, and {_SERVER} names none",
                "set it to the server's address, for example HOST:7233",
            )

    def prepare(self) -> None:
        """A server makes its queues as they are used."""

    def submit(self, runs: Sequence[Dispatch]) -> None:
        _finished(self._submit(runs))

    async def _submit(self, runs: Sequence[Dispatch]) -> None:
        client, turns = await self._client(), asyncio.Semaphore(_AT_ONCE)

        async def start(run: Dispatch) -> None:
            name = f"workermd-{run.key}.{run.generation}"
            async with turns:
                with contextlib.suppress(WorkflowAlreadyStartedError):
                    await client.start_workflow(_NAME, run.key, id=name, task_queue=run.queue)

        await asyncio.gather(*map(start, runs))

    def work(self, execute: Execute, queues: Sequence[str], jobs: int, stop: Callable[[], bool]) -> None:
        _finished(self._work(execute, queues, jobs, stop))

    async def _work(self, execute: Execute, queues: Sequence[str], jobs: int, stop: Callable[[], bool]) -> None:
        client, threads = await self._client(), concurrent.futures.ThreadPoolExecutor(jobs * len(queues))

        @activity.defn(name=_NAME)
        async def carry_out(key: str) -> list[object]:
            asked = asyncio.get_running_loop().run_in_executor(threads, execute, key)
            while not (await asyncio.wait([asked], timeout=_BEAT_SECONDS))[0]:
                activity.heartbeat()
            outcome: Dispatched = await asked
            return [outcome.done, outcome.seconds]

        async with contextlib.AsyncExitStack() as workers:
            for queue in queues:
                await workers.enter_async_context(
                    Worker(
                        client,
                        task_queue=queue,
                        workflows=[CarryOut],
                        activities=[carry_out],
                        workflow_runner=UnsandboxedWorkflowRunner(),
                        max_concurrent_activities=jobs,
                    )
                )
            while not stop():  # noqa: ASYNC110 - whoever says stop knows no event
                await asyncio.sleep(_LOOK_SECONDS)
            os._exit(0)  # a worker waits for its activities, and nobody tells them any more what became of their keys

    def cancel(self, key: str) -> None:
        """A workflow that was started is not taken back: the ledger says that the run is done."""

    def health(self) -> Document:
        return {"engine": "temporal", "reached": _finished(self._reached())}

    async def _reached(self) -> bool:
        return await (await self._client()).service_client.check_health()

    async def _client(self) -> Client:
        return await Client.connect(self._server, namespace=self._namespace)


def _finished(deed: Coroutine[Any, Any, _T]) -> _T:
    return asyncio.run(deed)
