"""Places in a document, by JSON Pointer or JSONPath, and what can be asked of what stands there."""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from workermd.contract.json.strict import canonical
from workermd.contract.schema import Checker, checker
from workermd.protocol.errors import ConfigurationError, UsageError

TESTS: dict[str, str] = {
    "equals": "Equal as JSON: 1 and 1.0 are.",
    "not-equals": "Not equal as JSON.",
    "one-of": "Equal to one of this list.",
    "contains": "A text that holds this text, or a list that holds this value.",
    "subset-of": "A list whose every value is in this list.",
    "superset-of": "A list that holds every value of this list.",
    "matches": "A text in which this regular expression finds something, in linear time.",
    "at-least": "A number that is at least this.",
    "at-most": "A number that is at most this.",
    "count": "So many values: of a list, or of what a JSONPath finds.",
    "exists": "Whether anything stands there.",
}
"""The name of each test and what it asks."""


class Selected(NamedTuple):
    """What a path found. `single` is False for a path that may find several; `value` is then the list of them."""

    found: bool
    value: Any
    single: bool


def select(path: str, document: Any) -> Selected:
    """Raises UsageError for a path that is none, ConfigurationError where JSONPath is not installed."""
    if not path.startswith("$"):
        return _at_pointer(path, document)
    query = _query(path)
    values = query.find(document).values()
    if query.singular_query():
        return Selected(bool(values), values[0] if values else None, single=True)
    return Selected(bool(values), values, single=False)


def check(path: str) -> str:
    """Why a path cannot be used; empty where it can."""
    try:
        if path.startswith("$"):
            _query(path)
        elif path and not path.startswith("/"):
            return "is no JSON Pointer and no JSONPath: the first begins with /, the second with $"
    except UsageError as error:
        return error.message
    return ""


def _at_pointer(pointer: str, document: Any) -> Selected:
    found = document
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdecimal() and len(name) < 10 and int(name) < len(found):
            found = found[int(name)]
        else:
            return Selected(found=False, value=None, single=True)
    return Selected(found=True, value=found, single=True)


@cache
def _query(path: str) -> Any:
    try:
        from jsonpath_rfc9535 import JSONPathEnvironment, JSONPathError
        from jsonpath_rfc9535.function_extensions import ExpressionType, FilterFunction
    except ModuleNotFoundError:
        raise ConfigurationError(
            f"the JSONPath {path[:80]!r} needs jsonpath-rfc9535, which is not installed",
            "run: pip install 'workermd[bench]', or write a JSON Pointer, such as /result/answer",
        ) from None

    class Linear(FilterFunction):
        """`match` and `search` by the engine of the contracts: the library's own may take for ever."""

        arg_types = [ExpressionType.VALUE, ExpressionType.VALUE]  # noqa: RUF012 - the library's form
        return_type = ExpressionType.LOGICAL

        def __init__(self, form: str) -> None:
            self._form = form

        def __call__(self, text: object, pattern: object) -> bool:
            if not isinstance(text, str) or not isinstance(pattern, str):
                return False
            try:
                return finds(self._form.format(pattern), text)
            except UsageError:
                return False

    environment = JSONPathEnvironment()
    environment.function_extensions |= {"match": Linear("^(?:{})$"), "search": Linear("{}")}
    try:
        return environment.compile(path)
    except JSONPathError as error:
        said = str(error).splitlines()[0][:200]
        raise UsageError(f"is no JSONPath of RFC 9535 ({said})", "correct it, or write a JSON Pointer") from None


@cache
def _pattern(pattern: str) -> Checker:
    try:
        return checker({"pattern": pattern}, "2020-12")
    except ValueError:
        raise UsageError(
            f"the pattern {pattern[:80]!r} is no regular expression that runs in linear time",
            "leave out look-around and back-references",
        ) from None


def finds(pattern: str, text: str) -> bool:
    """Whether a pattern finds something, in linear time. Raises UsageError for what is no such pattern."""
    return _pattern(pattern).accepts(text)


def same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 and 1.0 are, true and 1 are not."""
    return canonical(one) == canonical(other)


def passes(test: str, selected: Selected, wanted: Any) -> bool:
    """Whether what a path found passes a test. Raises UsageError for a pattern that is none."""
    if test == "exists":
        return selected.found is bool(wanted)
    if test == "count":
        return bool(_count(selected) == wanted)
    asked = _ASKED[test]
    return (selected.found or not selected.single) and asked(selected.value, wanted)


def _count(selected: Selected) -> int:
    return len(selected.value) if isinstance(selected.value, list | dict) else int(selected.found)


def _holds(values: Any, value: Any) -> bool:
    if isinstance(values, str):
        return isinstance(value, str) and value in values
    return isinstance(values, list) and any(same(each, value) for each in values)


def _all_in(values: Any, others: Any) -> bool:
    lists = isinstance(values, list) and isinstance(others, list)
    return lists and {canonical(each) for each in values} <= {canonical(each) for each in others}


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_ASKED: dict[str, Callable[[Any, Any], bool]] = {
    "equals": same,
    "not-equals": lambda value, wanted: not same(value, wanted),
    "one-of": lambda value, wanted: isinstance(wanted, list) and _holds(wanted, value),
    "contains": _holds,
    "subset-of": _all_in,
    "superset-of": lambda value, wanted: _all_in(wanted, value),
    "matches": lambda value, wanted: isinstance(value, str) and finds(wanted, value),
    "at-least": lambda value, wanted: _number(value) and _number(wanted) and value >= wanted,
    "at-most": lambda value, wanted: _number(value) and _number(wanted) and value <= wanted,
}


def filled(template: Any, parts: dict[str, Any]) -> Any:
    """A template with every text that begins with `$case`, `$input` or `$output` replaced by what stands there.

    `$$` stands for a dollar sign. Raises UsageError for a path that is none; what a path does not find is null.
    """
    if isinstance(template, dict):
        return {key: filled(value, parts) for key, value in template.items()}
    if isinstance(template, list):
        return [filled(value, parts) for value in template]
    if isinstance(template, str) and template.startswith("$$"):
        return template[1:]
    found = referred(template, parts)
    return template if found is None else found.value


def referred(template: Any, parts: dict[str, Any]) -> Selected | None:
    """What a text such as `$case.expect` finds; None for what refers to nothing of the parts."""
    if not isinstance(template, str) or not template.startswith("$") or template.startswith("$$"):
        return None
    for name, document in parts.items():
        rest = template.removeprefix(f"${name}")
        if rest != template and rest[:1] in ("", ".", "["):
            return select(_simple(rest), document)
    return None


def _simple(rest: str) -> str:
    """A plain chain of names as a JSON Pointer, which needs no library; anything else as JSONPath."""
    names = rest.split(".")[1:]
    plain = all(name.replace("_", "").replace("-", "").isalnum() for name in names)
    return "".join(f"/{name}" for name in names) if plain and "[" not in rest else f"${rest}"
