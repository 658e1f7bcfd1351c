"""What came of the cases, as a table for people, JSON, JUnit, Markdown, and the line of a badge."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from workermd.report.junit import attribute
from workermd.report.table import table
from workermd.system.text import printable
from workermd.testing.conformance.cases import LEVELS, VERSION
from workermd.testing.conformance.conduct import KitResult
from workermd.testing.conformance.runtime import Runtime

_WORDS = ("passed", "failed", "known", "mended", "skipped")
_WRONG = ("failed", "mended")
"""What makes the exit code 1: a failure that nobody knew, and a known one that there is no more."""


def is_clean(results: Sequence[KitResult]) -> bool:
    return not any(result.word in _WRONG for result in results)


def _counted(results: Sequence[KitResult]) -> list[tuple[str, Counter[str]]]:
    """Level by level, those that were tried or skipped."""
    levels: dict[str, Counter[str]] = {level: Counter() for level in LEVELS}
    for each in results:
        levels[each.case.level][each.word] += 1
    return [(level, counts) for level, counts in levels.items() if counts]


def _share(counts: Counter[str]) -> str:
    tried = counts.total() - counts["skipped"]
    return f"{counts['passed'] + counts['mended']}/{tried}" if tried else "not claimed"


def badge_line(results: Sequence[KitResult], runtime: Runtime) -> str:
    """`worker.md kit 1: core 71/71, durable 36/36`: what was claimed, and what of it holds."""
    shares = [f"{level} {_share(counts)}" for level, counts in _counted(results) if level in runtime.claims]
    return f"worker.md kit {VERSION}: {', '.join(shares)}"


def _told(result: KitResult) -> str:
    what = "passes now; take it from known_failures" if result.word == "mended" else "; ".join(result.reasons)
    return printable(f"{result.word} {result.case.id} [{result.case.level}; {', '.join(result.case.rules)}]: {what}")


def as_text(results: Sequence[KitResult], runtime: Runtime) -> bytes:
    rows = [(level, *(str(counts[word]) for word in _WORDS)) for level, counts in _counted(results)]
    told = [_told(each) for each in results if each.word not in ("passed", "skipped")]
    whole = [table(("level", *_WORDS), rows, frozenset()), *(f"{line}\n" for line in told)]
    return ("".join(whole) + f"{runtime.name}, {badge_line(results, runtime)}\n").encode()


def as_markdown(results: Sequence[KitResult], runtime: Runtime) -> bytes:
    lines = [f"| level | {' | '.join(_WORDS)} |", f"|---|{'---:|' * len(_WORDS)}"]
    lines += [
        f"| {level} | {' | '.join(str(counts[word]) for word in _WORDS)} |" for level, counts in _counted(results)
    ]
    told = [f"- {_told(each)}" for each in results if each.word not in ("passed", "skipped")]
    return "\n".join([badge_line(results, runtime), "", *lines, *([""] if told else []), *told, ""]).encode()


def as_json(results: Sequence[KitResult], runtime: Runtime) -> bytes:
    rows = [
        {
            "id": each.case.id,
            "level": each.case.level,
            "rules": list(each.case.rules),
            "result": each.word,
            "reasons": list(each.reasons),
            "seconds": round(each.seconds, 3),
        }
        for each in results
    ]
    document: dict[str, Any] = {
        "kit": VERSION,
        "runtime": runtime.name,
        "claims": list(runtime.claims),
        "badge": badge_line(results, runtime),
        "levels": {level: {word: counts[word] for word in _WORDS} for level, counts in _counted(results)},
        "cases": rows,
    }
    return json.dumps(document, indent=2).encode() + b"\n"


def as_junit(results: Sequence[KitResult], runtime: Runtime) -> bytes:
    counts = Counter(each.word for each in results)
    skipped = counts["skipped"] + counts["known"]
    totals = f'tests="{len(results)}" failures="{counts["failed"] + counts["mended"]}" errors="0" skipped="{skipped}"'
    cases = []
    for each in results:
        word = {"failed": "failure", "mended": "failure", "known": "skipped", "skipped": "skipped"}.get(each.word)
        body = f"\n      <{word} message={attribute(_told(each))}/>\n    " if word else ""
        name = attribute(f"{each.case.id}: {each.case.title}")
        place = f'classname="worker-md.{each.case.level}" name={name} time="{each.seconds:.3f}"'
        cases.append(f"    <testcase {place}>{body}</testcase>\n")
    suite = f"  <testsuite name={attribute(runtime.name)} {totals}>\n{''.join(cases)}  </testsuite>\n"
    return f'<?xml version="1.0" encoding="utf-8"?>\n<testsuites {totals}>\n{suite}</testsuites>\n'.encode()


def as_badge(results: Sequence[KitResult], runtime: Runtime) -> bytes:
    """The document of an endpoint badge: a label, a message, a colour."""
    label, _, message = badge_line(results, runtime).partition(": ")
    colour = "brightgreen" if is_clean(results) and not any(each.word == "known" for each in results) else "orange"
    return json.dumps({"schemaVersion": 1, "label": label, "message": message, "color": colour}).encode() + b"\n"


FORMS: dict[str, Callable[[Sequence[KitResult], Runtime], bytes]] = {
    "text": as_text,
    "json": as_json,
    "junit": as_junit,
    "markdown": as_markdown,
    "badge": as_badge,
}
