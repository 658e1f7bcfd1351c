"""Tasks that do not end when they should: for the tests of the deadline and its benchmark.

Each leaves `WORKERMD_HOST` in the environment of whatever it starts, as everything an attempt starts does.
"""

import asyncio
import os
import re
import subprocess
import sys
import time

SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]


def blocking_sleep(_task):
    time.sleep(60)


def busy_in_c(_task):
    """One call into C that holds the interpreter lock for minutes."""
    re.match(r"(a+)+$", "a" * 40 + "b")


async def swallows_cancellation(_task):
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            continue


def children(_task):
    for _ in range(2):
        subprocess.Popen(SLEEP)
    time.sleep(60)


def setsid_grandchild(_task):
    nested = f"import subprocess, time; subprocess.Popen({SLEEP!r}, start_new_session=True); time.sleep(60)"
    subprocess.Popen([sys.executable, "-S", "-c", nested])
    time.sleep(60)


def daemon(_task):
    """Forked twice, in a session of its own, its parent gone."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(60)
        os._exit(0)
    time.sleep(60)


def tells_its_limits(_task):
    import resource

    names = ("CORE", "FSIZE", "NOFILE")
    return {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[0] for name in names}


def leaves_a_child(_task):
    """Ends well, but something it started goes on."""
    subprocess.Popen(SLEEP, start_new_session=True)
    return {"status": "ok", "result": {}}


def crashes_with_a_child(_task):
    subprocess.Popen(SLEEP, start_new_session=True)
    os.abort()


def crashes_with_a_fork(_task):
    """What it leaves behind has never been another program: only the memory of the host tells whose it is."""
    if os.fork() == 0:
        os.setsid()
        time.sleep(60)
    os.abort()


def exits_with_a_child(_task):
    """Neither a signal nor an answer."""
    subprocess.Popen(SLEEP, start_new_session=True)
    os._exit(3)


ENDLESS = (blocking_sleep, busy_in_c, swallows_cancellation, children, setsid_grandchild, daemon)


def disowns_its_orphans(task):
    """Takes back that orphans come to this process, and leaves one behind without a trace in its environment."""
    import ctypes

    ctypes.CDLL(None).prctl(36, 0, 0, 0, 0)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            with open(os.path.join(task.artifacts_dir, "pid"), "w") as file:
                file.write(str(os.getpid()))
            os.execve(SLEEP[0], SLEEP, {})
        os._exit(0)
    while not os.path.exists(os.path.join(task.artifacts_dir, "pid")):
        time.sleep(0.01)
    time.sleep(0.1)
    return {"status": "ok", "result": {}}


def forks_and_ends(_task):
    """One process at a time that forks and ends, faster than anybody looks."""
    if os.fork() == 0:
        os.setsid()
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if os.fork():
                os._exit(0)
        os._exit(0)
    time.sleep(60)
