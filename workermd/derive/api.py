"""Asking a host's API: what is waited for, what is tried again, and what each refusal means."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple, NoReturn
from urllib.parse import urljoin, urlsplit

from workermd.derive.address import Api, shown, token_variable
from workermd.derive.response import ApiResponse
from workermd.protocol.errors import DeriveError

if TYPE_CHECKING:
    from workermd.derive.api_cache import ResponseCache
    from workermd.derive.transport import ApiTransport

JSON = "application/vnd.github+json"
_REDIRECTS = {301, 302, 307, 308}
_UPGRADE = "name a clone's folder instead, which needs no network"


class Patience(NamedTuple):
    """Seconds, counts and bytes. `total` and `volume` bound one repository; `wait` bounds one wait for a limit."""

    total: float = 600.0
    wait: float = 120.0
    waits: int = 3
    retries: int = 2
    first_pause: float = 1.0
    secondary_pause: float = 60.0
    redirects: int = 3
    volume: int = 256 << 20


PATIENCE = Patience()


class Limit(NamedTuple):
    """A refusal because of a limit. `seconds` None: the host did not say for how long."""

    kind: str
    seconds: float | None


class ApiSession:
    """One request after the other to one API, within one span of patience."""

    def __init__(
        self,
        api: Api,
        *,
        offline: bool,
        progress: Callable[[str], None],
        patience: Patience | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Raises DeriveError when the cache cannot be used, or is needed and off."""
        self.api = api
        self._offline = offline
        self._progress = progress
        self._patience = patience or PATIENCE
        self._sleep, self._clock, self._now = sleep, clock, now
        self._deadline = clock() + self._patience.total
        self._volume = 0
        self._wire: ApiTransport | None = None
        with _extra():
            from workermd.derive.api_cache import cache_path, open_answers
        path = cache_path()
        if offline and not path:
            raise DeriveError("--offline answers from the cache, and WORKERMD_CACHE is off", "Unset WORKERMD_CACHE.")
        self._answers: ResponseCache | None = open_answers(path, progress) if path else None

    def ask(self, path: str, *, cap: int, lasting: bool = False, accept: str = JSON) -> ApiResponse:
        """The answer to a GET, whatever its status; limits, redirects and broken connections are dealt with.

        `path` is below the API's base, or an absolute URL on the same host. Raises DeriveError.
        """
        url = path if "://" in path else self.api.base + path
        for _ in range(self._patience.redirects + 1):
            self._same_host(url)
            answer = self._kept(url, accept) if self._offline else self._answered(url, accept, cap=cap, lasting=lasting)
            self._weigh(answer)
            if answer.status not in _REDIRECTS:
                return answer
            location = answer.headers.get("location", "")
            try:
                url = urljoin(url, location)
            except ValueError:
                url = location  # which is then refused as no address
        raise DeriveError(
            f"{self.api.host}: too many redirects", "Check the name of the repository and GITHUB_API_URL."
        )

    def forget(self, path: str, accept: str = JSON) -> None:
        """An answer that turned out not to be GitHub's is asked for again next time."""
        from workermd.derive.api_cache import key_of

        if self._answers is not None:
            self._answers.forget(key_of(self.api.base + path, accept, self.api.token))

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
        if self._answers is not None:
            self._answers.close()

    def absent(self, place: str) -> tuple[str, str]:
        """GitHub does not tell what a caller may not see from what is not there."""
        if self.api.token is None:
            return (
                f"{place} does not exist, or it is private: no token was given",
                f"Check the name; for a private repository set {token_variable(self.api.host)}.",
            )
        return (
            f"{place} does not exist, or the token of {self.api.token.variable} may not see it",
            "Check the name; a fine-grained token needs the repository listed and read access to its contents.",
        )

    def refuse(self, answer: ApiResponse, place: str, known: Mapping[int, tuple[str, str]]) -> NoReturn:
        """Raises DeriveError with what a status means here."""
        token = self.api.token
        said = _message(answer)
        meaning = known.get(answer.status)
        if meaning is None and answer.status == 401:
            meaning = (
                f"{self.api.host} refused the token of {token.variable}"
                if token
                else f"{self.api.host} asks for a token",
                f"Make a new one and set {token_variable(self.api.host)}, or unset it for public repositories.",
            )
        elif meaning is None and answer.status == 403 and "x-github-sso" in answer.headers:
            meaning = (
                f"{place}: the organisation asks for single sign-on, and the token is not authorised for it",
                "Authorise the token for the organisation in GitHub's settings.",
            )
        elif meaning is None and answer.status == 403:
            meaning = (
                f"{place}: permission denied, which is not a limit{said}",
                "The token needs read access to contents and metadata."
                if token
                else f"Set {token_variable(self.api.host)}.",
            )
        elif meaning is None and answer.status == 451:
            meaning = (f"{place} is not available for legal reasons", "Nothing can be derived from it.")
        elif meaning is None and answer.status == 404:
            meaning = (f"{place}: this part of it is not there, or may not be seen", "Check the token's permissions.")
        elif meaning is None:
            meaning = (f"{place}: {self.api.host} answered {answer.status}{said}", "Try again later.")
        raise DeriveError(*meaning)

    def _weigh(self, answer: ApiResponse) -> None:
        self._volume += len(answer.body)
        if self._volume > self._patience.volume:
            raise DeriveError(
                f"{self.api.host}: more than {self._patience.volume >> 20} MiB were read for one repository",
                "Name a clone's folder.",
            )

    def _same_host(self, url: str) -> None:
        """What another host says is not what GitHub says, and no token goes there."""
        try:
            asked, base = urlsplit(url), urlsplit(self.api.base)
        except ValueError:
            raise DeriveError(
                f"{self.api.host} redirects to {shown(url)}, which is no address", "Check GITHUB_API_URL and the proxy."
            ) from None
        if (asked.scheme, asked.netloc.lower()) != (base.scheme, base.netloc.lower()):
            raise DeriveError(
                f"{self.api.host} redirects to another host, {shown(asked.netloc)}, which is not followed",
                "Name the repository where it is now, or check GITHUB_API_URL and the proxy.",
            )

    def _kept(self, url: str, accept: str) -> ApiResponse:
        from workermd.derive.api_cache import key_of

        assert self._answers is not None
        answer = self._answers.kept(key_of(url, accept, self.api.token))
        if answer is None:
            raise DeriveError(
                f"offline: {shown(url)} is not in the cache",
                "Derive once without --offline with the same token (the cache keeps what each token saw apart), or name a clone.",
            )
        return answer

    def _answered(self, url: str, accept: str, *, cap: int, lasting: bool) -> ApiResponse:
        waits = failures = 0
        while True:
            answer, reason = self._try(url, accept, cap=cap, lasting=lasting)
            if answer is None or answer.status >= 500:
                failures += 1
                if failures > self._patience.retries:
                    self._give_up(reason or f"it answered {answer.status if answer else ''}")
                self._pause(self._patience.first_pause * 2 ** (failures - 1), "trying again")
                continue
            limit = limit_of(answer, self._now())
            if limit is None:
                return answer
            seconds = limit.seconds if limit.seconds is not None else self._patience.secondary_pause * 2**waits
            waits += 1
            if waits > self._patience.waits or seconds > self._patience.wait:
                self._limited(limit, seconds, answer)
            self._pause(seconds, f"{limit.kind}: waiting until {self._at(seconds)}", limit)

    def _try(self, url: str, accept: str, *, cap: int, lasting: bool) -> tuple[ApiResponse | None, str]:
        if self._clock() > self._deadline:
            raise DeriveError(
                f"{self.api.host}: the {self._patience.total:.0f} s for one repository are over",
                f"Try later, or {_UPGRADE}.",
            )
        if self._wire is None:
            self._wire = self._connect()
        from workermd.derive.transport import ResponseTooLarge, Unreachable

        try:
            return self._wire.get(url, accept, lasting=lasting, cap=cap, deadline=self._deadline), ""
        except Unreachable as trouble:
            if trouble.lasting:
                self._give_up(str(trouble))
            return None, str(trouble)
        except ResponseTooLarge:
            raise DeriveError(
                f"{self.api.host}: the answer to {shown(url)} has more than {cap:,} bytes",
                f"If it is needed, {_UPGRADE}.",
            ) from None

    def _connect(self) -> "ApiTransport":
        with _extra():
            from workermd.derive.transport import ApiTransport
        wire = ApiTransport(self.api, self._answers, self._clock)
        if self.api.token is not None and not wire.door.token_is_sent:
            self._progress(f"the token of {self.api.token.variable} is not sent: {shown(self.api.base)} is not https")
        return wire

    def _pause(self, seconds: float, why: str, limit: Limit | None = None) -> None:
        if self._clock() + seconds > self._deadline:
            if limit is not None:
                self._limited(limit, seconds, None)
            self._give_up(f"the {self._patience.total:.0f} s for one repository are over")
        self._progress(f"{self.api.host}: {why} ({seconds:.0f} s)")
        self._sleep(seconds)

    def _give_up(self, reason: str) -> NoReturn:
        raise DeriveError(
            f"{self.api.host} cannot be reached: {reason}",
            f"Check the network and the proxy settings, use --offline with what is cached, or {_UPGRADE}.",
        )

    def _limited(self, limit: Limit, seconds: float, answer: ApiResponse | None) -> NoReturn:
        size = answer.headers.get("x-ratelimit-limit", "") if answer else ""
        allowed = f" ({size} requests an hour)" if size.isdigit() else ""
        more = "" if self.api.token else f"set {token_variable(self.api.host)} for a higher limit, "
        raise DeriveError(
            f"{self.api.host}: {limit.kind}{allowed}; it is free again at {self._at(seconds)}",
            f"Wait until then, {more}use --offline with what is cached, or {_UPGRADE}.",
        )

    def _at(self, seconds: float) -> str:
        try:
            return time.strftime("%H:%M:%S UTC", time.gmtime(self._now() + seconds))
        except (OverflowError, ValueError, OSError):
            return "a time far away"


@contextlib.contextmanager
def _extra() -> Iterator[None]:
    """What reads from GitHub is an extra: a local clone does without it."""
    try:
        yield
    except ModuleNotFoundError as missing:
        raise DeriveError(
            f"reading from GitHub needs the module {missing.name}, which is not installed",
            "Run: pip install 'workermd[derive]'",
        ) from None


def limit_of(answer: ApiResponse, now: float) -> Limit | None:
    """A limit by what the host says of it: `retry-after`, then `x-ratelimit-reset`, then its words. None: no limit.

    `now` is Unix time; the host's own `date` counts instead where it gives one, because the two clocks may differ.
    """
    if answer.status not in (403, 429):
        return None
    headers = answer.headers
    said = _moment(headers.get("date", ""))
    now = now if said is None else said
    used_up = headers.get("x-ratelimit-remaining") == "0"
    kind = "the limit of requests is used up" if used_up else "GitHub asks for fewer requests"
    after = headers.get("retry-after", "").strip()
    if after:
        moment = _moment(after)
        seconds = float(after) if after.isdecimal() and len(after) < 10 else (None if moment is None else moment - now)
        return Limit(kind, None if seconds is None else max(seconds, 0.0))
    reset = headers.get("x-ratelimit-reset", "").strip()
    if used_up and reset.isdecimal() and len(reset) < 13:
        return Limit(kind, max(float(reset) - now, 0.0) + 1.0)
    words = _message(answer).lower()
    if used_up or answer.status == 429 or "rate limit" in words or "abuse" in words:
        return Limit(kind, None)
    return None


def _moment(text: str) -> float | None:
    from email.utils import parsedate_to_datetime  # a tenth of what a derive from the cache loads

    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _message(answer: ApiResponse) -> str:
    """The host's own words for an error, ready to follow a sentence; empty where there are none."""
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        return ""
    said = document.get("message") if isinstance(document, dict) else None
    return f': it says "{shown(said)}"' if isinstance(said, str) and said else ""
