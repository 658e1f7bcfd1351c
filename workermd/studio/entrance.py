"""How a browser comes in: a link that works once, then a cookie that no page of another origin can use.

The link is shown where the studio was started, so that a task on the same machine, which can reach the port, cannot come
in and approve itself. Sessions are kept in memory: a restart ends them, and shows a new link.
"""

import hmac
import secrets
import time
from typing import NamedTuple

from starlette.requests import HTTPConnection
from starlette.responses import Response

_LINK_SECONDS = 600
_IDLE_SECONDS = 12 * 3600
_MOST_SESSIONS = 100


class BrowserSession(NamedTuple):
    """`name` is who decides, `csrf` what every form of this session carries."""

    name: str
    csrf: str
    until: float


class Entrance:
    """Links and sessions of one server."""

    def __init__(self) -> None:
        self.cookie = f"workermd_studio_{secrets.token_hex(4)}"
        """Its own for each start: two studios on one machine would take each other's away, for cookies know no port."""
        self._codes: dict[str, tuple[str, float]] = {}
        self._sessions: dict[str, BrowserSession] = {}

    def link(self, name: str) -> str:
        """A path with a code that lets a browser in once, within ten minutes, as `name`."""
        code = secrets.token_urlsafe(32)
        self._codes[code] = (name, time.monotonic() + _LINK_SECONDS)
        return f"/studio/enter?code={code}"

    def enter(self, code: str) -> str:
        """The value of a new session's cookie; empty where the code is nobody's, used, or too old."""
        name, until = self._codes.pop(code, ("", 0.0))
        if not name or time.monotonic() > until:
            return ""
        self._forget()
        key = secrets.token_urlsafe(32)
        self._sessions[key] = BrowserSession(name, secrets.token_urlsafe(32), time.monotonic() + _IDLE_SECONDS)
        return key

    def _forget(self) -> None:
        """Sessions that ended, and the oldest of too many."""
        now = time.monotonic()
        live = {key: each for key, each in self._sessions.items() if each.until > now}
        self._sessions = dict(list(live.items())[-(_MOST_SESSIONS - 1) :])

    def session(self, connection: HTTPConnection) -> BrowserSession | None:
        """Whose request it is, by its cookie."""
        key = connection.cookies.get(self.cookie, "")
        found = self._sessions.get(key)
        if found is None or found.until < time.monotonic():
            return None
        self._sessions[key] = found._replace(until=time.monotonic() + _IDLE_SECONDS)
        return found

    def recognised(self, connection: HTTPConnection) -> str:
        """The name of whose browser it is, empty where it is nobody's."""
        session = self.session(connection)
        return session.name if session is not None else ""

    def give(self, response: Response, key: str, *, secure: bool) -> None:
        response.set_cookie(self.cookie, key, path="/studio", httponly=True, samesite="strict", secure=secure)


def is_of(session: BrowserSession | None, token: str) -> bool:
    """Whether a form bears its session's token."""
    return session is not None and hmac.compare_digest(session.csrf.encode(), token.encode("utf-8", "replace"))
