"""A blocking call beside an event loop: carried out in a thread, ended and settled when its task is cancelled."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

Stopped = Callable[[], bool]


async def awaited(call: Callable[[Stopped], Value]) -> Value:
    """What `call` returns or raises. It is given a function that says whether it is to end early.

    A cancelled task waits for it to end, however often it is cancelled; then the cancellation goes on.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    stop = threading.Event()
    results: list[Value] = []
    errors: list[BaseException] = []

    def end() -> None:
        if not ended.done():
            ended.set_result(None)

    def work() -> None:
        try:
            results.append(call(stop.is_set))
        except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
            errors.append(error)
        try:
            loop.call_soon_threadsafe(end)
        except RuntimeError:
            return  # the loop was closed: nobody waits any more

    threading.Thread(target=work, name="workermd", daemon=True).start()
    cancelled: asyncio.CancelledError | None = None
    while not ended.done():
        try:
            await asyncio.wait([ended])
        except asyncio.CancelledError as error:
            cancelled = error
            stop.set()
    if cancelled is not None:
        raise cancelled
    if errors:
        raise errors[0]
    return results[0]
