"""JSON Schema: may a schema be used, and does a value match it. The only owner of both engines.

jsonschema takes 142 ms to import and 16 ms for a contract of 8 KiB: it says what is wrong with a schema that
jsonschema-rs does not take, when a contract is linted, and not in a run. jsonschema-rs takes 40 ms to import and
judges values, with patterns in linear time. Neither ever reads a file or
the network: `$schema` is compared as text before an engine sees a schema, and references stay inside it.
"""

from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from workermd.contract.json.strict import MAX_DEPTH, pointer, too_deep
from workermd.contract.mismatch import AppliedKeyword, Mismatch, mismatches, of_schema, say, type_of
from workermd.contract.subschemas import SchemaProblem, Survey
from workermd.system.text import shown

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError as MetaError
    from jsonschema_rs import Validator

__all__ = [
    "DRAFTS",
    "FORMATS",
    "Checker",
    "Mismatch",
    "SchemaProblem",
    "UnknownDraft",
    "check_schema",
    "checker",
    "draft_of",
]

DRAFTS: dict[str, str] = {
    "https://json-schema.org/draft/2020-12/schema": "2020-12",
    "https://json-schema.org/draft/2019-09/schema": "2019-09",
    "http://json-schema.org/draft-07/schema#": "7",
    "http://json-schema.org/draft-06/schema#": "6",
    "http://json-schema.org/draft-04/schema#": "4",
}
"""The drafts that both engines have, by the URI that each draft publishes: compared as text, `#` included."""

MAX_MISMATCHES = 50
"""Mismatches that one check reports."""

MAX_PATTERN_PROBLEMS = 8
"""Patterns reported at once: to find one too large takes half a second, and a file has room for thousands."""

_SINCE_4 = ("date-time", "date", "time", "email", "idn-email", "hostname", "ipv4", "ipv6", "uri", "regex")
_SINCE_6 = (*_SINCE_4, "uri-reference", "uri-template", "json-pointer")
_SINCE_7 = (*_SINCE_6, "idn-hostname", "iri", "iri-reference", "relative-json-pointer")
_SINCE_2019 = (*_SINCE_7, "duration", "uuid")
FORMATS: dict[str, tuple[str, ...]] = {
    "4": _SINCE_4,
    "6": _SINCE_6,
    "7": _SINCE_7,
    "2019-09": _SINCE_2019,
    "2020-12": _SINCE_2019,
}
"""The formats that jsonschema-rs checks, by draft. Any other word is an annotation."""


class UnknownDraft(ValueError):
    """`$schema` names no draft of DRAFTS; `problem` says so."""

    def __init__(self, problem: SchemaProblem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def draft_of(schema: dict[str, Any]) -> str:
    """The short name of a schema's draft; without `$schema` it is 2020-12. Raises UnknownDraft."""
    named = schema.get("$schema", next(iter(DRAFTS)))
    if isinstance(named, str) and named in DRAFTS:
        return DRAFTS[named]
    hint = f"Remove it (2020-12 is then meant), or write one of: {', '.join(DRAFTS)}."
    if isinstance(named, str):
        plain = named.strip().rstrip("#").replace("https:", "http:").lower()
        near = next((uri for uri in DRAFTS if uri.rstrip("#").replace("https:", "http:") == plain), None)
        if near is not None:
            hint = f"Write it exactly as published: {near!r}."
    message = (
        f"$schema is {shown(named, 80)}, which is no draft known here"
        if isinstance(named, str)
        else "$schema is no string"
    )
    raise UnknownDraft(SchemaProblem("/$schema", message, hint))


def check_schema(schema: Any, *, thorough: bool = True) -> tuple[SchemaProblem, ...]:
    """Everything that is wrong with a schema, sorted by place; empty when `checker` will take it.

    `thorough=False` is for a run: it leaves jsonschema out as long as jsonschema-rs takes the schema, and
    is as strict otherwise. Reads no file, opens no connection.
    """
    if not isinstance(schema, dict):
        return (SchemaProblem("", "the schema is no object", 'Write an object, such as {"type": "object"}.'),)
    if too_deep(schema):
        return (
            SchemaProblem(
                "", f"the schema is nested more than {MAX_DEPTH} levels deep", "Move parts of it under $defs."
            ),
        )
    try:
        draft = draft_of(schema)
    except UnknownDraft as error:
        return (error.problem,)
    survey = Survey(schema, draft)
    problems = [*survey.problems, *_patterns(survey)]
    refused = _refused_by_engine(schema, draft) if not problems else None
    if problems or refused is not None or (thorough and not _accepted(survey)):
        problems.extend(_meta_problems(survey))
    if not problems and refused is not None:
        problems.append(refused)
    return tuple(sorted(set(problems)))


def unknown_formats(schema: dict[str, Any], draft: str) -> tuple[SchemaProblem, ...]:
    """The formats that nothing checks: to JSON Schema they are annotations (2020-12, validation 7.2.3)."""
    known = FORMATS[draft]
    hint = f"Add a pattern or bounds, or use one of {', '.join(known)}."
    return tuple(
        SchemaProblem(place, f"the format {shown(word)} is not known in draft {draft}, so nothing checks it", hint)
        for place, word in Survey(schema, draft).formats
        if word not in known
    )


def _patterns(survey: Survey) -> list[SchemaProblem]:
    found: list[SchemaProblem] = []
    for place, pattern in survey.patterns:
        if len(found) == MAX_PATTERN_PROBLEMS:
            break
        if _refused_by_engine({"pattern": pattern}, survey.draft) is not None:
            message = f"the pattern {shown(pattern)} cannot be used: it is no regular expression, or not one that runs in linear time"
            hint = "Look-around, back-references and \\Z are not available, and huge repetitions are too large."
            found.append(SchemaProblem(place, message, hint))
    return found


def _refused_by_engine(schema: dict[str, Any], draft: str) -> SchemaProblem | None:
    """The first thing that jsonschema-rs says against a schema. What is said below comes from its place only."""
    try:
        _build(schema, draft)
    except ValueError as error:
        path = getattr(error, "instance_path", [])
        return SchemaProblem(pointer(path), "jsonschema-rs does not take this", "Check the keyword against its draft.")
    return None


def _build(schema: dict[str, Any], draft: str) -> "Validator":
    import jsonschema_rs as engine

    kinds: dict[str, type[Validator]] = {
        "4": engine.Draft4Validator,
        "6": engine.Draft6Validator,
        "7": engine.Draft7Validator,
        "2019-09": engine.Draft201909Validator,
        "2020-12": engine.Draft202012Validator,
    }
    return kinds[draft](
        schema,
        offline=True,
        pattern_options=engine.RegexOptions(),
        mask="<redacted>",
        validate_formats=True,
        ignore_unknown_formats=True,
    )


# --- the meta-schema ---

_LENIENT = ("4",)
"""Drafts whose meta-schema jsonschema-rs has with less in it than was published: an empty `enum` passes in draft 4."""


def _accepted(survey: Survey) -> bool:
    """True where jsonschema would find nothing either. False where it may: it alone can say what.

    A test holds the two against each other: what this accepts, jsonschema accepts.
    """
    if survey.draft in _LENIENT:
        return False
    judge = _meta_judge(survey.draft)
    return all(judge.is_valid(survey.schemas[place]) for place in ("", *survey.strays))


@cache
def _meta_judge(draft: str) -> "Validator":
    uri = next(uri for uri, name in DRAFTS.items() if name == draft)
    return _build({"$ref": uri}, draft)


def _meta_problems(survey: Survey) -> list[SchemaProblem]:
    """What the draft's meta-schema says, through jsonschema. Formats are left out: Python's `re` is not the
    engine that will run the patterns."""
    import jsonschema
    from referencing import Registry

    kind = {
        "4": jsonschema.Draft4Validator,
        "6": jsonschema.Draft6Validator,
        "7": jsonschema.Draft7Validator,
        "2019-09": jsonschema.Draft201909Validator,
        "2020-12": jsonschema.Draft202012Validator,
    }[survey.draft]
    judge = kind(kind.META_SCHEMA, registry=Registry())
    try:
        return [
            _meta_problem(place, error)
            for place in ("", *survey.strays)
            for error in judge.iter_errors(survey.schemas[place])
        ]
    except RecursionError:
        return [SchemaProblem("", "the schema is nested too deep to be checked", "Move parts of it under $defs.")]


def _meta_problem(prefix: str, error: "MetaError") -> SchemaProblem:
    path = list(error.path)
    place = prefix + pointer(path)
    keyword = next((part for part in reversed(path) if isinstance(part, str)), "")
    if keyword == "type" and error.validator in {"anyOf", "enum"}:
        words = "array, boolean, integer, null, number, object, string, or a list of them"
        value = of_schema(error.instance) if isinstance(error.instance, str) else "no name of a type"
        return SchemaProblem(place, f"'type' is {value}, allowed: {words}", "Name one of them, or a list of them.")
    rule = AppliedKeyword(str(error.validator), error.validator_value, {}, error.instance)
    said = say(rule)
    if rule.keyword in {"anyOf", "oneOf"}:
        said = f"has a value that the draft does not allow for it ({type_of(error.instance)})"
    elif rule.keyword == "dependencies":
        said = "has a keyword without another one that the draft needs beside it"
    name = shown(keyword) if keyword else "the schema"
    return SchemaProblem(place, f"{name} {said}", "Correct the keyword's value, or remove it.")


# --- values ---


class Checker:
    """A schema ready to judge values. Values come from `jsontext`: its cap on nesting protects the engine,
    which has none of its own (it ends the process near 22,800 levels)."""

    __slots__ = ("_accepts", "_draft", "_engine", "_schema")

    def __init__(self, schema: dict[str, Any], draft: str) -> None:
        self._schema = schema
        self._draft = draft
        self._engine = _build(schema, draft)
        self._accepts = self._engine.is_valid

    def accepts(self, instance: Any) -> bool:
        """True where `check` finds nothing; False where the engine meets something that is no JSON value."""
        try:
            return self._accepts(instance)
        except ValueError:
            return False

    def check(self, instance: Any) -> tuple[Mismatch, ...]:
        """Why a value does not match, sorted by place, at most MAX_MISMATCHES; empty where it does."""
        if self.accepts(instance):
            return ()
        if too_deep(instance):
            return (Mismatch("", "", f"is nested more than {MAX_DEPTH} levels deep", ""),)
        if Survey(self._schema, self._draft).too_many_ways(instance):
            return (Mismatch("", "", "does not match the schema, in too many ways to name the place", ""),)
        try:
            errors = self._engine.iter_errors(instance)
        except ValueError:
            return (Mismatch("", "", "is no JSON value", ""),)
        # The engine has found them all by now; our words for a few hundred thousand would take seconds.
        found = {
            mismatch: (_order(mismatch), number)
            for number, error in enumerate(islice(errors, 20 * MAX_MISMATCHES))
            for mismatch in mismatches(error, self._schema, instance)
        }
        return tuple(sorted(found, key=found.__getitem__)[:MAX_MISMATCHES])


def _order(mismatch: Mismatch) -> list[tuple[int, str]]:
    """By place, part by part; indexes by their number."""
    parts = mismatch.pointer.split("/")[1:]
    return [(int(part), "") if part.isdecimal() and len(part) < 10 else (1 << 32, part) for part in parts]


def checker(schema: dict[str, Any], draft: str) -> Checker:
    """A Checker for a schema without problems, `draft` as `draft_of` names it. Raises ValueError for others."""
    try:
        return Checker(schema, draft)
    except ValueError:
        raise ValueError("this schema cannot be used; check_schema says why") from None
