"""What happens in a run, as one stream of typed events: whoever wants to be told is a function of an event.

The terminal, files of events and spans subscribe today. An event says what happened; nothing is asked of a
subscriber, and what one does with it changes no run.
"""

from collections.abc import Callable
from typing import NamedTuple

from workermd.protocol.envelope import Document


class AttemptStarted(NamedTuple):
    """Attempt `n` of at most `most` begins. It ends at `until` (`time.monotonic()`) at the latest."""

    n: int
    most: int
    until: float


class Waiting(NamedTuple):
    """The run waits for something, until `until` (`time.monotonic()`) at the latest."""

    what: str
    until: float


class Logged(NamedTuple):
    """Whole lines that the task wrote to its standard output or error; secrets are masked."""

    data: bytes


class AgentActed(NamedTuple):
    """What an agent did, as its attempt's journal has it (see `task/journal.py`); secrets are masked."""

    document: Document


class AttemptEnded(NamedTuple):
    """`outcome` is the ledger's word for it; `code` is the error's code, empty where there is none."""

    outcome: str
    code: str


class RunFinished(NamedTuple):
    """The answer was printed and stands. `envelope` is the record of the run."""

    envelope: Document


class Ticked(NamedTuple):
    """Time passes while a run waits, about every 50 ms: for whoever draws."""


Event = AttemptStarted | Waiting | Logged | AgentActed | AttemptEnded | RunFinished | Ticked

Subscriber = Callable[[Event], None]


def to_all(*subscribers: Subscriber) -> Subscriber:
    """One subscriber that tells all of these, in their order."""

    def publish(event: Event) -> None:
        for subscriber in subscribers:
            subscriber(event)

    return publish
