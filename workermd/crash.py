"""Named places at which a test can kill the process.

What a run promises (S4.3) is about the moments between two system calls: after a commit and before the
answer is printed, after a file is written and before it has its name. A test cannot stop a process there
from outside, and a replaced function would test the replacement. So the code names these places itself.
A point does nothing but compare two strings, unless the environment variable `WORKERMD_CRASH_AT` held the
point's name when this module was imported; then the process kills itself with SIGKILL, which nothing can
catch, flush or clean up after, just like a crash.

    migration_open       a migration's statements are done, its transaction is not committed
    migration_committed  it is committed
    t1_open              an attempt is claimed, its transaction is not committed
    t1_committed         it is committed, the attempt has not been told to start
    t2_open              an attempt is closed, its transaction is not committed
    t2_committed         it is committed, nothing has been printed
    result_half          half of a result file is written
    result_written       a result file is written and synced, without its name
    result_renamed       it has its name
    result_removed       it has been removed again
"""

import os

_AT = os.environ.get("WORKERMD_CRASH_AT", "")


def point(name: str) -> None:
    """Die here, if a test asked for it."""
    if name == _AT:
        os.kill(os.getpid(), 9)
