"""How the processes of an attempt hold it to its fence: first the keeper's part, then the host's.

    keeper   nothing that it forks may signal what is outside; strict: namespaces for what it forks
     └ host  its view of the files, its capabilities; strict: files by list, system calls, limits
        └ programs   a domain of their own, so that they reach neither the host's memory nor the host

Every step is tried, and what it came to is told: `auto` goes on without what a machine cannot do, `strict` does not.
"""

import contextlib
import os
import resource
import signal
import sys
from typing import NamedTuple

from workermd.sandbox import kernel, landlock, namespaces
from workermd.sandbox.fence import ANY, AUTO, LOOPBACK, NONE, OFF, STRICT, Fence
from workermd.sandbox.kernel import CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID
from workermd.sandbox.namespaces import Hidden

LANDLOCK = "landlock"

KEPT_BY_ROOT = frozenset({0, 1, 3, 4, 5, 6, 7, 8, 10, 18})
"""Capabilities that work with files and users needs: chown, dac_override, fowner, fsetid, kill, setgid, setuid,
setpcap, net_bind_service, sys_chroot. Not those by which root undoes a sandbox: sys_admin, sys_ptrace, sys_module,
sys_rawio, mknod, dac_read_search, perfmon, bpf and the rest."""

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/nix", "/proc")
"""What every program needs to read. Beside it: this interpreter, the configuration's folder, what is granted."""

SYSTEM_SECRETS = ("/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers", "/etc/ssl/private")
"""Not even root's tasks read these in `strict`."""

SCRATCH = ("/tmp", "/var/tmp", "/run")  # noqa: S108 - replaced by empty folders of the attempt's own
SCRATCH_SIZE = "1g"


class Held(NamedTuple):
    """By which means each thing is held; empty where it is not. `failed` says why the first that failed did.

    `signals`: to processes outside. `memory`: of processes outside, their environment and descriptors among it.
    `files`: the ledger and what belongs to it. `capabilities`: those that could undo the others. The rest is for
    `strict`: `processes` outside are not seen, `reading` and `writing` go by a list, `calls` are filtered.
    """

    signals: str = ""
    memory: str = ""
    files: str = ""
    capabilities: str = ""
    processes: str = ""
    writing: str = ""
    reading: str = ""
    calls: str = ""
    network: str = ""
    failed: str = ""

    def missing(self, fence: Fence) -> list[str]:
        """What `strict` and the contract's bounds ask for and this machine does not hold."""
        if fence.mode != STRICT:
            return []
        needed = [name for name in self._fields if name not in ("network", "failed")]
        if fence.network != ANY:
            needed.append("network")
        return [name for name in needed if not getattr(self, name)]


_held = Held()
"""What holds around this process."""
_opened: list[int] = []
"""Folders that the host keeps open, out of sight for everybody else."""


def _isolated(fence: Fence) -> int:
    """The namespaces that the host begins in, beside that of its mounts."""
    flags = CLONE_NEWPID | CLONE_NEWIPC if fence.mode == STRICT else 0
    return flags | (CLONE_NEWNET if fence.network != ANY else 0)


def outer(fence: Fence) -> Held:
    """In the keeper, before it forks the host. Never raises."""
    held = Held()
    if fence.mode == OFF:
        return held
    try:
        if isolated := _isolated(fence):
            namespaces.enter(isolated)
            held = held._replace(
                processes="pid namespace" if fence.mode == STRICT else "",
                network="" if fence.network == ANY else "network namespace",
            )
    except OSError as error:
        held = held._replace(failed=f"namespaces: {error.strerror}")
    try:
        kernel.no_new_privileges()
        landlock.restrict(scoped=landlock.SIGNALS)
        if _refused_outside():
            held = held._replace(signals=LANDLOCK, memory=LANDLOCK)
    except OSError as error:
        by = held.processes
        held = held._replace(signals=by, memory=by, failed=held.failed or f"landlock: {error.strerror}")
    return held


def _refused_outside() -> bool:
    """Whether our own parent is out of our reach: before we signal all that we can, we have to be sure."""
    try:
        os.kill(os.getppid(), 0)
    except PermissionError:
        return True
    except ProcessLookupError:
        return False
    return False


def opened_folder(path: str) -> int:
    """A folder that is about to be hidden, made if it is missing; -1 where it cannot be had."""
    try:
        os.makedirs(path, exist_ok=True)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return -1
    _opened.append(descriptor)
    return descriptor


def inner(fence: Fence, held: Held) -> Held:
    """In the host, before it loads anything of the task's. Never raises."""
    global _held  # noqa: PLW0603 - a process has one fence, and its forks ask for it
    _held = held
    if fence.mode == OFF:
        return held
    steps = (
        (_files, _capabilities) if fence.mode == AUTO else (_files, _network, _listed, _capabilities, _calls, _limits)
    )
    for step in steps:
        try:
            _held = step(fence, _held)
        except OSError as error:
            _held = _held._replace(failed=_held.failed or f"{step.__name__[1:]}: {error.strerror}")
    return _held


def _files(fence: Fence, held: Held) -> Held:
    """The ledger and all that belongs to it, out of view."""
    namespaces.enter(CLONE_NEWNS)
    namespaces.detach()
    if held.processes:
        namespaces.own_processes()
    namespaces.hide(Hidden(fence.results, fence.hidden, fence.kept, fence.own))
    if os.geteuid() == 0:
        namespaces.guard_kernel()
    os.chdir(os.getcwd())  # through what is mounted now
    return held._replace(files="mounts")


def _network(fence: Fence, held: Held) -> Held:
    if fence.network == LOOPBACK and held.network:
        namespaces.loopback_up()
    return held


def _listed(fence: Fence, held: Held) -> Held:
    """No file that is not listed: mounts for what is written, Landlock for what is read."""
    shown = [*fence.readable, *fence.writable, fence.own, *_interpreter(), os.getcwd()]
    scratch = [folder for folder in SCRATCH if os.path.isdir(folder) and not os.path.islink(folder)]
    namespaces.plain_devices()
    namespaces.cover(SYSTEM_SECRETS, fence.results)
    for folder in scratch:
        namespaces.replace_folder(folder, SCRATCH_SIZE, shown)
    writable = [fence.own, *fence.writable, *scratch, namespaces.SHARED_MEMORY]
    namespaces.read_only_but([each for each in writable if each])
    os.chdir(os.getcwd())
    held = held._replace(writing="mounts")
    everything = landlock.file_rights(landlock.version())
    scopes = landlock.SIGNALS | landlock.ABSTRACT_SOCKETS if landlock.version() >= landlock.SCOPES_VERSION else 0
    devices = landlock.READING | landlock.WRITE_FILE | landlock.TRUNCATE | landlock.IOCTL_DEV
    landlock.restrict(
        files=everything,
        paths=[
            *((path, landlock.READING) for path in (*SYSTEM, *shown, "/sys/devices/system/cpu")),
            ("/dev", devices),
            *((path, everything) for path in writable if path),
            *((f"/proc/self/fd/{descriptor}", everything) for descriptor in _opened),
        ],
        scoped=scopes,
    )
    home = scratch[0] if scratch else fence.own
    os.environ.update(HOME=home, TMPDIR=home)
    return held._replace(reading=LANDLOCK)


def _interpreter() -> tuple[str, ...]:
    """Where this Python and this package are."""
    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return (sys.prefix, sys.base_prefix, os.path.realpath(sys.prefix), package, *_path_folders())


def _path_folders() -> list[str]:
    return [each for each in [*sys.path, *os.environ.get("PATH", "").split(":")] if os.path.isabs(each)]


def _capabilities(fence: Fence, held: Held) -> Held:
    some = fence.mode == AUTO and os.geteuid() == 0
    kernel.keep_capabilities(KEPT_BY_ROOT if some else frozenset())
    return held._replace(capabilities="capset")


def _calls(fence: Fence, held: Held) -> Held:
    from workermd.sandbox import seccomp

    seccomp.restrict(frozenset(() if fence.network == NONE else seccomp.INTERNET))
    network = held.network if fence.network == ANY or held.network else "seccomp" if fence.network == NONE else ""
    return held._replace(calls="seccomp", network=network)


def _limits(fence: Fence, held: Held) -> Held:
    if fence.max_memory_mb:
        most = fence.max_memory_mb << 20
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    if fence.max_processes:
        resource.setrlimit(resource.RLIMIT_NPROC, (fence.max_processes, fence.max_processes))
    return held


def around_program() -> None:
    """In a fork of the host that is about to become a program of the task's."""
    kernel.die_with_parent(signal.SIGKILL)
    if _held.signals == LANDLOCK:
        landlock.restrict(scoped=landlock.SIGNALS)


def end_all() -> bool:
    """Kill everything that cannot signal outside, but ourselves: for a keeper that `outer` has shut in.

    The kernel goes through its list of processes under one lock, so that nothing forks away meanwhile. False, and
    nothing was done, where somebody outside could be reached: this signal without a fence would end the machine.
    """
    if any(_reachable(pid) for pid in (1, os.getppid()) if pid not in (0, os.getpid())):
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    return True


def _reachable(pid: int) -> bool:
    """Whether we may signal a process. One that is gone cannot vouch for the fence: it counts as reachable."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return False
    except ProcessLookupError:
        return True
    return True
