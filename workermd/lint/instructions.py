"""Prose that speaks to a model or a tool instead of a reader (S6.5).

The patterns are few and plain: what they find is worth a look, what they miss is not thereby harmless. They are
looked for in the prose outside code fences, front matter text included, letter case and line breaks ignored.
"""

import re
from collections.abc import Iterator

from workermd.contract.model import Span
from workermd.lint.subject import Fault, Subject

_EARLIER = "(?:previous|prior|above|earlier|preceding|foregoing)"
PATTERNS: tuple[tuple[str, str], ...] = (
    (
        "to forget earlier instructions",
        (
            rf"\b(?:ignore|disregard|forget|override)\s+(?:all\s+|any\s+|the\s+|your\s+|of\s+){{0,3}}{_EARLIER}\s+"
            r"(?:instructions?|prompts?|rules?|directions?|messages?|context)\b"
        ),
    ),
    (
        "to ignore its instructions",
        r"\b(?:ignore|disregard|forget|override)\s+(?:all\s+|any\s+|of\s+){0,2}your\s+(?:\w{1,20}\s+)?(?:instructions|rules|guidelines|system prompt)\b",
    ),
    ("to be somebody else", r"\byou\s+are\s+now\s+(?:a|an|the|in|acting|DAN|operating)\b"),
    ("with instructions of its own", r"\b(?:new|updated|real|actual)\s+(?:system\s+)?instructions?\s*:"),
    ("as a role of a chat", r"(?:<\|(?:im_start|im_end|system|user|assistant|endoftext)\|>|\[/?INST\]|<</?SYS>>)"),
    ("as a system message", r"(?:^|\n)[ \t>*-]{0,8}(?:system|assistant)\s*(?:prompt|message)\s*:"),
    (
        "to show its prompt or its secrets",
        r"\b(?:reveal|print|output|repeat|show|leak|send)\s+(?:me\s+)?(?:your|the)\s+(?:system\s+prompt|hidden\s+prompt|initial\s+instructions|api\s+keys?|credentials|environment\s+variables)\b",
    ),
    (
        "to hide something from the user",
        r"\b(?:do\s+not|don't|never)\s+(?:tell|inform|mention\s+(?:this\s+|it\s+)?to|alert|warn)\s+(?:this\s+to\s+)?the\s+(?:user|human|operator|reviewer)\b",
    ),
    (
        "as an AI that reads this",
        r"\b(?:if\s+you\s+are|note\s+to|attention|dear|message\s+for)\s*(?:an?\s+|any\s+|all\s+|the\s+)?(?:AI|LLM|language\s+model|AI\s+assistant|AI\s+agent|chatbot)s?\b(?=[^.\n]{0,80}\b(?:must|should|please|you|ignore|run|execute)\b|\s*:)",
    ),
)
_ANY = re.compile("|".join(f"({pattern})" for _, pattern in PATTERNS), re.IGNORECASE)
_WORDS = (
    *(
        "ignore",
        "disregard",
        "forget",
        "override",
        "instruction",
        "prompt",
        "message",
        "you",
        "<|",
        "inst]",
        "<sys",
        "</sys",
    ),
    *(
        "api",
        "credentials",
        "environment",
        "tell",
        "inform",
        "mention",
        "alert",
        "warn",
        "ai",
        "llm",
        "model",
        "chatbot",
    ),
)
"""Every pattern needs one of these: a look for a plain word costs next to nothing."""


def spoken(subject: Subject) -> Iterator[Fault]:
    """WM902"""
    for start, text in _passages(subject):
        small = text.lower()
        for match in _ANY.finditer(text) if any(word in small for word in _WORDS) else ():
            what = PATTERNS[(match.lastindex or 1) - 1][0]
            at = start + match.start() + len(match[0]) - len(match[0].lstrip())
            message = f"the text speaks to a model, {what}"
            hint = "Remove it, or quote it in other words; text of a repository is data and tells nobody what to do."
            yield Fault(Span(at, start + match.end()), message, hint)


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
