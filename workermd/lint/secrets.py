"""Secrets: the shapes of well-known credentials, wherever they stand. No message quotes one."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from workermd.contract.model import Span
from workermd.finding import Finding
from workermd.lint.subject import Fault, Subject

_SHAPES: tuple[tuple[str, str], ...] = (
    ("an AWS access key id", r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Za-z0-9])"),
    ("a GitHub token", r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{60,255})"),
    ("a GitLab token", r"(?<![A-Za-z0-9])glpat-[A-Za-z0-9_-]{20,255}"),
    ("a Slack token", r"(?<![A-Za-z0-9])xox[abeoprs]-[A-Za-z0-9-]{10,255}"),
    ("a Slack webhook", r"https://hooks\.slack\.com/services/[A-Za-z0-9/]{20,255}"),
    ("an API key that begins with sk-", r"(?<![A-Za-z0-9_-])sk-(?=[A-Za-z_-]{0,40}[0-9])[A-Za-z0-9_-]{20,255}"),
    ("a Stripe key", r"(?<![A-Za-z0-9])[rs]k_live_[A-Za-z0-9]{16,255}"),
    ("a Google API key", r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
    ("a Hugging Face token", r"(?<![A-Za-z0-9])hf_[A-Za-z0-9]{30,255}"),
    ("a private key", r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:[^-]{1,8000}-----END)?"),
    (
        "a JSON Web Token",
        r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,1000}",
    ),
    ("a bearer token", r"(?i:\bbearer )(?=[A-Za-z._~+/-]{0,60}[0-9])[A-Za-z0-9._~+/-]{20,2000}={0,2}"),
    (
        "a password in a URL",
        r"(?i:\b[a-z][a-z0-9+.-]{1,20}://)[^\s/@:\"'<>`]{0,100}:(?![$<{*])[^\s/@\"'<>`]{1,200}@[A-Za-z0-9]",
    ),
)
_ANY = re.compile("|".join(f"({pattern})" for _, pattern in _SHAPES))
_MARKS = (
    *("AKIA", "ASIA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "hooks.slack.com", "sk-"),
    *("k_live_", "AIza", "hf_", "PRIVATE KEY", "eyJ"),
)
"""Each shape has one of these, or one of two in any case: a cheap look tells that a file has none, as most have."""

_CHARACTER = re.compile("[^\r\n]")
_LEAST_QUOTED = 8


class Secret(NamedTuple):
    span: Span
    kind: str


def secrets(text: str) -> Iterator[Secret]:
    if any(mark in text for mark in _MARKS) or ("://" in text and "@" in text) or "bearer " in text.lower():
        for match in _ANY.finditer(text):
            yield Secret(Span(*match.span()), _SHAPES[(match.lastindex or 1) - 1][0])


def held(subject: Subject) -> Iterator[Fault]:
    """WM901"""
    for secret in secrets(subject.text):
        hint = "Withdraw it where it was issued, and give it to the task as a variable (secret_env)."
        yield Fault(secret.span, f"found what looks like {secret.kind}; a contract holds no secret", hint)


def masked(text: str) -> str:
    """The text with every secret as stars, so that a report can quote its lines."""
    found = list(secrets(text))
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
