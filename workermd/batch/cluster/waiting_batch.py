"""A batch that nodes carry out: lines are handed over in groups, answers come as runs are settled, in the order of the lines."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from workermd.batch.cluster.submitting import LOOK_SECONDS, Submitted, Submitter
from workermd.batch.conduct import Put
from workermd.batch.sources import Line, given
from workermd.batch.window import Window
from workermd.runner.answers import Answered
from workermd.runner.request import Request

AT_A_TIME = 100
"""Runs that one transaction hands over."""


class HandedOver(NamedTuple):
    """What a batch that does not wait came to."""

    accepted: int
    answered: int
    refused: int


class WaitingBatch:
    """`request_of` makes the invocation of a line; `answered` what writes an answer, and how many bytes that is."""

    def __init__(
        self,
        submitter: Submitter,
        request_of: Callable[[Line], Request],
        answered: Callable[[int, Answered], tuple[Put, int]],
        ending: Callable[[], bool],
        *,
        ordered: bool,
    ) -> None:
        self._submitter = submitter
        self._request_of = request_of
        self._answered = answered
        self._ending = ending
        self._window: Window[Put] = Window(lambda put: put(), ordered=ordered)
        self._waiting: dict[int, tuple[Submitted, list[tuple[int, int, Request]]]] = {}

    def hand_over(self, lines: Iterable[Line]) -> HandedOver:
        """Without waiting for any answer. Raises as `Submitter.submit` does."""
        accepted = answered = refused = 0
        for group in _groups(lines):
            if self._ending():
                break
            for outcome in self._submitter.submit([self._request_of(line) for line in group]):
                accepted += isinstance(outcome, Submitted)
                if isinstance(outcome, Answered):
                    answered += bool(outcome.envelope["replayed"])
                    refused += not outcome.envelope["replayed"]
        return HandedOver(accepted, answered, refused)

    def carry_out(self, lines: Iterable[Line]) -> None:
        """Until every line has its answer, or the batch is to end: the nodes go on then."""
        coming = _groups(lines)
        group: deque[Line] = deque(next(coming, ()))
        while (group or self._waiting) and not self._ending():
            while group and self._window.wait_for_room(0):
                self._enter([group.popleft() for _ in range(min(AT_A_TIME, len(group)))])
                if not group:
                    group.extend(next(coming, ()))
            if not self._settled():
                time.sleep(LOOK_SECONDS)

    def _enter(self, lines: list[Line]) -> None:
        sizes = [len(line) if isinstance(line, bytes) else 0 for line in lines]
        numbers = [self._window.enter(size) for size in sizes]
        requests = [self._request_of(line) for line in lines]
        for number, size, request, outcome in zip(
            numbers, sizes, requests, self._submitter.submit(requests), strict=True
        ):
            if isinstance(outcome, Answered):
                self._leave(number, size, outcome)
            else:
                self._waiting.setdefault(outcome.row, (outcome, []))[1].append((number, size, request))

    def _settled(self) -> bool:
        """Hand on the answers that there are by now; whether there was any."""
        done = self._submitter.done_among([*self._waiting])
        for row in sorted(done):
            submitted, lines = self._waiting.pop(row)
            for number, size, request in lines:
                answered = self._submitter.answered(request, submitted)
                assert answered is not None
                self._leave(number, size, answered)
        return bool(done)

    def _leave(self, number: int, size: int, answered: Answered) -> None:
        put, held = self._answered(number, answered)
        self._window.leave(number, size, put, held)


def _groups(lines: Iterable[Line]) -> Iterator[list[Line]]:
    group: list[Line] = []
    for line in lines:
        group.append(line)
        if len(group) == AT_A_TIME:
            yield group
            group = []
    if group:
        yield group


def input_of(line: Line) -> Callable[[], bytes]:
    return lambda: given(line)
