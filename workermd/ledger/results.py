"""Result files: what an attempt leaves behind, so that finished work is adopted and not repeated (S4.3).

The folder `<ledger>.results` holds one file per attempt, named by the attempt's token. A file exists under
its name if and only if the attempt finished before its deadline (S3.3): it is written as `<token>.tmp`,
synced, and renamed only after a last look at the clock. A token is random, so a folder left beside another
ledger holds nothing that the other ledger could mistake for its own. A file begins with a mark by the attempt's key,
which the ledger keeps and only the attempt's keeper is told.

The attempt's own process imports this module: it must stay as cheap to import as `os`.
"""

import os
import time

from workermd.system.crash import point

_UNFINISHED = ".tmp"
_JOURNAL = ".journal"
_CONVERSATION, _CHECKPOINT = ".conversation", ".checkpoint"
_TOKEN_LENGTH = 32
_KEY_BYTES = _MARK_BYTES = 32
_BLOCK_BYTES = 64
_HEX = frozenset("0123456789abcdef")


def new_token() -> str:
    """128 random bits as 32 hexadecimal digits."""
    return os.urandom(_TOKEN_LENGTH // 2).hex()


def folder_of(ledger_path: str) -> str:
    """The folder of the result files of a ledger. Symbolic links are resolved, as the ledger does."""
    return os.path.realpath(ledger_path) + ".results"


def prepare(ledger_path: str) -> str:
    """The folder of the result files, made if missing. Raises OSError."""
    folder = folder_of(ledger_path)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    return folder


def new_key() -> bytes:
    """With it an attempt's keeper marks its result as its own; nobody else but the ledger has it."""
    return os.urandom(_KEY_BYTES)


def write(folder: str, token: str, data: bytes, deadline: float, key: bytes = b"", *, synced: bool = True) -> bool:
    """Leave `data` as the result of the attempt `token`, marked with its key; False when that came too late.

    `deadline` is on `time.monotonic()`'s clock. True means that the file will survive the death of every process, and
    where it is `synced` a loss of power: after one, a file that is not synced may be torn, and a torn one counts as absent.
    Raises OSError when the file cannot be written; whether it stands under its name then is for `read`
    to say (only the sync of the folder comes after the renaming).
    """
    path = os.path.join(folder, token)
    unfinished = path + _UNFINISHED
    try:
        _write(unfinished, _mark(data, key) + data, synced=synced)
        point("result_written")
        in_time = time.monotonic() < deadline
        if in_time:
            os.rename(unfinished, path)
    except OSError:
        _unlink(unfinished)
        raise
    if not in_time:
        _unlink(unfinished)
        return False
    point("result_renamed")
    if synced:
        sync_folder(folder)
    return True


def read(folder: str, token: str, key: bytes | None = b"") -> bytes | None:
    """The result of the attempt, or None when it left none. Raises OSError when it cannot be read.

    A file that is not marked with the attempt's key was written by somebody else: it counts as absent.
    """
    try:
        descriptor = os.open(os.path.join(folder, token), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        mark, data = file.read(_MARK_BYTES), file.read()
    return data if key is not None and _same(mark, _mark(data, key)) else None


def _mark(data: bytes, key: bytes) -> bytes:
    """HMAC-SHA-256 (RFC 2104), spelled out: the module `hmac` would load OpenSSL."""
    from workermd.system.digest import sha256  # only where there is a result

    padded = key.ljust(_BLOCK_BYTES, b"\0")
    inner = sha256(bytes(byte ^ 0x36 for byte in padded) + data)
    return sha256(bytes(byte ^ 0x5C for byte in padded) + inner)


def _same(one: bytes, other: bytes) -> bool:
    """Compared without telling by its time where they differ."""
    return len(one) == len(other) and not sum(a ^ b for a, b in zip(one, other, strict=True))


def journal_of(folder: str, token: str) -> str:
    """The path of the attempt's journal: what its backend noted as it happened, one JSON object a line."""
    return os.path.join(folder, token + _JOURNAL)


def open_journal(path: str) -> int:
    """Make a journal and open it for appending; -1 where that cannot be: it is a note beside the result."""
    try:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return -1


def conversation_of(folder: str, worker_id: str, run_id: str) -> str:
    """The path of what the agents of a run's attempts said so far, for the next attempt."""
    return _of_run(folder, worker_id, run_id, _CONVERSATION)


def checkpoint_of(folder: str, worker_id: str, run_id: str) -> str:
    """The path of what a run's attempts saved last of their work, for the next attempt."""
    return _of_run(folder, worker_id, run_id, _CHECKPOINT)


def _of_run(folder: str, worker_id: str, run_id: str, suffix: str) -> str:
    from workermd.system.digest import sha256

    name = sha256(f"{worker_id}\0{run_id}".encode("utf-8", "surrogatepass")).hex()[:_TOKEN_LENGTH]
    return os.path.join(folder, name + suffix)


def open_conversation(path: str) -> int:
    """Open a run's conversation for reading and appending; -1 where that cannot be: then it is not resumed."""
    try:
        return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return -1


def forget_progress(folder: str, worker_id: str, run_id: str) -> None:
    """Remove what a run's attempts left for the next one: there is none. Never raises: what stays is swept after a day."""
    for suffix in (_CONVERSATION, _CHECKPOINT):
        _unlink(_of_run(folder, worker_id, run_id, suffix))


def remove(folder: str, token: str) -> None:
    """Remove a result that the ledger has taken over, and the journal. Never raises: what stays is swept later."""
    _unlink(os.path.join(folder, token))
    point("result_removed")
    _unlink(journal_of(folder, token))


MOST_SWEPT = 1000
"""Entries that one sweep removes: whoever runs something pays for no more."""


def sweep(folder: str, open_tokens: set[str], before: float) -> int:
    """Remove what attempts left behind that are no longer open, and that is older than `before`; how many entries went.

    `open_tokens` are those of all attempts that were open a while after `before`, by the same clock. They protect a
    result that nobody has adopted yet, however old it is; the age protects those of attempts that began since. Entries
    that are not named like ours stay. Never raises.
    """
    removed = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                token = entry.name.partition(".")[0]
                if _is_token(token) and token not in open_tokens:
                    removed += _remove_if_older(entry, before)
                if removed == MOST_SWEPT:
                    break
    except OSError:
        return removed
    return removed


def sync_folder(folder: str) -> None:
    """Make the names in a folder survive a loss of power. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(path: str, data: bytes, *, synced: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        half = len(data) // 2
        _write_all(descriptor, data[:half])
        point("result_half")
        _write_all(descriptor, data[half:])
        if synced:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _unlink(path: str) -> None:
    # Every caller is on its way out of a state that a later sweep mends.
    try:
        os.unlink(path)
    except OSError:
        return


def _is_token(name: str) -> bool:
    return len(name) == _TOKEN_LENGTH and _HEX.issuperset(name)


def _remove_if_older(entry: "os.DirEntry[str]", before: float) -> bool:
    try:
        if entry.stat(follow_symlinks=False).st_mtime >= before:
            return False
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.path)
            return True
    except OSError:
        return False
    # A task filled this folder: rmtree follows no link out of it, and it is too dear to import every time.
    import shutil

    shutil.rmtree(entry.path, ignore_errors=True)
    return not os.path.lexists(entry.path)
