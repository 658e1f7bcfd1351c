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
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from workermd.sandbox import kernel, landlock, namespaces
from workermd.sandbox import view as views
from workermd.sandbox.fence import ANY, AUTO, HOSTS, LOOPBACK, NONE, OFF, STRICT, Fence, Proxy
from workermd.sandbox.kernel import CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID
from workermd.sandbox.namespaces import Hidden
from workermd.sandbox.view import View
from workermd.system.environment import PROXIES, PROXY

LANDLOCK = "landlock"
GROUP = "cgroup v2"
NETWORK = "network namespace"

OWN_THREADS = 32
"""Threads of the host, and the keeper, that a limit of the kernel's counts along."""

PARTS = 8
"""No folder in memory has more than this part of the memory that is allowed: there are up to four of them."""

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
    max_memory_mb: str = ""
    max_processes: str = ""
    max_artifact_mb: str = ""
    failed: str = ""

    def missing(self, fence: Fence) -> list[str]:
        """What `strict` and the contract's bounds ask for and this machine does not hold."""
        needed = list(_STRICTLY) if fence.mode == STRICT else []
        if fence.listed:
            needed += ["writing", "reading"]
        if fence.network != ANY:
            needed += ["network", "calls"]
        needed += [name for name in BOUNDS if bounds_of(fence)[name]]
        return [name for name in dict.fromkeys(needed) if not getattr(self, name)]


BOUNDS = ("max_memory_mb", "max_processes", "max_artifact_mb")
_STRICTLY = ("signals", "memory", "files", "capabilities", "processes", "writing", "reading", "calls")


def bounds_of(fence: Fence) -> dict[str, bool]:
    """Which bounds a fence has."""
    return {
        "max_memory_mb": fence.max_memory_mb > 0,
        "max_processes": fence.max_processes > 0,
        "max_artifact_mb": fence.max_artifact_mb >= 0,
    }


_held = Held()
"""What holds around this process."""
_group = ""
"""The control group of the attempt, where there is one."""
_proxy = Proxy()
"""The way to the hosts of the list, where there is one."""
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
    held = _grouped(fence, held)
    try:
        if isolated := _isolated(fence):
            held = _apart(fence, held, isolated)
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


def _grouped(fence: Fence, held: Held) -> Held:
    """A group of the attempt's own for the bounds on memory and processes, where the machine has one to give."""
    global _group  # noqa: PLW0603 - a process has one fence
    if not fence.max_memory_mb and not fence.max_processes:
        return held
    from workermd.sandbox import group  # few contracts bound these

    try:
        _group = group.make(f"workermd-{os.getpid()}-{os.urandom(4).hex()}")
        group.bound(
            _group,
            memory=fence.max_memory_mb << 20,
            processes=fence.max_processes and fence.max_processes + OWN_THREADS,
        )
    except OSError:
        if _group:
            group.remove(_group)
        _group = ""
        return held
    return held._replace(
        max_memory_mb=GROUP if fence.max_memory_mb else "", max_processes=GROUP if fence.max_processes else ""
    )


def _apart(fence: Fence, held: Held, isolated: int) -> Held:
    """In new namespaces. The proxy is forked before: it stays where the network is, and is handed a socket from here."""
    global _proxy  # noqa: PLW0603 - a process has one fence
    started = None
    if fence.network == HOSTS:
        from workermd.sandbox import proxy

        started = proxy.fork(fence.hosts)
    namespaces.enter(isolated)
    held = held._replace(processes="pid namespace" if fence.mode == STRICT else "")
    if fence.network in (LOOPBACK, HOSTS):
        namespaces.loopback_up()
    if started is not None:
        _proxy = started.listening()
    network = {NONE: NETWORK, LOOPBACK: NETWORK, HOSTS: f"{NETWORK}, proxy"}.get(fence.network, "")
    return held._replace(network=network)


def group_of_attempt() -> str:
    """The control group that `outer` made, or nothing."""
    return _group


def proxy_of_attempt() -> Proxy:
    """The proxy that `outer` started; its number is 0 where there is none."""
    return _proxy


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


def inner(fence: Fence, held: Held, view: View | None = None) -> Held:
    """In the host, before it loads anything of the task's. Never raises. `view` is one that was made for it."""
    global _held  # noqa: PLW0603 - a process has one fence, and its forks ask for it
    _held = held
    if fence.mode == OFF:
        return held
    for step in _steps(fence, view):
        try:
            _held = step(fence, _held)
        except OSError as error:
            _held = _held._replace(failed=_held.failed or f"{_name(step)}: {error.strerror}")
    return _held


def _steps(fence: Fence, view: View | None) -> list[Callable[[Fence, Held], Held]]:
    strict, bounded = fence.mode == STRICT, any(bounds_of(fence).values())
    return [
        *([_entered] if _group else []),
        _files if view is None else partial(_copied, view),
        *([_network] if fence.network != ANY else []),
        *([_listed] if strict or fence.listed else []),
        *([_shared_memory] if fence.max_memory_mb and not (strict or fence.listed) else []),
        _capabilities,
        *([_limits] if bounded else []),
        *([_calls] if strict or fence.network != ANY or fence.max_memory_mb else []),
    ]


def _entered(_fence: Fence, held: Held) -> Held:
    """Into the group, before anything makes its files read-only."""
    from workermd.sandbox import group

    try:
        group.enter(_group)
    except OSError as error:
        return held._replace(max_memory_mb="", max_processes="", failed=f"group: {error.strerror}")
    return held


def _name(step: Callable[[Fence, Held], Held]) -> str:
    return "files" if isinstance(step, partial) else step.__name__[1:]


def _copied(view: View, fence: Fence, held: Held) -> Held:
    """What `_files` does, from a view that was made before."""
    views.enter_copy(view, fence)
    return held._replace(files="mounts")


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


def _network(_fence: Fence, held: Held) -> Held:
    """How a task finds the proxy. What the caller's environment says of one leads nowhere from here."""
    for name in ("no_proxy", "all_proxy"):
        os.environ.pop(name, None)
        os.environ.pop(name.upper(), None)
    if _proxy.port:
        address = f"http://127.0.0.1:{_proxy.port}"
        os.environ.update(dict.fromkeys((PROXY, *PROXIES), address))
    return held


def _listed(fence: Fence, held: Held) -> Held:
    """No file that is not listed: mounts for what is written, Landlock for what is read."""
    shown = [*fence.readable, *fence.writable, fence.own, *_interpreter(), os.getcwd()]
    scratch = [folder for folder in SCRATCH if os.path.isdir(folder) and not os.path.islink(folder)]
    size = _scratch_size(fence)
    namespaces.plain_devices(size)
    namespaces.cover(SYSTEM_SECRETS, fence.results)
    for folder in scratch:
        namespaces.replace_folder(folder, size, shown)
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


def _scratch_size(fence: Fence) -> str:
    """Files in memory are memory: where that is bounded, no scratch folder has more than a part of it."""
    return f"{max(fence.max_memory_mb // PARTS, 1)}m" if fence.max_memory_mb else SCRATCH_SIZE


def _shared_memory(fence: Fence, held: Held) -> Held:
    """In `auto` the machine's own `/dev/shm` would be memory that nobody counts."""
    namespaces.shared_memory(_scratch_size(fence))
    return held


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

    uncounted = fence.max_memory_mb > 0 and held.max_memory_mb != GROUP
    if fence.mode == AUTO and fence.network == ANY:
        seccomp.restrict_memory()
        return held
    seccomp.restrict(frozenset(() if fence.network == NONE else seccomp.INTERNET), counted=not uncounted)
    network = held.network if fence.network == ANY or held.network else "seccomp" if fence.network == NONE else ""
    return held._replace(calls="seccomp", network=network)


def _limits(fence: Fence, held: Held) -> Held:
    """What the kernel bounds of single processes and files. What they come to together, a group or the keeper counts.

    Of memory it is what a process may write to (RLIMIT_DATA), not its addresses (RLIMIT_AS): the engines of JavaScript, Go and Java
    reserve many times what they use. Of processes the kernel counts those of a user, in a user namespace of its own only
    those inside; of real root it counts none.
    """
    by: dict[str, str] = {}
    if fence.max_memory_mb and held.max_memory_mb != GROUP:
        _lower(resource.RLIMIT_DATA, fence.max_memory_mb << 20)
        by["max_memory_mb"] = "RLIMIT_DATA, counted"
    if fence.max_processes and held.max_processes != GROUP:
        by["max_processes"] = "counted"
        if os.geteuid() != 0 and namespaces.is_alone():
            _lower(resource.RLIMIT_NPROC, fence.max_processes + OWN_THREADS)
            by["max_processes"] = "RLIMIT_NPROC, counted"
    if fence.max_artifact_mb >= 0:
        by["max_artifact_mb"] = "RLIMIT_FSIZE, counted"
    return held._replace(**by)


def _lower(which: int, most: int) -> None:
    _, hard = resource.getrlimit(which)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(which, (most, most))


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
