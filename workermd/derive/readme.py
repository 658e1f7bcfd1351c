"""What a README says of its project, each statement with its lines: summary, status, versions, links.

Badges, navigation bars, tables of contents, sponsor blocks and announcements are told apart from prose by their
structure: how much of a passage is links and images, and below which heading it stands.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from workermd.derive import asciidoc, markdown, restructured
from workermd.derive.evidence import SourceFile, of_lines, open_source
from workermd.derive.markdown import Link, Passage
from workermd.derive.model import Evidence, Repository
from workermd.derive.plain import address, cut
from workermd.system.text import marked

FOLDERS = (".github", "", "docs")
"""Where a host looks for a README, first found first shown."""

FORMATS = {
    **dict.fromkeys(("", "md", "markdown", "mdown", "mkd", "txt"), "markdown"),
    **dict.fromkeys(("rst", "rest"), "restructured"),
    **dict.fromkeys(("adoc", "asciidoc", "asc"), "asciidoc"),
    **dict.fromkeys(("org", "textile", "rdoc", "pod", "creole", "mediawiki"), ""),
}
"""The reader of each ending; "" where there is none."""

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
    """The path of the README that a host would show; one that is read here before one that is not."""
    by_folder: dict[str, list[str]] = {}
    for file in repository.files():
        folder, name = posixpath.split(file.path)
        if folder in FOLDERS and _format(name) is not None:
            by_folder.setdefault(folder, []).append(file.path)
    for folder in FOLDERS:
        if folder in by_folder:
            return min(by_folder[folder], key=_rank)
    return None


def _format(path: str) -> str | None:
    match = re.fullmatch(r"readme(?:\.(\w+))?", posixpath.basename(path), re.IGNORECASE)
    return FORMATS.get((match[1] or "").lower()) if match else None


def _rank(path: str) -> tuple[int, bool, str]:
    order = list(dict.fromkeys(FORMATS.values()))
    return order.index(_format(path) or ""), "." not in posixpath.basename(path), path


def unreadable(path: str) -> str:
    """Why a README is not read; "" where it is."""
    form = _format(path)
    if form == "restructured" and not restructured.is_there():
        return "it is reStructuredText; install workermd[derive], which brings docutils"
    return "" if form else "no reader here knows its format"


def open_readme(repository: Repository) -> Readme | None:
    """Read the README; None where there is none that is read here."""
    path = find_readme(repository)
    source = open_source(repository, path, markdown.MAX_BYTES) if path and not unreadable(path) else None
    if path is None or source is None or not source.lines:
        return None
    read = {"markdown": markdown.passages, "restructured": restructured.passages, "asciidoc": asciidoc.passages}
    return Readme(repository, source, tuple(_placed(read[_format(path) or "markdown"](source.text()))))


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
    told = re.sub(r"https?://\S+", " ", passage.text)
    words = len(_WORD.findall(told)) + len(_IDEOGRAPH.findall(told))
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
    """What the README says of the project first: a tagline of the introduction, or else the first real paragraph.

    A tagline may stand in a quote, a heading below the title or centred HTML. Not taken are banners, addresses, pleas,
    a paragraph that ends in a colon, and what stands below a heading about something else. Links with words between that
    do not end as a sentence does are taken only where there is nothing else.
    """
    taken = {
        line for banner in banners(readme) for line in range(banner.evidence.first_line, banner.evidence.last_line + 1)
    }
    usable = [read for read in readme.reads if read.passage.first_line not in taken and _may_tell(read)]
    early = [read.passage for read in usable if read.intro]
    for candidates in (early, [read.passage for read in usable if read.passage.kind in ("paragraph", "html")]):
        told = [each for each in candidates if len(each.links) < 2 or _SENTENCE_END.search(each.text[-20:])]
        for passage in [*told[:1], *candidates[:1]]:
            return ReadmeStatement(
                "early" if candidates is early else "late", marked(passage.text, 400), readme.of(passage)
            )
    return None


_PLEA = re.compile(
    r"\W*(please\b|if you (like|find|enjoy|want to support)|consider\b|join (us|our)|follow us|star (us|this)|support (us|the|this)"
    r"|like this project|we('re| are) (hiring|looking for)|looking for|check out|visit|see also|help us|donate|thanks? to"
    r"|learn more|video\b|watch\b|(we|i) (wanted|built|wrote|made|created)\b|to get (help|started)|new in\b|read more"
    r"|note\b|warning\b|caution\b|important\b|tip\b|important:|this (folder|directory|file|document|readme)\b|read this in"
    r"|documentation\b|docs?\b|source code\b|this is the (readme|documentation))",
    re.IGNORECASE,
)
_QUESTION = re.compile(r"[^.!?]{10,300}\?(\s|$)|\(")
_ALERT_MARK = re.compile(r"\W*\[!\w+\]")


def _may_tell(read: Read) -> bool:
    """Whether a passage can be a summary by its place, its form and its words."""
    passage = read.passage
    if passage.listed or passage.kind in ("fence", "code", "cell") or _ASIDE.match(read.heading):
        return False
    if (
        _PLEA.match(passage.text)
        or _QUESTION.match(passage.text)
        or _ALERT_MARK.match(passage.text)
        or not is_prose(passage)
    ):
        return False
    if passage.kind == "heading":
        return 2 <= passage.rank <= 6 and read.intro and passage.first_line <= TOP_LINES and passage.rank >= 3
    return not passage.quoted or read.intro


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
            r"\bmoved\s+from\b.{1,120}?\bto\b|\b(has|have|is|was|been|now)\s+(now\s+|been\s+)*(moved|migrated|renamed|superseded|replaced|succeeded)\s+(to|by|as|with)\b"
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
_PROJECT = r"(project|repo|repository|package|library|module|crate|framework|plugin|extension|action|codebase|gem|app|application|sdk|tool)"
_SUBJECT = re.compile(
    rf"\bthis\s+(\w+\s+)?{_PROJECT}\b|\bthe\s+(project|repo|repository)\s+(is|has|was|will)\b", re.IGNORECASE
)
_BARE_STATE = re.compile(
    r"\W*(this (project|repository|package|library) (is|has been) )?(now )?(deprecated|archived|unmaintained|obsolete"
    r"|(in )?maintenance mode|no longer maintained|deprecation notice)\W*(notice|[:!.(\-].*)?",
    re.IGNORECASE,
)
_OF_ALL = re.compile(
    r"\b(it|this)\s+(is|has been|was)\s+(now\s+)?(deprecated|archived|unmaintained|obsolete|superseded)", re.IGNORECASE
)
_NEWCOMERS = re.compile(r"\bif you are new to\b|\bnew (projects|users) should\b", re.IGNORECASE)
_STATUS_HEADING = re.compile(r"\W*(project|repository|maintenance)\s+(status|state)\W*", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


class _Notice(NamedTuple):
    text: str
    first_line: int
    last_line: int
    quoted: bool
    links: tuple[Link, ...] = ()


def banners(readme: Readme) -> tuple[ReadmeStatement, ...]:
    """What the README says of the state of the whole project: deprecated, archived, in maintenance mode, moved.

    Looked for in the title, the introduction and below a heading that says `Project status`: a sentence has to speak of
    this project. Where it moved is named.
    """
    name = readme.repository.facts.name.lower()
    found = []
    for notice in _notices(readme):
        states = _states(notice, name)
        if states:
            evidence = readme.evidence(notice.first_line, notice.last_line)
            named = ", ".join(_with_target(state, notice) for state in states)
            found.append(ReadmeStatement(named, marked(notice.text, 400), evidence))
    return tuple(found[:MOST_BANNERS])


def _with_target(state: str, notice: _Notice) -> str:
    """`moved` with the address it names."""
    bare = re.search(r"https?://[^\s<>()\"']+", notice.text)
    linked = next((link.target for link in notice.links if address(link.target)), bare[0].rstrip(".,;") if bare else "")
    return f"moved to {linked}" if state == "moved" and linked and address(linked) else state


def _notices(readme: Readme) -> Iterator[_Notice]:
    """Passages that may tell of the project's state; those of one quote are joined."""
    waiting: _Notice | None = None
    for read in readme.reads:
        passage = read.passage
        is_title = (
            passage.kind == "heading"
            and passage.first_line <= TOP_LINES
            and (
                passage.rank == 1
                or (passage.rank == 2 and bool(_SUBJECT.search(passage.text) or passage.text.isupper()))
            )
        )
        about = is_title or (read.intro and passage.kind != "heading") or _STATUS_HEADING.fullmatch(read.heading)
        if not about or passage.kind in ("fence", "code", "cell") or passage.listed:
            continue
        text, first, last = passage.text[:2000], passage.first_line, passage.last_line
        notice = _Notice(text, first, last, passage.quoted, passage.links)
        if waiting and notice.quoted and notice.first_line <= waiting.last_line + 2:
            joined = f"{waiting.text} {notice.text}"
            waiting = _Notice(
                joined[:2000], waiting.first_line, notice.last_line, True, (*waiting.links, *notice.links)
            )
            continue
        if waiting:
            yield waiting
        waiting = notice if notice.quoted else None
        if not notice.quoted and not is_navigation(passage):
            yield notice
    if waiting:
        yield waiting


def _states(notice: _Notice, name: str) -> list[str]:
    """The states of a notice. What is highlighted may call the project `it`."""
    highlighted = notice.quoted or bool(_ALERT.match(notice.text))
    sentences = _SENTENCE.split(_ALERT_MARK.sub("", notice.text, count=1).strip())
    whole = highlighted and any(_is_about(sentence, name) for sentence in sentences)
    found = []
    for state, pattern in _STATES:
        for sentence in sentences:
            about = _is_about(sentence, name) or (
                highlighted and (whole or _OF_ALL.search(sentence) or _NEWCOMERS.search(sentence))
            )
            if pattern.search(sentence) and about:
                found.append(state)
                break
    return found


def _is_about(sentence: str, name: str) -> bool:
    return bool(
        _SUBJECT.search(sentence)
        or _BARE_STATE.fullmatch(sentence)
        or (len(name) > 2 and re.search(rf"(?<!\w){_spoken(name)}\s+(is|has|was|will|moved)\b", sentence.lower()))
    )


def _spoken(name: str) -> str:
    """A project's name as a sentence may write it: hyphens as spaces too."""
    return re.sub(r"[-_]+", "[-_ ]?", re.sub(r"[^\w-]+", "-", name))


# --- versions ---

_RUNTIME = r"(?P<runtime>C?Python|Node(?:\.?js)?|Deno|Bun|Golang|Go|Rust|rustc|Ruby|PHP|Java|JDK|\.NET|Swift|Elixir|TypeScript)"
_VERSION = (
    r"(?P<version>(?:[≥>=<~^v]{1,3}\s?)?\d{1,3}(?:\.\d{1,3}){0,2}(?:\.x|\+)?"
    r"(?:,?\s?<=?\s?\d{1,3}(?:\.\d{1,3}){0,2}(?:\.x)?)?"
    r"(?:\s?(?:or|and) (?:later|newer|higher|above|up|greater)|\s?[-\u2013]\s?\d{1,3}\.\d{1,3})?)"
)
_RUNTIME_VERSION = re.compile(rf"(?<!\w){_RUNTIME}:?\s(?:version(?:s)?\s)?{_VERSION}(?!\w)", re.IGNORECASE)
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

_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("changelog", re.compile(r"\W*(change ?log|release notes|releases|history)\W*", re.IGNORECASE)),
    (
        "documentation",
        re.compile(
            r"\W*(read )?(the )?(full |official |online |api |project |complete )*(docs?|documentation|user guide|manual)( site| here|'s)?\W*",
            re.IGNORECASE,
        ),
    ),
    ("homepage", re.compile(r"\W*(home ?page|website|project (page|site)|official (web)?site)\W*", re.IGNORECASE)),
)
_CHANGES = re.compile(r"(^|/)(change[-_]?log|changes|history|release[-_]?notes)(\.\w+)?/?([#?].*)?$", re.IGNORECASE)
_DOCS_HOST = re.compile(
    r"^https?://(docs\.|[\w.-]+\.readthedocs\.(io|org)(/|$)|docs\.rs/|pkg\.go\.dev/)", re.IGNORECASE
)
_SAYS_DOCS = re.compile(
    r"^\W*(full |online |the |official )*(docs?|documentation)\b\s*(:|is\b|are\b|can be\b|lives?\b|at\b|available|on\b|-)"
    r"|\b(full|complete|official|detailed|see|read|more) (the )?(documentation|docs)\b|\bdocumentation (is|can be|lives|at|on)\b",
    re.IGNORECASE,
)
_STARTS_DOCS = re.compile(
    r"\W*(full |online |the |official |complete )*(docs?|documentation)\b(?! of | for )", re.IGNORECASE
)
_DOCS_HEADING = re.compile(r"\W*(the |full |official )?(docs?|documentation)\W*", re.IGNORECASE)
_SIBLING = re.compile(r"\b(equivalent|alternative|sibling|companion|counterpart|port(ed)?|looking for) ", re.IGNORECASE)
"""Words before what is another project of the same people."""
_HERE = re.compile(r"\W*(here|this|website|site|link|https?://\S+|[\w.-]+\.\w{2,}(/\S*)?)\W*", re.IGNORECASE)
_SHARED_SITES = frozenset({"github", "gitlab", "readthedocs", "pypi", "npmjs"})
"""Sites that hold many projects, by the last label but one of their hosts; a host under github.io is one project's."""


def _is_shared(host: str) -> bool:
    return host.rpartition(".")[0].rpartition(".")[2] in _SHARED_SITES and not host.endswith(".github.io")


def links(readme: Readme, own_hosts: frozenset[str] = frozenset()) -> tuple[ReadmeStatement, ...]:
    """The first link each to documentation, changelog and homepage. A link around an image alone is a badge.

    A link counts as the project's where its words say what it is, or the line around it does, and it does not lead into
    the site of somebody else: a site whose address names neither the project nor its owner, in a sentence about another.
    """
    found: dict[str, tuple[int, ReadmeStatement]] = {}
    for read in readme.reads:
        for link in read.passage.links:
            kind, rank = _kind(link, read, readme, own_hosts) if link.text else ("", 0)
            if rank and rank > found.get(kind, (0, None))[0]:
                target = _resolved(link.target, readme)
                if target:
                    found[kind] = rank, ReadmeStatement(kind, target, _of_link(readme, read.passage, link))
    return tuple(found[kind][1] for kind, _ in _KINDS if kind in found)


def _of_link(readme: Readme, passage: Passage, link: Link) -> Evidence:
    """The line of a link, and the link alone as the quote: not the bar of links that it stands in."""
    for number in range(passage.first_line, min(passage.last_line, passage.first_line + 400) + 1):
        line = readme.source.lines[number - 1].decode("utf-8", "replace") if number <= len(readme.source.lines) else ""
        at = line.find(link.target) if len(line) < 20_000 else -1
        if at >= 0:
            start = max(line.rfind("[", 0, at), line.rfind("<", 0, at), 0)
            closing = [place for mark in (")", ">", "`_") if (place := line.find(mark, at + len(link.target))) >= 0]
            quote = line[start : min(closing) + 1 if closing else at + len(link.target)].strip()
            return readme.evidence(number, number)._replace(quote=cut(quote))
    return readme.of(passage)


def _kind(link: Link, read: Read, readme: Readme, own_hosts: frozenset[str]) -> tuple[str, int]:
    """Of which kind a link is, and how surely: 3 its own words and site, 2 its words, 1 its place."""
    text, target = link.text[:100], link.target[:500]
    own = _is_own_site(target, readme, own_hosts)
    for kind, words in _KINDS:
        if words.fullmatch(text):
            told = len(read.passage.outside.split()) < 6 or bool(_STARTS_DOCS.match(read.passage.text[:100]))
            return kind, 3 if own else 2 if told else 0
    if _CHANGES.search(target) and own:
        return "changelog", 2
    if _SAYS_DOCS.search(read.passage.text[:400]) and (_HERE.fullmatch(text) or own) and not _is_repository(target):
        return "documentation", 3 if own else 2
    if own and _DOCS_HEADING.fullmatch(read.heading) and re.match("https?:", target) and not _is_repository(target):
        return "documentation", 3
    if own and _DOCS_HOST.search(target) and not _SIBLING.search(read.passage.text[:300]):
        return "documentation", 2
    return "", 0


def is_documentation(target: str) -> bool:
    """Whether an address is that of documentation, by its host or path."""
    return bool(_DOCS_HOST.search(target) or re.search(r"/(docs|documentation|manual)(/|$)", target, re.IGNORECASE))


def _is_repository(target: str) -> bool:
    return bool(re.match(r"https?://(www\.)?(github|gitlab)\.com/", target))


def _is_own_site(target: str, readme: Readme, own_hosts: frozenset[str]) -> bool:
    """Whether an address leads to a site of the project: a file of it, a host of its manifests, or its name in the address."""
    if not re.match(r"[a-z][a-z0-9+.-]*:|//", target, re.IGNORECASE):
        return True
    match = re.match(r"https?://([^/?#]+)([^?#]*)", target, re.IGNORECASE)
    if match is None:
        return False
    host = match[1].lower().removeprefix("www.")
    facts = readme.repository.facts
    if host == "docs.github.com":
        return False
    if _is_repository(target):
        return match[2].lower().strip("/").startswith(f"{facts.owner}/{facts.name}".lower())
    if host in own_hosts and not _is_shared(host):
        return True
    plain = re.sub(r"[^a-z0-9]", "", f"{host}{match[2] if _is_shared(host) or len(match[2]) < 60 else ''}".lower())
    names = [re.sub(r"[^a-z0-9]", "", name.lower()) for name in (facts.name, facts.owner if _is_shared(host) else "")]
    return any(len(name) > 2 and name in plain for name in names)


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
