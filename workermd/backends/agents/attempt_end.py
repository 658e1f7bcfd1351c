"""The ending of an attempt, given from wherever its cause is seen: the first one counts."""

import asyncio
from typing import Never

from workermd.task.task import Result


class AttemptEnd:
    """Whatever ends an attempt before its framework has answered is kept here; the framework is never asked to stop."""

    def __init__(self) -> None:
        self.result: Result | None = None
        self._given = asyncio.Event()

    def halt(self, result: Result) -> None:
        """Give the attempt its ending. Whoever waits for it cancels the framework's work."""
        if self.result is None:
            self.result = result
            self._given.set()

    async def stop(self, result: Result) -> Never:
        """`halt`, for code that a framework called: it never gets an answer, and so cannot go on from one."""
        self.halt(result)
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def wait(self) -> None:
        await self._given.wait()
