"""What a ledger keeps, as records: every ledger reads and writes these, whatever it stores them in.

Times are Unix microseconds and only label records: no clock decides anything (S4.2).
"""

from typing import NamedTuple

from workermd.protocol.envelope import Document

QUESTION_ID_LENGTH = 12
"""Hexadecimal digits: a question is named by the start of its attempt's token."""


class Run(NamedTuple):
    """One row of the ledger, as it was when it was read.

    `state` is `waiting` (an attempt may be claimed), `running` (attempt `attempts` is open) or `done`.
    `status`, `output` (the exact bytes printed), `envelope` and `settled_at` are set exactly when it is
    `done`. `open_token` names the result file of the open attempt, `open_key` marks it. `hash_version` is how both hashes were made;
    `answer_sha256` is the digest of output and envelope, made when they were settled.
    """

    id: int
    worker_id: str
    run_id: str
    input_sha256: bytes
    input: bytes
    contract_sha256: bytes
    hash_version: int
    max_attempts: int
    attempts: int
    state: str
    status: str | None
    output: bytes | None
    envelope: bytes | None
    created_at: int
    settled_at: int | None
    answer_sha256: bytes | None
    open_token: str | None
    open_key: bytes | None = None


class RunSummary(NamedTuple):
    """A run without its documents."""

    id: int
    worker_id: str
    run_id: str
    max_attempts: int
    attempts: int
    state: str
    status: str | None
    created_at: int
    settled_at: int | None
    error_code: str | None = None


class RunChoice(NamedTuple):
    """Which runs are meant. `status` is that of an answer, or waiting or running; `text` stands in the run's id.

    `since` and `until` are compared with the time of admission, in Unix microseconds; `until` is excluded.
    """

    worker_id: str | None = None
    status: str | None = None
    error_code: str | None = None
    since: int | None = None
    until: int | None = None
    text: str | None = None
    tags: tuple[str, ...] = ()


class Cursor(NamedTuple):
    """The last run of a page: the next page is behind it."""

    created_at: int
    id: int


class ListedRun(NamedTuple):
    """A run as a list shows it: its columns, and of its envelope what it used and its backend."""

    id: int
    worker_id: str
    run_id: str
    max_attempts: int
    attempts: int
    state: str
    status: str | None
    created_at: int
    settled_at: int | None
    error_code: str | None
    usage: Document
    backend: str


class RunsPage(NamedTuple):
    """`next` is the run that the next page is behind, None where there is none.

    `looked_at` is how many runs were looked at, 0 where that was not bounded.
    """

    runs: tuple[ListedRun, ...]
    next: Cursor | None
    looked_at: int = 0


class Attempt(NamedTuple):
    """One start of the task. `outcome` and `ended_at` are None while it is open."""

    n: int
    token: str
    owner: str
    started_at: int
    ended_at: int | None
    outcome: str | None
    detail: Document | None


class Key(NamedTuple):
    """What a run is admitted with: its key, its canonical input and its bound."""

    worker_id: str
    run_id: str
    input_sha256: bytes
    input: bytes
    contract_sha256: bytes
    max_attempts: int
    hash_version: int


class ContractText(NamedTuple):
    """The text of a contract as a run was admitted with it. `sha256` is the text's own digest."""

    sha256: bytes
    worker_id: str
    version: str
    text: str


class Acceptance(NamedTuple):
    """A run that somebody answered for before it is settled: a crash must not forget it.

    `worker` is the name that it is served by, `contract` the digest of the text (`ContractText.sha256`): one of the two is
    there. `request` is the request document, or the input, as it came. `attempts` is how many starts the run has had: 0
    while nobody has claimed it.
    """

    worker_id: str
    run_id: str
    worker: str
    contract: bytes | None
    binding: str
    request: bytes
    who: str
    at: int
    attempts: int = 0


class AttemptEvents(NamedTuple):
    """What the agents of attempt `n` did, in order: JSON objects, masked. `dropped` were left out in the middle."""

    n: int
    dropped: int
    documents: tuple[Document, ...]


class KeptEvent(NamedTuple):
    """One event of a run. `number` counts over all its attempts from 1, those included that were left out."""

    number: int
    n: int
    document: Document


class ReceiptLink(NamedTuple):
    """One link of the chain of receipts. `run` is the row, `n` the attempt, the request or the reopening that it is about.

    `subject` is the digest of what happened, `link` covers the link before, all of this and the subject. `gone` is the
    number of the link that says that the run was removed.
    """

    number: int
    at: int
    event: str
    run: int | None
    n: int | None
    subject: bytes
    link: bytes
    gone: int | None


class Tombstone(NamedTuple):
    """A run that was erased: that it was there, and nothing of what it held."""

    worker_id: str
    key_sha256: bytes
    status: str | None
    attempts: int
    who: str
    reason: str
    created_at: int
    at: int


class Removed(NamedTuple):
    """What one transaction of pruning removed: how many runs, and the tokens of their attempts."""

    runs: int
    tokens: tuple[str, ...]


class Answer(NamedTuple):
    """A final answer. `output` holds the bytes to print, now and at every replay."""

    status: str
    output: bytes
    envelope: bytes


class Reopening(NamedTuple):
    """Who granted more attempts, and the envelope of the answer that was set aside."""

    n: int
    granted: int
    who: str
    reason: str
    envelope: bytes
    at: int


class Rejection(NamedTuple):
    """An input that was refused before any attempt. It binds no run_id (S2.2)."""

    worker_id: str
    run_id: str | None
    code: str
    input_sha256: bytes | None
    at: int


class NewQuestion(NamedTuple):
    """A question to be written. `denied` is the answer that the run gets when a person denies it for good."""

    id: str
    kind: str
    question: str
    options: tuple[str, ...]
    proposed: Document | None
    denied: Answer


class Decision(NamedTuple):
    """What a person decided. `final` means that it grants no start: the run is settled as denied."""

    answer: str
    who: str
    reason: str
    final: bool
    at: int


class Question(NamedTuple):
    """A question as it stands in the ledger. `n` is the attempt that asked; `reopening` is the start granted."""

    worker_id: str
    run_id: str
    n: int
    id: str
    kind: str
    question: str
    options: tuple[str, ...]
    proposed: Document | None
    at: int
    open: bool
    decision: Decision | None
    reopening: int | None

    def document(self) -> Document:
        """`{id, kind, question, options, proposed?}`, as in the envelope and in a task's decisions."""
        return question_document(self)


def question_document(question: NewQuestion | Question) -> Document:
    document: Document = {
        "id": question.id,
        "kind": question.kind,
        "question": question.question,
        "options": list(question.options),
    }
    if question.proposed is not None:
        document["proposed"] = question.proposed
    return document
