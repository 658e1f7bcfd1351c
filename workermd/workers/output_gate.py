"""An upstream output document judged against a policy: allow, block, or ask a person.

The input is an output document of the registry shape as it is, so that `workermd run a | workermd run
output-gate -` needs nothing between. The status stops or goes on with the pipe: `allow` is `ok`, `block` is
`invalid_output`, `needs_human` is `needs_human`. Once a person has decided, what needed one is settled: approved,
it is no reason any more; denied, it blocks. What blocks by itself, nobody lets through.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from workermd.contract.schema import Checker
from workermd.protocol.envelope import Document, Status
from workermd.task.task import Refused, Task
from workermd.workers.answer import failed, settings_of
from workermd.workers.given_schema import UnusableSchema, checker_for
from workermd.workers.links import hosts_in
from workermd.workers.pointer import escaped, value_at

DEFAULTS: Document = {"policy": {}, "min_completeness": 1.0}
MAX_REASONS = 100

APPROVED = "approve"
"""The answer of a person that lets a document pass; every other one blocks it."""

ALLOW, NEEDS_HUMAN, BLOCK = "allow", "needs_human", "block"
_STATUS = {ALLOW: Status.OK, NEEDS_HUMAN: Status.NEEDS_HUMAN, BLOCK: Status.INVALID_OUTPUT}
_WEIGHT = {ALLOW: 0, NEEDS_HUMAN: 1, BLOCK: 2}


class BadPolicy(Exception):
    """A policy cannot be used. The message names the part."""


class GateReason(NamedTuple):
    """Why a document is not simply let through. `pointer` is a JSON Pointer into the document."""

    decision: str
    code: str
    pointer: str
    message: str


def run(task: Task) -> Document:
    """The default policy, the operator's (setting `policy`) and the input's all apply: a policy can only add
    reasons. An unusable policy is `invalid_request`, code `bad_policy`, or `Refused` when it is the operator's."""
    settings = settings_of(task, DEFAULTS)
    document = {key: value for key, value in task.input.items() if key != "policy"}
    reasons = list(_by_default(document, settings["min_completeness"]))
    try:
        reasons += _by_policy(document, settings["policy"])
    except BadPolicy as problem:
        raise Refused(f"setting 'policy' of worker {task.worker_id!r}: {problem}") from None
    try:
        reasons += _by_policy(document, task.input.get("policy", {}))
    except BadPolicy as problem:
        return failed(Status.INVALID_REQUEST, "bad_policy", f"policy: {problem}")
    if task.decisions:
        reasons = list(_decided(reasons, approved=task.decisions[-1]["answer"] == APPROVED))
    return _answer(document, reasons)


def _decided(reasons: list[GateReason], *, approved: bool) -> Iterator[GateReason]:
    """The reasons that are left when a person has seen those that ask for one."""
    for reason in reasons:
        if reason.decision == BLOCK:
            yield reason
        elif not approved:
            yield reason._replace(decision=BLOCK, message=f"{reason.message}; a person decided against it")


def _answer(document: Document, reasons: list[GateReason]) -> Document:
    found = sorted(dict.fromkeys(reasons), key=lambda reason: -_WEIGHT[reason.decision])
    decision = found[0].decision if found else ALLOW
    result: Document = {
        "decision": decision,
        "reasons": [reason._asdict() for reason in found[:MAX_REASONS]],
        "reason_count": len(found),
    }
    if decision == ALLOW:
        result["document"] = document["result"]
    return {"status": _STATUS[decision].value, "result": result}


def _by_default(document: Document, min_completeness: float) -> Iterator[GateReason]:
    """What the outputs of the other shipped contracts say about themselves: `status`, `valid`, `conflicts`,
    `completeness`. A field that is not there says nothing."""
    result = document["result"]
    if document["status"] == Status.NEEDS_HUMAN:
        yield GateReason(NEEDS_HUMAN, "upstream_needs_human", "/status", "the upstream run asks for a person")
    elif document["status"] != Status.OK:
        yield GateReason(BLOCK, "upstream_not_ok", "/status", "the upstream run did not end ok")
    if result.get("valid") is False:
        yield GateReason(BLOCK, "upstream_invalid", "/result/valid", "the upstream run found its records invalid")
    conflicts = result.get("conflicts")
    if isinstance(conflicts, list) and conflicts:
        message = f"{len(conflicts)} conflict(s) between sources were settled by rank or left open"
        yield GateReason(NEEDS_HUMAN, "conflicts", "/result/conflicts", message)
    completeness = result.get("completeness")
    if _is_number(completeness) and completeness < min_completeness:
        message = f"below the least completeness of {min_completeness:g}"
        yield GateReason(NEEDS_HUMAN, "incomplete", "/result/completeness", message)


def _by_policy(document: Document, policy: Any) -> list[GateReason]:
    """Raises `BadPolicy` for an unknown part, a part of the wrong type, and a schema or pattern that no engine takes."""
    reasons: list[GateReason] = []
    for name, part in policy.items():
        if name not in _PARTS:
            raise BadPolicy(f"part {name!r} is unknown; known are: {', '.join(sorted(_PARTS))}")
        try:
            reasons += _PARTS[name](document["result"], part)
        except (TypeError, KeyError, AttributeError, ValueError):
            raise BadPolicy(f"part {name!r} does not have the form that the contract's input schema gives it") from None
    return reasons


# --- the parts of a policy -----------------------------------------------------------------------


def _schema(result: Document, schema: Any) -> Iterator[GateReason]:
    for mismatch in _checker(schema, "schema").check(result):
        yield GateReason(BLOCK, "schema", "/result" + mismatch.pointer, mismatch.message)


def _required(result: Document, pointers: list[str]) -> Iterator[GateReason]:
    for pointer in pointers:
        if value_at(result, pointer) is None:
            yield GateReason(BLOCK, "missing", "/result" + pointer, "required by the policy, but absent or null")


def _forbidden(result: Document, entries: list[Document]) -> Iterator[GateReason]:
    matchers = [(entry["name"], _matcher(entry)) for entry in entries]
    for pointer, text in strings(result, "/result"):
        for name, matches in matchers:
            if matches(text):
                yield GateReason(BLOCK, "forbidden", pointer, f"holds what the policy forbids as {name!r}")


def _matcher(entry: Document) -> Callable[[str], bool]:
    if "pattern" in entry:
        accepts = _checker({"type": "string", "pattern": entry["pattern"]}, f"forbidden {entry['name']!r}").accepts
        return lambda text: bool(accepts(text))
    wanted = entry["text"].casefold()
    return lambda text: wanted in text.casefold()


def _max_bytes(result: Document, limit: int) -> Iterator[GateReason]:
    if len(json.dumps(result, ensure_ascii=False, separators=(",", ":")).encode()) > limit:
        yield GateReason(BLOCK, "too_large", "/result", f"larger than {limit:d} bytes of compact JSON")


def _max_text(result: Document, limit: int) -> Iterator[GateReason]:
    for pointer, text in strings(result, "/result"):
        if len(text) > limit:
            yield GateReason(BLOCK, "text_too_long", pointer, f"longer than {limit:d} characters")


def _allowed_domains(result: Document, domains: list[str]) -> Iterator[GateReason]:
    allowed = [domain.lower().rstrip(".") for domain in domains]
    for pointer, text in strings(result, "/result"):
        for host in hosts_in(text):
            if host is None:
                yield GateReason(BLOCK, "link_unclear", pointer, "holds a link whose host cannot be told for certain")
            elif not any(host == domain or host.endswith("." + domain) for domain in allowed):
                yield GateReason(
                    BLOCK, "link_domain", pointer, "holds a link to a domain that the policy does not list"
                )


def _confidence(result: Document, bound: Document) -> Iterator[GateReason]:
    pointer, least = bound["pointer"], float(bound["min"])
    value = value_at(result, pointer)
    if not _is_number(value):
        yield GateReason(
            NEEDS_HUMAN, "confidence", "/result" + pointer, "no number to compare with the policy's threshold"
        )
    elif value < least:
        yield GateReason(NEEDS_HUMAN, "confidence", "/result" + pointer, f"below the policy's threshold of {least:g}")


_PARTS: dict[str, Callable[[Document, Any], Iterator[GateReason]]] = {
    "schema": _schema,
    "required": _required,
    "forbidden": _forbidden,
    "max_bytes": _max_bytes,
    "max_text": _max_text,
    "allowed_domains": _allowed_domains,
    "confidence": _confidence,
}


# --- reading the document ------------------------------------------------------------------------


def strings(value: Any, pointer: str) -> Iterator[tuple[str, str]]:
    """Every text in `value`, the names of members included, with its JSON Pointer."""
    if isinstance(value, str):
        yield pointer, value
    elif isinstance(value, dict):
        for key, member in value.items():
            yield f"{pointer}/{escaped(key)}", key
            yield from strings(member, f"{pointer}/{escaped(key)}")
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from strings(item, f"{pointer}/{at}")


def _checker(schema: Any, where: str) -> Checker:
    try:
        return checker_for(schema)
    except UnusableSchema as problem:
        raise BadPolicy(f"{where}: {problem}") from None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
