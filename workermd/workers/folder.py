"""Opening a file that an input names, never outside the folder that the operator allows."""

import errno
import os
import stat


class NotInFolder(Exception):
    """The path leaves the folder, is a link, or is no plain file. The message is one line without the path."""


def open_within(folder: str, path: str) -> int:
    """A descriptor, open for reading, of the plain file at the relative `path` below `folder`.

    Every component is opened from its parent without following links, so a link that appears between
    a check and the open cannot lead outside. Raises `NotInFolder`, or `OSError` when `folder` itself
    cannot be opened.
    """
    parts = _components(path)
    at = os.open(folder or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            below = _open(part, os.O_DIRECTORY, at)
            os.close(at)
            at = below
        descriptor = _open(parts[-1], os.O_NONBLOCK, at)
    finally:
        os.close(at)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotInFolder("the path is not a plain file")
    return descriptor


def _components(path: str) -> list[str]:
    if not path or "\0" in path:
        raise NotInFolder("the path is empty or holds a NUL")
    if path.startswith("/"):
        raise NotInFolder("the path is absolute; give one relative to the allowed folder")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or not parts:
        raise NotInFolder("the path holds '..' or names the folder itself")
    return parts


def _open(part: str, flag: int, at: int) -> int:
    try:
        return os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flag, dir_fd=at)
    except FileNotFoundError:
        raise NotInFolder("no such file in the allowed folder") from None
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) in (errno.ELOOP, errno.ENOTDIR):
            raise NotInFolder("the path passes through a link or a file; links are not followed") from None
        raise NotInFolder("the path cannot be opened") from None
