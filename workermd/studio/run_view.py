"""The page of one run: what happened in its order, each attempt with what was wrong, and the contract beside it."""

import json
from typing import NamedTuple

from workermd.contract.model import Reading
from workermd.ledger.records import Attempt, Question, Reopening, Run
from workermd.ledger.sqlite.store import Ledger
from workermd.protocol.envelope import Document, summed
from workermd.studio import wording
from workermd.studio.conversation import SaidWords
from workermd.studio.timeline import TimeBar, bar
from workermd.studio.violations import ReplyFinding, RuleLine, bound, violations
from workermd.studio.wording import StateWords
from workermd.system.text import shell_word


class AttemptView(NamedTuple):
    """One attempt. `spot` is the line of the bound that its error is about."""

    n: int
    state: StateWords
    started_at: int
    took: str
    code: str
    message: str
    hint: str
    violations: tuple[ReplyFinding, ...]
    spot: RuleLine | None
    model: str
    usage: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    artifacts: tuple[Document, ...]
    sandbox: str
    said: tuple[SaidWords, ...] = ()
    log: str = ""


class AuditEntry(NamedTuple):
    """A line of the audit: who did what, and why."""

    at: int
    who: str
    what: str
    reason: str


class BoundUse(NamedTuple):
    """How much of a bound of the contract is used."""

    name: str
    used: str
    most: str
    line: int
    share: int


class RunView(NamedTuple):
    """Everything that the page shows. Documents are text as it is printed; `lines` those of the contract, `marked` its
    lines that were broken."""

    run: Run
    state: StateWords
    took: str
    backend: str
    model: str
    usage: tuple[tuple[str, str], ...]
    bar: TimeBar
    attempts: tuple[AttemptView, ...]
    question: Question | None
    questions: tuple[Question, ...]
    audit: tuple[AuditEntry, ...]
    input: str
    output: str
    envelope: str
    error: Document | None
    notes: tuple[str, ...]
    trace_id: str
    uses: tuple[BoundUse, ...]
    reading: Reading | None
    lines: tuple[str, ...]
    marked: dict[int, str]
    command: str
    mark: str

    @property
    def is_settled(self) -> bool:
        return self.run.state == "done"

    @property
    def may_reopen(self) -> bool:
        """Whether a person may grant another start: settled, not ok, and nothing is asked."""
        return self.is_settled and self.run.status != "ok" and self.question is None

    @property
    def may_go_on(self) -> bool:
        """Whether a start is left and nobody is at it."""
        return self.run.state == "waiting"


class KeptRun(NamedTuple):
    """What the ledger has of a run, read at one time."""

    run: Run
    attempts: tuple[Attempt, ...]
    questions: tuple[Question, ...]
    reopenings: tuple[Reopening, ...]


def kept(ledger: Ledger, worker_id: str, run_id: str) -> KeptRun | None:
    run = ledger.look(worker_id, run_id)
    if run is None:
        return None
    return KeptRun(run, ledger.attempts(run.id), ledger.questions(run.id), ledger.reopenings(run.id))


def view(
    found: KeptRun, reading: Reading | None, said: dict[int, tuple[SaidWords, ...]], logs: dict[int, str], now: int
) -> RunView:
    """The page of what was kept. `reading` is the run's contract where its text is at hand, `now` Unix microseconds."""
    run = found.run
    envelope = _document(run.envelope)
    attempts = tuple(_attempt(each, reading, said.get(each.n, ()), logs.get(each.n, "")) for each in found.attempts)
    used = summed((each.detail or {}).get("usage") for each in found.attempts)
    details = [each.detail or {} for each in found.attempts]
    return RunView(
        run=run,
        state=wording.state(run.status or run.state),
        took=wording.span(((run.settled_at or now) - run.created_at) / 1000),
        backend=str(envelope.get("backend") or next((each["backend"] for each in details if "backend" in each), "")),
        model=next((str(each["model"]) for each in reversed(details) if each.get("model")), ""),
        usage=_usage(used),
        bar=bar(run, found.attempts, found.questions, now),
        attempts=attempts,
        question=next((each for each in found.questions if each.open), None),
        questions=found.questions,
        audit=tuple(_audit(found)),
        input=_pretty(run.input),
        output=_text(run.output),
        envelope=_text(run.envelope),
        error=envelope.get("error"),
        notes=tuple(map(str, envelope.get("notes", ()))),
        trace_id=str(envelope.get("observability", {}).get("trace_id", "")),
        uses=_uses(run, used, reading),
        reading=reading,
        lines=tuple(reading.text.splitlines()) if reading is not None else (),
        marked=_marked(attempts),
        command=_command(reading),
        mark=f"{mark(found)}.{words(said)}",
    )


def words(said: dict[int, tuple[SaidWords, ...]]) -> int:
    """How much was said in all attempts."""
    return sum(len(each) for each in said.values())


def mark(found: KeptRun) -> str:
    """Differs as soon as something of the run does."""
    run = found.run
    decided = sum(each.decision is not None for each in found.questions)
    ended = sum(each.ended_at is not None for each in found.attempts)
    return f"{run.status or run.state}.{run.attempts}.{ended}.{decided}.{len(found.reopenings)}"


def _attempt(attempt: Attempt, reading: Reading | None, said: tuple[SaidWords, ...], log: str) -> AttemptView:
    detail = attempt.detail or {}
    error = detail.get("error") or {}
    code, message = str(error.get("code", "")), str(error.get("message", ""))
    found = violations(detail.get("feedback", []), reading)
    return AttemptView(
        n=attempt.n,
        state=wording.state(attempt.outcome or "running"),
        started_at=attempt.started_at,
        took=wording.span(_milliseconds(attempt)),
        code=code,
        message="" if any(each.spot for each in found) else message,
        hint=str(error.get("hint", "")),
        violations=tuple(each for each in found if each.spot or each.message != message),
        spot=bound(code, reading, message) if reading is not None and not any(each.spot for each in found) else None,
        model=str(detail.get("model", "")),
        usage=_usage(detail.get("usage") or {}),
        notes=tuple(map(str, detail.get("notes", ()))),
        artifacts=tuple(each for each in detail.get("artifacts", ()) if isinstance(each, dict)),
        sandbox=_sandbox(detail.get("sandbox")),
        said=said,
        log=log,
    )


def _milliseconds(attempt: Attempt) -> float | None:
    duration = (attempt.detail or {}).get("duration_ms")
    if isinstance(duration, int | float):
        return float(duration)
    return None if attempt.ended_at is None else (attempt.ended_at - attempt.started_at) / 1000


def _sandbox(document: object) -> str:
    if not isinstance(document, dict):
        return ""
    return str(document.get("mode", ""))


_WORDS = {
    "input_tokens": "tokens read",
    "output_tokens": "tokens written",
    "turns": "requests to models",
    "tool_calls": "tool calls",
    "tool_calls_denied": "tool calls denied",
    "cost_usd": "cost",
}


def _usage(used: Document) -> tuple[tuple[str, str], ...]:
    return tuple(
        (
            _WORDS.get(name, name.replace("_", " ")),
            wording.money(amount) if name == "cost_usd" else wording.count(amount),
        )
        for name, amount in used.items()
        if isinstance(amount, int | float) and not isinstance(amount, bool)
    )


def _uses(run: Run, used: Document, reading: Reading | None) -> tuple[BoundUse, ...]:
    if reading is None or reading.contract is None:
        return ()
    bounds = reading.contract.constraints
    numbers = (
        ("max_attempts", run.attempts, run.max_attempts),
        ("max_tokens", wording.tokens(used), bounds.max_tokens),
        ("max_cost_usd", used.get("cost_usd", 0), bounds.max_cost_usd),
        ("max_turns", used.get("turns", 0), bounds.max_turns),
        ("max_tool_calls", used.get("tool_calls", 0), bounds.max_tool_calls),
        ("max_output_bytes", len(run.output or b""), bounds.max_output_bytes),
    )
    return tuple(_use(name, float(amount), float(most), reading) for name, amount, most in numbers if most is not None)


def _use(name: str, amount: float, most: float, reading: Reading) -> BoundUse:
    said = wording.money if name == "max_cost_usd" else wording.count
    place = reading.places.get(f"/constraints/{name}")
    line = 0 if place is None else reading.text.count("\n", 0, place.start) + 1
    return BoundUse(name, said(amount), said(most), line, min(100, round(100 * amount / most)) if most else 100)


def _marked(attempts: tuple[AttemptView, ...]) -> dict[int, str]:
    """The lines that were broken, each with what is told of it."""
    marked: dict[int, str] = {}
    for attempt in attempts:
        for each in attempt.violations:
            if each.spot is not None:
                marked.setdefault(each.spot.line, f"attempt {attempt.n}: {each.pointer or 'the reply'} {each.message}")
        if attempt.spot is not None and attempt.message:
            marked.setdefault(attempt.spot.line, f"attempt {attempt.n}: {attempt.message}")
    return marked


def _audit(found: KeptRun) -> list[AuditEntry]:
    granted = {each.reopening for each in found.questions}
    entries = [
        AuditEntry(
            each.at, each.who, f"granted {each.granted} further start{'s' if each.granted > 1 else ''}", each.reason
        )
        for each in found.reopenings
        if each.n not in granted
    ]
    for question in found.questions:
        if (decided := question.decision) is not None:
            final = ", for good" if decided.final else ""
            entries.append(
                AuditEntry(
                    decided.at, decided.who, f"answered “{decided.answer}”{final}: {question.question}", decided.reason
                )
            )
    return sorted(entries)


def _command(reading: Reading | None) -> str:
    """What a terminal would be given to do the same; the input is what the studio shows."""
    spec = shell_word(reading.path) if reading is not None else "CONTRACT.worker.md"
    return f"workermd run {spec} INPUT.json"


def _document(blob: bytes | None) -> Document:
    try:
        document = json.loads(blob) if blob is not None else {}
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _pretty(blob: bytes) -> str:
    try:
        return json.dumps(json.loads(blob), ensure_ascii=False, indent=2)
    except ValueError:
        return _text(blob)


def _text(blob: bytes | None) -> str:
    return "" if blob is None else blob.decode("utf-8", "replace").rstrip("\n")
