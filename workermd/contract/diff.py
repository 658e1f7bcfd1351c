"""What changed in meaning between two versions of a contract, and which bump of the version it takes.

An input schema may only get wider and an output schema only narrower: whoever sent a valid input before
must not be refused, and whoever reads outputs must not meet one that was impossible. The bounds are
promises to the caller too: a looser one breaks a promise, a tighter one keeps it but may stop work that
fitted before, which no rule can tell.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from workermd.contract import bump
from workermd.contract.bump import Bump
from workermd.contract.compare.facts import DRAFT_URIS, SchemaSource
from workermd.contract.compare.schemas import Obstacle, obstacles
from workermd.contract.json.strict import canonical
from workermd.contract.model import Constraints, Contract, Lines, Reading
from workermd.protocol import reach, tool_pattern
from workermd.protocol.call import KEY
from workermd.protocol.envelope import Document
from workermd.protocol.tool_pattern import ToolPattern
from workermd.system.text import shown

Verdict = Literal["breaking", "compatible", "unknown"]

MAX_OUTPUT_BYTES = 1 << 20
"""What holds where a contract has no `max_output_bytes` (S3.6)."""


class ChangeKind(NamedTuple):
    """`requires` is the least bump; `why` is one sentence."""

    verdict: Verdict
    requires: Bump
    why: str


KINDS: dict[str, ChangeKind] = {
    "id-changed": ChangeKind(
        "breaking", "major", "Callers name the worker by its id, and finished runs are looked up under it."
    ),
    "shape-changed": ChangeKind(
        "breaking",
        "major",
        "A failure is printed as another document: the output of one shape, the envelope of the other.",
    ),
    "status-moved": ChangeKind(
        "breaking", "major", "Consumers find the status in the output or in the envelope, not in both."
    ),
    "mode-changed": ChangeKind(
        "unknown", "major", "The mode chooses a default backend; an operator may have bound the worker by it."
    ),
    "purpose-changed": ChangeKind(
        "unknown", "minor", "The purpose tells a task what to do; no rule can compare the words."
    ),
    "purpose-respaced": ChangeKind("compatible", "patch", "The words are the same; the contract's hash is another."),
    "call-changed": ChangeKind("breaking", "major", "A backend that calls by `x-call` calls another way now, or none."),
    "idempotency-key-changed": ChangeKind(
        "breaking", "major", "Runs are found again by the value of this field, so settled ones would run again."
    ),
    "input-narrowed": ChangeKind("breaking", "major", "An input that was accepted is refused."),
    "input-widened": ChangeKind("compatible", "minor", "Inputs are accepted that were refused; all others still are."),
    "input-undecided": ChangeKind(
        "unknown", "major", "An input that was accepted may be refused; the rules cannot tell."
    ),
    "input-reworded": ChangeKind("compatible", "patch", "The same inputs are accepted."),
    "output-widened": ChangeKind("breaking", "major", "An output can come that was impossible."),
    "output-narrowed": ChangeKind("compatible", "minor", "Outputs that were possible come no more; no new ones do."),
    "output-undecided": ChangeKind(
        "unknown", "major", "An output may come that was impossible; the rules cannot tell."
    ),
    "output-reworded": ChangeKind("compatible", "patch", "The same outputs are possible."),
    "status-added": ChangeKind("breaking", "major", "Consumers decide by the status and do not know this one."),
    "status-removed": ChangeKind("compatible", "minor", "A status that consumers know comes no more."),
    "success-changed": ChangeKind(
        "breaking", "major", "The exit code of a status changes between success and failure."
    ),
    "timeout-raised": ChangeKind("breaking", "major", "Callers wait as long as the contract says, and no longer."),
    "timeout-lowered": ChangeKind(
        "unknown", "minor", "The answer comes in time as before, but work that fitted may not fit now."
    ),
    "attempt-timeout-raised": ChangeKind("compatible", "minor", "The whole run keeps its limit."),
    "attempt-timeout-lowered": ChangeKind("unknown", "minor", "An attempt that was long enough may be cut off."),
    "attempts-raised": ChangeKind(
        "breaking", "major", "The effects of a task may happen more often than was promised."
    ),
    "attempts-lowered": ChangeKind(
        "unknown", "minor", "Nothing happens more often, but a run that needed the retry fails."
    ),
    "budget-raised": ChangeKind("breaking", "major", "A run may spend more than was promised."),
    "budget-lowered": ChangeKind("unknown", "minor", "Nothing more is spent, but a run that needed it fails."),
    "size-raised": ChangeKind("breaking", "major", "An output may be larger than was promised."),
    "size-lowered": ChangeKind("unknown", "minor", "No output is larger, but one that fitted may not fit now."),
    "tool-added": ChangeKind("breaking", "major", "A run may use a tool that nobody agreed to."),
    "tool-removed": ChangeKind("unknown", "minor", "Nothing more is allowed, but a run that needed the tool fails."),
    "reach-widened": ChangeKind(
        "breaking", "major", "An attempt may reach more of the machine than anybody agreed to."
    ),
    "reach-narrowed": ChangeKind("unknown", "minor", "An attempt reaches less, and one that needed it fails."),
    "rate-limit-added": ChangeKind("breaking", "major", "Calls that were allowed may be refused."),
    "rate-limit-changed": ChangeKind("unknown", "major", "Rate limits are free text; no rule can compare the words."),
    "rate-limit-removed": ChangeKind("compatible", "minor", "No call is refused that was allowed."),
    "backoff-changed": ChangeKind("compatible", "patch", "The run keeps its limits."),
    "notes-changed": ChangeKind("compatible", "patch", "Notes bind nobody."),
}
"""Every change that is told, with its verdict. The names are stable."""


class Spot(NamedTuple):
    """Where something stands in one of the files: the name of the place as in `Reading.places`, and its
    position. Lines and columns count from 1; `end_column` is the first one after it on that line."""

    path: str
    place: str
    line: int
    column: int
    end_column: int


class Change(NamedTuple):
    """One change. `pointer` names what changed (`/input_schema/properties/task/type`), in the new contract
    where it is there, else in the old one. `old` and `new` are the nearest places that exist."""

    kind: str
    verdict: Verdict
    reason: str
    pointer: str
    old: Spot
    new: Spot
    requires: Bump


class Difference(NamedTuple):
    """`changes` in the order of verdict (breaking first), then of place. `required` is the largest of their bumps."""

    old_id: str
    new_id: str
    old_version: str
    new_version: str
    required: Bump
    made: Bump
    changes: tuple[Change, ...]

    @property
    def is_bump_missing(self) -> bool:
        return not bump.suffices(self.made, self.required)


def difference(old: Reading, new: Reading) -> Difference:
    """What changed between two contracts that were read without errors. Raises ValueError for others."""
    if old.contract is None or new.contract is None:
        raise ValueError("a contract with errors cannot be compared")
    pair = _Pair(old, new)
    found = [
        *_identity(old.contract, new.contract),
        *_call(old.contract, new.contract),
        *_schemas(old.contract, new.contract),
    ]
    found += [*_statuses(old.contract, new.contract), *_bounds(old.contract, new.contract)]
    changes = tuple(sorted(map(pair.change, dict.fromkeys(found)), key=_order))
    required: Bump = max((change.requires for change in changes), key=bump.BUMPS.index, default="none")
    was, now = old.contract, new.contract
    return Difference(was.id, now.id, was.version, now.version, required, bump.made(was.version, now.version), changes)


def _order(change: Change) -> tuple[object, ...]:
    ranks = {"breaking": 0, "unknown": 1, "compatible": 2}
    return (ranks[change.verdict], change.new.line, change.new.column, change.old.line, change.kind, change.reason)


class _Told(NamedTuple):
    """A change before its positions are looked up."""

    kind: str
    reason: str
    old: str
    new: str


class _Pair:
    def __init__(self, old: Reading, new: Reading) -> None:
        self._sides = ((old, Lines(old.text)), (new, Lines(new.text)))

    def change(self, told: _Told) -> Change:
        old = self._spot(0, told.old)
        new = self._spot(1, told.new)
        kind = KINDS[told.kind]
        # What stands deeper names it best: a rule that is gone has no place in the new file.
        removed = old.place == told.old and new.place != told.new
        pointer = told.old if removed or told.old.startswith(f"{told.new}/") else told.new
        return Change(told.kind, kind.verdict, told.reason, pointer, old, new, kind.requires)

    def _spot(self, side: int, name: str) -> Spot:
        reading, lines = self._sides[side]
        place = name
        while place and place not in reading.places:
            place = place.rpartition("/")[0]
        span = reading.places.get(place)
        if span is None:
            return Spot(reading.path, "", 1, 1, 1)
        line, column = lines.position(span.start)
        last = len(lines.line_text(line)) + 1
        return Spot(reading.path, place, line, column, max(column, min(last, column + span.end - span.start)))


def _identity(old: Contract, new: Contract) -> Iterator[_Told]:
    if old.id != new.id:
        names = [
            name if name in contract.front_matter else "worker_id" for name, contract in (("id", old), ("id", new))
        ]
        reason = f"the id changed from {shown(old.id)} to {shown(new.id)}"
        yield _Told("id-changed", reason, *(f"/front_matter/{name}" for name in names))
    if old.shape != new.shape:
        reason = f"the contract had the {old.shape} shape and has the {new.shape} shape"
        yield _Told("shape-changed", reason, "/front_matter", "/front_matter")
    elif old.reports_status != new.reports_status:
        reason = "the status was in the output and is in the envelope now"
        if new.reports_status:
            reason = "the status was in the envelope and is in the output now"
        place = "/output_schema/properties/status"
        yield _Told("status-moved", reason, place, place)
    if old.mode != new.mode:
        reason = f"the mode changed from {shown(old.mode)} to {shown(new.mode)}"
        yield _Told("mode-changed", reason, "/front_matter/worker_mode", "/front_matter/worker_mode")
    if old.purpose.split() != new.purpose.split():
        yield _Told("purpose-changed", _other_purpose(old.purpose, new.purpose), "/purpose", "/purpose")
    elif old.purpose != new.purpose:
        yield _Told("purpose-respaced", "the purpose has other line ends or blanks", "/purpose", "/purpose")


def _call(old: Contract, new: Contract) -> Iterator[_Told]:
    """How the interface is called: the front matter's `x-call`."""
    before, after = (contract.front_matter.get(KEY) for contract in (old, new))
    if before != after:
        reason = (
            "x-call was taken away" if after is None else "x-call was added" if before is None else "x-call changed"
        )
        places = [f"/front_matter/{KEY}" if value is not None else "/front_matter" for value in (before, after)]
        yield _Told("call-changed", reason, *places)


def _other_purpose(old: str, new: str) -> str:
    if not old or not new:
        return "there was no purpose and there is one now" if new else "there was a purpose and there is none now"
    return "the purpose has other words"


# --- schemas ---


class _Side(NamedTuple):
    """One schema of both contracts, and how its changes are called."""

    name: str
    narrower: str
    wider: str
    undecided: str
    reworded: str
    gone: str
    come: str


_INPUT = _Side(
    "input_schema", "input-narrowed", "input-widened", "input-undecided", "input-reworded",
    "were accepted and are refused now", "were refused and are accepted now",
)  # fmt: skip
_OUTPUT = _Side(
    "output_schema", "output-narrowed", "output-widened", "output-undecided", "output-reworded",
    "were possible outputs and are not now", "were no possible outputs and are now",
)  # fmt: skip


def _schemas(old: Contract, new: Contract) -> Iterator[_Told]:
    yield from _schema(_INPUT, (old.input_schema, old.input_draft), (new.input_schema, new.input_draft))
    told = _schema(_OUTPUT, (old.output_schema, old.output_draft), (new.output_schema, new.output_draft))
    if _listed(old) and _listed(new) and set(old.statuses) != set(new.statuses):
        # The statuses are told one by one; the enum that lists them says the same again.
        enum = "/output_schema/properties/status/enum"
        told = (each for each in told if (each.old, each.new) != (enum, enum))
    yield from told


def _listed(contract: Contract) -> bool:
    """True where the output schema itself lists the statuses, and does it in `enum` alone."""
    node = contract.output_schema.get("properties", {}).get("status")
    return isinstance(node, dict) and node.get("enum") == list(contract.statuses)


def _schema(side: _Side, old: tuple[Document, str], new: tuple[Document, str]) -> Iterator[_Told]:
    if canonical(list(old)) == canonical(list(new)):
        return
    root = f"/{side.name}"
    if old[1] not in DRAFT_URIS or new[1] not in DRAFT_URIS:
        reason = "schemas of draft 4 are compared as text only, and these differ"
        yield _Told(side.undecided, reason, root, root)
        return
    was, now = SchemaSource(*old).node, SchemaSource(*new).node
    gone = obstacles(was, now)
    come = tuple(each._replace(a=each.b, b=each.a) for each in obstacles(now, was))
    may_break = _Places(come if side is _OUTPUT else gone)
    for each in gone:
        told = _gone(side, each, may_break)
        yield from (one._replace(old=root + one.old, new=root + one.new) for one in told)
    for each in come:
        told = _come(side, each, may_break)
        yield from (one._replace(old=root + one.old, new=root + one.new) for one in told)
    if not gone and not come:
        yield _Told(side.reworded, "the schema is written differently and means the same", root, root)


def _gone(side: _Side, each: Obstacle, may_break: "_Places") -> Iterator[_Told]:
    """Values that matched before: that breaks an input schema."""
    if side is _INPUT:
        yield _against(side, each, side.narrower, f"{each.what} {side.gone}")
    elif not may_break.near(each):
        yield _harmless(each, side.narrower, f"{each.what} {side.gone}", "no new output is possible by it")


def _come(side: _Side, each: Obstacle, may_break: "_Places") -> Iterator[_Told]:
    """Values that match now: that breaks an output schema."""
    if side is _OUTPUT:
        yield _against(side, each, side.wider, f"{each.what} {side.come}")
    elif not may_break.near(each):
        yield _harmless(each, side.wider, f"{each.what} {side.come}", "no input is refused for it")


def _against(side: _Side, each: Obstacle, kind: str, says: str) -> _Told:
    if each.certain:
        return _Told(kind, says, each.a, each.b)
    return _Told(side.undecided, f"by the rule {each.keyword!r} it cannot be told whether {says}", each.a, each.b)


def _harmless(each: Obstacle, kind: str, says: str, still: str) -> _Told:
    return _Told(kind, says if each.certain else f"the rule {each.keyword!r} changed; {still}", each.a, each.b)


class _Places:
    """Where obstacles stand that may break something. Nothing harmless is told of such a place, and of none above or
    below it: it is not known whether something breaks. What may be harmless, but is not certain itself, is not told
    beside what breaks either.
    """

    def __init__(self, found: tuple[Obstacle, ...]) -> None:
        self._all = _Pointers(found)
        self._open = _Pointers(tuple(each for each in found if not each.certain))

    def near(self, each: Obstacle) -> bool:
        return (self._open if each.certain else self._all).near(each)


class _Pointers:
    """The places of obstacles on both sides, and those above them."""

    def __init__(self, found: tuple[Obstacle, ...]) -> None:
        self._at = ({each.a for each in found}, {each.b for each in found})
        self._above = tuple({above for place in places for above in _above(place)} for places in self._at)

    def near(self, each: Obstacle) -> bool:
        return any(
            place in at or place in above or not at.isdisjoint(_above(place))
            for place, at, above in zip((each.a, each.b), self._at, self._above, strict=True)
        )


def _above(place: str) -> Iterator[str]:
    """The pointers above one, the root included."""
    while place:
        place = place.rpartition("/")[0]
        yield place


# --- statuses ---


def _statuses(old: Contract, new: Contract) -> Iterator[_Told]:
    places = [
        "/output_schema/properties/status/enum" if _listed(contract) else "/constraints/status_enum"
        for contract in (old, new)
    ]
    for status in new.statuses:
        if status not in old.statuses:
            yield _Told("status-added", f"the status {shown(status)} is new", *places)
    for status in old.statuses:
        if status not in new.statuses:
            yield _Told("status-removed", f"the status {shown(status)} is gone", *places)
    success = "/constraints/success_statuses"
    was, now = old.constraints.success_statuses, new.constraints.success_statuses
    for status in old.statuses:
        if status in new.statuses and (status in was) != (status in now):
            kinds = ("success", "failure") if status in was else ("failure", "success")
            reason = f"the status {shown(status)} was a {kinds[0]} and is a {kinds[1]} now, by its exit code"
            yield _Told("success-changed", reason, success, success)


# --- bounds ---

_BOUNDS: tuple[tuple[str, str, float | None], ...] = (
    ("timeout_seconds", "timeout", None),
    ("attempt_timeout_seconds", "attempt-timeout", None),
    ("max_attempts", "attempts", 1),
    ("max_tokens", "budget", None),
    ("max_cost_usd", "budget", None),
    ("max_tool_calls", "budget", None),
    ("max_turns", "budget", None),
    ("max_output_bytes", "size", MAX_OUTPUT_BYTES),
    ("max_memory_mb", "reach", None),
    ("max_processes", "reach", None),
    ("max_artifact_mb", "reach", None),
)
"""Field, the first word of its kinds, and what holds where it is not given; None is no bound."""

_WIDER, _NARROWER = {"reach": "widened"}, {"reach": "narrowed"}


def _bounds(old: Contract, new: Contract) -> Iterator[_Told]:
    for field, word, default in _BOUNDS:
        was = _or(getattr(old.constraints, field), default)
        now = _or(getattr(new.constraints, field), default)
        if was != now:
            raised = now is None or (was is not None and now > was)
            place = f"/constraints/{field}"
            how = _WIDER.get(word, "raised") if raised else _NARROWER.get(word, "lowered")
            yield _Told(f"{word}-{how}", _moved(field, was, now), place, place)
    yield from _reach(old.constraints, new.constraints)
    yield from _tools(old.constraints.tools_allowed, new.constraints.tools_allowed)
    yield from _words(old, new)


def _reach(was: Constraints, now: Constraints) -> Iterator[_Told]:
    """A network is wider where it reaches more; files, where something is read or written that was not."""
    place = "/constraints/network"
    if not reach.network_covers(was.network, now.network):
        yield _Told("reach-widened", f"network is {_said(now.network)}; it was {_said(was.network)}", place, place)
    elif was.network != now.network and not reach.network_covers(now.network, was.network):
        yield _Told("reach-narrowed", f"network is {_said(now.network)}; it was {_said(was.network)}", place, place)
    place = "/constraints/files"
    if not _files_cover(was.files, now.files):
        yield _Told("reach-widened", f"files is {_said(now.files)}; it was {_said(was.files)}", place, place)
    elif not _files_cover(now.files, was.files):
        yield _Told("reach-narrowed", f"files is {_said(now.files)}; it was {_said(was.files)}", place, place)


def _files_cover(wide: reach.Files | None, narrow: reach.Files | None) -> bool:
    if wide is None or narrow is None:
        return wide is None
    granted = {need.name: need.writes for need in reach.needs(wide)}
    return all(need.name in granted and granted[need.name] >= need.writes for need in reach.needs(narrow))


def _said(words: str | tuple[str, ...] | None) -> str:
    if words is None:
        return "not bounded"
    return shown(words if isinstance(words, str) else f"[{', '.join(words)}]")


def _or(value: float | None, default: float | None) -> float | None:
    return default if value is None else value


def _moved(field: str, was: float | None, now: float | None) -> str:
    if was is None:
        return f"{field} is {now:g} now; there was no such bound"
    if now is None:
        return f"{field} was {was:g}; there is no such bound now"
    return f"{field} {'rose' if now > was else 'fell'} from {was:g} to {now:g}"


def _tools(was: tuple[str, ...] | None, now: tuple[str, ...] | None) -> Iterator[_Told]:
    place = "/constraints/tools_allowed"
    if was == now:
        return
    if now is None:
        yield _Told("tool-added", "tools_allowed is gone, so that every tool is allowed", place, place)
    elif was is None:
        yield _Told("tool-removed", "tools_allowed is new: only the tools it names are allowed", place, place)
    else:
        for tool in now:
            if not _is_covered(tool, was):
                yield _Told("tool-added", f"the tool {shown(tool)} is allowed now", place, place)
        for tool in was:
            if not _is_covered(tool, now):
                yield _Told("tool-removed", f"the tool {shown(tool)} is allowed no more", place, place)


def _is_covered(tool: str, tools: tuple[str, ...]) -> bool:
    """Whether one of the patterns allows every call that `tool` allows."""
    if tool in tools:
        return True
    wanted = _pattern(tool)
    return wanted is not None and any(found is not None and found.covers(wanted) for found in map(_pattern, tools))


def _pattern(tool: str) -> ToolPattern | None:
    try:
        return tool_pattern.read(tool)
    except tool_pattern.MalformedPattern:
        return None


def _words(old: Contract, new: Contract) -> Iterator[_Told]:
    was, now = old.constraints, new.constraints
    if was.idempotency_key != now.idempotency_key:
        reason = f"the idempotency key was {shown(was.idempotency_key)} and is {shown(now.idempotency_key)}"
        place = "/constraints/idempotency_key"
        yield _Told("idempotency-key-changed", reason, place, place)
    if was.rate_limit != now.rate_limit:
        how = "added" if was.rate_limit is None else "removed" if now.rate_limit is None else "changed"
        yield _Told(f"rate-limit-{how}", f"rate_limit was {how}", "/constraints/rate_limit", "/constraints/rate_limit")
    if was.backoff != now.backoff:
        yield _Told("backoff-changed", "backoff changed", "/constraints/backoff", "/constraints/backoff")
    if was.notes != now.notes:
        yield _Told("notes-changed", "the notes have other words", "/constraints/notes", "/constraints/notes")
