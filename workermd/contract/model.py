"""A worker.md file as frozen records: what it says, and where it says it."""

from bisect import bisect_right
from itertools import accumulate
from typing import Literal, NamedTuple

from workermd.protocol.envelope import Document, Status
from workermd.protocol.finding import Finding
from workermd.protocol.reach import Files, Network

MAX_BYTES = 256 * 1024
"""Of a contract's file."""

Shape = Literal["registry", "site"]


class Span(NamedTuple):
    """A piece of the file: offsets in code points, `end` excluded."""

    start: int
    end: int


Places = dict[str, Span]
"""Where every part of a contract stands, by name: `/front_matter/id`, `/purpose`,
`/input_schema/properties/run_id/type`, `/constraints/timeout_seconds`; the parts of a schema are
JSON Pointers below `/input_schema` and `/output_schema`. A missing part has no place; its parent has."""


class Constraints(NamedTuple):
    """The bounds of a run. None means that the contract does not say; 0 means 0.

    Seconds are decimals, costs US dollars, sizes bytes.
    """

    timeout_seconds: float | None = None
    attempt_timeout_seconds: float | None = None
    max_attempts: int | None = None
    backoff: str | None = None
    idempotency_key: str = "run_id"
    status_enum: tuple[str, ...] | None = None
    success_statuses: tuple[str, ...] = (Status.OK.value,)
    max_tokens: int | None = None
    max_cost_usd: float | None = None
    max_tool_calls: int | None = None
    max_turns: int | None = None
    max_output_bytes: int | None = None
    tools_allowed: tuple[str, ...] | None = None
    rate_limit: str | None = None
    notes: str | None = None
    max_memory_mb: int | None = None
    max_processes: int | None = None
    max_artifact_mb: int | None = None
    network: Network | None = None
    files: Files | None = None


class Contract(NamedTuple):
    """A contract without findings of level error. `front_matter` holds every key as text or list of text.

    `statuses` is the enum that its runs answer with: the output schema's, else `status_enum`, else the
    five. `meaning_sha256` (hex) covers schemas, constraints, purpose and mode (S4.5), not prose.
    """

    shape: Shape
    id: str
    name: str
    version: str
    mode: str
    purpose: str
    front_matter: Document
    input_schema: Document
    output_schema: Document
    input_draft: str
    output_draft: str
    constraints: Constraints
    statuses: tuple[str, ...]
    meaning_sha256: str

    @property
    def reports_status(self) -> bool:
        """True when the status is a property of the output document (registry), not of the envelope (site)."""
        return "status" in self.output_schema.get("properties", {})

    @property
    def key_in_input(self) -> bool:
        """True when a field of the input carries the run's key; else the caller names the run (S4.1)."""
        return self.constraints.idempotency_key in self.input_schema.get("properties", {})


class Reading(NamedTuple):
    """What became of one file. `contract` is None when `findings` has errors.

    `keys` has the places of the keys before the values in `places`, for those that have one.
    """

    path: str
    text: str
    contract: Contract | None
    findings: tuple[Finding, ...]
    places: Places
    keys: Places = {}  # noqa: RUF012 - a frozen record's default, never mutated


class Position(NamedTuple):
    """Line and column from 1, in code points."""

    line: int
    column: int


class Lines:
    """The one table that turns an offset into line and column. LF and CRLF end a line."""

    def __init__(self, text: str) -> None:
        self.text = text
        lengths = map(len, text.split("\n")[:-1])
        self._starts = list(accumulate(lengths, lambda at, length: at + length + 1, initial=0))

    @property
    def count(self) -> int:
        """How many lines there are; after a final line end one more, which is empty."""
        return len(self._starts)

    def position(self, offset: int) -> Position:
        line = bisect_right(self._starts, offset)
        return Position(line, offset - self._starts[line - 1] + 1)

    def line_text(self, line: int) -> str:
        """The text of a line (from 1), without its end."""
        start = self._starts[line - 1]
        end = self._starts[line] if line < len(self._starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")

    def start(self, line: int) -> int:
        return self._starts[line - 1]
