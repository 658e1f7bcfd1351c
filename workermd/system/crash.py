"""Named places at which a test can kill the process.

What a run promises (S4.3) is about the moments between two system calls: after a commit and before the
answer is printed, after a file is written and before it has its name. A test cannot stop a process there
from outside, and a replaced function would test the replacement. So the code names these places itself.
A point does nothing but look its name up, unless the environment variable `WORKERMD_CRASH_AT` held that
name (one, or several between commas) when this module was imported; then the process kills itself with
SIGKILL, which nothing can catch, flush or clean up after, just like a crash.

In the process that is called, in the order of a run:

    migration_open       a migration's statements are done, its transaction is not committed
    migration_committed  it is committed
    lock_taken           the run's lock is held, nothing has been read under it
    t1_open              an attempt is claimed, its transaction is not committed
    t1_committed         it is committed, the attempt has not been told to start
    before_order         the order is about to be sent
    attempt_ended        the attempt's process is gone, its result has not been read
    t2_open              an attempt is closed (fresh or left over), its transaction is not committed
    t2_committed         it is committed, nothing has been printed
    decision_open        what a person decided is written, its transaction is not committed
    decision_committed   it is committed, nothing has been printed
    result_removed       the result of a closed attempt has been removed (or had never been there)

In the attempt's process:

    host_started         it runs, its backend is not loaded
    host_before_task     it has the order, the task has not begun
    host_after_task      the task is over, nothing is written
    result_half          half of the result file is written
    result_written       the file is written and synced, without its name
    result_renamed       it has its name
"""

import os

_at: list[str] = []


def look_up() -> None:
    """Read which points are meant. Done at the import, and again by a fork that was given another environment."""
    _at[:] = os.environ.get("WORKERMD_CRASH_AT", "").split(",")


look_up()


def point(name: str) -> None:
    """Die here, if a test asked for it."""
    if name in _at:
        os.kill(os.getpid(), 9)
