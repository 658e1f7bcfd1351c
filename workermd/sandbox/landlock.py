"""Landlock: the kernel refuses files, ports, signals and abstract sockets to a process and to all that it starts.

A process that is in a domain can trace and look into processes of that domain and of those nested in it only. That
comes with every domain, also with one that restricts nothing else.
"""

import ctypes
import errno
import os
from collections.abc import Iterable

from workermd.sandbox import kernel

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << bit for bit in range(6))
MAKE_CHAR, MAKE_DIR, MAKE_REG, MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM = (1 << bit for bit in range(6, 13))
REFER, TRUNCATE, IOCTL_DEV = (1 << bit for bit in range(13, 16))

READING = EXECUTE | READ_FILE | READ_DIR
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
"""Rights that a rule on something other than a folder may hold."""

BIND_TCP, CONNECT_TCP = 1, 2
ABSTRACT_SOCKETS, SIGNALS = 1, 2

_FILES_BY_VERSION = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
NETWORK_VERSION, SCOPES_VERSION = 4, 6

_CREATE_RULESET_VERSION = 1
_RULE_PATH, _RULE_PORT = 1, 2


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


class _PortRule(ctypes.Structure):
    _fields_ = [("allowed", ctypes.c_uint64), ("port", ctypes.c_uint64)]


def version() -> int:
    """The version of the kernel's interface; 0 where there is no Landlock or where it is off."""
    try:
        return kernel.numbered("landlock", None, ctypes.c_size_t(0), ctypes.c_uint32(_CREATE_RULESET_VERSION))
    except OSError:
        return 0


def file_rights(known: int) -> int:
    """All rights on files that a kernel of this version can refuse."""
    return max((rights for since, rights in _FILES_BY_VERSION.items() if since <= known), default=0)


def restrict(
    *,
    files: int = 0,
    paths: Iterable[tuple[str, int]] = (),
    network: int = 0,
    ports: Iterable[tuple[int, int]] = (),
    scoped: int = 0,
) -> None:
    """Enter a domain for good. `files` and `network` are refused, but for `paths` and `ports` with their rights.

    The process must have given up new privileges. Raises OSError; then nothing holds.
    """
    known = version()
    if known == 0:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if (network and known < NETWORK_VERSION) or (scoped and known < SCOPES_VERSION):
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
    files &= file_rights(known)
    attributes = _Ruleset(files, network, scoped)
    size = 8 if known < NETWORK_VERSION else 16 if known < SCOPES_VERSION else 24
    ruleset = kernel.numbered("landlock", ctypes.byref(attributes), ctypes.c_size_t(size), ctypes.c_uint32(0))
    try:
        for path, rights in paths:
            _allow_path(ruleset, path, rights & files)
        for port, rights in ports:
            _add(ruleset, _RULE_PORT, _PortRule(rights & network, port))
        kernel.numbered("landlock", ctypes.c_int(ruleset), ctypes.c_uint32(0), offset=2)
    finally:
        os.close(ruleset)


def _allow_path(ruleset: int, path: str, rights: int) -> None:
    """What is not there, or out of our reach, needs no permission."""
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(f"/proc/self/fd/{parent}"):
            rights &= _OF_FILES
        if rights:
            _add(ruleset, _RULE_PATH, _PathRule(rights, parent))
    finally:
        os.close(parent)


def _add(ruleset: int, kind: int, rule: ctypes.Structure) -> None:
    kernel.numbered(
        "landlock", ctypes.c_int(ruleset), ctypes.c_int(kind), ctypes.byref(rule), ctypes.c_uint32(0), offset=1
    )
