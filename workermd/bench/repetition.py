"""A repetition of a case by a subject: the key of its run, and what became of it."""

from typing import Any, NamedTuple

from workermd.bench.cases import Case
from workermd.bench.subjects import BenchSubject
from workermd.contract.json.strict import canonical
from workermd.contract.schema import Checker
from workermd.protocol.envelope import Document
from workermd.system.digest import sha256

PASSED, FAILED, ERROR, MISSING = "passed", "failed", "error", "missing"
"""What became of a repetition. An error is one of the infrastructure, or of a score: it says nothing of the answer."""

_TRANSIENT = ("retryable_error",)
_UNUSABLE_CASE = ("input_schema_mismatch", "input_too_large", "idempotency_conflict", "contract_changed")


class Repetition(NamedTuple):
    """The `n`-th run of a case by a subject, from 1."""

    case: Case
    subject: BenchSubject
    n: int
    run_id: str
    data: bytes
    """The input, as JSON."""


class Judged(NamedTuple):
    """What one score said. `value` is from 0 to 1; None where it could not say."""

    name: str
    weight: float
    value: float | None
    told: str = ""
    usage: Document = {}  # noqa: RUF012 - a frozen record's default, never mutated
    run_id: str = ""

    @property
    def passed(self) -> bool:
        return self.value is not None and self.value >= 1.0


class ScoredRun(NamedTuple):
    """A repetition and how it ended. `usage` is the subject's own, `judged` has that of its judges."""

    repetition: Repetition
    word: str
    value: float | None
    judged: tuple[Judged, ...]
    envelope: Document

    @property
    def usage(self) -> Document:
        found: Document = self.envelope.get("usage", {})
        return found


def repetition(case: Case, subject: BenchSubject, n: int, series: str, judge: Checker) -> Repetition:
    """The run's key says all that decides its answer: contract and input, binding, case, subject, number."""
    import json

    contract = subject.worker.contract
    fields = dict(case.input)
    key_field = contract.constraints.idempotency_key
    if contract.key_in_input:
        fields.pop(key_field, None)
    decided = sha256(canonical([contract.meaning_sha256, fields])).hex()
    readable = f"bench/{decided[:16]}/{subject.digest[:16]}/{case.id}/{subject.name}/{n}"
    if series:
        readable += f"/{series}"
    run_id = next((key for key in _keys(readable) if _fits(key, fields, key_field, judge)), readable)
    return Repetition(case, subject, n, run_id, json.dumps(fields, ensure_ascii=False).encode())


def _keys(readable: str) -> tuple[str, ...]:
    """The key, and shorter ones for a contract that bounds the form of its key."""
    digest = sha256(readable.encode()).hex()
    uuid = f"{digest[:8]}-{digest[8:12]}-8{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"
    return (readable, digest, digest[:32], uuid, f"b{digest[:15]}")


def _fits(key: str, fields: Document, name: str, judge: Checker) -> bool:
    return judge.accepts({name: key, **fields})


def is_infrastructure(envelope: Document) -> bool:
    """Whether a run says something of the machine, the network or the suite, and nothing of its subject."""
    if envelope["status"] in _TRANSIENT:
        return True
    return bool(envelope.get("error", {}).get("code") in _UNUSABLE_CASE)


def weighed(judged: tuple[Judged, ...]) -> tuple[str, float | None]:
    """A word and a value from 0 to 1. Passed is what passes every score that counts."""
    counting = [each for each in judged if each.weight > 0]
    if any(each.value is None for each in counting):
        return ERROR, None
    total = sum(each.weight for each in counting)
    value = sum(each.weight * (each.value or 0.0) for each in counting) / total if total else 1.0
    return (PASSED if all(each.passed for each in counting) else FAILED), value


def parts_of(case: Case, envelope: Document) -> dict[str, Any]:
    """What `$case`, `$input` and `$output` stand for."""
    return {"case": case.document, "input": case.input, "output": envelope.get("outputs")}
