"""A view of the files that is made once, and of which many attempts, one after the other, take a copy each.

Taking away what an attempt may not see costs some thirty mounts. A keeper that serves many attempts has a child make
them, in namespaces that nobody runs in, and holds these open. An attempt's process enters them, leaves them at once for a
copy of its own, and adds what differs from attempt to attempt: its own folder among the artifacts. So no attempt can
change what a later one sees, and the cost is that of three mounts.
"""

import contextlib
import os
import socket
from typing import NamedTuple

from workermd.sandbox import kernel, namespaces
from workermd.sandbox.fence import AUTO, Fence
from workermd.sandbox.kernel import CLONE_NEWNS, CLONE_NEWUSER, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REMOUNT
from workermd.sandbox.namespaces import Hidden

_QUIET = MS_NOSUID | MS_NODEV | MS_NOEXEC


class View(NamedTuple):
    """`users` is -1 where no user namespace was needed. `seen` is what the mounts were made from."""

    mounts: int
    users: int
    seen: tuple[object, ...]

    def close(self) -> None:
        for fd in (self.mounts, self.users):
            if fd >= 0:
                os.close(fd)


def is_possible(fence: Fence) -> bool:
    return fence.mode == AUTO and fence.is_plain and bool(fence.own)


def seen_by(fence: Fence) -> tuple[object, ...]:
    """All that the mounts depend on: a file that was replaced is one that they no longer cover."""
    paths = (fence.results, *fence.hidden, *fence.kept, "/dev")
    return fence.results, fence.hidden, fence.kept, os.path.dirname(fence.own), tuple(map(_identity, paths))


def _identity(path: str) -> tuple[int, ...]:
    try:
        found = os.lstat(path)
    except OSError:
        return ()
    # A device that comes or goes changes its folder; in other folders only the folder itself is of interest.
    return (found.st_dev, found.st_ino, *((found.st_mtime_ns,) if path == "/dev" else ()))


def made(fence: Fence) -> View:
    """Have a child make it. Raises OSError where this machine does not let us."""
    seen = seen_by(fence)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = os.fork()
        if child == 0:
            _make(fence, theirs)
        theirs.close()
        try:
            said, fds, _, _ = socket.recv_fds(ours, 64, 2)
        finally:
            os.waitpid(child, 0)
    for fd in fds:
        os.set_inheritable(fd, False)
    if said[:1] != b"y" or not fds:
        for fd in fds:
            os.close(fd)
        number = int(said[1:] or b"0")
        raise OSError(number, os.strerror(number))
    return View(fds[0], fds[1] if len(fds) > 1 else -1, seen)


def _make(fence: Fence, line: socket.socket) -> None:
    """In the child. It ends here, whatever happens."""
    try:
        root = os.geteuid() == 0
        before = os.stat("/proc/self/ns/user").st_ino
        namespaces.enter(CLONE_NEWNS)
        namespaces.detach()
        beside = os.path.dirname(fence.own)
        hidden = tuple(path for path in fence.hidden if path != beside)
        namespaces.hide(Hidden(fence.results, hidden, fence.kept))
        if root:
            namespaces.guard_kernel()
        fds = [os.open("/proc/self/ns/mnt", os.O_RDONLY)]
        if os.stat("/proc/self/ns/user").st_ino != before:
            fds.append(os.open("/proc/self/ns/user", os.O_RDONLY))
        socket.send_fds(line, [b"y"], fds)
    except OSError as error:
        with contextlib.suppress(OSError):
            line.sendall(b"n%d" % (error.errno or 0))
    finally:
        os._exit(0)


def enter_copy(view: View, fence: Fence) -> None:
    """In the attempt's process: a copy of the view for itself, with its own folder in it. Raises OSError."""
    here = os.getcwd()
    if view.users >= 0:
        kernel.enter_namespace(view.users, CLONE_NEWUSER)
    kernel.enter_namespace(view.mounts, CLONE_NEWNS)
    kernel.unshare(CLONE_NEWNS)
    own = os.open(fence.shared or fence.own, os.O_PATH | os.O_CLOEXEC)
    beside = os.path.dirname(fence.own)
    if fence.shared:
        kernel.bind(f"/proc/self/fd/{own}", beside)
    else:
        kernel.mount("none", beside, "tmpfs", _QUIET, "size=4k,mode=0700")
        os.mkdir(fence.own, 0o700)
        kernel.bind(f"/proc/self/fd/{own}", fence.own)
        kernel.mount("none", beside, flags=MS_REMOUNT | MS_RDONLY | _QUIET)
    os.close(own)
    os.chdir(here)
