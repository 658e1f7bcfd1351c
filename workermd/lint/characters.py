"""Characters that make a reader see another text than a program does."""

import re
from collections.abc import Iterator

from workermd.contract.model import Span
from workermd.lint.subject import Edit, Fault, Subject

_BIDI = "\u202a-\u202e\u2066-\u2069"
_NAMES = {
    "\u00ad": "soft hyphen",
    "\u180e": "Mongolian vowel separator",
    "\u200b": "zero width space",
    "\u200c": "zero width non-joiner",
    "\u200d": "zero width joiner",
    "\u2060": "word joiner",
    "\ufeff": "zero width no-break space",
}
# A joiner belongs to the spelling of Persian, Indic scripts and emoji: beside an ASCII character, or at an end, it
# does not. The characters of U+E0000 spell ASCII unseen, except after the black flag, where they make one.
_FOUND = re.compile(
    f"[{_BIDI}]|[\u00ad\u180e\u200b\u2060-\u2064\ufeff]"
    "|(?:(?<![^\\x00-\\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\\x00-\\x7f]))"
    "|(?<![\U0001f3f4\U000e0020-\U000e007f])[\U000e0001-\U000e007f]+"
)


def unseen(subject: Subject) -> Iterator[Fault]:
    """WM903"""
    if subject.text.isascii():
        return
    prose = None
    for match in _FOUND.finditer(subject.text):
        character = match[0][0]
        where = Span(*match.span())
        if character in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069":
            message = f"found the bidirectional control U+{ord(character):04X}, which shows text in another order"
            yield Fault(where, message, "Remove it; write the text in the order in which it is read.")
            continue
        if prose is None:
            prose = [Span(line.start, line.start + len(line.text)) for line in subject.prose]
        name = _NAMES.get(character, "character that is not shown")
        safe = any(line.start <= where.start < line.end for line in prose)
        edits = (Edit(where.start, where.end, ""),) if safe else ()
        yield Fault(where, f"found the {name} U+{ord(character):04X}, which nobody sees", "Remove it.", edits)
