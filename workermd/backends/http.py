"""The kind `http` (S8.9): an operation of a service, called as the contract's `x-call` says.

The operator names the address, the variable of the key and the methods that may be used. Nothing else is reached: values
are encoded, and a redirect is not followed.
"""

import http.client
import json
import os
import re
import ssl
import time
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from workermd.protocol.call import WrongCall, parse, values_of
from workermd.protocol.envelope import Document
from workermd.system.environment import PROXY
from workermd.task.binding import Binding
from workermd.task.task import Limits, Result, Task, failed, timed_out

SAFE = ("GET",)
"""Methods that may be used where the operator names none."""

OTHER = ("refused", "backend_failed")
REJECTED = ("invalid_request", "input_rejected")
UNAVAILABLE = ("retryable", "backend_unavailable")
ASKS_TWICE = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE")
MOST_SAID = 300


class Unsendable(ValueError):
    """An input that cannot be written as a request; the message names the property."""


def perform(task: Task, binding: Binding, limits: Limits) -> Result:  # noqa: PLR0911 (each end of a request)
    """Make the one request. Never raises for what came back."""
    try:
        call = parse(task.call)
        if call["kind"] != "http":
            return failed(*OTHER, f"x-call says how to call a {call['kind']}; bind this worker to that kind")
        methods = _methods(task, binding)
        if call["method"] not in methods:
            hint = f'allow it with methods = ["{call["method"]}"]'
            return failed(*OTHER, f"{call['method']} is not among the methods allowed, {', '.join(methods)}; {hint}")
        target, headers, body = _written(call, values_of(call, task.input, "run_id"))
    except WrongCall as error:
        return failed(*OTHER, f"the contract says no way to call a service: {error}; derive it again, or write x-call")
    except Unsendable as error:
        return failed(*REJECTED, str(error))
    headers = _together(headers, _own_headers(task, binding))
    try:
        status, kind, said, after = _asked(binding, (call["method"], target), headers, body, limits)
    except TimeoutError:
        return (
            timed_out() if time.monotonic() >= limits.deadline else _down(call["method"], "it did not answer in time")
        )
    except (OSError, http.client.HTTPException) as error:
        return _down(call["method"], type(error).__name__ if not str(error) else str(error))
    if len(said) > limits.max_output_bytes:
        message = f"the service answered with more than the {limits.max_output_bytes} bytes allowed"
        return failed("invalid_output", "output_too_large", message)
    if 200 <= status < 300:
        return _answer(task, kind, said)
    return _refusal(call["method"], status, said, after, headers)


def unusable(binding: Binding) -> str:
    """Why there is no address to call."""
    address = binding.arrangement.get("address", "")
    parts = urlsplit(address) if isinstance(address, str) else urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        return 'it names no address of a service; add address = "https://…", or --base-url URL'
    return ""


def _methods(task: Task, binding: Binding) -> tuple[str, ...]:
    listed = binding.arrangement.get("methods", task.settings.get("methods", SAFE))
    return tuple(str(method).upper() for method in listed) if isinstance(listed, list | tuple) else SAFE


def _written(call: Document, values: Document) -> tuple[str, dict[str, str], bytes | None]:
    """Path with query, headers and body of a request. Raises Unsendable."""
    path = call["path"]
    query: list[tuple[str, str]] = []
    headers: dict[str, str] = {}
    cookies: list[str] = []
    body: bytes | None = None
    known = {part["from"] for part in call["line"]}
    unknown = sorted(set(values) - known)
    if unknown:
        raise Unsendable(
            f"{unknown[0]!r} is not among the arguments of x-call, which are {', '.join(sorted(known)) or 'none'}"
        )
    for part in (part for part in call["line"] if values.get(part["from"]) is not None):
        source = part["from"]
        value, name = values[source], part.get("name", source)
        match part["in"]:
            case "path":
                path = path.replace(f"{{{name}}}", _segment(source, value))
            case "query":
                query += [(name, _text(source, each)) for each in (value if isinstance(value, list) else [value])]
            case "header":
                headers[name] = _header(source, _text(source, value))
            case "cookie":
                cookies.append(f"{name}={quote(_text(source, value), safe='')}")
            case "body":
                kind = name if "/" in name else "application/json"
                headers["Content-Type"], body = kind, _body(kind, value)
    missing = re.search(r"\{([^{}]*)\}", path)
    if missing:
        raise Unsendable(f"the path needs {missing[1]!r}, which the input does not give")
    if cookies:
        headers["Cookie"] = _header("cookie", "; ".join(cookies))
    return path + (f"?{urlencode(query)}" if query else ""), headers, body


def _segment(source: str, value: Any) -> str:
    """One segment of a path: no value leads out of it."""
    text = ",".join(_text(source, each) for each in value) if isinstance(value, list) else _text(source, value)
    if text in ("", ".", ".."):
        raise Unsendable(f"{source!r} is {text!r}, which would name another path")
    return quote(text, safe="")


def _text(source: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise Unsendable(f"{source!r} is an object: x-call says no way to write it")


def _header(source: str, text: str) -> str:
    if not text.isascii() or not text.isprintable():
        raise Unsendable(f"{source!r} holds a character that no header can")
    return text


def _body(kind: str, value: Any) -> bytes:
    if kind == "application/x-www-form-urlencoded" and isinstance(value, dict):
        return urlencode({name: _text(name, each) for name, each in value.items()}).encode()
    if "json" in kind or kind == "*/*":
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    if isinstance(value, str):
        return value.encode()
    raise Unsendable(f"the body is sent as {kind}, which is not written here")


def _own_headers(task: Task, binding: Binding) -> dict[str, str]:
    """The operator's key and the run's: a service that knows it does the work once."""
    own = {
        str(binding.arrangement.get("idempotency_header", "Idempotency-Key")): task.run_id,
        "Accept": "application/json, */*",
    }
    own["traceparent"] = str(task.trace.get("traceparent", ""))
    variable = binding.arrangement.get("key_env", "")
    key = os.environ.get(variable, "") if isinstance(variable, str) else ""
    if key:
        header = str(binding.arrangement.get("key_header", "Authorization"))
        own[header] = f"Bearer {key}" if header == "Authorization" else key
    return {name: value for name, value in own.items() if value and value.isascii() and value.isprintable()}


def _together(given: dict[str, str], own: dict[str, str]) -> dict[str, str]:
    """Each header once, however it is spelled. The key and the run's identity are not the input's to choose; what it accepts is."""
    if any(name.lower() == "accept" for name in given):
        own = {name: value for name, value in own.items() if name != "Accept"}
    taken = {name.lower() for name in own}
    return {name: value for name, value in given.items() if name.lower() not in taken} | own


def _asked(
    binding: Binding, request: tuple[str, str], headers: dict[str, str], body: bytes | None, limits: Limits
) -> tuple[int, str, bytes, float | None]:
    """Status, media type, body (a byte more than allowed at most) and the wait that is asked for. Raises OSError."""
    parts = urlsplit(binding.arrangement["address"])
    left = max(limits.deadline - time.monotonic(), 0.001)
    host = parts.hostname or ""
    proxy = urlsplit(os.environ.get(PROXY, ""))
    at, port = (proxy.hostname, proxy.port) if proxy.hostname else (host, parts.port)
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(at, port, timeout=left, context=context)
    else:
        connection = http.client.HTTPConnection(at, port, timeout=left)
    if proxy.hostname:
        connection.set_tunnel(host, parts.port or connection.default_port)
    try:
        connection.request(request[0], parts.path.rstrip("/") + request[1], body, headers)
        response = connection.getresponse()
        said = bytearray()
        while len(said) <= limits.max_output_bytes and (chunk := response.read1(65536)):
            said += chunk
            if time.monotonic() >= limits.deadline:
                raise TimeoutError
        if response.length and len(said) <= limits.max_output_bytes:
            raise http.client.IncompleteRead(bytes(said[:0]), response.length)
        wait = response.getheader("Retry-After", "")
        after = float(wait) if re.fullmatch(r"[0-9]{1,6}", wait) else None
        return response.status, response.getheader("Content-Type", ""), bytes(said), after
    finally:
        connection.close()


def _answer(task: Task, kind: str, said: bytes) -> Result:
    value: Any = said.decode("utf-8", "replace")
    if "json" in kind or not kind:
        try:
            value = json.loads(said)
        except (ValueError, RecursionError):
            if "json" in kind:
                return failed("invalid_output", "output_not_json", "the service said JSON and sent something else")
    answer: Document = value if isinstance(value, dict) else {"value": value}
    if "status" in task.output_schema.get("properties", {}):
        answer = {"run_id": task.run_id, "status": "ok", "result": answer}
    return Result(output=json.dumps(answer, ensure_ascii=False))


def _down(method: str, why: str) -> Result:
    """A service that does not answer; what may have been done by then is not asked for again."""
    message = f"the service is not available: {why}"
    return (
        failed(*UNAVAILABLE, message)
        if method in ASKS_TWICE
        else failed(*OTHER, f"{message}; {method} is not repeated")
    )


def _refusal(method: str, status: int, said: bytes, after: float | None, headers: dict[str, str]) -> Result:
    told = " ".join(said[:2000].decode("utf-8", "replace").split())[:MOST_SAID]
    message = f"the service answered {status}{f': {told}' if told else ''}"
    details: Document = {} if after is None else {"after": after}
    if status == 429:
        return failed("retryable", "rate_limited", message, **details)
    if status in (401, 403):
        return failed(*OTHER, f"{message}; look at the key's variable and what the key may do")
    if 300 <= status < 400:
        return failed(*OTHER, f"{message}; a redirect is not followed: name the address it leads to")
    if status >= 500:
        again = method in ASKS_TWICE or any(name.lower() == "idempotency-key" for name in headers)
        return (
            failed(*UNAVAILABLE, message, **details)
            if again
            else failed(*OTHER, f"{message}; {method} is not repeated")
        )
    return failed(*REJECTED, message)
