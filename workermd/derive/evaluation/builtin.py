"""Python's builtins, the methods of plain values, and the few functions of the standard library that shape commands."""

import ast
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

from workermd.derive.evaluation.operators import MAX_PARTS, MAX_TEXT, braces, joined, shown, truth
from workermd.derive.evaluation.values import (
    UNKNOWN,
    Bound,
    Calls,
    Class,
    Doubted,
    EnumMember,
    External,
    FieldDefault,
    Function,
    Instance,
    Invocation,
    Modelled,
    Native,
    Partial,
    Rough,
    Unknown,
    Wrapped,
    is_known,
)


def items(value: Any) -> list[Any] | None:
    """The parts of something that can be gone through; None where they cannot be told."""
    if isinstance(value, list | tuple | set | dict):
        return list(value)
    if isinstance(value, str) and not isinstance(value, Rough):
        return list(value[:MAX_PARTS])
    if isinstance(value, Class):
        members = [part for part in value.attributes.values() if isinstance(part, EnumMember)]
        return members or None
    return None


# --- builtins ---


def _list(_evaluator: Calls, call: Invocation) -> Any:
    parts = items(call.arguments[0]) if call.arguments else []
    return parts if parts is not None else UNKNOWN


def _tuple(evaluator: Calls, call: Invocation) -> Any:
    parts = _list(evaluator, call)
    return tuple(parts) if isinstance(parts, list) else UNKNOWN


def _set(evaluator: Calls, call: Invocation) -> Any:
    parts = _list(evaluator, call)
    plain = isinstance(parts, list) and all(isinstance(part, str | int | float) for part in parts)
    return set(parts) if plain else UNKNOWN


def _dict(_evaluator: Calls, call: Invocation) -> Any:
    given = call.arguments[0] if call.arguments else {}
    if isinstance(given, list | tuple) and all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in given):
        given = {key: value for key, value in given if isinstance(key, str | int)}
    return {**given, **call.keywords} if isinstance(given, dict) and not call.is_open else UNKNOWN


def _reversed(evaluator: Calls, call: Invocation) -> Any:
    parts = _list(evaluator, call)
    return parts[::-1] if isinstance(parts, list) else UNKNOWN


def _sorted(evaluator: Calls, call: Invocation) -> Any:
    parts = _list(evaluator, call)
    if not isinstance(parts, list) or "key" in call.keywords:
        return parts
    if all(isinstance(part, str) for part in parts) or all(type(part) in (int, float) for part in parts):
        return sorted(parts, reverse=call.keywords.get("reverse") is True)
    return parts


def _enumerate(evaluator: Calls, call: Invocation) -> Any:
    parts, start = _list(evaluator, call), call.get(1, "start", 0)
    return list(enumerate(parts, start)) if isinstance(parts, list) and type(start) is int else UNKNOWN


def _zip(_evaluator: Calls, call: Invocation) -> Any:
    lists = [items(each) for each in call.arguments]
    known = [each for each in lists if each is not None]
    return [*zip(*known, strict=False)] if len(known) == len(lists) else UNKNOWN


def _product(_evaluator: Calls, call: Invocation) -> Any:
    lists = [items(each) for each in call.arguments]
    known = [each for each in lists if each is not None]
    size = 1
    for each in known:
        size *= len(each)
    return [*product(*known)] if len(known) == len(lists) and size <= MAX_PARTS else UNKNOWN


def _chain(_evaluator: Calls, call: Invocation) -> Any:
    lists = [items(each) for each in call.arguments]
    return [part for each in lists if each is not None for part in each] if None not in lists else UNKNOWN


def _chain_of(evaluator: Calls, call: Invocation) -> Any:
    return _chain(evaluator, call._replace(arguments=items(call.arguments[0]) or [UNKNOWN]))


def _map(evaluator: Calls, call: Invocation) -> Any:
    parts = items(call.get(1, ""))
    if parts is None:
        return UNKNOWN
    return [evaluator.call(call.arguments[0], call._replace(arguments=[part], keywords={})) for part in parts]


def _filter(evaluator: Calls, call: Invocation) -> Any:
    parts = items(call.get(1, ""))
    if parts is None:
        return UNKNOWN
    test = call.arguments[0]
    kept = []
    for part in parts:
        passes = part if test is None else evaluator.call(test, call._replace(arguments=[part], keywords={}))
        if truth(passes) is not False:
            kept.append(part)
    return kept


def _range(_evaluator: Calls, call: Invocation) -> Any:
    if call.arguments and all(type(part) is int and abs(part) < 10**6 for part in call.arguments):
        numbers = range(*call.arguments[:3]) if call.arguments[2:] != [0] else range(0)
        return list(numbers[:MAX_PARTS])
    return UNKNOWN


def _str(_evaluator: Calls, call: Invocation) -> Any:
    return shown(call.arguments[0]) if call.arguments else ""


def _len(_evaluator: Calls, call: Invocation) -> Any:
    value = call.get(0, "")
    return (
        len(value) if isinstance(value, str | list | tuple | dict | set) and not isinstance(value, Rough) else UNKNOWN
    )


def _bool(_evaluator: Calls, call: Invocation) -> Any:
    answer = truth(call.get(0, "", False))
    return UNKNOWN if answer is None else answer


def _int(_evaluator: Calls, call: Invocation) -> Any:
    value = call.get(0, "", 0)
    if type(value) in (int, bool, float) and abs(value) < 10**18:
        return int(value)
    plain = isinstance(value, str) and not isinstance(value, Rough) and value.isascii() and value.isdigit()
    return int(value) if plain and len(value) < 19 else UNKNOWN


def _any(evaluator: Calls, call: Invocation) -> Any:
    parts = _list(evaluator, call)
    answers = [truth(part) for part in parts] if isinstance(parts, list) else [None]
    return True if True in answers else UNKNOWN if None in answers else False


def _all(evaluator: Calls, call: Invocation) -> Any:
    parts = _list(evaluator, call)
    answers = [truth(part) for part in parts] if isinstance(parts, list) else [None]
    return False if False in answers else UNKNOWN if None in answers else True


def _extreme(deed: Callable[[list[Any]], Any]) -> Callable[[Calls, Invocation], Any]:
    def found(_evaluator: Calls, call: Invocation) -> Any:
        parts = items(call.arguments[0]) if len(call.arguments) == 1 else call.arguments
        numbers = bool(parts) and all(type(part) in (int, float) for part in parts or ())
        return deed(parts or []) if numbers else UNKNOWN

    return found


def _isinstance(_evaluator: Calls, call: Invocation) -> Any:
    value, kinds = call.get(0, ""), call.get(1, "")
    named = {"str": str, "int": int, "float": float, "bool": bool, "list": list, "tuple": tuple, "dict": dict}
    wanted = list(kinds) if isinstance(kinds, tuple | list) else [kinds]
    if isinstance(value, Rough | Unknown):
        return UNKNOWN
    answers = []
    for kind in wanted:
        if isinstance(kind, Native) and kind.name in named:
            answers.append(isinstance(value, named[kind.name]))
        elif isinstance(kind, Class) and isinstance(value, Instance | Modelled) and value.made_of is not None:
            answers.append(kind in value.made_of.lineage())
        elif isinstance(kind, Class) and (isinstance(value, EnumMember) or is_known(value)):
            answers.append(isinstance(value, EnumMember) and kind in value.made_of.lineage())
        else:
            return UNKNOWN
    return any(answers)


def _getattr(evaluator: Calls, call: Invocation) -> Any:
    name = call.get(1, "")
    if not isinstance(name, str) or isinstance(name, Rough):
        return UNKNOWN
    subject = call.get(0, "")
    found = evaluator.attribute(subject, name)
    lacks = isinstance(found, Unknown) and not isinstance(subject, Unknown)  # of what is not told nothing is lacking
    return call.arguments[2] if lacks and len(call.arguments) > 2 else found


def _setattr(_evaluator: Calls, call: Invocation) -> Any:
    subject, name = call.get(0, ""), call.get(1, "")
    if isinstance(subject, Instance | Modelled | Function | Class) and isinstance(name, str):
        subject.attributes[name] = call.get(2, "", UNKNOWN)


def _hasattr(evaluator: Calls, call: Invocation) -> Any:
    found = _getattr(evaluator, call)
    return UNKNOWN if isinstance(found, Unknown) else True


def _callable(_evaluator: Calls, call: Invocation) -> Any:
    value = call.get(0, "")
    if isinstance(value, Function | Class | Bound | Native | Partial):
        return True
    return False if isinstance(value, str | int | list | dict | tuple | None) else UNKNOWN


def _nothing(_evaluator: Calls, _call: Invocation) -> Any:
    return None


def _unknown(_evaluator: Calls, _call: Invocation) -> Any:
    return UNKNOWN


def _marker(kind: str) -> Callable[[Calls, Invocation], Any]:
    def wrap(_evaluator: Calls, call: Invocation) -> Any:
        return Wrapped(kind, call.arguments[0]) if call.arguments else UNKNOWN

    return wrap


BUILTINS: dict[str, Any] = {
    name: Native(name, deed)
    for name, deed in {
        **dict.fromkeys(("list", "iter"), _list),
        "tuple": _tuple,
        **dict.fromkeys(("set", "frozenset"), _set),
        "dict": _dict,
        "reversed": _reversed,
        "sorted": _sorted,
        "enumerate": _enumerate,
        "zip": _zip,
        "map": _map,
        "filter": _filter,
        "range": _range,
        "str": _str,
        "len": _len,
        "bool": _bool,
        "int": _int,
        "any": _any,
        "all": _all,
        "max": _extreme(max),
        "min": _extreme(min),
        "sum": _extreme(sum),
        "isinstance": _isinstance,
        "getattr": _getattr,
        "setattr": _setattr,
        "hasattr": _hasattr,
        "callable": _callable,
        "print": _nothing,
        **dict.fromkeys(("staticmethod", "classmethod", "property"), None),
        **dict.fromkeys(
            ("float", "bytes", "object", "type", "repr", "open", "vars", "globals", "locals", "next", "id", "hash"),
            _unknown,
        ),
        **dict.fromkeys(("abs", "round", "input", "issubclass", "format", "chr", "ord", "exit", "quit"), _unknown),
    }.items()
    if deed is not None
}
BUILTINS |= {kind: Native(kind, _marker(kind)) for kind in ("staticmethod", "classmethod", "property")}
BUILTINS |= {"__debug__": True, "NotImplemented": UNKNOWN, "Ellipsis": ...}


# --- the standard library ---


def _identity(_evaluator: Calls, call: Invocation) -> Any:
    """A decorator that changes no argument: bare, or made by a call."""
    first = call.arguments[0] if call.arguments else None
    if isinstance(first, Doubted | Bound | Wrapped | Native | Partial):
        return first
    return Native("decorator", _identity)


def _wraps(_evaluator: Calls, call: Invocation) -> Any:
    """`functools.wraps(f)`: the wrapper gets what was attached to `f`."""
    subject = call.get(0, "wrapped")

    def copy(_inner: Calls, wrapping: Invocation) -> Any:
        wrapper = wrapping.arguments[0] if wrapping.arguments else UNKNOWN
        if isinstance(wrapper, Function) and isinstance(subject, Function):
            wrapper.attributes = {**subject.attributes, **wrapper.attributes, "__wrapped__": subject}
            wrapper.doubts = [*wrapper.doubts, *subject.doubts]
        return wrapper

    return Native("wraps", copy)


def _partial(_evaluator: Calls, call: Invocation) -> Any:
    return (
        Partial(call.arguments[0], call.arguments[1:], call.keywords)
        if call.arguments and not call.is_open
        else UNKNOWN
    )


def _reduce(evaluator: Calls, call: Invocation) -> Any:
    parts = items(call.get(1, ""))
    if parts is None or not (parts or len(call.arguments) > 2):
        return UNKNOWN
    value, rest = (call.arguments[2], parts) if len(call.arguments) > 2 else (parts[0], parts[1:])
    for part in rest:
        value = evaluator.call(call.arguments[0], call._replace(arguments=[value, part], keywords={}))
    return value


def _update_wrapper(evaluator: Calls, call: Invocation) -> Any:
    wrapper = call.get(0, "wrapper")
    copy = _wraps(evaluator, call._replace(arguments=[call.get(1, "wrapped")], keywords={}))
    return copy.deed(evaluator, call._replace(arguments=[wrapper], keywords={}))


def _field(_evaluator: Calls, call: Invocation) -> Any:
    return FieldDefault(
        call.keywords.get("default", UNKNOWN), call.keywords.get("default_factory", call.keywords.get("factory"))
    )


def _enum(_evaluator: Calls, call: Invocation) -> Any:
    """`Enum("Name", "A B")`: the names as members, numbered from 1, or with the values that they are given."""
    name, listed = call.get(0, "value"), call.get(1, "names")
    if isinstance(listed, str) and not isinstance(listed, Rough):
        listed = listed.replace(",", " ").split()
    pairs = list(listed.items()) if isinstance(listed, dict) else items(listed)
    if not isinstance(name, str) or pairs is None:
        return UNKNOWN
    numbered = [pair if isinstance(pair, tuple) and len(pair) == 2 else (pair, at) for at, pair in enumerate(pairs, 1)]
    if not all(isinstance(word, str) and word.isidentifier() for word, _ in numbered):
        return UNKNOWN
    node = ast.ClassDef(name=name, bases=[], keywords=[], body=[], decorator_list=[])
    made = Class(node, call.module, [External("enum.Enum")])
    made.attributes = {word: EnumMember(made, word, value) for word, value in numbered[:MAX_PARTS]}
    return made


def _platform(value: Any) -> Callable[[Calls, Invocation], Any]:
    def ask(evaluator: Calls, _call: Invocation) -> Any:
        evaluator.asked = True
        return value

    return ask


def _dedent(_evaluator: Calls, call: Invocation) -> Any:
    import textwrap

    text = call.get(0, "text", "")
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        return UNKNOWN
    said = textwrap.dedent(text)
    return Rough(said) if isinstance(text, Rough) else said


FUNCTIONS: dict[str, Callable[[Any, Invocation], Any]] = {
    "functools.wraps": _wraps,
    "functools.update_wrapper": _update_wrapper,
    "functools.partial": _partial,
    "functools.reduce": _reduce,
    **dict.fromkeys(("functools.lru_cache", "functools.cache", "functools.singledispatch"), _identity),
    **dict.fromkeys(("contextlib.contextmanager", "contextlib.asynccontextmanager", "typing.no_type_check"), _identity),
    **dict.fromkeys(("typing.overload", "typing.final", "typing.cast"), _identity),
    "typing.cast": lambda _evaluator, call: call.get(1, "val", UNKNOWN),
    **dict.fromkeys(("dataclasses.field", "attr.ib", "attrs.field", "attr.field"), _field),
    **dict.fromkeys(("enum.Enum", "enum.IntEnum", "enum.StrEnum"), _enum),
    "itertools.chain": _chain,
    "itertools.chain.from_iterable": _chain_of,
    "itertools.product": _product,
    **dict.fromkeys(("textwrap.dedent", "inspect.cleandoc"), _dedent),
    "platform.system": _platform("Linux"),
    **dict.fromkeys(("os.getenv", "os.environ.get"), _unknown),
}
CONSTANTS: dict[str, Any] = {
    "sys.platform": "linux",
    "os.name": "posix",
    "sys.version_info": (3, 13, 0, "final", 0),
    "argparse.OPTIONAL": "?",
    "argparse.ZERO_OR_MORE": "*",
    "argparse.ONE_OR_MORE": "+",
    "argparse.REMAINDER": "...",
    "argparse.SUPPRESS": "==SUPPRESS==",
    "os.sep": "/",
    "os.pathsep": ":",
    "os.linesep": "\n",
}
PLATFORM = {"sys.platform", "os.name"}


# --- methods of plain values ---


def _plain(deed: str) -> Callable[[str, Invocation], Any]:
    """A method of text that neither grows nor looks for patterns."""

    def use(text: str, call: Invocation) -> Any:
        if (
            isinstance(text, Rough)
            or call.is_open
            or not all(isinstance(part, str | int | tuple) for part in call.arguments)
        ):
            return Rough(text) if deed not in ("startswith", "endswith") else UNKNOWN
        try:
            return getattr(text, deed)(*call.arguments[:3], **call.keywords)
        except (TypeError, ValueError):
            return UNKNOWN

    return use


def _replace(text: str, call: Invocation) -> Any:
    old, new = call.get(0, "old"), call.get(1, "new")
    if isinstance(old, str) and isinstance(new, str) and len(text) * (len(new) + 1) <= 50 * MAX_TEXT:
        said = text.replace(old, new) if old else text
        return Rough(said) if any(isinstance(part, Rough) for part in (text, old, new)) else said
    return Rough("…")


_TEXT: dict[str, Callable[[str, Invocation], Any]] = {
    **{
        deed: _plain(deed)
        for deed in (
            *("upper", "lower", "title", "capitalize", "casefold", "strip", "lstrip", "rstrip", "split", "rsplit"),
            *("splitlines", "startswith", "endswith", "removeprefix", "removesuffix", "partition", "rpartition"),
            *("isidentifier", "isdigit", "isupper", "islower", "count", "find", "swapcase"),
        )
    },
    "replace": _replace,
    "join": lambda text, call: (
        joined(text, parts) if (parts := items(call.get(0, "", UNKNOWN))) is not None else Rough("…")
    ),
    "format": lambda text, call: braces(text, call.arguments, call.keywords),
}


def _append(held: list[Any], call: Invocation) -> Any:
    if len(held) < MAX_PARTS and call.arguments:
        held.append(call.arguments[0])


def _extend(held: list[Any], call: Invocation) -> Any:
    more = items(call.get(0, ""))
    held.extend(more[: MAX_PARTS - len(held)] if more is not None else [UNKNOWN])


def _insert(held: list[Any], call: Invocation) -> Any:
    place = call.get(0, "", 0)
    if len(held) < MAX_PARTS and len(call.arguments) == 2:
        held.insert(place if type(place) is int and abs(place) < MAX_PARTS else 0, call.arguments[1])


def _pop(held: list[Any] | dict[Any, Any], call: Invocation) -> Any:
    if isinstance(held, dict):
        key = call.get(0, "")
        default = call.arguments[1] if len(call.arguments) > 1 else UNKNOWN
        return held.pop(key, default) if isinstance(key, str | int) else UNKNOWN
    place = call.get(0, "", -1)
    return held.pop(place) if held and type(place) is int and -len(held) <= place < len(held) else UNKNOWN


def _remove(held: list[Any], call: Invocation) -> Any:
    held[:] = [part for part in held if part is not call.get(0, "") and part != call.get(0, "")]


_LIST: dict[str, Callable[[list[Any], Invocation], Any]] = {
    "append": _append,
    "extend": _extend,
    "insert": _insert,
    "pop": _pop,
    "remove": _remove,
    "clear": lambda held, _call: held.clear(),
    "reverse": lambda held, _call: held.reverse(),
    "copy": lambda held, _call: list(held),
    "sort": lambda _held, _call: None,
    "index": lambda held, call: (
        held.index(call.arguments[0]) if call.arguments and call.arguments[0] in held else UNKNOWN
    ),
    "count": lambda held, call: held.count(call.arguments[0]) if call.arguments else UNKNOWN,
}


def _get(held: dict[Any, Any], call: Invocation) -> Any:
    key = call.get(0, "")
    if isinstance(key, str | int | None) and not isinstance(key, Rough):
        return held.get(key, call.arguments[1] if len(call.arguments) > 1 else None)
    return UNKNOWN


def _setdefault(held: dict[Any, Any], call: Invocation) -> Any:
    key = call.get(0, "")
    return (
        held.setdefault(key, call.get(1, "", None)) if isinstance(key, str | int) and len(held) < MAX_PARTS else UNKNOWN
    )


def _update(held: dict[Any, Any], call: Invocation) -> Any:
    given = call.get(0, "", {})
    if isinstance(given, dict) and len(given) + len(held) <= MAX_PARTS:
        held.update({**given, **call.keywords})


_DICT: dict[str, Callable[[dict[Any, Any], Invocation], Any]] = {
    "get": _get,
    "items": lambda held, _call: [(key, value) for key, value in held.items()],
    "keys": lambda held, _call: list(held),
    "values": lambda held, _call: list(held.values()),
    "pop": _pop,
    "setdefault": _setdefault,
    "update": _update,
    "copy": lambda held, _call: dict(held),
    "clear": lambda held, _call: held.clear(),
}


def _add(held: set[Any], call: Invocation) -> Any:
    if len(held) < MAX_PARTS and isinstance(call.get(0, ""), str | int):
        held.add(call.arguments[0])


_SET: dict[str, Callable[[set[Any], Invocation], Any]] = {"add": _add, "copy": lambda held, _call: set(held)}


def method(value: Any, name: str) -> Native | None:
    """A method of a plain value; None where it is not one that is known here."""
    table: dict[str, Callable[[Any, Invocation], Any]]
    if isinstance(value, str):
        table = _TEXT
    elif isinstance(value, list):
        table = _LIST
    elif isinstance(value, dict):
        table = _DICT
    elif isinstance(value, set):
        table = _SET
    else:
        table = {key: _LIST[key] for key in ("index", "count")} if isinstance(value, tuple) else {}
    deed = table.get(name)
    return Native(name, lambda _evaluator, call: deed(value, call)) if deed is not None else None


def doubted_in(value: Any, depth: int = 0) -> Iterator[Modelled]:
    """The objects within a value that code outside of the repository could change."""
    if isinstance(value, Modelled):
        yield value
    elif isinstance(value, Bound):
        yield from doubted_in(value.subject, depth)
    elif isinstance(value, list | tuple) and depth < 2:
        for part in value[:200]:
            yield from doubted_in(part, depth + 1)
    elif isinstance(value, dict | Instance) and depth < 2:
        held = value.attributes if isinstance(value, Instance) else value
        for part in list(held.values())[:200]:
            yield from doubted_in(part, depth + 1)


def is_external(value: Any, *names: str) -> bool:
    return isinstance(value, External) and value.dotted in names
