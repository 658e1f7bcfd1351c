"""Who may call: names with their tokens. The name of a token is who calls, and who decides.

Only digests are kept, so that no page, log line or fault of ours can show a token.
"""

import hashlib
import hmac
import os
import secrets
import stat
from typing import NamedTuple, Protocol

from workermd.protocol.errors import ConfigurationError
from workermd.system.bounded import at_most

FEWEST_CHARACTERS = 20
MOST_CHARACTERS = 512
_MOST_BYTES = 1 << 20


class Caller(NamedTuple):
    name: str
    digest: bytes


class KnowsCallers(Protocol):
    """Says whose token it is; empty where it is nobody's."""

    def named(self, token: str) -> str: ...


class EitherCallers(NamedTuple):
    """Those of a file, and those whom somebody else lets in."""

    ours: KnowsCallers
    others: KnowsCallers

    def named(self, token: str) -> str:
        return self.ours.named(token) or self.others.named(token)


class Callers(NamedTuple):
    """All who may call. `named` compares with every token, so that the time taken tells nobody which one was near."""

    known: tuple[Caller, ...]

    def named(self, token: str) -> str:
        """Whose token it is; empty where it is nobody's."""
        digest, found = _digest(token), ""
        for caller in self.known:
            if hmac.compare_digest(caller.digest, digest):
                found = caller.name
        return found


def generated(name: str) -> tuple[Callers, str]:
    """One caller with a fresh token, and that token: it is shown once and kept nowhere."""
    token = secrets.token_urlsafe(32)
    return Callers((Caller(name, _digest(token)),)), token


def read(path: str) -> Callers:
    """The callers of a file of lines NAME:TOKEN; empty lines and lines that begin with # say nothing.

    Raises ConfigurationError, whose message holds no token.
    """
    try:
        with open(path, "rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = at_most(file, _MOST_BYTES).decode()
    except OSError as error:
        raise ConfigurationError(
            f"{path}: the tokens cannot be read ({error.strerror})", "write a file of lines NAME:TOKEN"
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: the file is not UTF-8", "save it as UTF-8") from None
    if mode & 0o077:
        raise ConfigurationError(
            f"{path}: others may read the tokens (mode {mode:04o})", f"take their rights away: chmod 600 {path}"
        )
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    known = tuple(_caller(path, number, line) for number, line in lines if line and not line.startswith("#"))
    _refuse_doubles(path, known)
    return Callers(known)


def _caller(path: str, number: int, line: str) -> Caller:
    name, colon, token = (part.strip() for part in line.partition(":"))
    if not colon or not name or len(name) > 64 or not name.isprintable():
        raise ConfigurationError(f"{path}:{number}: no line NAME:TOKEN", "write a name, a colon and the token")
    if not (FEWEST_CHARACTERS <= len(token) <= MOST_CHARACTERS and token.isascii() and token.isprintable()):
        raise ConfigurationError(
            f"{path}:{number}: the token of {name!r} has {len(token)} characters, or others than printable ASCII",
            f"write {FEWEST_CHARACTERS} to {MOST_CHARACTERS}, for example the output of: openssl rand -hex 32",
        )
    return Caller(name, _digest(token))


def _refuse_doubles(path: str, known: tuple[Caller, ...]) -> None:
    if not known:
        raise ConfigurationError(f"{path}: no token stands in it", "write at least one line NAME:TOKEN")
    if len({caller.name for caller in known}) < len(known) or len({caller.digest for caller in known}) < len(known):
        raise ConfigurationError(f"{path}: a name or a token stands in it twice", "give each name a token of its own")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
