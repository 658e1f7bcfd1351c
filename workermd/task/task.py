"""What a task is given and what it may answer (S8): the seam between a run and whatever performs it."""

import json
import os
from typing import Any, NamedTuple, Protocol

from workermd.protocol.codec import from_document
from workermd.protocol.envelope import Document
from workermd.system.text import folded, printable
from workermd.task.binding import Binding

CHECKPOINT = ".checkpoint.json"
"""The file of an attempt's folder in which a task keeps how far it has come."""

MAX_CHECKPOINT_BYTES = 1 << 20


class Task(NamedTuple):
    """One attempt's order, the same for every kind of backend (S8.1).

    `seconds_left` counts down to the attempt's deadline at the moment the task was sent. `feedback`
    holds what was wrong with the previous attempt's output: `{pointer, keyword, message}` each.
    `decisions` holds what people decided on this run, every attempt's, the first one first: `{id, kind, question,
    options, proposed?, answer, by, at, reason?}` each; `answer` is `approve`, `deny`, one of the options, or words.
    `settings` are the operator's choices for this worker (never the contract's, never the input's).
    `budget` is what is left of the run's bounds, by their names: `max_tokens` and so on, those that it has.
    `artifacts_dir` is a folder that exists and that the task may write files into.
    """

    worker_id: str
    version: str
    run_id: str
    attempt: int
    max_attempts: int
    seconds_left: float
    purpose: str
    mode: str
    input: Document
    output_schema: Document
    tools_allowed: tuple[str, ...] | None
    feedback: tuple[Document, ...]
    decisions: tuple[Document, ...]
    trace: Document
    artifacts_dir: str
    settings: Document
    budget: Document = {}  # noqa: RUF012 - a frozen record's default, never mutated
    call: tuple[str, ...] = ()
    """The contract's `x-call`, for the kinds that call an interface by it."""
    reach: Document = {}  # noqa: RUF012 - the same
    """The bounds of what it reaches of the machine, those that it has; as `files` the paths that were granted, by name."""
    checkpoint: Document | None = None
    """What an earlier attempt of this run saved last; None at first."""

    def to_json(self) -> str:
        """One JSON object on one line, keys as the fields are named."""
        return json.dumps(self._asdict(), ensure_ascii=False)

    def save_checkpoint(self, document: Document) -> None:
        """Keep how far the work has come, for the next attempt if this one does not end with an answer: at most 1 MiB of
        JSON, in place of what was saved before. Raises ValueError for more and TypeError for what is no JSON object;
        OSError where it cannot be written."""
        if not isinstance(document, dict):
            raise TypeError(f"a checkpoint is a dict, not {type(document).__name__}")
        data = json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
        if len(data) > MAX_CHECKPOINT_BYTES:
            raise ValueError(f"the checkpoint has {len(data)} bytes; at most {MAX_CHECKPOINT_BYTES} are kept")
        path = os.path.join(self.artifacts_dir, CHECKPOINT)
        with open(path + ".new", "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(path + ".new", path)


class Reply(NamedTuple):
    """An answer with more than the output document (S8.2).

    `usage` maps names such as `input_tokens` to numbers. Each artifact is
    `{"name", "path", "media_type"}`; the path is inside the task's `artifacts_dir`.
    """

    output: Document
    usage: Document | None = None
    artifacts: tuple[Document, ...] = ()
    model: str | None = None
    finish_reason: str | None = None


class TaskError(Exception):
    """The ways in which a task can fail on purpose (S8.3). The message is shown: put no secret in it."""


class Retryable(TaskError):
    """A transient failure. `after` (seconds) is the least to wait before the next attempt."""

    def __init__(self, message: str, after: float | None = None, code: str = "backend_unavailable") -> None:
        super().__init__(message)
        self.after = after
        self.code = code


class InvalidRequest(TaskError):
    """The input is well formed but cannot be served; the same input will fail again."""


class Refused(TaskError):
    """A permanent failure. It is not retried."""


class NeedsHuman(TaskError):
    """A person has to decide (S9.1). `question` is put to them with `options` to choose from, if there are any.

    `kind` is `question`, `tool` (`proposed` is `{"tool": name, "arguments": {...}}`), `plan` (`{"plan": text}`) or
    `stalled`. What they decide is in the next attempt's `Task.decisions`.
    """

    def __init__(
        self, question: str, options: tuple[str, ...] = (), kind: str = "question", proposed: Document | None = None
    ) -> None:
        super().__init__(question)
        self.question = question
        self.options = options
        self.kind = kind
        self.proposed = proposed


class Result(NamedTuple):
    """What an attempt's process leaves behind: a reply not yet checked, or a failure.

    Exactly one of `output` (the reply's JSON text) and `failure` is set. `failure` is
    `{"kind", "code", "message"}` with `after`, or with `question`, `options`, `request_kind` and perhaps `proposed`, where they apply; kinds are
    `retryable`, `invalid_request`, `refused`, `needs_human`, `invalid_output` (a bad reply, which a later
    attempt may repair) and `timeout`. `notes` are sentences for the envelope, such as a denied tool call.
    `resumed_from` is what earlier attempts had come to and was not done again.
    """

    output: str | None = None
    failure: Document | None = None
    usage: Document | None = None
    artifacts: tuple[Document, ...] = ()
    model: str | None = None
    finish_reason: str | None = None
    notes: tuple[str, ...] = ()
    resumed_from: Document | None = None

    def to_json(self) -> str:
        return json.dumps(self._asdict())

    @classmethod
    def from_json(cls, text: str) -> "Result":
        """Raises ValueError, TypeError, KeyError or AttributeError for what is no result."""
        return from_document(cls, json.loads(text))


def failed(kind: str, code: str, message: str, **details: Any) -> Result:
    """A failure as a `Result`. The message becomes one printable line of at most 500 characters."""
    return Result(
        failure={"kind": kind, "code": code, "message": folded(printable(message[:2000], " "))[:500], **details}
    )


def timed_out() -> Result:
    """The one ending of every task that was not done at its deadline, however it ended later (S3.3)."""
    return failed("timeout", "timeout", "the attempt's time was over before the task had ended")


class Budget(NamedTuple):
    """What is left of the run's bounds when an attempt starts (S3.6). None: no bound.

    A turn is one request to a model, whatever it is for. Tokens are those read and written together.
    """

    max_tokens: int | None = None
    max_cost_usd: float | None = None
    max_tool_calls: int | None = None
    max_turns: int | None = None


class Limits(NamedTuple):
    """What a backend has to keep itself to in one attempt. `deadline` is on `time.monotonic()`'s clock.

    `journal` is the path of the file in which a backend notes what happens as it happens, or empty. `decided` is the
    folder in which approved calls are kept; empty: beside the artifacts. `conversation` is the descriptor of what the
    run's attempts said so far, and `answers_since` the first one whose models' answers may be given again (S3.10).
    `asks_people` says that the contract has the status `needs_human`.
    """

    deadline: float
    max_output_bytes: int
    budget: Budget = Budget()
    journal: str = ""
    decided: str = ""
    conversation: int = -1
    answers_since: int = 1
    asks_people: bool = False


class Backend(Protocol):
    """A kind of backend is a module with these names; `KINDS` lists the modules.

    Both run in the attempt's own process. `unusable` is asked before an attempt is claimed: why what the binding
    names cannot be had. It loads it and calls nothing of it; empty when nothing speaks against it.
    `perform` never raises for something that a task did: every ending is a `Result`.
    """

    def unusable(self, binding: Binding) -> str: ...

    def perform(self, task: Task, binding: Binding, limits: Limits) -> Result: ...


class Kind(NamedTuple):
    """A row of the table of kinds. `enforces` names the contract's bounds, beyond time and output size,
    that this kind can hold (S3.6). The module is imported in the attempt's process only.

    `extra` is what has to be installed with the package. `takes` names the fields of a binding that mean
    something to this kind; `keys` those of its own table in the configuration, which become `arrangement`.
    `reports` are the bounds that it can hold after the fact, where the binding says that its replies tell their usage.
    A kind that `converses` talks to models or tools by our wire, which keeps the conversation and can replay it.
    `first_used` are modules that an attempt imports when it talks for the first time. A process that is forked for
    many attempts imports them before, where they are installed; one that performs a single attempt may never need them.
    """

    module: str
    enforces: frozenset[str] = frozenset()
    extra: str = ""
    takes: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    converses: bool = False
    reports: frozenset[str] = frozenset()
    first_used: tuple[str, ...] = ()

    @property
    def resumes(self) -> bool:
        """Whether an attempt goes on where an earlier one stopped: it talks to models."""
        return self.converses and "model" in self.takes


_USED = frozenset({"max_tokens", "max_cost_usd", "max_tool_calls", "max_turns"})
_COUNTED = _USED | {"tools_allowed"}
_MODELS = frozenset({"model", "models", "tools"})
_ROSTER = frozenset({"pattern", "agents", "answer", "rounds", "instructions"})
_TEAM = _ROSTER | {"until", "selector_model", "selector_prompt", "sequence", "edges", "start", "orchestrator_model"}
_TEAM |= {"max_stalls", "max_replans", "on_stall", "ask_user", "component", "team", "allow_providers"}
_WAIT = ("anyio._backends._asyncio",)
_ASK = (*_WAIT, "httpcore2", "openai.resources.chat.chat")

KINDS: dict[str, Kind] = {
    "function": Kind("workermd.backends.function", takes=frozenset({"function"}), reports=_USED),
    "command": Kind(
        "workermd.backends.command", takes=frozenset({"command"}), keys=frozenset({"image"}), reports=_USED
    ),
    "chat": Kind(
        "workermd.backends.autogen.chat",
        _COUNTED,
        "agentchat",
        _MODELS,
        frozenset({"instructions", "ask_user"}),
        converses=True,
        first_used=_ASK,
    ),
    "team": Kind(
        "workermd.backends.autogen.team",
        _COUNTED,
        "agentchat",
        _MODELS,
        _TEAM,
        converses=True,
        first_used=(*_ASK, "autogen_agentchat.teams"),
    ),
    "agent-framework": Kind(
        "workermd.backends.agent_framework",
        _COUNTED,
        "agent-framework",
        _MODELS,
        _ROSTER
        | {"declarative", "until", "selector_model", "ask_user", "edges", "sequence", "start", "orchestrator_model"}
        | {"plan_review", "on_stall", "max_stalls", "max_replans"},
        converses=True,
        first_used=_ASK,
    ),
    "ag2": Kind(
        "workermd.backends.ag2.single",
        _COUNTED,
        "ag2",
        _MODELS,
        _ROSTER | {"ask_user"},
        converses=True,
        first_used=_ASK,
    ),
    "factory": Kind(
        "workermd.backends.factory",
        _COUNTED,
        takes=_MODELS,
        keys=frozenset({"factory", "instructions", "ask_user"}),
        converses=True,
    ),
    "mcp": Kind(
        "workermd.backends.mcp",
        _COUNTED,
        "mcp",
        frozenset({"command", "tools"}),
        frozenset({"server", "tool", "allow", "approve", "retry_errors"}),
        converses=True,
        first_used=_WAIT,
    ),
    "program": Kind("workermd.backends.program", takes=frozenset({"command"}), keys=frozenset({"ok_exit_codes"})),
    "http": Kind(
        "workermd.backends.http", keys=frozenset({"address", "key_env", "key_header", "methods", "idempotency_header"})
    ),
    "replay": Kind("workermd.backends.replay", _COUNTED),
}
