"""Does a derived contract still say the truth: every claim is looked up again, and what drifted can be rewritten."""

import difflib
import posixpath
from collections.abc import Iterator
from typing import Literal, NamedTuple

from workermd.contract import document as structure
from workermd.contract.model import Lines
from workermd.contract.sections import info_word
from workermd.derive import claims as claim_documents
from workermd.derive import record as records
from workermd.derive.compose import Derived, Piece, pieces
from workermd.derive.evidence import SourceFile, digest, facts_of, of_lines, open_source
from workermd.derive.folder import InFolder
from workermd.derive.model import Claim, Evidence, Repository
from workermd.derive.record import DerivationRecord, text_sha256
from workermd.derive.schemas import written

State = Literal["true", "moved", "changed", "gone", "new", "unchecked"]
DRIFTED: tuple[State, ...] = ("moved", "changed", "gone", "new")
"""States that make `derive --check` exit 1. `unchecked`: a fact of the host, which a local clone does not know."""

NEWS = ("status", "repository_license", "documentation_license")
"""Fields whose new claims are reported: nobody should have to look for them."""

MOST_COPIES = 5
MOST_LINES = 2_000_000


class Drift(NamedTuple):
    """A claim that is no longer as the contract says. `line` is the claim's in the contract, from 1.

    `evidence` is what the contract cites (None for a new claim), `found` where it stands now, or what is new.
    """

    state: State
    field: str
    text: str
    line: int
    evidence: Evidence | None
    found: Evidence | None

    @property
    def message(self) -> str:
        """One sentence, without the repository's words."""
        old, now = _place(self.evidence), _place(self.found)
        match self.state:
            case "moved":
                return f"{self.field}: {old} stands at {now} now"
            case "changed":
                return f"{self.field}: {old} says something else now"
            case "gone":
                return f"{self.field}: {old} is not there any more"
            case "new":
                return f"{self.field}: {now} says something that the contract does not"
            case "unchecked":
                return f"{self.field}: {old} is known to the host alone"
        return f"{self.field}: {old} still says it"


def _place(evidence: Evidence | None) -> str:
    if evidence is None:
        return "nothing"
    if not evidence.path:
        return "the host's field"
    return f"{evidence.path}:{evidence.first_line}-{evidence.last_line}"


def check(text: str, repository: Repository, path: str = "-") -> tuple[Drift, ...]:
    """Every claim that is not still true, in the contract's order. Raises DeriveError without an evidence block."""
    return tuple(drift for drift in examine(text, repository, path) if drift.state != "true")


def examine(text: str, repository: Repository, path: str = "-") -> tuple[Drift, ...]:
    """One `Drift` for every piece of evidence, those that are still true included."""
    found = records.find(text, path)
    lookup = _Lookup(repository, found.record)
    drifts = []
    for claim, line in zip(found.record.claims, _claim_lines(found), strict=False):
        for evidence in claim.evidence:
            state, now = lookup.state(claim, evidence)
            drifts.append(Drift(state, claim.field, claim.text, line, evidence, now))
    first = found.lines.position(found.place.start).line
    drifts += [
        Drift("new", claim.field, claim.text, first, None, next(iter(claim.evidence), None)) for claim in lookup.news()
    ]
    return tuple(drifts)


def _claim_lines(found: records.PlacedRecord) -> Iterator[int]:
    """The lines of the claims in the block: each begins with its member `field`."""
    first = found.lines.position(found.place.start).line
    last = found.lines.position(found.place.end).line
    listed = [line for line in range(first, last) if found.lines.line_text(line).lstrip().startswith('"field":')]
    yield from listed
    while True:
        yield first


def _project(repository: Repository, record: DerivationRecord) -> Repository:
    """The folder that the contract was derived from; without a file left in it, an empty one."""
    return InFolder(repository, record.folder) if record.folder else repository


class _Lookup:
    """Looks evidence up in a repository; every file is read and every search made once."""

    def __init__(self, repository: Repository, record: DerivationRecord) -> None:
        self.repository = repository
        self.record = record
        self.paths = {file.path for file in repository.files()}
        self.facts = {_fact_digest(fact) for fact in facts_of(repository).values()}
        facts = repository.facts
        self.knows_host = facts.stars is not None or bool(facts.description or facts.topics or facts.licence)
        self.fresh, _ = claim_documents.gather(_project(repository, record), None, record.mode)
        self.fresh_fields = {claim.field for claim in self.fresh if claim.field not in ("interface", "worker_mode")}
        self.fresh_evidence = {
            evidence.sha256: evidence for claim in self.fresh for evidence in claim.evidence if evidence.path
        }
        self._sources: dict[str, SourceFile | None] = {}

    def state(self, claim: Claim, evidence: Evidence) -> tuple[State, Evidence | None]:
        if not evidence.path:
            return self._fact_state(claim, evidence)
        source = self._source(evidence.path)
        if source and digest(source.lines[evidence.first_line - 1 : evidence.last_line]) == evidence.sha256:
            return "true", evidence
        moved = self._elsewhere(evidence)
        if moved:
            return "moved", moved
        return ("gone" if evidence.path not in self.paths or self._has_ended(claim) else "changed"), None

    def _has_ended(self, claim: Claim) -> bool:
        """Nothing of the kind is said any more. Interfaces and modes are not derived again here."""
        return claim.field not in ("interface", "worker_mode") and claim.field not in self.fresh_fields

    def _fact_state(self, claim: Claim, evidence: Evidence) -> tuple[State, Evidence | None]:
        if evidence.sha256 in self.facts:
            return "true", evidence
        if not self.knows_host:
            return "unchecked", None
        return ("gone" if self._has_ended(claim) else "changed"), None

    def _source(self, path: str) -> SourceFile | None:
        if path not in self._sources:
            self._sources[path] = open_source(self.repository, path) if path in self.paths else None
        return self._sources[path]

    def _elsewhere(self, evidence: Evidence) -> Evidence | None:
        """The same lines in the same file, in a file of the same name, or where a new derivation finds them."""
        name = posixpath.basename(evidence.path)
        copies = sorted(path for path in self.paths if posixpath.basename(path) == name and path != evidence.path)
        for path in [evidence.path, *copies[:MOST_COPIES]]:
            source = self._source(path)
            at = _find_lines(source, evidence) if source else None
            if source and at:
                return of_lines(self.repository, source, at, at + evidence.last_line - evidence.first_line)
        return self.fresh_evidence.get(evidence.sha256)

    def news(self) -> Iterator[Claim]:
        known = {(claim.field, claim.text) for claim in self.record.claims}
        for claim in self.fresh:
            from_host = all(not evidence.path for evidence in claim.evidence)
            if claim.field in NEWS and (claim.field, claim.text) not in known and (self.knows_host or not from_host):
                yield claim


def _fact_digest(fact: str) -> str:
    return text_sha256(fact)


def _find_lines(source: SourceFile, evidence: Evidence) -> int | None:
    """The first line from which the cited lines stand in the file, the nearest to where they stood."""
    count = evidence.last_line - evidence.first_line + 1
    starts = range(1, len(source.lines) - count + 2)
    if count < 1 or len(starts) * count > MOST_LINES:
        return None
    for start in sorted(starts, key=lambda start: abs(start - evidence.first_line)):
        if digest(source.lines[start - 1 : start - 1 + count]) == evidence.sha256:
            return start
    return None


# --- update ---


class Updated(NamedTuple):
    """`left` names the parts that drifted but that the author has edited: they stay as they are."""

    text: str
    left: tuple[str, ...]


def update(text: str, repository: Repository, fresh: Derived, path: str = "-") -> Updated:
    """Rewrite what drifted and nothing else. `fresh` is a new derivation with the same choices.

    A part is rewritten only where it stands exactly as it was derived. Without drift the text stays as it is.
    """
    drifts = check(text, repository, path)
    if not any(drift.state in DRIFTED for drift in drifts):
        return Updated(text, ())
    old = records.find(text, path).record
    new = _renewed(old, fresh, repository, drifts)
    schemas = (
        _Schemas(text, path, old, fresh) if new.interface == fresh.record.interface and _of_interface(drifts) else None
    )
    if schemas:
        new = schemas.noted_in(new)
    edited, left = _rewritten(text, old, new)
    if schemas:
        edited, unchanged = schemas.written_into(edited, path)
        left += unchanged
    place = records.find(edited, path).place
    return Updated(f"{edited[: place.start]}{records.encoded(new)}\n{edited[place.end :]}", tuple(left))


def _of_interface(drifts: tuple[Drift, ...]) -> bool:
    return any(drift.field == "interface" and drift.state in DRIFTED for drift in drifts)


def _renewed(
    old: DerivationRecord, fresh: Derived, repository: Repository, drifts: tuple[Drift, ...]
) -> DerivationRecord:
    """The old claims that hold, the new ones in place of those that drifted."""
    followed = {claim: _followed(claim, drifts) for claim in old.claims}
    broken = {(claim.field, claim.text) for claim, now in followed.items() if now is None}
    waiting = [claim for claim in fresh.record.claims if claim.evidence or claim.field == "interface"]
    kept = {(claim.field, claim.text) for claim in old.claims if (claim.field, claim.text) not in broken}
    waiting = [claim for claim in waiting if (claim.field, claim.text) not in kept]
    claims: list[Claim] = []
    for claim in old.claims:
        if (claim.field, claim.text) in kept:
            claims.append(followed[claim] or claim)
            continue
        same = next((each for each in waiting if (each.field, each.text) == (claim.field, claim.text)), None)
        other = same or next((each for each in waiting if each.field == claim.field), None)
        if other:
            waiting.remove(other)
            claims.append(other)
    drifted = {drift.field for drift in drifts if drift.state in DRIFTED}
    for claim in reversed(waiting):
        if claim.field in drifted:
            at = max((index + 1 for index, each in enumerate(claims) if each.field == claim.field), default=0)
            claims.insert(at, claim)
    if old.quotes == "none":  # what moved was looked up with its words
        claims = [claim_documents.unquoted(claim) for claim in claims]
    record = fresh.record
    stars = record.stars if record.stars is not None else old.stars
    return old._replace(
        commit=repository.commit,
        updated_on=record.updated_on or old.updated_on,
        derived_on=record.derived_on or old.derived_on,
        stars=stars,
        claims=tuple(claims),
    )


def _followed(claim: Claim, drifts: tuple[Drift, ...]) -> Claim | None:
    """The claim with its evidence where it stands now; None when some of it is changed or gone."""
    now = {drift.evidence: drift for drift in drifts if (drift.field, drift.text) == (claim.field, claim.text)}
    evidence = []
    for each in claim.evidence:
        drift = now.get(each)
        if drift is not None and drift.state in ("changed", "gone"):
            return None
        evidence.append(drift.found if drift is not None and drift.found is not None else each)
    return claim._replace(evidence=tuple(evidence))


def _rewritten(text: str, old: DerivationRecord, new: DerivationRecord) -> tuple[str, list[str]]:
    """The pieces that differ, replaced where they stand as derived."""
    before = [piece for piece in pieces(old, None) if piece.id != "block"]
    after = [piece for piece in pieces(new, None) if piece.id != "block"]
    places = _places(text, [piece.text for piece in before])
    edits: list[tuple[int, int, str]] = []
    left: list[str] = []
    matcher = difflib.SequenceMatcher(
        None, [piece.text for piece in before], [piece.text for piece in after], autojunk=False
    )
    for kind, first, last, new_first, new_last in matcher.get_opcodes():
        if kind == "equal":
            continue
        for offset in range(max(last - first, new_last - new_first)):
            index = first + offset
            replacement = after[new_first + offset].text if new_first + offset < new_last else ""
            if index < last:
                place = places[index]
                if place is None:
                    left.append(before[index].id)
                else:
                    edits.append((place, place + len(before[index].text), replacement))
                continue
            at = _end_before(places, before, last)
            if at is None:
                left.append(after[new_first + offset].id)
            else:
                edits.append((at, at, replacement))
    return _applied(text, edits), left


def _places(text: str, parts: list[str]) -> list[int | None]:
    """Where each part stands as whole lines, in order where that is possible."""
    places: list[int | None] = []
    cursor = 0
    for part in parts:
        at = _line_start(text, part, cursor)
        if at is None:
            at = _line_start(text, part, 0) if part.strip() else None
        else:
            cursor = at + len(part)
        places.append(at)
    return places


def _line_start(text: str, part: str, start: int) -> int | None:
    at = text.find(part, start)
    while at > 0 and text[at - 1] != "\n":
        at = text.find(part, at + 1)
    return None if at < 0 else at


def _end_before(places: list[int | None], before: list[Piece], index: int) -> int | None:
    for earlier in range(index - 1, -1, -1):
        place = places[earlier]
        if place is not None:
            return place + len(before[earlier].text)
    return None


def _applied(text: str, edits: list[tuple[int, int, str]]) -> str:
    """Edits by place; those at one place in their order."""
    parts, cursor = [], 0
    for start, end, replacement in sorted(edits, key=lambda edit: edit[:2]):
        if start < cursor:
            continue
        parts += [text[cursor:start], replacement]
        cursor = end
    return "".join([*parts, text[cursor:]])


class _Schemas:
    """The schema sections of a contract: replaced only where the author has not touched them."""

    def __init__(self, text: str, path: str, old: DerivationRecord, fresh: Derived) -> None:
        sections = _schema_texts(text, path)
        self.call = fresh.record.call
        self.fresh = {
            structure.INPUT_SCHEMA: written(fresh.schemas.input_schema),
            structure.OUTPUT_SCHEMA: written(fresh.schemas.output_schema),
        }
        derived = {structure.INPUT_SCHEMA: old.input_sha256, structure.OUTPUT_SCHEMA: old.output_sha256}
        self.untouched = {
            name for name in derived if name in sections and text_sha256(sections[name][2]) == derived[name]
        }

    def noted_in(self, record: DerivationRecord) -> DerivationRecord:
        digests = {name: text_sha256(text) for name, text in self.fresh.items()}
        if structure.INPUT_SCHEMA in self.untouched:  # the way of calling fits this schema, and no other
            record = record._replace(input_sha256=digests[structure.INPUT_SCHEMA], call=self.call)
        if structure.OUTPUT_SCHEMA in self.untouched:
            record = record._replace(output_sha256=digests[structure.OUTPUT_SCHEMA])
        return record

    def written_into(self, text: str, path: str) -> tuple[str, list[str]]:
        sections = _schema_texts(text, path)
        edits = [(*sections[name][:2], f"{self.fresh[name]}\n") for name in self.untouched if name in sections]
        return _applied(text, edits), [name for name in self.fresh if name not in self.untouched]


def _schema_texts(text: str, path: str) -> dict[str, tuple[int, int, str]]:
    """Start, end and text (without its last line end) of the first json fence of each schema section."""
    lines = Lines(text)
    found: dict[str, tuple[int, int, str]] = {}
    fences = records.fences(lines, path)
    body = structure.read_body(lines, 1)
    for section in body.sections:
        first, last = section.heading.line, max([section.heading.end, *(block.end for block in section.blocks)])
        for fence in fences:
            if first < fence.line < last and info_word(fence) == "json":
                place = structure.fence_content(fence, lines)
                found.setdefault(
                    section.name, (place.start, place.end, text[place.start : place.end].removesuffix("\n"))
                )
                break
    return found
