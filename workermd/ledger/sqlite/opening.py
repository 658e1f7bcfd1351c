"""How a ledger's file is opened: found or made, recognised, set up, and refused in plain words.

Never open the database file by hand in a process that has it connected: closing any descriptor of it drops
the locks that SQLite holds.
"""

import errno
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

from workermd.ledger.results import sync_folder
from workermd.ledger.sqlite.migrations import APPLICATION_ID, know_digests, migrate, version_of
from workermd.protocol.errors import LedgerUnavailable

BUSY_SECONDS = 5.0
"""How long a lock of somebody outside the write queue is waited for."""

MOUNTS = "/proc/self/mountinfo"

_SETTINGS = (
    ("journal_mode", "WAL", "wal"),
    ("synchronous", "FULL", 2),
    ("foreign_keys", "ON", 1),
    ("secure_delete", "ON", 1),  # what is erased must not be read from a free page
    ("busy_timeout", str(int(BUSY_SECONDS * 1000)), int(BUSY_SECONDS * 1000)),
)

NEW_FILE = (("page_size", 8192), ("auto_vacuum", "INCREMENTAL"))
"""How a file is laid out, which is settled before its first table: pages that hold two runs of common size and not one
(-33 % of the file), and free pages that can be given back."""

# A write-ahead log needs memory shared by all users of the file, and these may have users on other machines.
_NETWORK_FILE_SYSTEMS = frozenset({
    "nfs", "nfs4", "cifs", "smb", "smbfs", "smb2", "smb3", "ncpfs", "afs", "coda", "ceph", "lustre", "gpfs", "beegfs",
    "orangefs", "pvfs2", "davfs", "glusterfs", "fuse.sshfs", "fuse.rclone", "fuse.s3fs", "fuse.goofys",
    "fuse.gcsfuse", "fuse.glusterfs", "fuse.ceph", "fuse.ceph-fuse", "fuse.davfs", "fuse.davfs2", "fuse.curlftpfs",
    "fuse.mount-s3", "fuse.juicefs", "fuse.smbnetfs", "fuse.gvfsd-fuse",
})  # fmt: skip

_OUTSIDE = "choose a ledger in a folder that you may write to"
_SQLITE_REASONS: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_NOTADB: ("it is not an SQLite database", "name another file, or move this one away"),
    sqlite3.SQLITE_CORRUPT: (
        "it is damaged",
        "keep a copy of it and restore it from a backup, or start with a new file",
    ),
    sqlite3.SQLITE_FULL: ("the disk is full", "free some space and run the same command again"),
    sqlite3.SQLITE_BUSY: ("another program has it locked", "end that program and run the same command again"),
    sqlite3.SQLITE_LOCKED: ("another program has it locked", "end that program and run the same command again"),
    sqlite3.SQLITE_PROTOCOL: ("another program has it locked", "end that program and run the same command again"),
    sqlite3.SQLITE_READONLY: ("it cannot be written to", _OUTSIDE),
    sqlite3.SQLITE_PERM: ("it may not be accessed", _OUTSIDE),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", _OUTSIDE),
    sqlite3.SQLITE_IOERR: (
        "the disk reported a fault",
        "check the disk and its free space, then run the same command again",
    ),
    sqlite3.SQLITE_NOMEM: ("there is not enough memory", "free some memory and run the same command again"),
}
_SYSTEM_HINTS = {
    errno.ENOSPC: "free some space and run the same command again",
    errno.EDQUOT: "free some space and run the same command again",
    errno.EMFILE: "allow this process more open files",
    errno.EAGAIN: "allow this user more processes",
}


class LedgerFault(RuntimeError):
    """The ledger was asked for something that its rules exclude: a bug of ours, and nothing was written."""


def refusal(path: str, error: sqlite3.Error) -> LedgerUnavailable | LedgerFault:
    """What to raise instead of an error of SQLite: its cause in plain words, or a fault of ours."""
    if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
        return LedgerFault(f"the ledger {path} refused a change: {error}")
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    name = getattr(error, "sqlite_errorname", "no code")
    # The low byte is the kind of the error; the rest says which operation failed.
    reason, hint = _SQLITE_REASONS.get(
        code & 0xFF, (f"SQLite says: {error}", "name another file, or move this one away")
    )
    return LedgerUnavailable(f"the ledger {path} cannot be used: {reason} ({name})", hint)


def system_refusal(path: str, error: OSError) -> LedgerUnavailable:
    reason = error.strerror or type(error).__name__
    hint = _SYSTEM_HINTS.get(error.errno or 0, _OUTSIDE)
    return LedgerUnavailable(f"the ledger {path} cannot be used: {reason}", hint)


@contextmanager
def refusing(path: str) -> Iterator[None]:
    """Errors of SQLite and of the system become LedgerUnavailable (or LedgerFault) in this block."""
    try:
        yield
    except sqlite3.Error as error:
        raise refusal(path, error) from error
    except OSError as error:
        raise system_refusal(path, error) from error


def real_path(path: str) -> str:
    """The path by which all processes know the ledger. Raises LedgerUnavailable.

    Links are resolved because SQLite resolves them too: the lock files must lie beside its own.
    """
    if not path or "\0" in path:
        raise LedgerUnavailable("the path of the ledger is empty or holds a zero byte", "name a file")
    with refusing(path):
        return os.path.realpath(path)


def prepare_folder(path: str) -> None:
    """Make the ledger's folder if it is missing; refuse one on a network. Raises OSError, LedgerUnavailable."""
    if sqlite3.sqlite_version_info < (3, 38):
        raise LedgerUnavailable(
            f"the ledger needs SQLite 3.38 or newer, and this Python has {sqlite3.sqlite_version}",
            "use a Python that is built with a newer SQLite",
        )
    _refuse_special_file(path)
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        sync_folder(os.path.dirname(folder))
    kind = network_file_system(folder)
    if kind is not None:
        raise LedgerUnavailable(
            f"the ledger {path} cannot be used: its folder is on a network file system ({kind})",
            "choose a ledger on a local disk",
        )


def network_file_system(folder: str) -> str | None:
    """The kind of network file system that a folder is on; None when it is local or cannot be told."""
    device = os.stat(folder).st_dev
    if os.major(device):
        return None  # A block device.
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        with open(MOUNTS, encoding="utf-8", errors="surrogateescape") as mounts:
            for line in mounts:
                kind = line.partition(" - ")[2].partition(" ")[0]
                if kind in _NETWORK_FILE_SYSTEMS and line.split(" ", 3)[2] == number:
                    return kind
    except OSError:
        return None
    return None


def connect(path: str, migrations: tuple[str, ...]) -> sqlite3.Connection:
    """A connection for writing; the file is made and brought up to date. Call it in the write queue.

    Raises sqlite3.Error, OSError, LedgerUnavailable.
    """
    _create(path)
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, cached_statements=64, check_same_thread=False
    )
    try:
        try:
            version = _recognise(connection, path, len(migrations))
        except LedgerUnavailable:
            _close_untouched(connection, path)
            raise
        if version == 0:
            for name, value in NEW_FILE:
                connection.execute(f"PRAGMA {name} = {value}")
        _set_up(connection, path)
        know_digests(connection)
        if version < len(migrations):
            migrate(connection, migrations)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_read_only(path: str, newest: int) -> sqlite3.Connection | None:
    """A connection for reading; None when there is no ledger yet. Raises sqlite3.Error, OSError, LedgerUnavailable."""
    if not os.path.exists(path):
        return None
    _refuse_special_file(path)
    connection = _read_only(path)
    try:
        version = _recognise(connection, path, newest)
    except BaseException:
        connection.close()
        raise
    if version == newest:
        return connection
    connection.close()
    if version == 0:
        return None
    raise LedgerUnavailable(
        f"the ledger {path} is of version {version}, and this program reads version {newest}",
        "carry out any run with this ledger once: that brings it up to date",
    )


def limit_busy_wait(connection: sqlite3.Connection, give_up_at: float, milliseconds: int) -> int:
    """Wait for a foreign lock no longer than until `give_up_at`; `milliseconds` is what is set, the result what is now."""
    left = int((give_up_at - time.monotonic()) * 1000)
    wanted = max(0, min(int(BUSY_SECONDS * 1000), left))
    if wanted != milliseconds:
        connection.execute(f"PRAGMA busy_timeout = {wanted}")
    return wanted


def _refuse_special_file(path: str) -> None:
    # SQLite's own words for a folder or a device depend on what it tries first.
    if os.path.exists(path) and not os.path.isfile(path):
        raise LedgerUnavailable(f"the ledger {path} cannot be used: it is not a file", "name a file")


def _create(path: str) -> None:
    # SQLite would make it readable for everybody. Only a file that did not exist is opened by hand here, so
    # nobody in this process can have it connected.
    if not os.path.exists(path):
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            return


def _read_only(path: str) -> sqlite3.Connection:
    quoted = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return sqlite3.connect(f"file:{quoted}?mode=ro", uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def _recognise(connection: sqlite3.Connection, path: str, newest: int) -> int:
    """The file's version, 0 for an empty one. Raises LedgerUnavailable when it is not ours to use."""
    version = version_of(connection)
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    if application == APPLICATION_ID and version <= newest:
        return version
    if application == APPLICATION_ID:
        raise LedgerUnavailable(
            f"the ledger {path} is of version {version}, and this program knows versions up to {newest}",
            "use the newer workermd that made it; nothing was changed",
        )
    if (
        application == 0
        and version == 0
        and not connection.execute("SELECT EXISTS (SELECT 1 FROM sqlite_schema)").fetchone()[0]
    ):
        return 0
    raise LedgerUnavailable(
        f"the ledger {path} cannot be used: it is a database of another program",
        "name another file; nothing was changed",
    )


def _set_up(connection: sqlite3.Connection, path: str) -> None:
    for name, value, expected in _SETTINGS:
        connection.execute(f"PRAGMA {name} = {value}")
        found = connection.execute(f"PRAGMA {name}").fetchone()[0]
        if found != expected:
            raise LedgerUnavailable(
                f"the ledger {path} cannot be used: SQLite's {name} is {found} and has to be {expected}",
                "choose a ledger on a local disk, and a Python with an unrestricted SQLite",
            )


def _close_untouched(connection: sqlite3.Connection, path: str) -> None:
    # The last connection that can write moves the log into the file when it closes. One that only reads
    # cannot, and while it stands the other is not the last.
    guard = _read_only(path)
    try:
        version_of(guard)
    finally:
        connection.close()
        guard.close()
