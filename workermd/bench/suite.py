"""A suite file becomes a frozen `Suite`, or findings with their places."""

import os
from typing import Any, NamedTuple

from workermd.bench import paths
from workermd.bench.cases import Case, Source, case_of
from workermd.bench.naming import SUFFIXES
from workermd.bench.suite_schema import suite_schema
from workermd.contract.model import Lines, Span
from workermd.contract.problems import Problems
from workermd.contract.schema import check_schema, checker
from workermd.contract.yaml_values import YamlError, read
from workermd.protocol.envelope import Document
from workermd.protocol.errors import ConfigurationError
from workermd.protocol.finding import Finding, ordered

CODE = "WM803"
MAX_BYTES = 4 << 20
"""Of a suite file."""


class Score(NamedTuple):
    """One demand on an answer. `kind` is status, schema, path, function or contract; `of` is its part of the file."""

    name: str
    kind: str
    weight: float
    of: Document


class Gate(NamedTuple):
    """What makes a bench fail. None: not asked. `subjects` empty: all."""

    min_pass: float | None = None
    confidence: str = "lower"
    errors: str = "count"
    max_cost_usd: float | None = None
    max_seconds: float | None = None
    subjects: tuple[str, ...] = ()


class Suite(NamedTuple):
    """`subjects` are the words of the file, by name; `cases` those that stand in it, or `source` says where they are."""

    path: str
    description: str
    contract: str
    cases: tuple[Case, ...]
    source: Source | None
    repeats: int
    subjects: dict[str, Document]
    scores: tuple[Score, ...]
    gate: Gate

    @property
    def folder(self) -> str:
        return os.path.dirname(self.path) or "."

    def beside(self, word: str) -> str:
        """A path of the suite's, from its folder where a file of that name is there; else the word, such as a registry's."""
        path = os.path.join(self.folder, os.path.expanduser(word))
        return path if os.path.lexists(path) else word

    @property
    def name(self) -> str:
        base = os.path.basename(self.path)
        return next((base.removesuffix(end) for end in SUFFIXES if base.endswith(end)), base.partition(".")[0])


class SuiteReading(NamedTuple):
    """What became of a suite file: `suite` is None when `findings` has errors. `unchecked` is why a part could not be
    checked here, such as a library that is not installed: that is no fault of the suite, and nothing is measured with it."""

    path: str
    text: str
    suite: Suite | None
    findings: tuple[Finding, ...]
    unchecked: ConfigurationError | None = None


def read_suite(data: bytes, path: str) -> SuiteReading:
    """Never raises: what is wrong with a suite are its findings."""
    text = data[:MAX_BYTES].decode("utf-8", "replace")
    problems = Problems(path, Lines(text))
    if len(data) > MAX_BYTES:
        problems.add(CODE, Span(0, 0), f"The suite is larger than {MAX_BYTES} bytes.", "Put the cases into a file.")
        return SuiteReading(path, text, None, problems.findings())
    try:
        document = read(text)
    except YamlError as error:
        problems.add(CODE, Span(0, 0), f"The suite cannot be read: {error}.", "See: workermd docs bench")
        return SuiteReading(path, text, None, problems.findings())
    found, unchecked = _mismatches(document.value), None
    if not found:
        found = _meant(document.value)
        unchecked = _unchecked(document.value)
    for pointer, message, hint in found:
        problems.add(CODE, _place(pointer, document.places), f"{pointer or 'The suite'} {message}", hint)
    suite = None if found else _suite(document.value, path)
    told = problems.findings()
    if unchecked is not None:
        note = f"JSONPaths of the suite are not checked: {unchecked.message}"
        told = ordered((*told, Finding(path, 1, 1, 1, "info", CODE, note, unchecked.hint)))
    return SuiteReading(path, text, suite, told, unchecked)


_Found = list[tuple[str, str, str]]
"""Place, message and hint of everything that is wrong."""


def _mismatches(value: Any) -> _Found:
    hint = "See: workermd schema suite, or workermd docs bench"
    found = checker(suite_schema(), "2020-12").check(value)
    return [(each.pointer, each.message, hint) for each in found]


def _meant(value: Document) -> _Found:
    """What the schema cannot say: paths, patterns and schemas that are none, names that there are not."""
    found: _Found = []
    for number, score in enumerate(value.get("score", [])):
        place = f"/score/{number}"
        for pointer, asked in ((place, score), (f"{place}/pass", score.get("pass", {}))):
            found += _unusable_path(pointer, asked)
        found += [
            (f"{place}/schema{each.pointer}", f"is no usable schema: {each.message}", each.hint)
            for each in (check_schema(score["schema"]) if isinstance(score.get("schema"), dict) else ())
        ]
    subjects = value.get("subjects", {"default": {}})
    for number, name in enumerate(value.get("gate", {}).get("subjects", [])):
        if name not in subjects:
            found.append(
                (f"/gate/subjects/{number}", f"names no subject; there is: {', '.join(subjects)}", "Correct the name.")
            )
    if isinstance(value["cases"], list):
        found += _same_ids([case["id"] for case in value["cases"]])
    return found


def _unusable_path(pointer: str, asked: Document) -> _Found:
    if "path" not in asked:
        return []
    try:
        problem = paths.check(asked["path"])
    except ConfigurationError:
        return []  # a note says so, once
    if problem:
        return [(f"{pointer}/path", problem, "See: workermd docs bench")]
    pattern = asked.get("matches")
    if isinstance(pattern, str) and not pattern.startswith("$"):
        refused = check_schema({"pattern": pattern})
        return [(f"{pointer}/matches", each.message, each.hint) for each in refused[:1]]
    return []


def _unchecked(value: Document) -> ConfigurationError | None:
    """Why a path cannot be checked on this machine."""
    for score in value.get("score", []):
        for asked in (score, score.get("pass", {})):
            try:
                paths.check(asked.get("path", ""))
            except ConfigurationError as error:
                return error
    return None


def _same_ids(ids: list[str]) -> _Found:
    seen: set[str] = set()
    found: _Found = []
    for number, name in enumerate(ids):
        if name in seen:
            found.append((f"/cases/{number}/id", "is the id of an earlier case", "Give each case an id of its own."))
        seen.add(name)
    return found


def _place(pointer: str, places: dict[str, tuple[int, int]]) -> Span:
    while pointer not in places and pointer:
        pointer = pointer.rpartition("/")[0]
    return Span(*places.get(pointer, (0, 0)))


def _suite(value: Document, path: str) -> Suite:
    cases = value["cases"]
    return Suite(
        path=path,
        description=value.get("description", ""),
        contract=value["contract"],
        cases=tuple(map(case_of, cases)) if isinstance(cases, list) else (),
        source=None if isinstance(cases, list) else Source(cases) if isinstance(cases, str) else Source(**cases),
        repeats=value.get("repeats", 1),
        subjects=value.get("subjects", {"default": {}}),
        scores=_scores(value.get("score", [])),
        gate=Gate(**{**value.get("gate", {}), "subjects": tuple(value.get("gate", {}).get("subjects", ()))}),
    )


KINDS_OF_SCORE = ("status", "schema", "path", "function", "contract")


def _scores(listed: list[Document]) -> tuple[Score, ...]:
    """A success status is asked for unless the suite says something of the status itself."""
    if all("status" not in each for each in listed):
        listed = [{"status": ""}, *listed]
    found: list[Score] = []
    for each in listed:
        kind = next(name for name in KINDS_OF_SCORE if name in each)
        name = each.get("name") or _name(kind, each)
        taken = sum(score.name == name or score.name.startswith(f"{name} #") for score in found)
        found.append(Score(f"{name} #{taken + 1}" if taken else name, kind, float(each.get("weight", 1)), each))
    return tuple(found)


def _name(kind: str, of: Document) -> str:
    if kind == "path":
        test = next(test for test in paths.TESTS if test in of)
        return f"{of['path'] or 'output'} {test}"[:80]
    return kind if kind in ("status", "schema") else f"{'judge' if kind == 'contract' else kind} {of[kind]}"[:80]
