"""What a task asks of a person (S9.1): one shape for every kind of backend, of a size that a ledger can hold.

An attempt's process and the supervisor both use it: what a result file says was written by a task.
"""

import json
from typing import Any

from workermd.protocol.envelope import REQUEST_KINDS, Document
from workermd.system.text import printable
from workermd.task.task import Result, failed

MAX_QUESTION = 2000
MAX_OPTIONS = 20
MAX_OPTION = 200
"""Characters of a question and of an option; options of a question."""

MAX_PROPOSED = 1 << 16
"""Bytes of the JSON of what is proposed. It is never cut: nobody can approve what is not shown."""

MAX_DEPTH = 100
"""Levels of objects and lists in what is proposed."""


def asked(
    question: str, options: Any = (), kind: str = "question", proposed: Any = None, code: str = "approval_required"
) -> Result:
    """The ending of an attempt that needs a person, or a refusal where what it proposes cannot be shown."""
    if proposed is not None and (reason := _unusable(proposed)):
        message = f"the task asks a person about something that {reason}"
        return failed("refused", "backend_failed", message)
    return failed("needs_human", code, question, **details(question, options, kind, proposed))


def details(question: Any, options: Any = (), kind: Any = "question", proposed: Any = None) -> Document:
    """`{"question", "options", "request_kind"}` and, where there is one, `proposed`, each made to fit. Never raises.

    A kind that is unknown counts as `question`, and so do `tool` without `{"tool", "arguments"}` and `plan`
    without `{"plan"}`: what is to be decided would not be said.
    """
    said: Document = {"question": _text(question, MAX_QUESTION) or "The task asks for a person.", "options": []}
    if isinstance(options, list | tuple):
        texts = (_text(option, MAX_OPTION) for option in options)
        said["options"] = list(dict.fromkeys(text for text in texts if text))[:MAX_OPTIONS]
    if proposed is not None and not _unusable(proposed):
        said["proposed"] = json.loads(json.dumps(proposed))
    said["request_kind"] = kind if kind in REQUEST_KINDS and _is_told(kind, said.get("proposed", {})) else "question"
    return said


def _is_told(kind: str, proposed: Document) -> bool:
    if kind == "tool":
        return isinstance(proposed.get("tool"), str) and isinstance(proposed.get("arguments"), dict)
    return kind != "plan" or isinstance(proposed.get("plan"), str)


def _unusable(proposed: Any) -> str:
    """Why a proposal cannot be put to a person; empty when it can."""
    if not isinstance(proposed, dict):
        return "is no JSON object"
    try:
        size = len(json.dumps(proposed, allow_nan=False, ensure_ascii=False).encode())
    except (TypeError, ValueError, RecursionError):
        return "is no JSON"
    if size > MAX_PROPOSED:
        return f"is larger than {MAX_PROPOSED} bytes of JSON"
    return "" if _fits(proposed, MAX_DEPTH) else f"is nested deeper than {MAX_DEPTH} levels"


def _fits(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return levels > 0 and all(_fits(each, levels - 1) for each in inner)


def _text(value: Any, most: int) -> str:
    """Text without control characters but line ends, of at most so many characters; empty for anything else."""
    if not isinstance(value, str):
        return ""
    return printable(value[: 2 * most], " ", keep="\n").strip()[:most]
