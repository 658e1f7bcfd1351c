"""Bounds that a backend holds after the fact: its reply says what it used (S3.6)."""

import json

from workermd.contract.json import quick, strict
from workermd.protocol.envelope import Document
from workermd.task import response_form
from workermd.task.binding import Binding
from workermd.task.task import Limits, Result, failed


def held(result: Result, binding: Binding, limits: Limits) -> Result:
    """The reply, or `budget_exceeded` where it is over a bound or does not say what it used.

    Only where the binding says that it reports its usage, and the contract bounds some.
    """
    if not binding.reports_usage or result.failure is not None:
        return result
    result = _unwrapped(result) if result.usage is None else result
    bounds = {name: most for name, most in limits.budget._asdict().items() if most is not None}
    if not bounds:
        return result
    used = spent(result.usage)
    for name, most in bounds.items():
        if name not in used:
            message = f"the reply does not say what it used of {name}, and the binding says that it does"
            return _over(message, result)
        if used[name] > most:
            return _over(f"the reply used more than the run had left of {name}", result)
    return result


def spent(usage: Document | None) -> dict[str, float]:
    """Usage by the names of the bounds; tokens are those read and written together."""
    usage = usage or {}
    used = {bound: usage[name] for bound, name in _NAMES.items() if name in usage}
    if "input_tokens" in usage or "output_tokens" in usage:
        used["max_tokens"] = usage.get("input_tokens", 0) + usage.get("output_tokens", 0)
    return used


_NAMES = {"max_cost_usd": "cost_usd", "max_tool_calls": "tool_calls", "max_turns": "turns"}


def _over(message: str, result: Result) -> Result:
    return failed("refused", "budget_exceeded", message)._replace(usage=result.usage)


def _unwrapped(result: Result) -> Result:
    """A program tells its usage in the response form: `{"outputs": {...}, "usage": {...}}`."""
    try:
        document = quick.load(result.output or "")
    except strict.JsonError:
        return result  # the output check says what is wrong
    if not isinstance(document, dict) or not isinstance(document.get("outputs"), dict):
        return result
    usage = response_form.usage_of(document)
    if usage is None or not document.keys() <= response_form.FIELDS or document.get("status", "ok") != "ok":
        return result
    return result._replace(output=json.dumps(document["outputs"], ensure_ascii=False), usage=usage)
