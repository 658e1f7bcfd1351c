"""Claims and an interface become a contract's text, in the registry's shape.

Text of the repository stands in code spans, in JSON strings and in quoted YAML values only: nothing of it can begin
a section, end a fence or be rendered. The purpose is ours alone, because a task receives it.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from workermd.contract.forms import Form, WrongForm, date, url
from workermd.contract.model import MAX_BYTES
from workermd.contract.problems import SUFFIX
from workermd.contract.reader import read
from workermd.contract.write import front_matter
from workermd.derive import claims as claim_documents
from workermd.derive import confidence, licence
from workermd.derive.claims import NOT_QUOTED
from workermd.derive.evidence import open_source
from workermd.derive.folder import folder_of
from workermd.derive.mode import ORCHESTRATION
from workermd.derive.model import Claim, Evidence, Interface, Repository
from workermd.derive.plain import QUOTE_LENGTH, address, as_code, slug
from workermd.derive.readme import find_readme, unreadable
from workermd.derive.record import MARK, DerivationRecord, encoded, text_sha256
from workermd.derive.schemas import STATUSES, Schemas, Unusable, of_interface, starter, undescribed, written
from workermd.derive.tree import BLOB_CAP
from workermd.lint.engine import lint
from workermd.protocol.call import texts as call_texts
from workermd.protocol.envelope import Document
from workermd.protocol.errors import DeriveError
from workermd.protocol.finding import Finding
from workermd.system.text import is_visible, marked, whole

METHOD = "repository_files_at_commit"

TIMEOUT_SECONDS = 30
ATTEMPT_TIMEOUT_SECONDS = 14
MAX_ATTEMPTS = 2
"""The registry's bounds, and one attempt short enough for a second one to fit."""

_DERIVED = "-repo-derived-worker"
"""How an id ends that is made from the names; the registry shows the entry without it."""
_PUNCTUATION = re.compile(r"([\\`*_\[\]<>&!|~#])")


class Piece(NamedTuple):
    """A part of the contract's text with its line ends. `id` stays the same between derivations."""

    id: str
    text: str


class Derived(NamedTuple):
    """A derived contract. `notes` are for the person who derives it: what was left out, what to look at."""

    text: str
    record: DerivationRecord
    schemas: Schemas
    notes: tuple[str, ...]


def derive(
    repository: Repository,
    interface: Interface | None = None,
    *,
    mode: str | None = None,
    derived_on: str | None = None,
    quotes: str = "full",
    worker_id: str | None = None,
    registry_url: str = "",
) -> Derived:
    """The contract of a repository. The same commit, facts and choices give the same bytes.

    `mode` overrules the signals, `worker_id` the id that is made from the names. `registry_url` is the
    address below which a registry shows its entries. `derived_on` (YYYY-MM-DD) is by default
    the day of the repository's last change, not today. `quotes="none"` cites the repository's sentences by place and
    digest and repeats none of them; so does a contract that a sentence of the repository would keep from passing
    `validate --strict`, with a note why. An interface that no contract can hold gives the starter, and a note.
    Raises DeriveError where no usable contract comes out.
    """
    wishes = _Wishes(mode, derived_on, quotes, worker_id, registry_url)
    derived = _derived(repository, interface, wishes)
    fault = _fault(derived)
    if fault and registry_url:
        wishes = wishes._replace(registry_url="")
        derived = _derived(repository, interface, wishes)
        note = f"source_registry_url is left out, because it would break {fault.code}: {fault.message}."
        derived = derived._replace(notes=(*derived.notes, note))
        fault = _fault(derived)
    if fault and quotes == "full":
        derived = _derived(repository, interface, wishes._replace(quotes="none"))
        note = f"No sentence of the repository is quoted, because one would break {fault.code}: {fault.message}."
        derived = derived._replace(notes=(*derived.notes, note))
        fault = _fault(derived)
    if fault and interface is not None:
        derived = _derived(repository, None, wishes._replace(quotes="none"))
        note = f"The interface could not be used, because it would break {fault.code}: {fault.message}."
        derived = derived._replace(notes=(*derived.notes, note))
        fault = _fault(derived)
    if fault:
        message = f"the derived contract breaks {fault.code} on line {fault.line}: {fault.message}"
        raise DeriveError(message, "Write a contract by hand, and look at what the repository says there.")
    return derived


class _Wishes(NamedTuple):
    mode: str | None
    derived_on: str | None
    quotes: str
    worker_id: str | None
    registry_url: str


def _derived(repository: Repository, interface: Interface | None, wishes: _Wishes) -> Derived:
    made: Schemas | None = None
    notes: tuple[str, ...] = ()
    if interface is not None:
        try:
            made = of_interface(interface if wishes.quotes == "full" else undescribed(interface))
            notes = made.notes
        except Unusable as reason:
            notes = (f"The interface {claim_documents.named(interface)} could not be used: {reason}",)
    used = interface if made else None
    claims, choice = claim_documents.gather(repository, used, wishes.mode, notes)
    if wishes.quotes == "none":
        claims = tuple(claim_documents.unquoted(claim) for claim in claims)
    made = made or starter(choice.mode)
    record = _record(repository, claims, choice.mode, used, made=made, wishes=wishes)
    text = "".join(piece.text for piece in pieces(record, made))
    return Derived(text, record, made, (*notes, *_unread(repository)))


def _page(registry_url: str, worker_id: str) -> str:
    return f"{registry_url.rstrip('/')}/{worker_id.removesuffix(_DERIVED)}/" if registry_url else ""


def _unread(repository: Repository) -> Iterator[str]:
    """What is there and was not read is not the same as what is not there."""
    path = find_readme(repository)
    if path is not None and open_source(repository, path) is None:
        yield f"{marked(path, 120)} was not read: it has more than {BLOB_CAP:,} bytes."
    elif path is not None and (reason := unreadable(path)):
        yield f"{marked(path, 120)} was not read: {reason}."
    for other in licence.unrecognised(repository):
        yield f"{marked(other, 120)} is not recognised as a licence: its text may be cut short or changed. Read it."
    left_out = getattr(repository, "left_out", ())
    if left_out:
        more = f" and {len(left_out) - 1} more" if len(left_out) > 1 else ""
        yield f"Left out, because evidence could not name them on one line: {marked(left_out[0], 120)}{more}."


def _record(
    repository: Repository,
    claims: tuple[Claim, ...],
    mode: str,
    interface: Interface | None,
    *,
    made: Schemas,
    wishes: _Wishes,
) -> DerivationRecord:
    facts = repository.facts
    folder = folder_of(repository)
    name = slug(facts.name) or slug(facts.owner) or "repository"
    name += f"-{slug(folder.rpartition('/')[2], 40)}" if folder else ""
    part = f"-{slug(interface.name, 40) or interface.kind}" if interface else ""
    worker_id = wishes.worker_id or f"{name}{part}{_DERIVED}"
    return DerivationRecord(
        owner=marked(facts.owner, 100),
        name=marked(facts.name, 100),
        url=whole(facts.url) if _has_form(url, facts.url) and address(facts.url) else "",
        default_branch=marked(facts.default_branch, 100),
        updated_on=facts.updated_on if _has_form(date, facts.updated_on) else "",
        commit=repository.commit,
        derived_on=wishes.derived_on or (facts.updated_on if _has_form(date, facts.updated_on) else ""),
        stars=facts.stars,
        worker_id=worker_id,
        mode=mode,
        interface=marked(claim_documents.named(interface), 400) if interface else "",
        input_sha256=text_sha256(written(made.input_schema)),
        output_sha256=text_sha256(written(made.output_schema)),
        claims=claims,
        quotes=wishes.quotes,
        folder=folder,
        call=_call(interface),
        registry_page=_page(wishes.registry_url, worker_id),
    )


def _call(interface: Interface | None) -> tuple[str, ...]:
    """How the interface is called, as texts of the front matter; () where that would be too long for it."""
    if interface is None or interface.call is None:
        return ()
    listed = call_texts(interface.call)
    fits = len(listed) <= MOST_CALL_TEXTS and sum(map(len, listed)) <= MOST_CALL and all(map(is_visible, listed))
    return tuple(listed) if fits else ()


MOST_CALL_TEXTS = 500
MOST_CALL = 20_000


def _has_form(form: Form, value: object) -> bool:
    try:
        form(value, True)
    except WrongForm:
        return False
    return True


def _fault(derived: Derived) -> Finding | None:
    """The first thing that keeps our own output from passing `validate --strict`. Raises DeriveError where it is too large."""
    data = derived.text.encode()
    if len(data) > MAX_BYTES:
        raise DeriveError(
            f"the derived contract has {len(data)} bytes; allowed are {MAX_BYTES}", "Choose a smaller interface."
        )
    findings = lint(read(data, f"derived{SUFFIX}")).findings
    return next((finding for finding in findings if finding.severity != "info"), None)


# --- the text ---


def pieces(record: DerivationRecord, made: Schemas | None) -> list[Piece]:
    """The contract's text in parts, in order. Without `made` the texts of the schemas' fences are left out."""
    block = encoded(record)
    return [
        *_front(record, block),
        Piece("title", f"# {_title(record)}\n\n"),
        *_listed("summary", "## Repo-derived summary", _summary(record)),
        *_listed("extracted", "## Extracted from", _extracted(record)),
        *_listed("evidence", "## Evidence notes (from repository text)", _notes(record)),
        *_listed("install", "## Installation hints found in README", _installs(record)),
        *_machine_part(record, made),
        Piece("use", _USE),
        Piece("block/head", "## Evidence (machine-readable)\n\n"),
        Piece("block", f"```json {MARK}\n{block}\n```\n"),
    ]


def _front(record: DerivationRecord, block: str) -> Iterator[Piece]:
    """One piece for each key: the registry's keys in its order, then ours. What is not known is left out."""
    language, licence, documentation = (
        claim.text if (claim := record.first(field)) else ""
        for field in ("repository_language", "repository_license", "documentation_license")
    )
    values: Document = {
        "id": record.worker_id,
        "name": _title(record),
        "version": "1.0.0",
        "source_registry_url": record.registry_page,
        "source_repository": record.url,
        "repository_default_branch": record.default_branch,
        "repository_language": language,
        "repository_license": marked(licence, 120),
        "repository_updated_at": record.updated_on,
        "worker_mode": record.mode,
        "derivation_method": METHOD,
        "derivation_confidence": str(confidence.overall(record.claims)),
        "derived_on": record.derived_on,
        "tags": [claim.text for claim in record.of("tag")],
        "x-commit": record.commit,
        "x-path": marked(record.folder, 400),
        "x-interface": record.interface,
        "x-call": list(record.call),
        "x-documentation-license": marked(documentation, 120),
        "x-repository-status": list(dict.fromkeys(claim.text for claim in record.of("status"))),
        "x-confidence": _scores(record),
        "x-evidence-sha256": text_sha256(block),
    }
    yield Piece("front", "---\n")
    for key, value in values.items():
        if value:
            yield Piece(f"front/{key}", front_matter({key: value}).removeprefix("---\n").removesuffix("---\n"))
    yield Piece("front/end", "---\n\n")


def _scores(record: DerivationRecord) -> list[str]:
    best: dict[str, float] = {}
    for claim in record.claims:
        if claim.field in confidence.WEIGHTS:
            best[claim.field] = max(best.get(claim.field, 0.0), claim.confidence)
    return [f"{field} {score:g}" for field, score in best.items()]


def _title(record: DerivationRecord) -> str:
    """Words and a few marks: a heading and a value at once."""
    return f"{' '.join(re.sub(r'[^A-Za-z0-9._-]+', ' ', record.name).split()) or 'repository'} Repo-Derived Worker"


def _listed(name: str, heading: str, bullets: Iterator[str]) -> Iterator[Piece]:
    """A section of bullets, each one line and one piece."""
    yield Piece(name, f"{heading}\n\n")
    for number, bullet in enumerate(bullets, 1):
        yield Piece(f"{name}/{number}", f"- {bullet}\n")
    yield Piece(f"{name}/end", "\n")


def _plain(text: str, limit: int = 400) -> str:
    """Our own sentence with words of the repository in it, its punctuation escaped: one line without markup."""
    return _PUNCTUATION.sub(r"\\\1", marked(text, limit))


def _linked(shown: str, target: str) -> str:
    """`shown` is ours. A target that is no http(s) address stands beside it as code."""
    safe = address(target)
    return f"[{shown}](<{safe}>)" if safe else f"{shown} {as_code(target)}"


def _cited(evidence: Evidence) -> str:
    if not evidence.path:
        return "(the host's field)"
    lines = f"line {evidence.first_line}"
    if evidence.last_line != evidence.first_line:
        lines = f"lines {evidence.first_line}-{evidence.last_line}"
    return f"({as_code(evidence.path, 120)}, {_linked(lines, evidence.permalink)})"


def _words(text: str, limit: int) -> str:
    """Words of the repository as code; where they were not quoted, that."""
    return as_code(text, limit) if text not in ("", NOT_QUOTED) else NOT_QUOTED


def _sources(claim: Claim) -> str:
    if claim.field == "repository_language" and claim.note:
        return "(counted in the tree)"
    return " ".join(_cited(evidence) for evidence in claim.evidence[:3])


def _noted(claim: Claim) -> str:
    return f" Note: {_plain(claim.note)}" if claim.note else ""


_LABELS = {
    "status": "Status",
    "summary": "README summary",
    "repository_description": "Repository description",
    "repository_language": "Primary language",
    "repository_languages": "Languages",
    "latest_release": "Latest release",
    "repository_license": "Licence of the code",
    "documentation_license": "Licence of the documentation",
    "supported_versions": "Supported versions",
}


def _summary(record: DerivationRecord) -> Iterator[str]:
    """What a reader must know first comes first: the state of the project."""
    if record.quotes == "none":
        yield f"In short: {_in_short(record)}"
    for field, label in _LABELS.items():
        for claim in record.of(field):
            title = (
                "Repository summary" if field == "summary" and not any(each.path for each in claim.evidence) else label
            )
            if field == "status":
                quotes = [as_code(each.quote, 2 * QUOTE_LENGTH) for each in claim.evidence if each.path and each.quote]
                yield f"{title}: **{_plain(claim.text)}**{' ' if quotes else ''}{' '.join(quotes)} {_sources(claim)}{_noted(claim)}"
            else:
                yield f"{title}: {_words(claim.text, 400)} {_sources(claim)}{_noted(claim)}"
    if record.stars is not None:
        yield f"Stars (snapshot): {record.stars:,}"
    mode = record.first("worker_mode")
    yield f"Worker mode classification: {record.mode}{_noted(mode) if mode else ''}"


def _in_short(record: DerivationRecord) -> str:
    """Facts in place of the repository's own summary; each stands elsewhere with its evidence."""
    named = "/".join(part for part in (record.owner, record.name) if part)
    licence, language = record.first("repository_license"), record.first("repository_language")
    parts = [as_code(named, 200)]
    parts += [_plain(claim.text) for claim in record.of("status")]
    parts += [as_code(language.text, 60)] if language else []
    parts += [f"code under {as_code(licence.text, 120)}"] if licence else []
    runtimes = {claim.text.partition(" ")[0].lower(): claim.text for claim in reversed(record.of("supported_versions"))}
    parts += [as_code(text, 80) for text in reversed(runtimes.values())]
    tags = [as_code(claim.text, 50) for claim in record.of("tag")]
    parts += [f"topics {', '.join(tags)}"] if tags else []
    parts += [f"interface {as_code(record.interface, 300)}"] if record.interface else []
    return f"{'; '.join(parts)}."


def _extracted(record: DerivationRecord) -> Iterator[str]:
    """The repository, every file that a claim rests on, and the links that matter."""
    if record.url:
        yield f"{_linked('Repository', record.url)} at commit `{record.commit}`"
    else:
        yield f"Repository {as_code(f'{record.owner}/{record.name}'.lstrip('/'))} at commit `{record.commit}`"
    seen: dict[str, str] = {}
    for claim in record.claims:
        for evidence in claim.evidence:
            if evidence.path:
                seen.setdefault(evidence.path, evidence.permalink)
    for path, target in seen.items():
        yield f"{as_code(path, 120)}: {_linked('at the commit', target)}"
    for field, label in (("documentation", "Documentation"), ("homepage", "Homepage"), ("changelog", "Changelog")):
        for claim in record.of(field):
            yield f"{label}: {_linked(field, claim.text)} {_sources(claim)}"


def _notes(record: DerivationRecord) -> Iterator[str]:
    """Every quoted passage once: what it supports, the words, where they stand, their digest."""
    shown: dict[tuple[str, int, int], list[Claim]] = {}
    quotes: dict[tuple[str, int, int], Evidence] = {}
    for claim in record.claims:
        for evidence in claim.evidence:
            if evidence.path:
                key = (evidence.path, evidence.first_line, evidence.last_line)
                shown.setdefault(key, []).append(claim)
                quotes.setdefault(key, evidence)
    for key, supported in shown.items():
        fields = ", ".join(dict.fromkeys(claim.field for claim in supported))
        evidence = quotes[key]
        yield f"{_plain(fields)}: {_words(evidence.quote, 2 * QUOTE_LENGTH)} {_cited(evidence)} sha256 `{evidence.sha256[:16]}`"
    if not shown:
        yield "No file of the repository supports a claim."


def _installs(record: DerivationRecord) -> Iterator[str]:
    labels = {
        "install": "",
        "install_from_source": "From source: ",
        "install_other": "Another package: ",
        "install_development": "For development only: ",
    }
    found = record.of(*labels)
    for field, label in labels.items():
        for claim in record.of(field):
            yield f"{label}{as_code(claim.text, 300)} {_sources(claim)}{_noted(claim)}"
    if not found:
        yield "None was found in the code fences of the README."


def _machine_part(record: DerivationRecord, made: Schemas | None) -> Iterator[Piece]:
    interface = record.first("interface")
    derived = bool(record.interface)
    kind = "derived from an interface" if derived else "derived starter"
    yield Piece("contract", f"## worker.md contract ({kind})\n\n")
    if derived:
        basis = f"The schemas are those of {as_code(record.interface)}, with `run_id` and the statuses added."
    else:
        basis = "No interface of the repository is used: the schemas are the starter of the mode and rest on nothing that the code offers."
    note = f" {_plain(interface.note, 800)}" if interface and interface.note else ""
    yield Piece("basis", f"{basis}{note}\n\n")
    yield Piece("purpose", f"Purpose: {purpose(record)}\n\n")
    for name, schema in (("Input", made and made.input_schema), ("Output", made and made.output_schema)):
        yield Piece(f"{name.lower()}/head", f"### {name} schema\n\n")
        if schema is not None:
            yield Piece(f"{name.lower()}/schema", f"```json\n{written(schema)}\n```\n\n")
    yield from _listed("constraints", "### Constraints", _constraints(record))


def purpose(record: DerivationRecord) -> str:
    """One sentence of ours: a task receives it, so no sentence of the repository may stand here."""
    if record.interface:
        kind, _, place = record.interface.partition(":")
        name = re.sub(r"[^A-Za-z0-9._/-]+", "-", place.partition("#")[2]).strip("-")[:80] or kind
        return f"Call {kind} interface {name} once, as a bounded worker step."
    if record.mode == ORCHESTRATION:
        return "Execute one orchestrated agent task as a bounded worker step."
    return "Call one tool of the repository as a bounded worker step."


def _constraints(record: DerivationRecord) -> Iterator[str]:
    """Only bounds that every backend can hold."""
    yield f"timeout_seconds: {TIMEOUT_SECONDS}"
    yield f"attempt_timeout_seconds: {ATTEMPT_TIMEOUT_SECONDS}"
    yield f"max_attempts: {MAX_ATTEMPTS}"
    yield "idempotency_key: run_id"
    yield f"status_enum: [{', '.join(STATUSES)}]"
    if record.call and record.call[0] == "http":
        # What it needs: an address, which the operator binds. As a bound it would refuse machines that cannot hold it.
        yield "notes: set max_attempts to 1 where a repeated call would do harm; network: none and files: none leave it all that it needs"
    elif record.interface:
        yield "notes: set max_attempts to 1 where a repeated call would do harm"
    else:
        yield "notes: replace the schemas by those of a concrete interface before production use"


_USE = """## How this should be used

1. Treat this file as a repo-derived profile, not as a claim of an official contract of the repository.
2. Read the status and the licence above, then replace schemas and purpose by those of your bounded task.
3. Keep the evidence block: `workermd derive --check` holds this file against the repository by it.

"""
