"""What happens in a run, numbered from 1: for those who watch it now, and for those who come late."""

import asyncio
from collections.abc import AsyncIterator

from workermd.protocol.envelope import Document
from workermd.report.events import EventDocuments
from workermd.runner.events import RunFinished

MOST = 20_000
"""Events of one run that are held; of more, the first ones go."""


class Feed:
    """Belongs to the loop's thread, but for `add`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.ended = False
        self._loop = loop
        self.documents: list[Document] = []
        self._dropped = 0
        self._news = asyncio.Event()

    def add(self, document: Document) -> None:
        """From any thread."""
        self._loop.call_soon_threadsafe(self._append, document)

    def _append(self, document: Document) -> None:
        self.documents.append(document)
        if len(self.documents) > MOST:
            del self.documents[: MOST // 10]
            self._dropped += MOST // 10
        self._tell()

    def begin(self, told: list[tuple[int, Document]]) -> None:
        """What happened before this server took the run up. What was left out then is noted in its place."""
        number = 0
        for at, document in told:
            self.documents += [{"event": "left_out"}] * (at - number - 1) + [document]
            number = at

    def finish(self, envelope: Document) -> None:
        """The run's answer stands."""
        document = EventDocuments().of(RunFinished(envelope))
        assert document is not None
        self._append(document)
        self.end()

    def end(self) -> None:
        self.ended = True
        self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def after(self, number: int, patience: float) -> AsyncIterator[tuple[int, Document] | None]:
        """Every event with a higher number, until the run's end; None each time that so many seconds pass without one."""
        while True:
            number = max(number, self._dropped)
            for document in self.documents[number - self._dropped :]:
                number += 1
                yield number, document
            if number < self._dropped + len(self.documents):
                continue
            if self.ended:
                return
            try:
                await asyncio.wait_for(self._news.wait(), patience)
            except TimeoutError:
                yield None
