"""Everything that a contract says of a repository, as claims in one fixed order."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from workermd.derive import confidence, install, languages, licence, mode, readme
from workermd.derive.calibration import calibrated
from workermd.derive.evidence import languages_of, of_fact, of_lines, open_source
from workermd.derive.manifest import Manifest, manifests
from workermd.derive.mode import ModeChoice
from workermd.derive.model import Claim, Evidence, Interface, Repository
from workermd.derive.plain import address
from workermd.derive.readme import Readme
from workermd.protocol.envelope import Document
from workermd.system.text import marked

MOST_EVIDENCE = 12
"""Kept for one claim."""

QUOTES = ("full", "none")
"""Whether a contract quotes the repository's sentences, or cites them by place and digest alone."""

NOT_QUOTED = "(not quoted)"
_SENTENCES = ("summary", "repository_description")


def gather(
    repository: Repository, interface: Interface | None, mode_wanted: str | None = None, notes: tuple[str, ...] = ()
) -> tuple[tuple[Claim, ...], ModeChoice]:
    """The claims and the mode. `notes` say what of the interface could not be expressed."""
    stated = manifests(repository)
    page = readme.open_readme(repository)
    summary = readme.summary(page) if page else None
    choice = mode.choose(repository, summary, stated, interface, mode_wanted)
    claims = [
        *_status(repository, page, stated),
        *_summary(repository, summary, stated),
        *_licences(repository, stated),
        *_versions(page, stated),
        *_links(repository, page, stated),
        *_installs(page, stated),
        *_tags(repository, stated),
        _mode_claim(choice),
        *_interface_claim(interface, notes),
    ]
    return tuple(_weighed(claim)._replace(evidence=claim.evidence[:MOST_EVIDENCE]) for claim in claims), choice


def _weighed(claim: Claim) -> Claim:
    """The claim with the confidence that its support is worth; what the host or the caller decided stays certain."""
    decided = claim.confidence == 1.0 and claim.field in ("status", "worker_mode")
    return claim if decided else claim._replace(confidence=calibrated(claim.field, claim.confidence))


def _status(repository: Repository, page: Readme | None, stated: tuple[Manifest, ...]) -> Iterator[Claim]:
    """Banners first: nothing is more important to someone who picks a contract. Only what is about the whole project."""
    facts = repository.facts
    if facts.archived:
        yield Claim("status", "archived", (of_fact(repository, "archived"),), 1.0, "The host has archived it.")
    if facts.moved_from:
        note = "The host redirects the former name."
        yield Claim("status", "moved", (of_fact(repository, facts.moved_from),), 1.0, note)
    for manifest in stated:
        if manifest.state:
            yield Claim(
                "status", manifest.state.text, (manifest.state.evidence,), 0.95, "A classifier of the manifest."
            )
    called = re.match(
        r"\W*(deprecated|archived|unmaintained|obsolete)\b\s*[\]:!.)-]", facts.description or "", re.IGNORECASE
    )
    if called and facts.description:
        yield Claim("status", called[1].lower(), (of_fact(repository, facts.description),), 0.9)
    for banner in readme.banners(page) if page else ():
        yield Claim("status", banner.kind, (banner.evidence,), 0.9)


def _summary(
    repository: Repository, summary: readme.ReadmeStatement | None, stated: tuple[Manifest, ...]
) -> Iterator[Claim]:
    """What the project is: the README's tagline, or what a manifest says, whichever more sources support."""
    description = repository.facts.description
    described = next((manifest.description for manifest in stated if manifest.description), None)
    others = [text for text in (described.text if described else None, description) if text]
    if summary and (not described or _supported(summary, others, repository.facts.name)):
        evidence: tuple[Evidence, ...] = (summary.evidence,)
        if described and confidence.overlap(summary.text, described.text) >= AGREE:
            evidence = (summary.evidence, described.evidence)
        yield Claim("summary", summary.text, evidence, confidence.of_summary(summary.text, others, summary.kind))
    elif described:
        note = "A manifest's description; the README's first words say something else." if summary else ""
        score = confidence.of_description(described.text, description)
        yield Claim("summary", marked(described.text, 400), (described.evidence,), score, note)
    has_summary = summary is not None or described is not None
    if description and marked(description, 400):
        name = "repository_description" if has_summary else "summary"
        note = "" if has_summary else "The README has no paragraph to take; this is the host's description."
        yield Claim(name, marked(description, 400), (of_fact(repository, description),), 0.9, note)
    yield from _languages(repository)
    release = repository.facts.latest_release
    if release and marked(release, 80):
        yield Claim("latest_release", marked(release, 80), (of_fact(repository, release),), 1.0)


AGREE = 0.4
"""Share of words by which two sentences are taken to say the same."""


def _supported(summary: readme.ReadmeStatement, others: list[str], name: str) -> bool:
    """Whether the README's words are worth more than the manifest's: another source agrees, or they speak of the project."""
    if any(confidence.overlap(summary.text, other) >= AGREE for other in others):
        return True
    called = re.escape(name).replace("\\-", "[- _]?")
    return summary.kind == "early" and bool(
        re.search(rf"\b{called}\b[^.!?]{{0,60}}?\s{_TELLS}", summary.text[:200], re.IGNORECASE)
    )


_TELLS = (
    r"(is an?|is the|are|provides?|lets?|allows?|enables?|helps?|brings?|makes?|turns?|adds?|implements?|offers?|pulls?"
    r"|generates?|creates?|converts?|wraps?|extends?|simplifies|manages?|supports?)\b"
)
"""The verb of a sentence that says what a project is for."""


def _languages(repository: Repository) -> Iterator[Claim]:
    """The host's word, or else what the files of the tree are, by extension and size."""
    facts = repository.facts
    if facts.language:
        yield Claim("repository_language", marked(facts.language, 60), (of_fact(repository, facts.language),), 0.95)
        several = languages_of(facts)
        if several:
            yield Claim("repository_languages", marked(several, 200), (of_fact(repository, several),), 0.95)
        return
    counted = languages.of_tree(repository)
    if counted:
        note = "By the extensions and sizes of the files at the commit."
        yield Claim("repository_language", counted.name, (of_fact(repository, counted.name),), 0.9, note)


def _licences(repository: Repository, stated: tuple[Manifest, ...]) -> Iterator[Claim]:
    found = licence.licences(repository, stated)
    yield from (claim for claim in (found.code, found.documentation) if claim)


def _versions(page: Readme | None, stated: tuple[Manifest, ...]) -> Iterator[Claim]:
    """A manifest binds its installer: what the README says otherwise of the same runtime is a note to it."""
    seen: set[str] = set()
    told = {_runtime(each.kind): each for each in (readme.versions(page) if page else ())}
    for manifest in stated:
        for runtime in manifest.runtimes:
            other, text = told.pop(_runtime(runtime.kind), None), marked(f"{runtime.kind} {runtime.text}", 80)
            if _runtime(runtime.kind) in seen:
                continue
            seen.add(_runtime(runtime.kind))
            agrees = other is not None and _least(other.text) == _least(text)
            note = f"The README says {other.text}." if other is not None and not agrees else ""
            evidence = (runtime.evidence, other.evidence) if other is not None and agrees else (runtime.evidence,)
            yield Claim("supported_versions", text, evidence, 1.0, note)
    for statement in told.values():
        yield Claim("supported_versions", statement.text, (statement.evidence,), 0.8)


def _runtime(kind: str) -> str:
    """A runtime under all its names."""
    plain = re.sub(r"[^a-z]", "", kind.lower())
    return {"cpython": "python", "node": "nodejs", "golang": "go", "rustc": "rust", "jdk": "java"}.get(plain, plain)


def _least(text: str) -> list[int]:
    """The first version of a statement, its zeros at the end left out."""
    match = re.search(r"\d+(?:\.\d+)*", text)
    parts = [int(part) for part in match[0].split(".")] if match else []
    while parts and not parts[-1]:
        parts.pop()
    return parts


def _links(repository: Repository, page: Readme | None, stated: tuple[Manifest, ...]) -> Iterator[Claim]:
    """Documentation, homepage and changelog: a manifest's word first, the README's next, the host's last."""
    found: dict[str, Claim] = {}
    for manifest in stated:
        for link in manifest.links:
            target = address(link.text)
            if target and not (link.kind == "homepage" and _is_own_page(target, repository)):
                found.setdefault(link.kind, Claim(link.kind, target, (link.evidence,), 0.95))
    hosts = [urlsplit(claim.text).hostname or "" for claim in found.values()]
    homepage = address(repository.facts.homepage) if repository.facts.homepage else None
    hosts += [urlsplit(homepage).hostname or ""] if homepage else []
    own = frozenset(host.removeprefix("www.") for host in hosts if host)
    for each in readme.links(page, own) if page else ():
        known = found.get(each.kind)
        if known is None:
            found[each.kind] = Claim(each.kind, each.text, (each.evidence,), 0.85)
        elif known.text.rstrip("/") == each.text.rstrip("/"):
            found[each.kind] = known._replace(evidence=(*known.evidence, each.evidence), confidence=1.0)
    if homepage and repository.facts.homepage:
        fact = (of_fact(repository, repository.facts.homepage),)
        found.setdefault("homepage", Claim("homepage", homepage, fact, 0.9))
        if readme.is_documentation(homepage):
            found.setdefault("documentation", Claim("documentation", homepage, fact, 0.85))
    if "changelog" not in found:
        found.update({claim.field: claim for claim in _changelog(repository)})
    yield from (found[kind] for kind in ("homepage", "changelog", "documentation") if kind in found)


def _is_own_page(target: str, repository: Repository) -> bool:
    """A homepage that is the repository itself says nothing new."""
    plain = target.lower().partition("#")[0].rstrip("/").removesuffix(".git").replace("://www.", "://")
    return plain == repository.facts.url.lower().rstrip("/")


def _changelog(repository: Repository) -> Iterator[Claim]:
    for file in repository.files():
        if file.path.lower() in ("changelog.md", "changes.md", "history.md", "changelog.rst", "changes.rst"):
            source = open_source(repository, file.path)
            if source and source.lines:
                evidence = of_lines(repository, source, 1, 1)
                yield Claim("changelog", evidence.permalink, (evidence,), 0.95)
                return


def _installs(page: Readme | None, stated: tuple[Manifest, ...]) -> Iterator[Claim]:
    own = frozenset(name for manifest in stated for name in manifest.names)
    fields: dict[str, tuple[str, float]] = {
        "package": ("install", 0.9),
        "source": ("install_from_source", 0.8),
        "other": ("install_other", 0.5),
        "development": ("install_development", 0.6),
    }
    for command in install.commands(page, own) if page else ():
        field, score = fields[command.role]
        note = f"Replace first: {', '.join(command.placeholders)}." if command.placeholders else ""
        yield Claim(field, command.text, (command.evidence,), score, note)


MOST_TAGS = 20


def _tags(repository: Repository, stated: tuple[Manifest, ...]) -> Iterator[Claim]:
    """The host's topics, then the manifests' keywords."""
    seen: set[str] = set()
    for topic in repository.facts.topics[:MOST_TAGS]:
        seen.add(topic.lower())
        yield Claim("tag", marked(topic, 50), (of_fact(repository, topic),), 1.0)
    for manifest in stated:
        for word in manifest.keywords:
            if word.text.lower() not in seen and len(seen) < MOST_TAGS and len(word.text) <= 50:
                seen.add(word.text.lower())
                yield Claim("tag", marked(word.text, 50), (word.evidence,), 1.0)


def _mode_claim(choice: ModeChoice) -> Claim:
    evidence: tuple[Evidence, ...] = tuple(signal.evidence for signal in choice.signals if signal.side == choice.mode)
    if choice.forced:
        return Claim("worker_mode", choice.mode, evidence, 1.0, "The caller chose it.")
    listed = [
        f"{signal.text} ({'+' if signal.side == choice.mode else '-'}{signal.weight})" for signal in choice.signals
    ]
    note = f"Signals: {'; '.join(listed[:12])}." if listed else "No signal was found; this is the fallback."
    return Claim("worker_mode", choice.mode, evidence, confidence.of_mode(choice), note)


def _interface_claim(interface: Interface | None, notes: tuple[str, ...]) -> Iterator[Claim]:
    if interface is None:
        yield Claim("interface", "starter", (), confidence.STARTER, " ".join(notes) or "No interface was chosen.")
        return
    score = confidence.of_interface(interface, len(notes))
    yield Claim("interface", named(interface), interface.evidence, score, " ".join(notes))


def named(interface: Interface) -> str:
    """How an interface is chosen: `KIND:PATH#NAME`."""
    return f"{interface.kind}:{interface.path}#{interface.name}"


def unquoted(claim: Claim) -> Claim:
    """The claim without the repository's sentences. Where they stand and their digest stay, and so do names, licences,
    versions, commands and addresses, which are facts."""
    text = NOT_QUOTED if claim.field in _SENTENCES else claim.text
    return claim._replace(text=text, evidence=tuple(each._replace(quote="") for each in claim.evidence))


def document(claim: Claim) -> Document:
    """As it stands in the evidence block."""
    return {**claim._asdict(), "evidence": [evidence._asdict() for evidence in claim.evidence]}


def from_document(value: Document) -> Claim:
    """Back from the evidence block. Raises ValueError where it was damaged."""
    try:
        evidence = tuple(Evidence(**each) for each in value["evidence"])
        claim = Claim(**{**value, "evidence": evidence})
    except (TypeError, KeyError):
        raise ValueError("a claim with other keys") from None
    texts = [claim.field, claim.text, claim.note]
    texts += [text for each in evidence for text in (each.path, each.sha256, each.permalink, each.quote)]
    numbers = [number for each in evidence for number in (each.first_line, each.last_line)]
    if not all(isinstance(text, str) for text in texts) or not all(type(number) is int for number in numbers):
        raise ValueError("a claim with a value of another type")
    if type(claim.confidence) not in (int, float):
        raise ValueError("a confidence that is no number")
    return claim
