"""What a request says: its run, its key, its preferences, the fields of a small body."""

import re
from urllib.parse import unquote

from starlette.requests import Request

from workermd.contract.json import quick
from workermd.contract.json.strict import JsonError, canonical
from workermd.protocol.envelope import Document
from workermd.runner.run_key import KeySource
from workermd.serve.catalogue import Offer
from workermd.serve.problem import HttpProblem

JSON = "application/json"
_WAIT = re.compile(r"wait\s*=\s*\"?(\d{1,5})\"?")


def by(request: Request) -> str:
    caller: str = request.state.caller
    return caller


def key(request: Request) -> KeySource:
    """The Idempotency-Key: bare, or in quotes as a structured field has it."""
    given = request.headers.get("idempotency-key", "").strip()
    if len(given) > 1 and given[0] == given[-1] == '"':
        given = given[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return KeySource(given=given, option="Idempotency-Key") if given else KeySource()


def need_key(offer: Offer, data: bytes, key: KeySource) -> None:
    """An object that lacks its key is told so, before anything about its schema. Raises HttpProblem."""
    contract = offer.worker.contract
    name = contract.constraints.idempotency_key
    if key.given:
        return
    try:
        value = quick.load_exact(data).value if contract.key_in_input else {}
    except JsonError:
        return
    if isinstance(value, dict) and name not in value:
        where = f"put {name!r} into the input, or send" if contract.key_in_input else "send"
        raise HttpProblem(400, "run_key_missing", "Nothing names the run.", f"{where} the header Idempotency-Key")


def run_and_deed(request: Request) -> tuple[str, str]:
    """From /workers/W/runs/R or /workers/W/runs/R/DEED, as it was sent. Raises HttpProblem."""
    raw: bytes = request.scope["raw_path"]
    parts = raw.partition(b"?")[0].decode("ascii", "replace").split("/")[4:]
    if not 1 <= len(parts) <= 2:
        raise HttpProblem(404, "not_found", "Nothing is served at this path.", "a slash in a run's id is sent as %2F")
    try:
        return unquote(parts[0], errors="strict"), "".join(parts[1:])
    except UnicodeDecodeError:
        raise no_such_run() from None


def no_such_run() -> HttpProblem:
    return HttpProblem(404, "no_such_run", "There is no such run.")


def media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


LINES = ("application/jsonl", "application/x-ndjson")


async def inputs_of(request: Request) -> list[bytes]:
    """The inputs of a batch: JSON Lines, or an object {"inputs": [...]}. Raises HttpProblem."""
    data = await request.body()
    if media_type(request) in LINES:
        return [line for line in data.split(b"\n") if line.strip()]
    need_json(request)
    try:
        loaded = quick.load_exact(data)
    except JsonError as error:
        raise HttpProblem(400, "usage", f"The body is not strict JSON: {error.message}.") from None
    if not isinstance(loaded.value, dict) or not isinstance(loaded.value.get("inputs"), list) or len(loaded.value) != 1:
        raise HttpProblem(400, "usage", "The body is no object with a list of inputs.", 'send {"inputs": [...]}')
    return [canonical(each) for each in loaded.exact["inputs"]]


async def fields_of(request: Request, **kinds: type) -> Document:
    """A small object with some of these fields, each of its kind. An empty body has none. Raises HttpProblem."""
    data = await request.body()
    if not data:
        return {}
    need_json(request)
    try:
        document = quick.load_exact(data).value
    except JsonError as error:
        raise HttpProblem(400, "usage", f"The body is not strict JSON: {error.message}.") from None
    if not isinstance(document, dict):
        raise HttpProblem(400, "usage", "The body is no object.")
    whole = {name for name, value in document.items() if isinstance(value, float) and value.is_integer()}
    document |= {name: int(document[name]) for name in whole if kinds.get(name) is int}  # 1.0 is 1 in JSON Schema
    for name, value in document.items():
        if name not in kinds or type(value) is not kinds[name]:
            known = ", ".join(f"{each} ({kind.__name__})" for each, kind in kinds.items())
            raise HttpProblem(
                400, "usage", f"The field {name[:40]!r} is not known, or of another kind.", f"known: {known}"
            )
    return document


def need_json(request: Request) -> None:
    if media_type(request) != JSON:
        raise HttpProblem(
            415, "not_json", "The body has to be application/json.", "send Content-Type: application/json"
        )


def preference_of(request: Request) -> tuple[float | None, str]:
    """Seconds to wait, None for as long as it takes; and what to say of it (RFC 7240)."""
    words = [word.strip().lower() for header in request.headers.getlist("prefer") for word in header.split(",")]
    waits = [found for word in words if (found := _WAIT.fullmatch(word))]
    if waits:
        return float(waits[0][1]), f"wait={waits[0][1]}"
    return (0.0, "respond-async") if "respond-async" in words else (None, "")
