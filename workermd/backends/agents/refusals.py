"""What an endpoint's answer means that is no completion: by the provider's code, else by the status."""

import email.utils
import math
import re
import time
from typing import Any, NamedTuple

from workermd.backends.agents.endpoint import EndpointResponse
from workermd.protocol.envelope import Document
from workermd.task.binding import Model
from workermd.task.task import Result, failed

MAX_REASON = 200
"""Characters of an endpoint's own reason that an error shows."""


class Meaning(NamedTuple):
    """Kind of failure, error code, and how it is told."""

    kind: str
    code: str
    told: str


_INVALID = Meaning("refused", "backend_failed", "refused the request as invalid")
_STATUSES: dict[int, Meaning] = {
    400: _INVALID,
    401: Meaning("refused", "backend_failed", "did not accept the key"),
    402: Meaning("refused", "backend_failed", "wants to be paid first"),
    403: Meaning("refused", "backend_failed", "did not accept the key"),
    404: Meaning("refused", "backend_failed", "knows no such model or path; look at model and base_url"),
    408: Meaning("retryable", "backend_unavailable", "gave up on the request"),
    409: Meaning("retryable", "backend_unavailable", "is in conflict with another request"),
    413: Meaning("refused", "backend_failed", "refused the request as too large; give it less input"),
    422: _INVALID,
    425: Meaning("retryable", "backend_unavailable", "is not ready"),
    429: Meaning("retryable", "rate_limited", "asked to slow down"),
}
"""What a status means. What stands nowhere: as 400."""

_HUNDREDS = {
    3: Meaning(
        "refused", "backend_failed", "answered with a redirect, which no key follows; set base_url to its new address"
    ),
    5: Meaning("retryable", "backend_unavailable", "failed on its side"),
}

_TOO_LONG = Meaning("refused", "backend_failed", "refused the request: it is longer than the model's context")
_FILTERED = Meaning("refused", "model_refused", "withheld the answer by its content filter")
_CODES: dict[str, Meaning] = {
    "insufficient_quota": Meaning(
        "refused", "backend_failed", "has no quota left for this key; raise it, or name another key"
    ),
    "context_length_exceeded": _TOO_LONG,
    "exceed_context_size_error": _TOO_LONG,
    "content_filter": _FILTERED,
    "content_policy_violation": _FILTERED,
    "rate_limit_exceeded": _STATUSES[429],
    "rate_limit_error": _STATUSES[429],
    "overloaded_error": _HUNDREDS[5],
    "server_error": _HUNDREDS[5],
}
"""Codes and types in a provider's error that say more than its status."""

_SAYS_TOO_LONG = re.compile(
    r"context (?:length|window|size)|maximum context|max_model_len|prompt is too long|too many (?:input )?tokens"
    r"|exceeds? the (?:available )?context",
    re.IGNORECASE,
)


def error_of(document: Document | None) -> Document:
    """The error that an answer tells, wherever providers put it; empty where it tells none."""
    for holder in (document or {}, *_choices(document)):
        error = holder.get("error")
        if isinstance(error, dict):
            return error
        if isinstance(error, str) and error:
            return {"message": error}
    told = (document or {}).get("detail") or (document or {}).get("message")
    return {"message": told} if isinstance(told, str) else {}


def failure(response: EndpointResponse, model: Model, origin: str, fault: str = "") -> Result:
    """The failure that an answer stands for. `fault` says what is wrong with one that has no error to tell."""
    document = response.document
    error = error_of(document)
    status = response.status
    if status == 200:
        if not error:
            return failed("retryable", "backend_unavailable", f"{origin} answered {fault or _strange(response)}")
        status = error["code"] if isinstance(error.get("code"), int) and 400 <= error["code"] <= 599 else 500
    meaning = _meaning(status, error)
    message = f"{origin} {meaning.told} (HTTP {status}{' told in a 200' if response.status == 200 else ''})"
    if status in (401, 403):
        name = model.api_key_env
        message += f"; the key is that of the variable {name}" if name else "; name its variable: --api-key-env NAME"
    if meaning is _INVALID:
        message += "; workermd doctor --probe finds what it takes"
    if reason := reason_of(error):
        message += f"; it says: {reason}"
    after = _after(response.headers) if meaning.kind == "retryable" else None
    return failed(meaning.kind, meaning.code, message, **({} if after is None else {"after": after}))


def reason_of(error: Document) -> str:
    """The endpoint's own words, one printable line, capped."""
    said = error.get("message")
    if not isinstance(said, str):
        return ""
    line = " ".join("".join(each if each.isprintable() else " " for each in said[: 4 * MAX_REASON]).split())
    return line if len(line) <= MAX_REASON else line[: MAX_REASON - 1] + "…"


def _meaning(status: int, error: Document) -> Meaning:
    for word in (error.get("code"), error.get("type")):
        if isinstance(word, str) and word in _CODES:
            return _CODES[word]
    meaning = _HUNDREDS.get(status // 100) or _STATUSES.get(status, _INVALID)
    if meaning.kind == "refused" and _SAYS_TOO_LONG.search(str(error.get("message") or "")[:4096]):
        return _TOO_LONG
    return meaning


def _strange(response: EndpointResponse) -> str:
    kind = response.headers.get("content-type", "").partition(";")[0].strip()
    named = f" ({kind[:60]})" if kind.isascii() and kind.isprintable() and kind else ""
    return f"with something that is no completion{named}"


def _choices(document: Document | None) -> list[Any]:
    choices = (document or {}).get("choices")
    return [each for each in choices if isinstance(each, dict)] if isinstance(choices, list) else []


def _after(headers: dict[str, str]) -> float | None:
    """Seconds that a provider asks to wait: `retry-after-ms`, or `Retry-After` as seconds or as a date (RFC 9110)."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * scale
        except (KeyError, ValueError):
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    try:
        at = email.utils.parsedate_to_datetime(headers["retry-after"]).timestamp()
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
    return max(0.0, at - time.time())
