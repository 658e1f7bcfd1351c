"""The search: inputs are drawn, performed and judged until the time is over; what fails is made small."""

import json
import random
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity
from hypothesis import strategies as st

from workermd.contract.model import Contract
from workermd.contract.schema import Checker
from workermd.fuzz.branches import Branches
from workermd.fuzz.draws import Draws
from workermd.fuzz.observed import InputFault, Observed, differing, faults_of
from workermd.protocol.envelope import Document

SHRINK_SECONDS = 8.0
"""For making inputs small, where the search is to end with the first fault."""

KILL_EVERY = 6
"""Of so many inputs one is performed again with a kill at a random moment."""

_ALPHABET = "abcXYZ019-_.:/ \u00e9\u65e5"
_KEYS = st.one_of(
    st.sampled_from(["r1", "R 2", " padded ", "a/b", "UPPER", "\u00fcml\u00e4ut", "x" * 200, "0", "null"]),
    st.text(_ALPHABET, min_size=1, max_size=12),
)
"""Usable keys (S4.1): printable and not too long."""


class Performs(Protocol):
    """What performs inputs: a loaded process, or whole runs."""

    def observe(
        self, given: Document, run_id: str, *, kill_after: float | None = None, attempt: int = 1
    ) -> Observed: ...

    def restart(self) -> None: ...

    def close(self) -> None: ...


class SearchPlan(NamedTuple):
    """How long and for what is searched. `draws` 0: until the seconds are over. `told` hears of every input."""

    seconds: float
    draws: int
    until_found: bool
    seed: int
    checks: frozenset[str]
    examples: tuple[Any, ...]
    told: Callable[[int, int], None]


class Failing(NamedTuple):
    """A fault with the smallest input that shows it; `kept` where it came from the file of kept inputs."""

    fault: InputFault
    given: Document
    kept: bool = False


class Searched(NamedTuple):
    """What a search came to. `drawn` counts all draws, `valid` those that were performed, `digests` names them in order."""

    found: tuple[Failing, ...]
    drawn: int
    valid: int
    replayed: int
    seconds: float
    branches: Branches
    inputs: tuple[str, ...]


class _Over(BaseException):
    """The time or the number of draws is used up. No Exception: hypothesis lets it through."""


class _Shown(Exception):
    """A fault, told to hypothesis: it makes the input small that shows it."""


def search(
    contract: Contract, judge: Checker, performs: Performs, plan: SearchPlan, kept: Iterable[Document]
) -> Searched:
    """Play the kept inputs, then draw. Nothing is raised for what is found."""
    searching = _Search(contract, judge, performs, plan)
    began = time.monotonic()
    for given in kept:
        searching.play(given)
    if not (plan.until_found and searching.found):
        searching.draw()
    return Searched(
        found=tuple(searching.found.values()),
        drawn=searching.drawn,
        valid=searching.valid,
        replayed=searching.replayed,
        seconds=time.monotonic() - began,
        branches=searching.branches,
        inputs=tuple(searching.inputs),
    )


def size_of(given: Document) -> tuple[int, str]:
    """Shorter is smaller; of equal length the one that sorts first."""
    text = json.dumps(given, ensure_ascii=False, sort_keys=True)
    return len(text), text


class _Search:
    def __init__(self, contract: Contract, judge: Checker, performs: Performs, plan: SearchPlan) -> None:
        self._contract = contract
        self._judge = judge
        self._performs = performs
        self._plan = plan
        self._until = time.monotonic() + plan.seconds
        self._chance = random.Random(plan.seed)  # noqa: S311 - moments of kills
        self._kinds: dict[tuple[str, str], type[_Shown]] = {}
        self._typical = 0.0
        self._ending = False
        self.found: dict[tuple[str, str], Failing] = {}
        self.branches = Branches(contract.input_schema, contract.input_draft)
        self.inputs: list[str] = []
        self.drawn = self.valid = self.replayed = 0

    def play(self, given: Document) -> None:
        """A kept input, first of all."""
        if self._judge.accepts(given):
            self.replayed += 1
            for fault in self._faults(given, kill=True):
                self._note(Failing(fault, given, kept=True))

    def draw(self) -> None:
        """Until the time is over. What hypothesis raises at its end has been noted before."""
        settings = hypothesis.settings(
            max_examples=self._plan.draws or 10_000_000,
            deadline=None,
            database=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
            verbosity=Verbosity.quiet,
            report_multiple_bugs=not self._plan.until_found,
            print_blob=False,
        )
        key_field = self._contract.constraints.idempotency_key if self._contract.key_in_input else ""
        inputs = Draws(self._contract.input_schema, self._plan.examples).whole()

        @hypothesis.seed(self._plan.seed)
        @settings
        @hypothesis.given(inputs, _KEYS)
        def tried(given: Any, key: str) -> None:
            self._look_at_the_clock()
            self.drawn += 1
            if isinstance(given, dict) and key_field:
                given = {key_field: key, **{name: value for name, value in given.items() if name != key_field}}
            hypothesis.assume(isinstance(given, dict) and self._judge.accepts(given))
            self._try(given)

        # What ends it: the time; shrunk as far as it goes; flaky; nothing to draw. All that matters was noted before.
        with suppress(_Over, _Shown, ExceptionGroup, hypothesis.errors.HypothesisException):
            tried()

    def _look_at_the_clock(self) -> None:
        if time.monotonic() > self._until:
            raise _Over

    def _try(self, given: Document) -> None:
        self.valid += 1
        if len(self.inputs) < 100_000:
            self.inputs.append(size_of(given)[1])
        self.branches.note(given)
        self._plan.told(self.valid, len(self.found))
        faults = self._faults(given, kill=self.valid % KILL_EVERY == 0)
        for fault in faults:
            self._note(Failing(fault, given))
        if faults and self._plan.until_found:
            self._until = min(self._until, time.monotonic() + SHRINK_SECONDS) if not self._ending else self._until
            self._ending = True
            if all(fault.check == "killed" for fault in faults):
                raise _Over
        for fault in faults:
            if fault.check != "killed":  # a moment is no part of an input: it cannot be shrunk
                raise self._shown(fault)

    def _shown(self, fault: InputFault) -> _Shown:
        """An exception of a class of its own: hypothesis shrinks each apart."""
        name = (fault.check, fault.origin)
        if name not in self._kinds:
            self._kinds[name] = type(f"Shown{len(self._kinds)}", (_Shown,), {})
        return self._kinds[name](fault.check)

    def _note(self, failing: Failing) -> None:
        name = (failing.fault.check, failing.fault.origin)
        known = self.found.get(name)
        if known is None or size_of(failing.given) < size_of(known.given):
            self.found[name] = failing._replace(kept=failing.kept or (known is not None and known.kept))

    def _faults(self, given: Document, *, kill: bool) -> list[InputFault]:
        """Everything that is wrong with what one input comes to, of the checks that are asked for."""
        run_id = str(given.get(self._contract.constraints.idempotency_key) or "fuzz")
        observed = self._performs.observe(given, run_id)
        self._typical = max(0.001, 0.8 * self._typical + 0.2 * observed.seconds)
        if observed.code in ("hang", "timeout"):
            observed = self._performs.observe(given, run_id)  # a busy machine is slow once; a hang is one again
        found = list(faults_of(observed, given, self._contract))
        if not found and "differs" in self._plan.checks:
            differs = differing(observed, self._performs.observe(given, run_id))
            found += [InputFault("differs", differs, differs)] if differs else []
        if not found and kill and "killed" in self._plan.checks and self._contract.constraints.max_attempts != 1:
            found += self._killed(given, run_id, observed)
        return [fault for fault in found if fault.check in self._plan.checks]

    def _killed(self, given: Document, run_id: str, wanted: Observed) -> list[InputFault]:
        """Kill at a moment of the time that it takes, and hold the next attempt's answer against that without a kill."""
        moment = self._chance.uniform(0, max(wanted.seconds, self._typical))
        first = self._performs.observe(given, run_id, kill_after=moment)
        after = self._performs.observe(given, run_id, attempt=2) if first.code == "killed" else first
        differs = differing(wanted, after)
        if not differs:
            return []
        told = f"killed after {moment * 1000:.0f} ms, the next attempt: {differs}"
        return [InputFault("killed", wanted.status, told)]
