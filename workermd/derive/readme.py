"""What a README says of its project, each statement with its lines: summary, status, versions, links.

Badges, navigation bars, tables of contents, sponsor blocks and announcements are told apart from prose by their
structure: how much of a passage is links and images, and below which heading it stands.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from workermd.derive import markdown
from workermd.derive.evidence import SourceFile, of_lines, open_source
from workermd.derive.markdown import Link, Passage
from workermd.derive.model import Evidence, Repository
from workermd.derive.plain import address
from workermd.system.text import marked

FOLDERS = (".github", "", "docs")
"""Where a host looks for a README, first found first shown."""

TOP_LINES = 25
"""A quote this far up belongs to the introduction, whatever headings stand above it."""

MOST_BANNERS = 4
MOST_VERSIONS = 4

_ASIDE = re.compile(
    r"\W*(table of )?contents\b|\W*toc\b|.*\b(sponsors?|backers?|donat\w*|funding)\b|\W*(licen[cs]e|contribut\w*|install\w*"
    r"|news|latest news|what'?s new|updates?|change ?log|release notes|star history|acknowledge?ments?|thanks|credits"
    r"|citation|community|badges|getting help|support( us)?)\b",
    re.IGNORECASE,
)
_SPONSOR = re.compile(
    r"^\W*(sponsored|supported|backed) by\b|\bopencollective\.com|\bpatreon\.com|\bko-fi\.com|buymeacoffee|github\.com/sponsors",
    re.IGNORECASE,
)
_NEWS = re.compile(
    r"^\W*(news|update[ds]?|announcement|new)\b\s*[:!(\[]|^\W*\[(hot|new|news|important|showcase( repo)?)\]|^\W*\d{4}[-/.]\d",
    re.IGNORECASE,
)
_MOTTO = re.compile(r"""\W*(["'\u201c\u2018\u00ab\u300c]).*["'\u201d\u2019\u00bb\u300d][\s*_.]*""")
_SENTENCE_END = re.compile(r"[.!?\u2026\u3002\uff01\uff1f][\s\"')*_\]\u201d]*$")
_WORD = re.compile(r"[^\W\d_]{2,}")
_IDEOGRAPH = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


class ReadmeStatement(NamedTuple):
    """`kind` says what it is about (a status, a runtime, a sort of link); `text` is of one line."""

    kind: str
    text: str
    evidence: Evidence


class Read(NamedTuple):
    """A passage, the heading it stands below (lower case) and whether that is still the introduction."""

    passage: Passage
    heading: str
    intro: bool


class Readme(NamedTuple):
    repository: Repository
    source: SourceFile
    reads: tuple[Read, ...]

    def evidence(self, first: int, last: int) -> Evidence:
        return of_lines(self.repository, self.source, first, last)

    def of(self, passage: Passage) -> Evidence:
        return self.evidence(passage.first_line, passage.last_line)


def find_readme(repository: Repository) -> str | None:
    """The path of the README that a host would show, where it is Markdown."""
    by_folder: dict[str, list[str]] = {}
    for file in repository.files():
        folder, name = posixpath.split(file.path)
        if folder in FOLDERS and re.fullmatch(r"readme(\.(md|markdown|mdown))?", name, re.IGNORECASE):
            by_folder.setdefault(folder, []).append(file.path)
    for folder in FOLDERS:
        if folder in by_folder:
            return min(by_folder[folder], key=lambda path: ("." not in posixpath.basename(path), path))
    return None


def open_readme(repository: Repository) -> Readme | None:
    """Read the README; None where there is none in Markdown."""
    path = find_readme(repository)
    source = open_source(repository, path, markdown.MAX_BYTES) if path else None
    if source is None or not source.lines:
        return None
    return Readme(repository, source, tuple(_placed(markdown.passages(source.text()))))


def _placed(passages: Iterable[Passage]) -> Iterator[Read]:
    heading, major = "", 0
    for passage in passages:
        if passage.kind == "heading" and not passage.quoted and not passage.listed:
            # A project may be called Install or News: its title is no heading about something else.
            heading = "" if passage.rank == 1 and not major else passage.text.lower()
            major += passage.rank <= 2
        yield Read(passage, heading, major <= 1 or (passage.quoted and passage.first_line <= TOP_LINES))


# --- prose ---


def is_navigation(passage: Passage) -> bool:
    """Links with hardly a word between them, or images alone."""
    if not passage.links:
        return bool(passage.images) and len(_WORD.findall(passage.text)) < 4
    shown = sum(len(link.text) for link in passage.links)
    words = len(_WORD.findall(passage.outside)) + 2 * len(_IDEOGRAPH.findall(passage.outside))
    return words < 4 or (len(passage.links) > 2 and len(passage.outside) < shown)


def is_prose(passage: Passage) -> bool:
    words = len(_WORD.findall(passage.text)) + len(_IDEOGRAPH.findall(passage.text))
    links = " ".join(link.target for link in passage.links[:20])
    return (
        words >= 5
        and not is_navigation(passage)
        and not passage.text.rstrip().endswith(":")
        and not _SPONSOR.search(passage.text[:500])
        and not _SPONSOR.search(links)
        and not _NEWS.match(passage.text)
        and not _MOTTO.fullmatch(passage.text[:300])
    )


def summary(readme: Readme) -> ReadmeStatement | None:
    """The first real paragraph: prose at the top level, not a banner, not below a heading about something else.

    Links with words between that do not end as a sentence does are taken only where there is nothing else.
    """
    taken = {
        line for banner in banners(readme) for line in range(banner.evidence.first_line, banner.evidence.last_line + 1)
    }
    candidates = [
        read.passage
        for read in readme.reads
        if read.passage.kind in ("paragraph", "html")
        and not read.passage.quoted
        and not read.passage.listed
        and read.passage.first_line not in taken
        and not _ASIDE.match(read.heading)
        and is_prose(read.passage)
    ]
    for kind in ("paragraph", "html"):
        of_kind = [passage for passage in candidates if passage.kind == kind]
        told = [each for each in of_kind if len(each.links) < 2 or _SENTENCE_END.search(each.text[-20:])]
        for passage in [*told[:1], *of_kind[:1]]:
            return ReadmeStatement("summary", marked(passage.text, 400), readme.of(passage))
    return None


# --- status ---

_STATES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("archived", re.compile(r"\b(?<!not )archived\b", re.IGNORECASE)),
    (
        "deprecated",
        re.compile(r"\b(?<!not )(deprecated|deprecation|obsolete|end[- ]of[- ]life|sunset(ted)?)\b", re.IGNORECASE),
    ),
    (
        "unmaintained",
        re.compile(
            r"\bno longer (being )?(actively )?(maintained|developed|supported|updated)|\bunmaintained\b"
            r"|\bnot (be |being )?(actively )?maintained\b|\babandoned\b|\blooking for (a )?(new )?maintainers?\b",
            re.IGNORECASE,
        ),
    ),
    ("maintenance mode", re.compile(r"\bmaintenance[- ](mode|only)\b", re.IGNORECASE)),
    (
        "moved",
        re.compile(
            r"\b(has|have|is|was|been|now)\s+(now\s+|been\s+)*(moved|migrated|renamed|superseded|replaced|succeeded)\s+(to|by|as|with)\b"
            r"|\bmoved to\b",
            re.IGNORECASE,
        ),
    ),
    ("successor", re.compile(r"\bsuccessor\b|\bif you are new to\b|\bnew (projects|users) should\b", re.IGNORECASE)),
)
_ALERT = re.compile(
    r"\W*(\[!(important|warning|caution)\]|important|warning|caution|attention|notice|deprecated|archived)\b",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"\b(this|the|our)\s+(\w+\s+)?(project|repo|repository|package|library|module|crate|tool|framework|plugin|extension|action"
    r"|codebase|gem|app|application|sdk|version|branch)\b",
    re.IGNORECASE,
)
_BARE_STATE = re.compile(
    r"\W*(this (project|repository|package|library) (is|has been) )?(now )?(deprecated|archived|unmaintained|obsolete"
    r"|(in )?maintenance mode|no longer maintained|deprecation notice)\W*(notice|[:!.(-].*)?",
    re.IGNORECASE,
)
_STATUS_HEADING = re.compile(
    r"\W*((project|repository) )?(status|maintenance|deprecation|deprecated|archived)\b", re.IGNORECASE
)
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


class _Notice(NamedTuple):
    text: str
    first_line: int
    last_line: int
    quoted: bool


def banners(readme: Readme) -> tuple[ReadmeStatement, ...]:
    """What the README says of the project's own state: deprecated, archived, in maintenance mode, moved.

    Looked for in the introduction and below headings about status. A highlighted notice of the introduction
    that names no known state is kept as `notice`.
    """
    name = readme.repository.facts.name.lower()
    found = []
    for notice in _notices(readme):
        states = _states(notice, name)
        if states:
            evidence = readme.evidence(notice.first_line, notice.last_line)
            found.append(ReadmeStatement(", ".join(states), marked(notice.text, 400), evidence))
    return tuple(found[:MOST_BANNERS])


def _notices(readme: Readme) -> Iterator[_Notice]:
    """Passages that may tell of the project's state; those of one quote are joined."""
    waiting: _Notice | None = None
    for read in readme.reads:
        passage = read.passage
        if not (read.intro or _STATUS_HEADING.match(read.heading)) or passage.kind in ("fence", "code", "cell"):
            continue
        notice = _Notice(passage.text[:2000], passage.first_line, passage.last_line, passage.quoted)
        if waiting and notice.quoted and notice.first_line <= waiting.last_line + 2:
            joined = f"{waiting.text} {notice.text}"
            waiting = _Notice(joined[:2000], waiting.first_line, notice.last_line, True)
            continue
        if waiting:
            yield waiting
        waiting = notice if notice.quoted else None
        if not notice.quoted and not is_navigation(passage):
            yield notice
    if waiting:
        yield waiting


def _states(notice: _Notice, name: str) -> list[str]:
    alert = _ALERT.match(notice.text)
    found = []
    for state, pattern in _STATES:
        for sentence in _SENTENCE.split(notice.text):
            if pattern.search(sentence) and (alert or notice.quoted or _is_about(sentence, name)):
                found.append(state)
                break
    return found or (["notice"] if alert and len(_WORD.findall(notice.text)) > 4 else [])


def _is_about(sentence: str, name: str) -> bool:
    return bool(
        _SUBJECT.search(sentence)
        or _BARE_STATE.fullmatch(sentence)
        or (len(name) > 2 and re.search(rf"(?<!\w){re.escape(name)}\s+(is|has|was|will)\b", sentence.lower()))
    )


# --- versions ---

_RUNTIME = r"(?P<runtime>C?Python|Node(?:\.?js)?|Deno|Bun|Golang|Go|Rust|rustc|Ruby|PHP|Java|JDK|\.NET|Swift|Elixir|TypeScript)"
_VERSION = (
    r"(?P<version>(?:[≥>=<~^v]{1,3}\s?)?\d{1,3}(?:\.\d{1,3}){0,2}(?:\.x|\+)?"
    r"(?:,?\s?<=?\s?\d{1,3}(?:\.\d{1,3}){0,2}(?:\.x)?)?"
    r"(?:\s?(?:or|and) (?:later|newer|higher|above|up|greater)|\s?[-\u2013]\s?\d{1,3}\.\d{1,3})?)"
)
_RUNTIME_VERSION = re.compile(rf"(?<!\w){_RUNTIME}\s(?:version(?:s)?\s)?{_VERSION}(?!\w)", re.IGNORECASE)
_REQUIRES = re.compile(
    r"\b(requires?|required|needs?|supports?|supported|compatible|works (with|on)|tested|minimum|prerequisites?)\b",
    re.IGNORECASE,
)
_REQUIREMENTS = re.compile(
    r"\W*(system )?(requirements?|prerequisites?|compatibility|supported versions?|installation|quick ?start)\b"
)


def versions(readme: Readme) -> tuple[ReadmeStatement, ...]:
    """The runtimes that the README says are needed or supported, one statement for each."""
    found: dict[str, ReadmeStatement] = {}
    for read in readme.reads:
        passage = read.passage
        if passage.kind not in ("paragraph", "cell", "html") or len(passage.text) > 2000:
            continue
        for sentence in _SENTENCE.split(passage.text):
            if not (_REQUIRES.search(sentence) or (passage.listed and _REQUIREMENTS.match(read.heading))):
                continue
            for match in _RUNTIME_VERSION.finditer(sentence):
                kind = match["runtime"]
                text = marked(f"{kind} {match['version']}", 60)
                found.setdefault(kind.lower(), ReadmeStatement(kind, text, readme.of(passage)))
    return tuple(found.values())[:MOST_VERSIONS]


# --- links ---

_KINDS: tuple[tuple[str, re.Pattern[str], re.Pattern[str]], ...] = (
    (
        "changelog",
        re.compile(r"\W*(change ?log|release notes|releases|history)\W*", re.IGNORECASE),
        re.compile(r"(^|/)(change[-_]?log|changes|history|release[-_]?notes)(\.\w+)?/?([#?].*)?$", re.IGNORECASE),
    ),
    (
        "documentation",
        re.compile(
            r"\W*(the )?(full |official |online |api |project )?(docs?|documentation|user guide|manual)( site| here)?\W*",
            re.IGNORECASE,
        ),
        re.compile(r"^https?://(docs\.|[\w.-]+\.readthedocs\.(io|org)(/|$)|docs\.rs/|pkg\.go\.dev/)", re.IGNORECASE),
    ),
    (
        "homepage",
        re.compile(r"\W*(home ?page|website|project (page|site)|official (web)?site)\W*", re.IGNORECASE),
        re.compile(r"(?!)"),
    ),
)


def links(readme: Readme) -> tuple[ReadmeStatement, ...]:
    """The first link each to documentation, changelog and homepage. A link around an image alone is a badge."""
    found: dict[str, ReadmeStatement] = {}
    for read in readme.reads:
        for link in read.passage.links:
            kind = _kind(link) if link.text else None
            target = _resolved(link.target, readme) if kind and kind not in found else None
            if kind and target:
                found[kind] = ReadmeStatement(kind, target, readme.of(read.passage))
    return tuple(found[kind] for kind, _, _ in _KINDS if kind in found)


def _kind(link: Link) -> str | None:
    for kind, words, target in _KINDS:
        if words.fullmatch(link.text[:100]) or target.search(link.target[:500]):
            return kind
    return None


def _resolved(target: str, readme: Readme) -> str | None:
    """An http(s) address; a relative one becomes the permalink of the file it names."""
    if re.match(r"[a-z][a-z0-9+.-]*:|//", target, re.IGNORECASE):
        return address(target)
    path = target.partition("#")[0].partition("?")[0]
    if not path:
        return None
    folder = posixpath.dirname(readme.source.path)
    wanted = posixpath.normpath(posixpath.join("" if path.startswith("/") else folder, path.lstrip("/")))
    if any(file.path == wanted for file in readme.repository.files()):
        return address(readme.repository.permalink(wanted, 1, 1))
    return None
