"""What holds a batch back or stops it: a rate of starts, a number of failures, a ceiling of tokens or of cost.

A run reserves its contract's own bound before its first start, and gives the rest back when it is settled. So what runs
at once cannot pass a ceiling by more than what a single answer of each may pass its own bound.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from workermd.contract.model import Constraints
from workermd.protocol.envelope import Document
from workermd.protocol.errors import Interrupted, UsageError

_LOOK_SECONDS = 0.05


class BatchLimits(NamedTuple):
    """What was asked for; None: nothing. `rate` is in starts a second."""

    rate: float | None = None
    max_failures: int | None = None
    max_cost_usd: float | None = None
    max_tokens: int | None = None


def rate_of(text: str) -> float:
    """`5/s` or `300/min`, as starts a second. Raises UsageError."""
    count, slash, unit = text.partition("/")
    try:
        number = float(count)
    except ValueError:
        number = 0.0
    seconds = {"s": 1, "min": 60, "h": 3600}.get(unit)
    if not slash or seconds is None or not 0 < number < float("inf"):
        raise UsageError(f"--rate is {text[:40]!r}", "write a number of starts by a time: 5/s, 300/min or 1000/h")
    return number / seconds


class _Ceiling:
    """One sum that may not pass `most`; every run that is under way holds `bound` of it."""

    def __init__(self, name: str, most: float, bound: float, spent_by: Callable[[Document], float]) -> None:
        self.name = name
        self.most = most
        self.bound = bound
        self.spent_by = spent_by
        self.spent = 0.0
        self.held = 0.0

    def has_room(self) -> bool:
        return self.spent + self.held + self.bound <= self.most * (1 + 1e-9)


class Brakes:
    """Shared by the threads of a batch. `stopped` says why no further line begins; empty while they do."""

    def __init__(self, limits: BatchLimits, constraints: Constraints) -> None:
        self.stopped = ""
        self._limits = limits
        self._failures = 0
        self._changed = threading.Condition()
        self._next_start = 0.0
        self._ceilings: list[_Ceiling] = []
        self._reserved: set[int] = set()
        if limits.max_cost_usd is not None:
            bound = _bound(constraints.max_cost_usd, "--batch-max-cost-usd", "max_cost_usd")
            self._ceilings.append(_Ceiling("--batch-max-cost-usd", limits.max_cost_usd, bound, _cost))
        if limits.max_tokens is not None:
            bound = _bound(constraints.max_tokens, "--batch-max-tokens", "max_tokens")
            self._ceilings.append(_Ceiling("--batch-max-tokens", limits.max_tokens, bound, _tokens))
        for each in self._ceilings:
            if not each.has_room():
                raise UsageError(
                    f"{each.name} is {each.most:g}, and one run may use {each.bound:g}: none could begin",
                    f"give at least {each.bound:g}, or tighten the contract",
                )

    def before_start(self, ending: Callable[[], bool]) -> None:
        """Wait until an attempt of this thread's run may start. Raises Interrupted where it may not any more."""
        self._reserve(ending)
        if self._limits.rate is None:
            return
        with self._changed:
            now = time.monotonic()
            mine = max(now, self._next_start)
            self._next_start = mine + 1 / self._limits.rate
        while (left := mine - time.monotonic()) > 0:
            if ending():
                raise Interrupted("interrupted", "run the same command again to go on")
            time.sleep(min(left, _LOOK_SECONDS))

    def _reserve(self, ending: Callable[[], bool]) -> None:
        me = threading.get_ident()
        with self._changed:
            if not self._ceilings or me in self._reserved:
                return
            while not all(each.has_room() for each in self._ceilings):
                full = next(each for each in self._ceilings if not each.has_room())
                if not self._reserved:
                    self.stopped = (
                        self.stopped
                        or f"{full.name} ({full.most:g}) leaves no room for a further run: {full.spent:g} is used, and one may use {full.bound:g}"
                    )
                if self.stopped or ending():
                    raise Interrupted("interrupted", "run the same command again to go on")
                self._changed.wait(_LOOK_SECONDS)
            self._reserved.add(me)
            for each in self._ceilings:
                each.held += each.bound

    def after_line(self, envelope: Document, *, ok: bool) -> None:
        """The answer of this thread's line: what it did not use is free again, and a failure is counted."""
        me = threading.get_ident()
        with self._changed:
            if me in self._reserved:
                self._reserved.discard(me)
                for each in self._ceilings:
                    each.held -= each.bound
                    each.spent += each.spent_by(envelope.get("usage") or {})
                self._changed.notify_all()
            if ok or self._limits.max_failures is None:
                return
            self._failures += 1
            if self._failures >= self._limits.max_failures and not self.stopped:
                count = self._failures
                self.stopped = f"{count} answer{'s are' if count != 1 else ' is'} not ok (--max-failures)"


def _bound(bound: Any, option: str, name: str) -> float:
    if bound is None:
        raise UsageError(
            f"{option} needs the contract's {name}: a run without a bound could use all of it at once",
            f"add a line to the contract's constraints, such as - {name}: {0.05 if name == 'max_cost_usd' else 2000}",
        )
    return float(bound)


def _cost(usage: Document) -> float:
    return float(usage.get("cost_usd") or 0)


def _tokens(usage: Document) -> float:
    return float((usage.get("input_tokens") or 0) + (usage.get("output_tokens") or 0))
