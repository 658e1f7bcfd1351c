"""The system calls of the sandbox, by ctypes: Python has none of them, and no kept library binds them all.

Each raises OSError. Numbers are those of 64-bit Linux on x86 and ARM; elsewhere a call says ENOSYS.
"""

import ctypes
import errno
import os

_libc = ctypes.CDLL(None, use_errno=True)

MACHINE = os.uname().machine
_NUMBERS = {
    "x86_64": {"seccomp": 317, "capset": 126, "mount_setattr": 442, "landlock": 444, "move_mount": 429},
    "aarch64": {"seccomp": 277, "capset": 91, "mount_setattr": 442, "landlock": 444, "move_mount": 429},
}.get(MACHINE, {})

CLONE_NEWNS = 0x00020000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18

AT_FDCWD = -100
_AT_RECURSIVE = 0x8000

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP = 1, 4, 24
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 36, 38, 47
_CAPABILITY_VERSION = 0x20080522
_CAPABILITIES = 64


def numbered(name: str, *arguments: object, offset: int = 0) -> int:
    """A system call that libc has no function for."""
    if name not in _NUMBERS:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    return _checked(_libc.syscall(ctypes.c_long(_NUMBERS[name] + offset), *arguments))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(result)


def control(option: int, *values: int) -> None:
    padded = (*values, 0, 0, 0, 0)[:4]
    _checked(_libc.prctl(option, *map(ctypes.c_ulong, padded)))


def die_with_parent(number: int) -> None:
    """The kernel sends this signal when the thread that forked us ends; 0 takes that back."""
    control(_PR_SET_PDEATHSIG, number)


def adopt_orphans() -> None:
    control(_PR_SET_CHILD_SUBREAPER, 1)


def hide_memory() -> None:
    """Nobody without CAP_SYS_PTRACE may read the memory, the environment or the descriptors of this process."""
    control(_PR_SET_DUMPABLE, 0)


def no_new_privileges() -> None:
    control(_PR_SET_NO_NEW_PRIVS, 1)


def unshare(flags: int) -> None:
    _checked(_libc.unshare(ctypes.c_int(flags)))


def enter_namespace(descriptor: int, kind: int) -> None:
    _checked(_libc.setns(ctypes.c_int(descriptor), ctypes.c_int(kind)))


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    encoded = [os.fsencode(text) or None for text in (source, target, kind, data)]
    _checked(_libc.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3]))


def unmount(target: str) -> None:
    _checked(_libc.umount2(ctypes.c_char_p(os.fsencode(target)), ctypes.c_int(2)))


def bind(source: str, target: str) -> None:
    mount(source, target, flags=MS_BIND | MS_REC)


class _MountAttributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns")]


def set_mount(target: str, on: int = 0, off: int = 0, *, recursive: bool = False) -> None:
    """Change attributes (`MS_RDONLY` to `MS_NOEXEC`) of a mount, and perhaps of all below it."""
    attributes = _MountAttributes(on, off, 0, 0)
    flags = _AT_RECURSIVE if recursive else 0
    numbered(
        "mount_setattr",
        ctypes.c_int(AT_FDCWD),
        ctypes.c_char_p(os.fsencode(target)),
        ctypes.c_uint(flags),
        ctypes.byref(attributes),
        ctypes.c_size_t(ctypes.sizeof(attributes)),
    )


class _CapabilityHead(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


def keep_capabilities(kept: frozenset[int]) -> None:
    """Give up every capability but these, for this process and all that it will ever start."""
    bound_capabilities(kept)
    bits = sum(1 << number for number in kept) & permitted()
    words = (ctypes.c_uint32 * 6)(*([bits & 0xFFFFFFFF] * 2), 0, *([bits >> 32] * 2), 0)
    head = _CapabilityHead(_CAPABILITY_VERSION, 0)
    numbered("capset", ctypes.byref(head), ctypes.byref(words))


def bound_capabilities(kept: frozenset[int]) -> None:
    """No program that this process or a fork of it becomes gets another capability than these."""
    for number in range(_CAPABILITIES):
        if number not in kept:
            try:
                control(_PR_CAPBSET_DROP, number)
            except OSError as error:
                if error.errno == errno.EPERM:
                    break  # without CAP_SETPCAP nothing was to be had
                if error.errno == errno.EINVAL:
                    break  # the kernel knows no more of them
                raise


def permitted() -> int:
    """The capabilities of this process, as bits."""
    with open("/proc/self/status", "rb") as file:
        for line in file:
            if line.startswith(b"CapPrm:"):
                return int(line.split()[1], 16)
    return 0
