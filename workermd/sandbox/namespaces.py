"""Namespaces: a view of the files in which some are not there, and processes that see only each other.

A process with CAP_SYS_ADMIN makes them as it is; another one makes a user namespace first, in which it may. Mounts
hold by path and for everybody inside, whoever owns the files; the capability to undo them is given up afterwards.
"""

import contextlib
import os
import stat
from collections.abc import Iterable
from typing import NamedTuple

from workermd.sandbox import kernel
from workermd.sandbox.kernel import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_RDONLY, MS_REC, MS_REMOUNT

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
RAW_DEVICES = ("mem", "kmem", "port", "kmsg", "nvram", "fuse")
"""With these, and with the blocks of a disk, root reads what no file shows it."""

KERNEL_SWITCHES = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/sys")
"""Files by which root changes the kernel, and so what holds: they are for reading only."""

SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the place that the C library knows

_SYS_ADMIN = 21


class Hidden(NamedTuple):
    """`paths` are neither read nor written, `kept` are read only, `own` is a folder in a hidden one that stays."""

    blank: str
    paths: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    own: str = ""


def enter(flags: int) -> None:
    """Make new namespaces of these kinds. Raises OSError where the machine does not let us.

    The process must have one thread. A new PID namespace begins with its next child.
    """
    if _may_mount():
        kernel.unshare(flags)
        return
    user, group = os.geteuid(), os.getegid()
    kernel.unshare(flags | kernel.CLONE_NEWUSER)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{user} {user} 1")
    _write("/proc/self/gid_map", f"{group} {group} 1")


def _may_mount() -> bool:
    return bool(kernel.permitted() >> _SYS_ADMIN & 1)


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def detach() -> None:
    """What is mounted from now on stays in here."""
    kernel.mount("none", "/", flags=MS_REC | MS_PRIVATE)


def hide(hidden: Hidden) -> None:
    """Take paths out of view. `blank` is the first of them, a folder: an empty file system on it covers all others."""
    own = os.open(hidden.own, os.O_PATH | os.O_CLOEXEC) if hidden.own else -1
    for path in hidden.kept:
        if os.path.exists(path):
            kernel.bind(path, path)
            kernel.set_mount(path, on=MS_RDONLY)
    kernel.mount("none", hidden.blank, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k,mode=0700")
    file, folder = os.path.join(hidden.blank, "file"), os.path.join(hidden.blank, "folder")
    os.close(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0))
    os.mkdir(folder, 0o700)
    if own >= 0:
        os.mkdir(os.path.join(folder, os.path.basename(hidden.own)), 0o700)
    for path in hidden.paths:
        _cover(path, file, folder)
    if own >= 0:
        kernel.bind(f"/proc/self/fd/{own}", hidden.own)
        os.close(own)
    kernel.mount("none", hidden.blank, flags=MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)


def cover(paths: Iterable[str], blank: str) -> None:
    """Hide further paths behind what `hide` has left in `blank`."""
    for path in paths:
        _cover(path, os.path.join(blank, "file"), os.path.join(blank, "folder"))


def _cover(path: str, file: str, folder: str) -> None:
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return  # nothing is there to be hidden
    if stat.S_ISLNK(mode):
        return  # callers resolve links
    kernel.bind(folder if stat.S_ISDIR(mode) else file, path)


def guard_kernel() -> None:
    """What root could undo everything with: switches of the kernel for reading only, raw devices out of view."""
    for path in KERNEL_SWITCHES:
        if os.path.exists(path):
            kernel.bind(path, path)
            kernel.set_mount(path, on=MS_RDONLY, recursive=True)
    for path in raw_devices():
        with contextlib.suppress(OSError):
            kernel.bind("/dev/null", path)


def raw_devices() -> list[str]:
    found = [f"/dev/{name}" for name in RAW_DEVICES if os.path.exists(f"/dev/{name}")]
    try:
        with os.scandir("/dev") as entries:
            found += [each.path for each in entries if stat.S_ISBLK(each.stat(follow_symlinks=False).st_mode)]
    except OSError:
        return found
    return found


def own_processes() -> None:
    """A `/proc` of the PID namespace that we are the first process of."""
    kernel.mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)


def read_only_but(writable: Iterable[str]) -> None:
    """Every file system for reading only, but for these folders. Each of them becomes a mount of its own."""
    folders = [path for path in writable if os.path.isdir(path)]
    for path in folders:
        kernel.bind(path, path)
    kernel.set_mount("/", on=MS_RDONLY | MS_NOSUID, recursive=True)
    for path in folders:
        kernel.set_mount(path, off=MS_RDONLY)


def replace_folder(path: str, size: str, shown: Iterable[str]) -> None:
    """An empty folder of our own in place of `path`, with these paths of the old one still in it."""
    wanted = sorted({os.path.realpath(each) for each in shown if each})
    held = [(each, os.open(each, os.O_PATH | os.O_CLOEXEC)) for each in wanted if _below(each, path)]
    kernel.mount("none", path, "tmpfs", MS_NOSUID | MS_NODEV, f"size={size},mode=0700")
    for each, descriptor in held:
        source = f"/proc/self/fd/{descriptor}"
        if os.path.isdir(source):
            os.makedirs(each, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(each), exist_ok=True)
            os.close(os.open(each, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        kernel.bind(source, each)
        os.close(descriptor)


def _below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/") and os.path.exists(path)


def plain_devices(size: str) -> None:
    """A `/dev` with nothing of the machine's in it: the sources and sinks that every program may expect."""
    shown = [f"/dev/{name}" for name in DEVICES if os.path.exists(f"/dev/{name}")]
    replace_folder("/dev", "64k", shown)
    os.mkdir(SHARED_MEMORY, 0o1777)
    shared_memory(min(size, "256m", key=_mebibytes))
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(target, f"/dev/{name}")


def shared_memory(size: str) -> None:
    """A `/dev/shm` of our own."""
    kernel.mount("none", SHARED_MEMORY, "tmpfs", MS_NOSUID | MS_NODEV, f"size={size},mode=1777")


def _mebibytes(size: str) -> int:
    return int(size[:-1]) * (1024 if size.endswith("g") else 1)


def is_alone() -> bool:
    """Whether this process is in a user namespace of ours, which has one user: nobody else's processes count in it."""
    try:
        with open("/proc/self/uid_map", encoding="ascii") as file:
            return file.read().split()[2:] == ["1"]
    except OSError:
        return False


def loopback_up() -> None:
    """The own loopback of a new network namespace."""
    import fcntl
    import socket
    import struct

    up, get, put = 0x1, 0x8913, 0x8914
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        asked = struct.pack("16sh14x", b"lo", 0)
        (flags,) = struct.unpack("16xh14x", fcntl.ioctl(probe, get, asked))
        fcntl.ioctl(probe, put, struct.pack("16sh14x", b"lo", flags | up))
