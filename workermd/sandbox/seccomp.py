"""Filters of system calls, assembled here: a program of the kernel's small filter machine, made once a process.

A refused call fails with an error number; nothing is killed, so that programs which try and go on do go on. The
assembly is short because the machine is: load a word of the call's record, compare, jump forward, return.
"""

import ctypes
import errno
import os
from functools import cache
from typing import NamedTuple

from workermd.sandbox import kernel

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000
"""Calls of the x32 kind bear this bit: the same calls by other numbers, so all of them are refused."""

_LOAD, _AND = 0x20, 0x54
_IF_EQUAL, _IF_ANY_BIT, _IF_GREATER_EQUAL, _RETURN = 0x15, 0x45, 0x35, 0x06
_NUMBER, _ARCHITECTURE = 0, 4
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_SET_FILTER = 1

_NEW_NAMESPACES = 0x7E020080
"""Every CLONE_NEW… flag."""

_FORBIDDEN = {
    "x86_64": {
        "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "pidfd_getfd": 438,
        "add_key": 248, "request_key": 249, "keyctl": 250, "mount": 165, "umount2": 166, "pivot_root": 155,
        "chroot": 161, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432,
        "fspick": 433, "mount_setattr": 442, "unshare": 272, "setns": 308, "bpf": 321, "perf_event_open": 298,
        "userfaultfd": 323, "kexec_load": 246, "kexec_file_load": 320, "init_module": 175, "finit_module": 313,
        "delete_module": 176, "reboot": 169, "swapon": 167, "swapoff": 168, "acct": 163, "quotactl": 179,
        "open_by_handle_at": 304, "name_to_handle_at": 303, "iopl": 172, "ioperm": 173, "syslog": 103,
        "settimeofday": 164, "clock_settime": 227, "adjtimex": 159, "clock_adjtime": 305, "vhangup": 153,
        "fanotify_init": 300, "lookup_dcookie": 212, "nfsservctl": 180, "mknod": 133, "mknodat": 259,
        "personality": 135,
    },
    "aarch64": {
        "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "pidfd_getfd": 438,
        "add_key": 217, "request_key": 218, "keyctl": 219, "mount": 40, "umount2": 39, "pivot_root": 41,
        "chroot": 51, "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432,
        "fspick": 433, "mount_setattr": 442, "unshare": 97, "setns": 268, "bpf": 280, "perf_event_open": 241,
        "userfaultfd": 282, "kexec_load": 104, "kexec_file_load": 294, "init_module": 105, "finit_module": 273,
        "delete_module": 106, "reboot": 142, "swapon": 224, "swapoff": 225, "acct": 89, "quotactl": 60,
        "open_by_handle_at": 265, "name_to_handle_at": 264, "syslog": 116, "settimeofday": 170,
        "clock_settime": 112, "adjtimex": 171, "clock_adjtime": 266, "vhangup": 58, "fanotify_init": 262,
        "lookup_dcookie": 18, "nfsservctl": 42, "mknodat": 33, "personality": 92,
    },
}  # fmt: skip
_ABSENT = {"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "clone3": 435}
"""These fail as on a kernel that does not have them, and programs do without: what they do cannot be looked into."""
_LOOKED_INTO = {
    "x86_64": {"clone": 56, "socket": 41, "ioctl": 16},
    "aarch64": {"clone": 220, "socket": 198, "ioctl": 29},
}

INTERNET = (2, 10)
"""The families of addresses of the internet, of version 4 and 6."""
_ROUTES = 16
"""Netlink: the C library asks it which addresses the machine has."""
_PUSH_INPUT, _CONSOLE = 0x5412, 0x541C
"""Requests that write into a terminal as if somebody typed."""


class _Instruction(NamedTuple):
    code: int
    value: int
    then: int = 0
    otherwise: int = 0


def _refused(number: int) -> _Instruction:
    return _Instruction(_RETURN, _REFUSE | number)


def _argument(at: int) -> int:
    """Where the low half of an argument stands in the record of a call."""
    return 16 + 8 * at


_UNCOUNTED = {
    "x86_64": {"memfd_create": 319, "memfd_secret": 447, "shmget": 29},
    "aarch64": {"memfd_create": 279, "memfd_secret": 447, "shmget": 194},
}
"""Memory that belongs to no process's count while it is not mapped."""


@cache
def program(families: frozenset[int], machine: str = "", *, counted: bool = True) -> bytes:
    """The filter that lets sockets of these families be made, as the kernel takes it. Where memory is not counted by
    the kernel, what a process could hide it in cannot be made."""
    machine = machine or os.uname().machine
    instructions = [
        _Instruction(_LOAD, _ARCHITECTURE),
        _Instruction(_IF_EQUAL, _ARCHITECTURES[machine], 1),
        _Instruction(_RETURN, _KILL),
        _Instruction(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":
        instructions += [_Instruction(_IF_GREATER_EQUAL, _X32, 0, 1), _refused(errno.ENOSYS)]
    for number in _ABSENT.values():
        instructions += [_Instruction(_IF_EQUAL, number, 0, 1), _refused(errno.ENOSYS)]
    for number in _FORBIDDEN[machine].values():
        instructions += [_Instruction(_IF_EQUAL, number, 0, 1), _refused(errno.EPERM)]
    for number in () if counted else _UNCOUNTED[machine].values():
        instructions += [_Instruction(_IF_EQUAL, number, 0, 1), _refused(errno.ENOSYS)]
    looked_into = _LOOKED_INTO[machine]
    clone = [
        _Instruction(_LOAD, _argument(0)),
        _Instruction(_IF_ANY_BIT, _NEW_NAMESPACES, 0, 1),
        _refused(errno.EPERM),
        _Instruction(_RETURN, _ALLOW),
    ]
    allowed = sorted(families | {_ROUTES})
    socket = [_Instruction(_LOAD, _argument(0))]
    for family in allowed:
        socket += [_Instruction(_IF_EQUAL, family, 0, 1), _Instruction(_RETURN, _ALLOW)]
    socket.append(_refused(errno.EACCES))
    ioctl = [_Instruction(_LOAD, _argument(1))]
    for request in (_PUSH_INPUT, _CONSOLE):
        ioctl += [_Instruction(_IF_EQUAL, request, 0, 1), _refused(errno.EPERM)]
    ioctl.append(_Instruction(_RETURN, _ALLOW))
    for name, block in (("clone", clone), ("socket", socket), ("ioctl", ioctl)):
        instructions += [_Instruction(_IF_EQUAL, looked_into[name], 0, len(block)), *block]
    instructions.append(_Instruction(_RETURN, _ALLOW))
    return b"".join(map(_encoded, instructions))


def _encoded(instruction: _Instruction) -> bytes:
    code, value, then, otherwise = instruction
    return code.to_bytes(2, "little") + bytes((then, otherwise)) + value.to_bytes(4, "little")


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def restrict(families: frozenset[int], *, counted: bool = True) -> None:
    """Filter the calls of this process and of all that it starts, for good. Raises OSError."""
    _enter(program(families, counted=counted) if kernel.MACHINE in _ARCHITECTURES else b"")


@cache
def memory_program(machine: str = "") -> bytes:
    """The filter that refuses only memory that nobody counts."""
    machine = machine or os.uname().machine
    instructions = [
        _Instruction(_LOAD, _ARCHITECTURE),
        _Instruction(_IF_EQUAL, _ARCHITECTURES[machine], 1),
        _Instruction(_RETURN, _KILL),
        _Instruction(_LOAD, _NUMBER),
    ]
    if machine == "x86_64":
        instructions += [_Instruction(_IF_GREATER_EQUAL, _X32, 0, 1), _refused(errno.ENOSYS)]
    for number in (*_UNCOUNTED[machine].values(), _ABSENT["io_uring_setup"]):
        instructions += [_Instruction(_IF_EQUAL, number, 0, 1), _refused(errno.ENOSYS)]
    return b"".join(map(_encoded, [*instructions, _Instruction(_RETURN, _ALLOW)]))


def restrict_memory() -> None:
    """Refuse memory that nobody counts, to this process and all that it starts. Raises OSError."""
    _enter(memory_program() if kernel.MACHINE in _ARCHITECTURES else b"")


def _enter(code: bytes) -> None:
    if not code:
        raise OSError(errno.ENOSYS, "no filter is known for this machine")
    record = _Program(len(code) // 8, code)
    kernel.numbered("seccomp", ctypes.c_uint(_SET_FILTER), ctypes.c_uint(0), ctypes.byref(record))
