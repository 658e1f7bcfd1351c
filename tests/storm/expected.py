"""What a run must come to, call by call: the table of crash points as a small model of one run."""

from tests.storm.task import planned
from tests.storm.trial import KILLED

CALLED = (
    "lock_taken", "t1_open", "t1_committed", "before_order",
    "attempt_ended", "t2_open", "t2_committed", "result_removed",
)  # fmt: skip
"""Points in the process that is called, once the ledger is there."""

HOST = ("host_before_task", "host_after_task", "result_half", "result_written", "result_renamed")
"""Points in the attempt's process. Alone, they let the called process live."""

BOTH = tuple(f"{name},attempt_ended" for name in HOST)
"""First the attempt's process dies, then the one that was called."""

POINTS = (*CALLED, *BOTH, "host_started")
"""A call with one of these dies or fails, and leaves the next one to cope with what it left."""

EXITS = {"ok": 0, "invalid_request": 3, "invalid_output": 4, "retryable_error": 5, "needs_human": 6}
DECIDING = ("decision_open", "decision_committed")
"""Points in a process that records what a person decided."""

TRANSIENT = ("retryable_error", "crashed")


class Expected:
    """One run. `outcomes` of the closed attempts; `starts` of the task; `open` is what the open attempt left."""

    def __init__(self, replies: list[str], max_attempts: int = 2) -> None:
        self.replies = replies
        self.max_attempts = max_attempts
        self.admitted = False
        self.outcomes: list[str] = []
        self.starts: list[int] = []
        self.open: str | None = None
        self.status: str | None = None
        self.decisions: list[str] = []

    def call(self, at: str = "") -> int:
        """The exit code of a call that dies at the point (or points) `at`, KILLED when it does die."""
        if self.status is not None:
            return EXITS[self.status]
        if at == "lock_taken":
            return KILLED
        left_is_final = self.open is not None and self._is_final(self.open)
        if at == "host_started" and not left_is_final:
            return EXITS["retryable_error"]  # nobody's configuration did that, and nothing is used up (S3.1)
        if left_is_final:
            return self._close(at)
        if at == "t1_open":
            return KILLED
        if (killed := self._claim(at)) is not None:
            return killed
        while (killed := self._attempt(at)) is None:
            self.open = None
            self._claim("")
        return killed

    def _claim(self, at: str) -> int | None:
        left = self.open is not None
        if self.open is not None:
            self.outcomes.append(self.open)
        self.admitted = True
        self.open = "crashed"
        return KILLED if at == "t1_committed" or (left and at == "result_removed") else None

    def _attempt(self, at: str) -> int | None:
        """What the call ends with in this attempt; None when it goes on with the next one."""
        if at == "before_order":
            return KILLED
        n = len(self.outcomes) + 1
        host, _, then = at.partition(",")
        if host != "host_before_task":
            self.starts.append(n)
        if host not in HOST or host == "result_renamed":
            self.open = planned(self.replies, n)
        if "attempt_ended" in (host, then):
            return KILLED
        code = self._close(at)
        return None if code is None else code

    def _close(self, at: str) -> int | None:
        if at == "t2_open":
            return KILLED
        assert self.open is not None
        final = self._is_final(self.open)
        self.outcomes.append(self.open)
        last, self.open = self.open, None
        if final:
            self.status = "needs_human" if last == "crashed" else last
        if at in ("t2_committed", "result_removed"):
            return KILLED
        return EXITS[self.status] if self.status else None

    def _is_final(self, outcome: str) -> bool:
        return outcome not in TRANSIENT or len(self.outcomes) + 1 >= self.max_attempts

    @property
    def asks(self) -> bool:
        """Whether a person can decide now. Not where `needs_human` says that the last attempt's outcome is unknown."""
        return self.status == "needs_human" and self.outcomes[-1] == "needs_human"

    def approve(self, *flags: str, at: str = "") -> int:
        """The exit code of `workermd approve` that dies at the point `at`, KILLED when it does die."""
        if not self.asks:
            return 2
        if at == "decision_open":
            return KILLED
        self.decisions.append("deny" if "--deny" in flags else "approve")
        if "--final" in flags:
            self.status = "invalid_output"
        else:
            self.status = None
            self.max_attempts += 1
        return KILLED if at == "decision_committed" else 0

    def reopen(self) -> bool:
        """One more attempt; False when that is refused."""
        if self.status in (None, "ok"):
            return False
        self.status = None
        self.max_attempts += 1
        return True
