"""Machines with a network of their own: a namespace each, on one bridge.

All of it lies in namespaces of the program that asked for it (network, mounts, processes), so that it vanishes with that
program, however it ends, and nobody else's network is touched.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

_MARK = "WORKERMD_STORM_INSIDE"
_INIT = '"$@"; exit $?'
"""A shell is the first process of the namespace: it takes in whoever has lost its parent."""


def why_not() -> str:
    """Why this machine gives us no namespaces; empty where it does."""
    if sys.platform != "linux" or not all(map(shutil.which, ("ip", "unshare", "nsenter"))):
        return "no network namespaces here: they need Linux with iproute2 and util-linux"
    probe = ["ip link add br0 type bridge && ip link add v0 type veth peer name v1 && mount -t tmpfs tmpfs /run"]
    done = subprocess.run(_unshared("sh", "-c", *probe), capture_output=True, check=False)
    return "" if done.returncode == 0 else "no network namespaces here: run this as root, where bridges are allowed"


def inside() -> bool:
    return bool(os.environ.get(_MARK))


def enter(argv: Sequence[str]) -> int:
    """Run a program of ours in fresh namespaces; its exit code. Whatever it leaves running ends with it."""
    process = subprocess.Popen(
        _unshared("sh", "-c", _INIT, "init", *argv), env=os.environ | {_MARK: "1"}, stdin=subprocess.DEVNULL
    )
    try:
        return process.wait()
    except BaseException:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)  # it has had the same interrupt
        raise
    finally:
        process.kill()
        process.wait()


def _unshared(*argv: str) -> list[str]:
    return ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *argv]


class Network:
    """A bridge, and machines on it. Only inside of `enter`."""

    def __init__(self) -> None:
        assert inside(), "bridges are made in namespaces of our own only"
        _call("mount", "-t", "tmpfs", "tmpfs", "/run")
        _ip("link", "set", "lo", "up")
        _ip("link", "add", "br0", "type", "bridge")
        _ip("addr", "add", "10.77.0.254/24", "dev", "br0")
        _ip("link", "set", "br0", "up")
        self._numbers: dict[str, int] = {}

    def add(self, name: str) -> None:
        number = len(self._numbers) + 1
        self._numbers[name] = number
        _ip("netns", "add", name)
        _ip("link", "add", f"v{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", f"v{number}", "master", "br0", "up")
        _ip("-n", name, "addr", "add", f"{self.address(name)}/24", "dev", "eth0")
        _ip("-n", name, "link", "set", "eth0", "up")
        _ip("-n", name, "link", "set", "lo", "up")

    def address(self, name: str) -> str:
        return f"10.77.0.{self._numbers[name]}"

    def on(self, name: str, user: tuple[int, int] | None = None) -> list[str]:
        """What to put before a command so that it runs on this machine, as another user where one is named."""
        whose = [] if user is None else [f"--setuid={user[0]}", f"--setgid={user[1]}"]
        return ["nsenter", f"--net=/run/netns/{name}", *whose, "--"]

    def cut(self, name: str, *, silently: bool) -> None:
        """Its cable is pulled; or the switch forwards nothing any more, which the machine cannot see."""
        port = f"v{self._numbers[name]}"
        _ip("link", "set", port, *(["nomaster"] if silently else ["down"]))

    def mend(self, name: str) -> None:
        _ip("link", "set", f"v{self._numbers[name]}", "master", "br0", "up")

    def pids(self, name: str) -> list[int]:
        done = subprocess.run(["ip", "netns", "pids", name], capture_output=True, check=True, text=True)
        return [int(word) for word in done.stdout.split()]

    def send(self, name: str, number: int) -> None:
        """A signal to all that runs on a machine, whatever it starts meanwhile."""
        known: set[int] = set()
        while fresh := set(self.pids(name)) - known:
            for pid in fresh:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            known |= fresh

    def kill(self, name: str) -> None:
        """All at once, as when the power goes: nobody sees another one end."""
        self.send(name, signal.SIGSTOP)
        self.send(name, signal.SIGKILL)
        while self.pids(name):
            time.sleep(0.01)


def _ip(*words: str) -> None:
    _call("ip", *words)


def _call(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, check=False, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
