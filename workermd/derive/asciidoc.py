"""An AsciiDoc file as passages: the part of the format that READMEs use. Nothing is included and no attribute is computed."""

import re
from collections.abc import Iterator

from workermd.derive.markdown import MAX_PASSAGES, GatheredText, Kind, Nesting, Passage

MAX_TEXT = 256 * 1024

_HEADING = re.compile(r"(={1,6}|#{1,6})\s+(\S.*)")
_FENCE = re.compile(r"(-{4,}|\.{4,}|```+)(\w*)\s*")
_ASIDE = re.compile(r"(/{4,}|\+{4,})\s*")
_STYLE = re.compile(r"\[(?:source|,)\s*,?\s*([\w+-]*).*\]|\[.*\]")
_SILENT = re.compile(
    r":[\w!-]+:.*|//(?!/).*|(?:image|include|toc|video|audio|ifdef|ifndef|endif|ifeval)::.*|\.\w.*|<{3,}|'{3,}|-{3}|\+"
)
_ITEM = re.compile(r"\s*(?:[*.-]{1,5}|\d+\.)\s+(.*)")
_ALERT = re.compile(r"(NOTE|TIP|IMPORTANT|WARNING|CAUTION):\s+")
_LINK = re.compile(
    r"(?:link:)?((?:https?://|link:)[^\s\[\]<>]+)\[([^\]]*)\]|<?(https?://[^\s\[\]<>]+)>?|link:([^\s\[\]]+)\[([^\]]*)\]"
)
_IMAGE = re.compile(r"image:[^\s\[]+\[[^\]]*\]")
_MARKS = re.compile(r"(?<!\w)[*_`#+]{1,2}(?=\S)|(?<=\S)[*_`#+]{1,2}(?!\w)")
_CODE = re.compile(r"`\+?([^`]{1,300}?)\+?`")


def passages(text: str) -> tuple[Passage, ...]:
    """The passages of a text, in order."""
    plain = text[:MAX_TEXT].replace("\r\n", "\n").replace("\r", " ").removeprefix("\ufeff")
    found = []
    for passage in _blocks(plain.split("\n")):
        found.append(passage)
        if len(found) == MAX_PASSAGES:
            break
    return tuple(found)


def _blocks(lines: list[str]) -> Iterator[Passage]:
    at, info = 0, ""
    while at < len(lines):
        line = lines[at].rstrip()
        fence, aside, heading = _FENCE.fullmatch(line), _ASIDE.fullmatch(line), _HEADING.fullmatch(line)
        if fence or aside:
            mark = (fence or aside)[1]  # type: ignore[index]
            end = next((n for n in range(at + 1, len(lines)) if lines[n].rstrip() == mark), len(lines))
            if fence:
                content = "\n".join(lines[at + 1 : end])
                yield Passage("fence", at + 1, min(end + 1, len(lines)), content, info=info or fence[2])
            at, info = end + 1, ""
        elif heading:
            yield _inline(heading[2], "heading", at + 1, at + 1, rank=len(heading[1]))
            at, info = at + 1, ""
        elif _STYLE.fullmatch(line):
            style = _STYLE.fullmatch(line)
            info = (style[1] or "") if style else ""
            at += 1
        elif not line.strip() or _SILENT.fullmatch(line):
            at, info = at + 1, info if line.startswith(".") else ""
        else:
            first = at
            while (
                at < len(lines)
                and lines[at].strip()
                and not _FENCE.fullmatch(lines[at].rstrip())
                and (at == first or not _ITEM.fullmatch(lines[at]))
            ):
                at += 1
            yield _paragraph(lines[first:at], first + 1, at)


def _paragraph(lines: list[str], first: int, last: int) -> Passage:
    if lines[0].startswith(" ") and not _ITEM.fullmatch(lines[0]):
        return Passage("code", first, last, "\n".join(line.strip() for line in lines))
    item = _ITEM.fullmatch(lines[0])
    text = " ".join([item[1] if item else lines[0], *lines[1:]])
    return _inline(text, "paragraph", first, last, quoted=bool(_ALERT.match(text)), listed=bool(item))


def _inline(
    text: str, kind: Kind, first: int, last: int, *, rank: int = 0, quoted: bool = False, listed: bool = False
) -> Passage:
    gathered = GatheredText()
    place = Nesting()
    place.quotes, place.lists = int(quoted), int(listed)
    text = text[:8192]
    gathered.images = len(_IMAGE.findall(text))
    gathered.codes = _CODE.findall(text)
    text = _IMAGE.sub("", text)
    at = 0
    for match in _LINK.finditer(text):
        gathered.say(_MARKS.sub("", text[at : match.start()]))
        target = match[1] or match[3] or match[4]
        gathered.open_link(target.removeprefix("link:").rstrip(".,;"))
        gathered.say(_MARKS.sub("", match[2] or match[5] or target).partition(",")[0])
        gathered.close_link()
        at = match.end()
    gathered.say(_MARKS.sub("", text[at:]))
    return gathered.passage(kind, first, last, place, rank)
