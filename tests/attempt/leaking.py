"""A task that leaves its process in disorder, and one that tells what it finds."""

import decimal
import locale
import logging
import os
import random
import signal
import socket
import sys
import threading
import time
import warnings


def state():
    """Fourteen kinds of state that one task of a process can leave to the next."""
    return {
        "environment": os.environ.get("LEFT"),
        "folder": os.path.basename(os.getcwd()),
        "mask of files": _umask(),
        "import path": "/left" in sys.path,
        "precision": decimal.getcontext().prec,
        "log level": logging.getLogger().level,
        "descriptors": len(os.listdir("/proc/self/fd")),
        "warnings": len(warnings.filters),
        "signals": signal.getsignal(signal.SIGUSR1) == signal.SIG_IGN,
        "threads": threading.active_count(),
        "sockets": socket.getdefaulttimeout(),
        "recursion": sys.getrecursionlimit(),
        "a patched module": hasattr(locale, "left"),
        "niceness": os.nice(0),
    }


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


async def leave(task):
    before = state()
    os.environ["LEFT"] = "1"
    os.mkdir("left")
    os.chdir("left")
    os.umask(0o111)
    sys.path.append("/left")
    decimal.getcontext().prec = 3
    logging.getLogger().setLevel(7)
    os.dup(0)
    warnings.simplefilter("always")
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    socket.setdefaulttimeout(7)
    sys.setrecursionlimit(5000)
    locale.left = True
    os.nice(1)
    return {"before": before, "after": state(), "chance": random.random()}
