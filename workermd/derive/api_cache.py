"""The answers of a host's API, kept on disk between runs by hishel.

One file, `$XDG_CACHE_HOME/workermd/github/answers.db` (else under `~/.cache`), readable by its owner alone: it may hold files of
private repositories. The key of an answer is a digest of its URL, its media type and the token, so that what one token may
see is never shown to another; the token itself is never in the file, because it joins a request only below the cache.
"""

import contextlib
import hashlib
import logging
import os
from collections.abc import Callable

from workermd.derive.address import Token
from workermd.derive.imports import without
from workermd.derive.response import ApiResponse
from workermd.protocol.errors import DeriveError
from workermd.system.cache import folder_of

with without("redis", "anysqlite"):
    from hishel import Entry, Request, Response, SqliteStorage

_MAX_BYTES = 256 << 20
_UNUSED_SECONDS = 90 * 86_400.0


class ResponseCache(SqliteStorage):
    """Keeps one answer for each key: a new one takes the place of what was there."""

    def create_entry(
        self, request: Request, response: Response, key: str, *, ttl: float | None = None, tti: float | None = None
    ) -> Entry:
        for entry in self.get_entries(key):
            self.remove_entry(entry.id)
        return super().create_entry(request, response, key, ttl=ttl, tti=tti)

    def kept(self, key: str) -> ApiResponse | None:
        """What is stored, whatever its age."""
        for entry in self.get_entries(key):
            headers = {name.lower(): value for name, value in entry.response.headers.items()}
            stream = entry.response.stream
            body = b"".join(chunk for chunk in stream) if stream is not None else b""  # type: ignore[union-attr]
            return ApiResponse(entry.response.status_code, headers, body)
        return None

    def forget(self, key: str) -> None:
        for entry in self.get_entries(key):
            self.remove_entry(entry.id)


class _Trouble(logging.Handler):
    """hishel logs what is wrong with its file and goes on without it. One line of it reaches the user."""

    def __init__(self, path: str, progress: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._path, self._progress, self._said = path, progress, False

    def emit(self, record: logging.LogRecord) -> None:
        if not self._said:
            self._said = True
            kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else record.levelname
            self._progress(f"the cache {self._path} is not used ({kind}); delete it if this stays")


def cache_path() -> str:
    """Where answers are kept; empty when WORKERMD_CACHE is `off`."""
    folder = folder_of("github")
    return os.path.join(folder, "answers.db") if folder else ""


def open_answers(path: str, progress: Callable[[str], None]) -> ResponseCache:
    """Raises DeriveError when the folder cannot be made or somebody else could read or write it."""
    folder = os.path.dirname(path)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        status = os.stat(folder)
        if status.st_uid == os.geteuid() and status.st_mode & 0o077:
            os.chmod(folder, 0o700)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_WRONLY, 0o600))
    except OSError as error:
        raise DeriveError(
            f"the cache {path} cannot be made: {error.strerror}",
            "Set XDG_CACHE_HOME to a folder that you can write, or WORKERMD_CACHE=off to do without.",
        ) from None
    if status.st_uid != os.geteuid():
        raise DeriveError(
            f"the cache folder {folder} belongs to another user", "Set XDG_CACHE_HOME to your own folder."
        )
    logger = logging.getLogger("hishel")
    logger.handlers = [_Trouble(path, progress)]
    logger.propagate = False
    answers = ResponseCache(database_path=path, max_size=_MAX_BYTES, default_tti=_UNUSED_SECONDS)
    try:
        answers.get_entries("")
    except RuntimeError:
        answers.close()
        raise DeriveError(f"the cache {path} has a form that cannot be used", "Delete the file.") from None
    return answers


def key_of(url: str, accept: str, token: Token | None) -> str:
    who = hashlib.sha256(token.reveal().encode()).hexdigest() if token else "nobody"
    return hashlib.sha256(f"{url}\n{accept}\n{who}".encode()).hexdigest()
