"""A run that this server carries out: what comes of it, what happens on its way, and whether it is to end early."""

import asyncio
import threading
from concurrent.futures import Future
from typing import NamedTuple

from workermd.protocol.envelope import Document
from workermd.runner.answers import Answered
from workermd.runner.run_key import KeySource
from workermd.runner.trace import Trace
from workermd.runner.worker import Worker
from workermd.serve.catalogue import Offer
from workermd.serve.feed import Feed

Name = tuple[str, str]
"""The ids of a worker and of its run."""


class RunCall(NamedTuple):
    """Somebody wants a run of what is offered. `data` is the input as it was sent."""

    offer: Offer
    worker: Worker
    data: bytes
    key: KeySource
    trace: Trace
    caller: str


class Job:
    """One run on its way. `answer` fails where the run could not even be attempted, as `invoke` raises."""

    def __init__(self, name: Name, input_sha256: bytes, call: RunCall, feed: Feed) -> None:
        self.name = name
        self.feed = feed
        self.input_sha256 = input_sha256
        self.call = call
        self.answer: Future[Answered] = Future()
        self.cancelled = threading.Event()
        self.begun = False
        self.promised: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the run is on disk: whoever names it waits for that."""

    async def result(self) -> Answered:
        """Its answer, once it is there; who stops waiting ends nothing."""
        return await asyncio.shield(asyncio.wrap_future(self.answer))

    @property
    def document(self) -> Document:
        """How it stands, as long as it has no answer."""
        return {
            "worker_id": self.name[0],
            "run_id": self.name[1],
            "state": "running" if self.begun else "waiting",
            "called_by": self.call.caller,
        }
