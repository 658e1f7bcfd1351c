"""What an attempt's ending means: the output check of S2.5, and which answer a run settles on.

Every reply goes through `judge`, fresh or adopted after a crash alike: a result file is not yet an answer.
"""

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from workermd.contract.json import quick, strict
from workermd.contract.model import Contract
from workermd.protocol.envelope import ERROR_CODES, Document, Failure, Status
from workermd.system.text import shown
from workermd.task import response_form
from workermd.task.masking import Mask
from workermd.task.response_form import ResponseForm
from workermd.task.task import Result

if TYPE_CHECKING:
    from workermd.contract.schema import Checker, Mismatch

DEFAULT_MAX_OUTPUT_BYTES = 1 << 20

REOPEN = "workermd runs reopen RUN_ID"
"""Stands in a hint until an answer names its run."""

MAX_FINDINGS_FED_BACK = 20


class Verdict(NamedTuple):
    """One attempt, judged. `outcome` is the ledger's word for it.

    `transient` means that a further attempt may help; `status` is what the run bears if there is none.
    `document` is the task's own output where it may be printed. `feedback` is for the next attempt.
    `sandbox` says what the attempt was held to.
    """

    outcome: str
    status: str
    transient: bool
    failure: Failure | None = None
    document: Document | None = None
    feedback: tuple[Document, ...] = ()
    after: float | None = None
    result: Result = Result()
    sandbox: Document | None = None


_FAILURES = frozenset(status.value for status in Status) - {Status.OK.value}


def judge(contract: Contract, checker: "Checker", run_id: str, result: Result) -> Verdict:
    """The verdict on what a task left behind."""
    if result.failure is not None:
        return _judge_failure(contract, result, result.failure)
    return _judge_output(contract, checker, run_id, result)


def masked(judged: Verdict, mask: Mask, checker: "Checker") -> Verdict:
    """The same verdict without the values of secret variables (S6.3).

    A document that masking would turn into something else is refused by that name: a number that holds a PIN's digits,
    a key or a word that the schema knows.
    """
    failure, result = judged.failure, judged.result
    if failure is not None:
        failure = failure._replace(message=mask.text(failure.message))
    judged = judged._replace(
        failure=failure,
        feedback=mask.value(judged.feedback),
        result=Result(*map(mask.value, result._replace(output=None))),
    )
    if judged.document is None:
        return judged
    document = mask.value(judged.document)
    variable = mask.variable_in(json.dumps(document, ensure_ascii=False))
    if not variable and document != judged.document and checker.check(document):
        variable = mask.variable_in(json.dumps(judged.document, ensure_ascii=False))
    if not variable:
        return judged._replace(document=document)
    message = (
        f"The output holds the value of {variable} (secret_env) where masking it would change what the output says."
    )
    failure = Failure("secret_in_output", message, True, f"leave it out of the output, or give {variable} with env")
    feedback = ({"pointer": "", "keyword": failure.code, "message": message},)
    return judged._replace(
        outcome="invalid_output",
        status=Status.INVALID_OUTPUT.value,
        transient=True,
        failure=failure,
        document=None,
        feedback=feedback,
    )


def timed_out(*, whole_run: bool) -> Verdict:
    what = "timeout_seconds" if whole_run else "attempt_timeout_seconds"
    failure = Failure("timeout", f"The attempt did not end within {what}; it and all it started were ended.", True)
    return Verdict("timeout", Status.RETRYABLE_ERROR.value, True, failure)


def crashed(how: str) -> Verdict:
    failure = Failure("attempt_crashed", f"The attempt's process {how} and left no answer.", True)
    return Verdict("crashed", Status.RETRYABLE_ERROR.value, True, failure)


def cancelled() -> Verdict:
    failure = Failure("cancelled", "The run was interrupted; the attempt and all it started were ended.", True)
    return Verdict("cancelled", Status.RETRYABLE_ERROR.value, True, failure)


def denied(quoted_run_id: str) -> Verdict:
    """What a run comes to when a person denies its request for good (S9.3); its attempt ended by asking.

    The id is quoted as a shell takes it.
    """
    failure = Failure(
        "approval_denied",
        "A person decided against it, for good.",
        False,
        f"who and why: workermd runs show {quoted_run_id}; another start can be granted with: "
        f"workermd runs reopen {quoted_run_id}",
    )
    return Verdict(Status.NEEDS_HUMAN.value, Status.INVALID_OUTPUT.value, False, failure)


def not_begun() -> Verdict:
    failure = Failure("cancelled", "The call was interrupted while it had no attempt under way.", True)
    return Verdict("cancelled", Status.RETRYABLE_ERROR.value, True, failure)


def last_word(contract: Contract, verdict: Verdict) -> Verdict:
    """The verdict with which a run ends when no attempt is left: nothing in it is retryable any more."""
    failure = verdict.failure
    status = verdict.status
    if verdict.outcome in ("crashed", "cancelled"):  # S4.7
        failure = Failure(
            "attempts_exhausted",
            "The last allowed attempt ended without an answer; what it did is unknown.",
            False,
            f"look at what it changed, then grant another start: add --again to the same command, or {REOPEN}",
        )
        if Status.NEEDS_HUMAN.value in contract.statuses:
            status = Status.NEEDS_HUMAN.value
    elif failure is not None:
        failure = failure._replace(
            retryable=False,
            hint=failure.hint or f"no attempt is left; grant one: add --again to the same command, or {REOPEN}",
        )
    return verdict._replace(transient=False, status=status, failure=failure)


def _judge_failure(contract: Contract, result: Result, said: Document) -> Verdict:
    kind = said["kind"]
    code = said["code"] if said["code"] in ERROR_CODES else "backend_failed"
    message = said["message"]
    if kind == "timeout":
        return timed_out(whole_run=False)._replace(result=result)
    if kind == "retryable":
        outcome, status, transient = "retryable_error", Status.RETRYABLE_ERROR, True
        if code == "attempt_crashed":
            outcome = "crashed"
    elif kind == "invalid_output":
        outcome, status, transient = "invalid_output", Status.INVALID_OUTPUT, True
    elif kind == "invalid_request":
        outcome, status, transient = "invalid_request", Status.INVALID_REQUEST, False
    else:  # refused, or a person is needed: for good (S1.4)
        human = Status.NEEDS_HUMAN.value in contract.statuses
        status = Status.NEEDS_HUMAN if human else Status.INVALID_OUTPUT
        outcome, transient = status.value, False
    feedback = ({"pointer": "", "keyword": code, "message": message},) if kind == "invalid_output" else ()
    hint = _HINTS.get(kind, "") if kind == "refused" or outcome == "invalid_output" else ""
    return Verdict(
        outcome,
        status.value,
        transient,
        Failure(code, message, transient, hint),
        feedback=feedback,
        after=said.get("after"),
        result=result,
    )


_HINTS = {
    "refused": f"mend it; then use a new run_id, or grant another start: add --again to the same command, or {REOPEN}",
    "needs_human": "nobody can be asked: the contract's statuses lack needs_human",
}


class _Unusable(Exception):
    """A reply that is no output. `feedback` tells the next attempt why."""

    def __init__(self, code: str, message: str, feedback: tuple[Document, ...] = ()) -> None:
        super().__init__(message)
        self.failure = Failure(code, message, retryable=True)
        self.feedback = feedback or ({"pointer": "", "keyword": code, "message": message},)


def _judge_output(contract: Contract, checker: "Checker", run_id: str, result: Result) -> Verdict:
    try:
        document = _read(contract, result)
        response = None if contract.reports_status else response_form.read(document)
        if response is not None and response.status not in (Status.OK.value, *contract.constraints.success_statuses):
            return _reported(contract, result, response)
        document = _filled_in(contract, run_id, response.outputs if response is not None else document)
        status = _status(contract, run_id, document)
        _match(checker, document)
    except _Unusable as unusable:
        status = Status.INVALID_OUTPUT.value
        return Verdict(status, status, True, unusable.failure, feedback=unusable.feedback, result=result)
    return _accepted(contract, result, document, status)


def _reported(contract: Contract, result: Result, response: ResponseForm) -> Verdict:
    """A failure that stands beside the outputs: it is that failure, whatever the outputs hold (S5.3)."""
    if response.status not in contract.statuses:
        raise _Unusable("status_not_allowed", f"The reply's status is none of: {', '.join(contract.statuses)}.")
    code = "approval_required" if response.status == Status.NEEDS_HUMAN else "task_reported"
    if response.error_code in ERROR_CODES:
        code = str(response.error_code)
    transient = response.status in (Status.RETRYABLE_ERROR, Status.INVALID_OUTPUT) and response.retryable is not False
    message = f"The task itself answered {response.status}"
    if response.error_code and _CODE.fullmatch(response.error_code):
        message += f", code {response.error_code}"
    feedback = (
        {"pointer": "/status", "keyword": "status", "message": f"the previous attempt answered {response.status}"},
    )
    failure = Failure(code, f"{message}.", transient)
    return Verdict(
        response.status, response.status, transient, failure, None, feedback if transient else (), result=result
    )


_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")


def _read(contract: Contract, result: Result) -> Document:
    text = result.output or ""
    most = contract.constraints.max_output_bytes
    most = DEFAULT_MAX_OUTPUT_BYTES if most is None else most
    if len(text.encode("utf-8", "surrogatepass")) > most:
        raise _Unusable("output_too_large", f"The output is larger than max_output_bytes ({most}).")
    if result.finish_reason == "length":
        raise _Unusable("output_truncated", "The model's reply was cut off by its length limit.")
    try:
        document = quick.load(text)
    except strict.JsonError as error:
        raise _Unusable("output_not_json", f"The output is not strict JSON: {error.message}.") from None
    if not isinstance(document, dict):
        raise _Unusable("output_not_json", "The output is JSON, but not an object.")
    return document


def _status(contract: Contract, run_id: str, document: Document) -> str:
    """The document's status, which the contract must allow; its run_id must be this run's."""
    status = document.get("status") if contract.reports_status else Status.OK.value
    if status not in contract.statuses:
        raise _Unusable("status_not_allowed", f"The output's status is none of: {', '.join(contract.statuses)}.")
    if "run_id" in document and document["run_id"] != run_id:
        raise _Unusable("run_id_mismatch", "The output's run_id is not the input's.")
    return str(status)


def _match(checker: "Checker", document: Document) -> None:
    mismatches = checker.check(document)
    if not mismatches:
        return
    feedback = tuple(
        {"pointer": each.pointer, "keyword": each.keyword, "message": each.message}
        for each in mismatches[:MAX_FINDINGS_FED_BACK]
    )
    raise _Unusable("output_schema_mismatch", f"The output does not match its schema {told(mismatches)}.", feedback)


def told(mismatches: "tuple[Mismatch, ...]") -> str:
    """The first mismatch with its place, and how many more there are."""
    first = mismatches[0]
    more = f" (and {len(mismatches) - 1} more)" if len(mismatches) > 1 else ""
    return f"at {shown(first.pointer or '/', 80)}: {first.message}{more}"


def _filled_in(contract: Contract, run_id: str, document: Document) -> Document:
    """`run_id` and `status` may be left out of a reply (S8.2); they are put first, as in the schemas of the registry."""
    filled: Document = {}
    known = contract.output_schema.get("properties", {})
    if "run_id" in known and "run_id" not in document:
        filled["run_id"] = run_id
    if "status" in known and "status" not in document:
        filled["status"] = Status.OK.value
    return {**filled, **document}


def _accepted(contract: Contract, result: Result, document: Document, status: str) -> Verdict:
    """A valid document. Its status may still be a failure; one of the contract's own is an answer (S1.6)."""
    if status not in _FAILURES or status in contract.constraints.success_statuses:
        return Verdict("ok", status, False, document=document, result=result)
    said = document.get("result")
    said = said.get("error") if isinstance(said, dict) else None
    known = isinstance(said, dict) and said.get("code") in ERROR_CODES
    code = "approval_required" if status == Status.NEEDS_HUMAN else "task_reported"
    if known and said:
        code = str(said["code"])
    transient = status in (Status.RETRYABLE_ERROR, Status.INVALID_OUTPUT)
    failure = Failure(code, f"The task itself answered {status}; its document says why.", transient)
    feedback = ({"pointer": "/status", "keyword": "status", "message": f"the previous attempt answered {status}"},)
    return Verdict(status, status, transient, failure, document, feedback if transient else (), result=result)
