"""The kind `program` (S8.8): a real program, called as the contract's `x-call` says. The operator names the program.

No shell sees the words: they come from the contract's list and the input's values alone.
"""

import json
import os
import time
from contextlib import suppress

from workermd.backends.command import OTHER, SIGNALLED, ProgramEnding, RunningProgram, not_started
from workermd.protocol.call import Unwritable, WrongCall, parse, values_of, words_of
from workermd.protocol.envelope import Document
from workermd.system import programs
from workermd.task.binding import Binding
from workermd.task.task import Limits, Result, Task, failed, timed_out

MOST_SAID = 300


def perform(task: Task, binding: Binding, limits: Limits) -> Result:
    """Call the program once. Never raises for what it did."""
    try:
        call = parse(task.call)
        if call["kind"] != "program":
            return failed(*OTHER, f"x-call says how to call {call['kind']}; bind this worker to that kind")
        words = words_of(call, values_of(call, task.input, "run_id"))
    except WrongCall as error:
        return failed(*OTHER, f"the contract says no way to call a program: {error}; derive it again, or write x-call")
    except Unwritable as error:
        return failed("invalid_request", "input_rejected", str(error))
    if time.monotonic() >= limits.deadline:
        return timed_out()
    try:
        program = RunningProgram((*binding.command, *words), keeps_stderr=True)
    except (OSError, ValueError) as error:
        return not_started(binding, error)
    try:
        ending = program.ended(b"", limits)
    finally:
        program.close()
    return _result(ending, task, binding, limits)


def unusable(binding: Binding) -> str:
    """Why there is no such program."""
    if not binding.command:
        return "it names no program; add it after --: -- PROGRAM"
    return programs.why_missing(binding.command[0])


def _result(ending: ProgramEnding, task: Task, binding: Binding, limits: Limits) -> Result:
    name = f"program {binding.command[0]}"
    if ending.stopped == "late":
        return timed_out()
    if ending.stopped:
        message = f"{name} printed more than the {limits.max_output_bytes} bytes allowed and was ended"
        return failed("invalid_output", "output_too_large", message)
    if os.WIFSIGNALED(ending.wait_status):
        return failed(*SIGNALLED, f"{name} was ended by signal {os.WTERMSIG(ending.wait_status)}")
    code = os.waitstatus_to_exitcode(ending.wait_status)
    stdout, stderr = (part.decode("utf-8", "replace") for part in (ending.stdout, ending.stderr))
    if code not in (0, *_ok_codes(binding)):
        said = (stderr.strip() or stdout.strip()).split("\n")[-1][:MOST_SAID]
        return failed(*OTHER, f"{name} ended with exit code {code}{f': {said}' if said else ''}")
    answer: Document = {"exit_code": code, "stdout": stdout, "stderr": stderr}
    with suppress(ValueError, RecursionError):
        answer["json"] = json.loads(stdout)
    if "status" in task.output_schema.get("properties", {}):
        answer = {"run_id": task.run_id, "status": "ok", "result": answer}
    try:
        return Result(output=json.dumps(answer, ensure_ascii=False, allow_nan=False))
    except ValueError:  # NaN in what it printed: its text stands beside it
        answer.get("result", answer).pop("json")
        return Result(output=json.dumps(answer, ensure_ascii=False))


def _ok_codes(binding: Binding) -> tuple[int, ...]:
    """Exit codes beside 0 that the operator calls good: of grep, 1 is an answer too."""
    listed = binding.arrangement.get("ok_exit_codes", [])
    return tuple(code for code in listed if isinstance(code, int)) if isinstance(listed, list) else ()
