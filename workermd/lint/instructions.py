"""Prose that speaks to a model or a tool instead of a reader (S6.5).

The patterns are few and plain: what they find is worth a look, what they miss is not thereby harmless. They are
looked for in the prose outside code fences, front matter text included, letter case and line breaks ignored.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from workermd.contract.model import Span
from workermd.lint.subject import Fault, Subject

_EARLIER = "(?:previous|prior|above|earlier|preceding|foregoing)"
_FORGET = "ignore disregard forget override"


class Approach(NamedTuple):
    """A way to speak to a model. The pattern is tried only on a text that has, in small letters, a word of each set
    in `needed`: a look for a plain word costs next to nothing."""

    what: str
    needed: tuple[tuple[str, ...], ...]
    pattern: re.Pattern[str]


def _approach(what: str, pattern: str, *needed: str) -> Approach:
    return Approach(what, tuple(tuple(words.split()) for words in needed), re.compile(pattern, re.IGNORECASE))


APPROACHES = (
    _approach(
        "to forget earlier instructions",
        rf"\b(?:ignore|disregard|forget|override)\s+(?:all\s+|any\s+|the\s+|your\s+|of\s+){{0,3}}{_EARLIER}\s+"
        r"(?:instructions?|prompts?|rules?|directions?|messages?|context)\b",
        _FORGET,
        "previous prior above earlier preceding foregoing",
    ),
    _approach(
        "to ignore its instructions",
        r"\b(?:ignore|disregard|forget|override)\s+(?:all\s+|any\s+|of\s+){0,2}your\s+(?:\w{1,20}\s+)?(?:instructions|rules|guidelines|system prompt)\b",
        _FORGET,
        "your",
    ),
    _approach(
        "to be somebody else", r"\byou\s+are\s+now\s+(?:a|an|the|in|acting|DAN|operating)\b", "you", "are", "now"
    ),
    _approach(
        "with instructions of its own",
        r"\b(?:new|updated|real|actual)\s+(?:system\s+)?instructions?\s*:",
        "instruction",
        "new updated real actual",
    ),
    _approach(
        "as a role of a chat",
        r"(?:<\|(?:im_start|im_end|system|user|assistant|endoftext)\|>|\[/?INST\]|<</?SYS>>)",
        "<| inst] <sys </sys",
    ),
    _approach(
        "as a system message",
        r"(?:^|\n)[ \t>*-]{0,8}(?:system|assistant)\s*(?:prompt|message)\s*:",
        "system assistant",
        "prompt message",
    ),
    _approach(
        "to show its prompt or its secrets",
        r"\b(?:reveal|print|output|repeat|show|leak|send)\s+(?:me\s+)?(?:your|the)\s+(?:system\s+prompt|hidden\s+prompt|initial\s+instructions|api\s+keys?|credentials|environment\s+variables)\b",
        "reveal print output repeat show leak send",
        "prompt instructions api credentials variables",
    ),
    _approach(
        "to hide something from the user",
        r"\b(?:do\s+not|don't|never)\s+(?:tell|inform|mention\s+(?:this\s+|it\s+)?to|alert|warn)\s+(?:this\s+to\s+)?the\s+(?:user|human|operator|reviewer)\b",
        "tell inform mention alert warn",
        "user human operator reviewer",
    ),
    _approach(
        "as an AI that reads this",
        r"\b(?:if\s+you\s+are|note\s+to|attention|dear|message\s+for)\s*(?:an?\s+|any\s+|all\s+|the\s+)?(?:AI|LLM|language\s+model|AI\s+assistant|AI\s+agent|chatbot)s?\b(?=[^.\n]{0,80}\b(?:must|should|please|you|ignore|run|execute)\b|\s*:)",
        "you note attention dear message",
        "ai llm language chatbot",
    ),
)


def spoken(subject: Subject) -> Iterator[Fault]:
    """WM902"""
    for begin, text in _passages(subject):
        for start, end, what in _found(text):
            at = begin + start + len(text[start:end]) - len(text[start:end].lstrip())
            message = f"the text speaks to a model, {what}"
            hint = "Remove it, or quote it in other words; text of a repository is data and tells nobody what to do."
            yield Fault(Span(at, begin + end), message, hint)


def _found(text: str) -> Iterator[tuple[int, int, str]]:
    """In order; of two that overlap, the one that begins first, or is listed first."""
    small = text.lower()
    found = [
        (match.start(), order, match.end(), approach.what)
        for order, approach in enumerate(APPROACHES)
        if _may_say(approach, small)
        for match in approach.pattern.finditer(text)
    ]
    last = 0
    for start, _, end, what in sorted(found):
        if start >= last:
            yield start, end, what
            last = end


def _may_say(approach: Approach, small: str) -> bool:
    """Asked for every passage of every contract: loops cost a third of `all(any(...))`."""
    for words in approach.needed:
        for word in words:
            if word in small:
                break
        else:
            return False
    return True


def _passages(subject: Subject) -> Iterator[tuple[int, str]]:
    """Lines of prose that follow one another, as one text; and the front matter."""
    begin = end = 0
    for line in subject.prose:
        if line.start != end:
            if end > begin:
                yield begin, subject.text[begin:end]
            begin = line.start
        end = line.start + len(line.text)
        end += 1 + subject.text.startswith("\r\n", end)
    if end > begin:
        yield begin, subject.text[begin:end]
    for name, span in subject.places.items():
        if name.startswith("/front_matter/"):
            yield span.start, subject.text[span.start : span.end]
