"""Secrets: the shapes of well-known credentials, wherever they stand. No message quotes one."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from workermd.contract.model import Span
from workermd.lint.subject import Fault, Subject
from workermd.protocol.finding import Finding


class Shape(NamedTuple):
    """A kind of secret. Its pattern is tried only where a text has one of `marks`, and up to `back` characters before
    it; with `any_case` the marks are in small letters and stand for themselves in any. A group in the pattern is the
    secret itself. `follows` stands at most FAR characters behind the mark."""

    kind: str
    marks: tuple[str, ...]
    pattern: re.Pattern[str]
    back: int = 0
    any_case: bool = False
    follows: str = ""


FAR = 310

_VALUE = r"[^\s\"'`,;(){}\[\]<>$*]"
"""A character of a value that stands bare: what is called, indexed or put together is code, and no value."""

_EXAMPLE = re.compile(
    r"example|changeme|change[-_]me|placeholder|replace[-_]?me|dummy|redacted|sample|(?i:your)[-_]|x{4,}|\.\.\.|0{8,}|1234567890"
    r"|SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
    re.IGNORECASE,
)
"""What documentation writes where a secret would stand; the last is the signature of the token that jwt.io shows."""

_EXAMPLE_URL = re.compile(
    r"//[^\s/@:]*:(?:password|passwd|pass|pwd|secret|token|\.\.\.|x+|%[0-9a-z_]+)@"
    r"|@(?:[a-z0-9-]+\.)*(?:example|test|invalid|localhost)(?:\.(?:com|org|net))?$",
    re.IGNORECASE,
)
"""A password that is the word itself, or a host that is set aside for documentation (RFC 2606)."""


def _shape(kind: str, marks: str, pattern: str, back: int = 0, *, any_case: bool = False, follows: str = "") -> Shape:
    return Shape(kind, tuple(marks.split()), re.compile(pattern), back, any_case, follows)


_SHAPES = (
    _shape("an AWS access key id", "AKIA ASIA", r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Za-z0-9])"),
    _shape("a GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", r"(?<![A-Za-z0-9])gh[pousr]_[A-Za-z0-9]{36,255}"),
    _shape("a GitHub token", "github_pat_", r"(?<![A-Za-z0-9])github_pat_[A-Za-z0-9_]{60,255}"),
    _shape("a GitLab token", "glpat-", r"(?<![A-Za-z0-9])glpat-[A-Za-z0-9_-]{20,255}"),
    _shape("a Slack token", "xox", r"(?<![A-Za-z0-9])xox[abeoprs]-[A-Za-z0-9-]{10,255}"),
    _shape("a Slack webhook", "https://hooks.slack.com/", r"https://hooks\.slack\.com/services/[A-Za-z0-9/]{20,255}"),
    _shape(
        "an API key that begins with sk-", "sk-", r"(?<![A-Za-z0-9_-])sk-(?=[A-Za-z_-]{0,40}[0-9])[A-Za-z0-9_-]{20,255}"
    ),
    _shape("a Stripe key", "rk_live_ sk_live_", r"(?<![A-Za-z0-9])[rs]k_live_[A-Za-z0-9]{16,255}"),
    _shape("a Google API key", "AIza", r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
    _shape("a Hugging Face token", "hf_", r"(?<![A-Za-z0-9])hf_[A-Za-z0-9]{30,255}"),
    _shape(
        "a private key",
        "-----BEGIN",
        r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?=[^`]{0,200}?[A-Za-z0-9+/]{16})"
        r"(?:[^-]{1,8000}-----END)?",
    ),
    _shape(
        "a JSON Web Token",
        "eyJ",
        r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,1000}",
    ),
    _shape(
        "a bearer token",
        "bearer",
        r"(?i:\bbearer )(?=[A-Za-z._~+/-]{0,60}[0-9])[A-Za-z0-9._~+/-]{20,2000}={0,2}",
        any_case=True,
    ),
    _shape(
        "a credential, by its name",
        "password passwd secret api_key api-key apikey access_token auth_token",
        r"(?i:password|passwd|secret|api[_-]?key|(?:access|auth)_token)[\"']?[ \t]{0,9}[:=][ \t]{0,9}[\"']?"
        r"(?![A-Z][A-Z0-9_]*(?![^\s\"'`,;(){}\[\]<>$*]))"  # the name of a variable
        r"(?!(?:[A-Za-z_][A-Za-z0-9_]*\.)+[A-Za-z_][A-Za-z0-9_]*(?![^\s\"'`,;(){}\[\]<>$*]))"  # a member of an object
        rf"(?={_VALUE[:-1]}0-9]{{0,100}}[0-9])(?={_VALUE[:-1]}A-Za-z]{{0,100}}[A-Za-z])({_VALUE}{{8,200}}+)(?![(\[<$])",
        any_case=True,
    ),
    _shape(
        "a password in a URL",
        "://",
        r"(?i:\b[a-z][a-z0-9+.-]{1,20}://)[^\s/@:\"'<>`]{0,100}:(?![$<{*])[^\s/@\"'<>`]{1,200}@[A-Za-z0-9]",
        21,
        follows="@",
    ),
)

_SMALL = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_HOST = re.compile(r"[A-Za-z0-9.-]+")
_CHARACTER = re.compile("[^\r\n]")
_LEAST_QUOTED = 8


class Secret(NamedTuple):
    span: Span
    kind: str


def secrets(text: str) -> tuple[Secret, ...]:
    """In order. Of two that overlap, the one that begins first, or is listed first, is whole; of the other what is
    left beyond it: all of both is kept from being quoted."""
    small = _in_small_letters(text)
    found = [
        (match.start(group), order, match.end(group), shape.kind)
        for order, shape in enumerate(_SHAPES)
        for match in _matches(shape, text, small if shape.any_case else text)
        for group in (match.lastindex or 0,)
        if not _is_example(shape, match, text)
    ]
    kept: list[Secret] = []
    last = 0
    for start, _, end, kind in sorted(found):
        if end > last:
            kept.append(Secret(Span(max(start, last), end), kind))
            last = end
    return tuple(kept)


def _is_example(shape: Shape, match: re.Match[str], text: str) -> bool:
    if shape.follows == "@":
        host = _HOST.match(text, match.end() - 1)
        return _EXAMPLE_URL.search(match[0] + (host[0][1:] if host else "")) is not None
    return _EXAMPLE.search(match[match.lastindex or 0]) is not None


def _in_small_letters(text: str) -> str:
    """Of the same length: a few letters become two."""
    small = text.lower()
    return small if len(small) == len(text) else text.translate(_SMALL)


def _matches(shape: Shape, text: str, looked_at: str) -> Iterator[re.Match[str]]:
    """A look for a plain word costs next to nothing; a pattern at every place of a text costs more than reading it."""
    for mark in shape.marks:
        at = looked_at.find(mark)
        while at >= 0:
            tries = (shape.pattern.match(text, start) for start in range(max(0, at - shape.back), at + 1))
            likely = not shape.follows or text.find(shape.follows, at, at + FAR) >= 0
            match = next((each for each in tries if each and each.end() > at), None) if likely else None
            if match:
                yield match
            at = looked_at.find(mark, at + 1)


def held(subject: Subject) -> Iterator[Fault]:
    """WM901"""
    for secret in secrets(subject.text):
        hint = "Withdraw it where it was issued, and give it to the task as a variable (secret_env)."
        yield Fault(secret.span, f"found what looks like {secret.kind}; a contract holds no secret", hint)


def masked(text: str) -> str:
    """The text with every secret as stars, so that a report can quote its lines."""
    found = secrets(text)
    parts, at = [], 0
    for secret in found:
        parts += [text[at : secret.span.start], _CHARACTER.sub("*", text[secret.span.start : secret.span.end])]
        at = secret.span.end
    return "".join([*parts, text[at:]]) if found else text


def unquoted(findings: tuple[Finding, ...], text: str) -> tuple[Finding, ...]:
    """The findings, with no secret of the text in their messages: a rule may quote a value and cut it short."""
    values = [text[secret.span.start : secret.span.end] for secret in secrets(text)]
    if not values:
        return findings
    return tuple(
        finding._replace(message=_without(finding.message, values), hint=_without(finding.hint, values))
        for finding in findings
    )


def _without(said: str, values: list[str]) -> str:
    for value in values:
        at = said.find(value[:_LEAST_QUOTED])
        while at >= 0:
            end = at
            while end < len(said) and end - at < len(value) and said[end] == value[end - at]:
                end += 1
            said = f"{said[:at]}***{said[end:]}"
            at = said.find(value[:_LEAST_QUOTED], at + 3)
    return said
