"""Rules about what a derived contract offers as evidence (`Extracted from`, `Evidence notes`)."""

import re
from collections.abc import Iterator

from workermd.lint.subject import Fault, Line, Subject
from workermd.system.text import shown

_SECTIONS = ("extracted from", "evidence notes")

_BADGE = re.compile(
    r"https?://(?:img\.shields\.io|badgen\.net|badge\.fury\.io|badges?\.[\w.-]{1,60}|[\w.-]{1,60}\.badge\.[\w.-]{1,60}"
    r"|codecov\.io/[\w./-]{1,200}badge|api\.star-history\.com|trendshift\.io/api/badge|deepwiki\.com/badge)"
    r"|/badges?/|badge\.svg|/workflows/[^/\s]{1,100}/badge|\[!\[",
    re.IGNORECASE,
)
_LINK = re.compile(r"(?:!?\[[^\]\n]{0,100}\]\([^)\n]{1,300}\)|<a\b[^>\n]{0,300}>[^<\n]{0,100}</a>)", re.IGNORECASE)
_BETWEEN = re.compile(r"(?:[\s|•·*/>-]|&nbsp;|&bull;|&middot;)*")
_TABLE_OF_CONTENTS = re.compile(r"[-*+>\s]*\[[^\]\n]{1,100}\]\(#[^)\n]{0,200}\)\s*")

_LICENCES: tuple[tuple[str, str], ...] = (
    ("MIT", r"\bMIT\s+licen[cs]ed?\b|licen[cs]ed?\s+under\s+(?:the\s+)?MIT\b"),
    (
        "Apache-2.0",
        r"\bApache[\s-]*(?:License,?\s*)?(?:Version\s*)?2(?:\.0)?\b|licen[cs]ed?\s+under\s+(?:the\s+)?Apache\b",
    ),
    ("GPL", r"\b(?:GPL(?:[\s-]?v?[23])|GNU\s+General\s+Public\s+Licen[cs]e)"),
    ("AGPL", r"\b(?:AGPL(?:[\s-]?v?3)?|GNU\s+Affero)\b"),
    ("LGPL", r"\b(?:LGPL|GNU\s+Lesser)\b"),
    ("MPL-2.0", r"\b(?:MPL[\s-]?2|Mozilla\s+Public\s+Licen[cs]e)"),
    ("BSD", r"\bBSD[\s-]?(?:[0234][\s-]?clause)?\s+licen[cs]ed?\b|licen[cs]ed?\s+under\s+(?:the\s+)?BSD\b"),
    ("CC-BY", r"\bCC[\s-]BY(?:-[A-Z]{2})*\b|\bCreative\s+Commons\s+Attribution"),
)
_LICENCE = re.compile("|".join(f"({pattern})" for _, pattern in _LICENCES), re.IGNORECASE)
_OWN = re.compile(r"licen[cs]ed?\s+under|\blicen[cs]e\s*:|\b(?:this\s+(?:project|repository|code|software)|the\s+code)\b", re.IGNORECASE)  # fmt: skip

_UNMAINTAINED = re.compile(
    r"\b(?:(?:this|the)\s+(?:project|repository|repo|package|library)|(?:project|repository|repo)\s+status\s*:?|now|is|been|are)\s+"
    r"(?:(?:is|has\s+been|are|was|now|officially|currently|in)\s+){0,3}"
    r"(?:archived|deprecated|unmaintained|discontinued|no\s+longer\s+(?:actively\s+)?(?:maintained|supported|developed)|maintenance\s+mode|end[\s-]of[\s-]life)\b"
    r"|\b(?:no\s+longer\s+(?:actively\s+)?maintained|not\s+(?:actively\s+)?maintained|in\s+maintenance\s+mode)\b"
    r"|\[(?:archived|deprecated|unmaintained)\]",
    re.IGNORECASE,
)
_SUCCESSOR = re.compile(
    r"\b(?:if\s+you\s+are\s+new\s+to|new\s+users?\s+should|(?:has\s+been|was|is)\s+(?:superseded|replaced|succeeded)\s+by|has\s+moved\s+to|moved\s+to)\b"
    r"[^\n]{0,120}?https?://github\.com/([\w.-]{1,100}/[\w.-]{1,100})",
    re.IGNORECASE,
)
_KNOWN_KEYS = ("x-maintenance", "x-repository-status", "x-superseded-by")
_PROGRAMMED = re.compile(r"CC-BY|CC-", re.IGNORECASE)


def _evidence(subject: Subject) -> Iterator[Line]:
    for line in subject.prose:
        if line.section.startswith(_SECTIONS) and line.text.strip() and not line.text.lstrip().startswith("## "):
            yield line


def badges(subject: Subject) -> Iterator[Fault]:
    """WM320"""
    for line in _evidence(subject):
        badge = _BADGE.search(line.text)
        links = [] if badge else _LINK.findall(line.text)
        bare = _LINK.sub("", line.text) if links else line.text
        if badge:
            message = "a badge is no evidence: it is a picture made elsewhere, and says nothing about interfaces"
        elif (len(links) > 1 and _BETWEEN.fullmatch(bare)) or _TABLE_OF_CONTENTS.fullmatch(line.text):
            message = "a line of navigation is no evidence: it says nothing about interfaces"
        else:
            continue
        yield Fault(subject.span(line.start, len(line.text)), message, "Remove it, or cite the text that it leads to.")


def licence(subject: Subject) -> Iterator[Fault]:
    """WM321"""
    named = str(subject.contract.front_matter.get("repository_license", ""))
    if not named:
        return
    for line in _evidence(subject):
        match = _LICENCE.search(line.text)
        if match is None or not _OWN.search(line.text):
            continue
        found = {_LICENCES[(each.lastindex or 1) - 1][0] for each in _LICENCE.finditer(line.text)}
        if any(_same_family(each, named) for each in found):
            continue
        at = subject.lines.position(subject.where("/front_matter/repository_license").start).line
        message = f"this line names {', '.join(sorted(found))}; repository_license on line {at} is {shown(named)}"
        hint = "Look the licence up in the repository, and correct repository_license."
        yield Fault(subject.span(line.start + match.start(), len(match[0])), message, hint)


def _same_family(family: str, named: str) -> bool:
    plain = named.upper().replace(" ", "-")
    if family in ("GPL", "BSD", "CC-BY", "LGPL", "AGPL"):
        return any(part.startswith(family) for part in re.split(r"-OR-|-AND-|[(),/]", plain))
    return family.upper() in re.split(r"-OR-|-AND-|[(),/]", plain) or family.upper() in plain


def texts_licence(subject: Subject) -> Iterator[Fault]:
    """WM322"""
    given = subject.contract.front_matter
    named, language = str(given.get("repository_license", "")), given.get("repository_language")
    if _PROGRAMMED.match(named) and language:
        message = f"{shown(named)} is a licence for texts, and hardly that of code in {shown(str(language))}"
        hint = "The field may name the licence of the documentation: look for a second licence file."
        yield Fault(subject.where("/front_matter/repository_license"), message, hint)


def maintenance(subject: Subject) -> Iterator[Fault]:
    """WM323"""
    given = subject.contract.front_matter
    if any(key in given for key in _KNOWN_KEYS):
        return
    own = str(given.get("source_repository", "")).lower().rstrip("/")
    for line in _evidence(subject):
        ended = _UNMAINTAINED.search(line.text)
        moved = _SUCCESSOR.search(line.text)
        if moved and own.endswith(f"/{moved[1].lower().rstrip('.')}"):
            moved = None
        match = ended or moved
        if match is None:
            continue
        what = "is no longer maintained" if ended else "sends its users to another one"
        message = f"this line says that the repository {what}, and the front matter says nothing of it"
        hint = f"Say so in the front matter ({', '.join(_KNOWN_KEYS)}), or remove a line that is about something else."
        yield Fault(subject.span(line.start + match.start(), len(match[0])), message, hint)
