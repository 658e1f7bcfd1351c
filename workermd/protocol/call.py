"""`x-call`: how an interface is called, as a contract lists it in its front matter.

The first text is the kind. Of a `program` each further text is a word of the command line, or an argument as a JSON object;
they stand in the order of the command line. Of `http` the second is method and path. An argument names a property of
the input (`from`) and how its value is written:

- `option`: the option, then the value; with `list` all parts of a list after it, with `each` the option again for each part;
- `flag`, `off`: for true, for false; `alone`: true is the option without a value; `count`: the flag, that many times;
- `choice`: the flag of each value;
- `position`: the value itself; `rest`: a list of words, as they are;
- `in` with `name`, of `http`: `path`, `query`, `header`, `cookie`, or `body` with the media type.

Words come from the contract's list and the input's values alone. No shell sees them.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from workermd.protocol.envelope import Document

KEY = "x-call"
KINDS = ("program", "http")
MOST = 600
_PLACES = ("path", "query", "header", "cookie", "body")
_TEXTS = {"option", "flag", "off", "count", "from", "in", "name"}
_MARKS = {"list", "each", "alone", "position", "rest"}
_METHOD = re.compile(r"(GET|PUT|POST|DELETE|OPTIONS|HEAD|PATCH|TRACE) (/\S*)")


class WrongCall(ValueError):
    """An `x-call` that says no way to call anything; the message says what is wrong with which text."""


def texts(call: Document) -> list[str]:
    """As it stands in the front matter."""
    head = ["http", f"{call['method']} {call['path']}"] if call["kind"] == "http" else ["program"]
    return [*head, *(part if isinstance(part, str) else json.dumps(part, ensure_ascii=False) for part in call["line"])]


def parse(listed: Any) -> Document:
    """Back from the front matter. Raises WrongCall."""
    if not isinstance(listed, list | tuple) or not listed or listed[0] not in KINDS or len(listed) > MOST:
        raise WrongCall(f"x-call is a list that begins with {' or '.join(KINDS)}")
    call: Document = {"kind": listed[0]}
    rest = list(listed[1:])
    if listed[0] == "http":
        match = _METHOD.fullmatch(rest[0]) if rest else None
        if match is None:
            raise WrongCall("the second text of x-call is a method and a path, such as GET /pets/{id}")
        call.update(method=match[1], path=match[2])
        rest = rest[1:]
    call["line"] = [
        _argument(text, listed[0]) if text.startswith("{") else _word_of_line(text, listed[0]) for text in rest
    ]
    return call


def _word_of_line(text: str, kind: str) -> str:
    if kind == "http" or not text or "\0" in text:
        raise WrongCall(f"{text!r} of x-call is no argument: write a JSON object")
    return text


def _argument(text: str, kind: str) -> Document:
    try:
        part = json.loads(text)
    except (ValueError, RecursionError):
        raise WrongCall(f"{text[:60]!r} of x-call is no JSON object") from None
    wrong = [key for key in part if key not in _TEXTS | _MARKS | {"choice"}]
    wrong += [key for key in part if key in _TEXTS and not isinstance(part[key], str)]
    choice = part.get("choice", {})
    if wrong or not isinstance(choice, dict) or not all(isinstance(flag, str) for flag in choice.values()):
        raise WrongCall(f"{text[:60]!r} of x-call has {wrong[0] if wrong else 'choice'} of another kind than is known")
    ways = {"in"} if kind == "http" else {"option", "flag", "off", "count", "choice", "position", "rest"}
    if "from" not in part or not ways & part.keys() or (kind == "http" and part["in"] not in _PLACES):
        raise WrongCall(f"{text[:60]!r} of x-call lacks `from`, or the way its value is written")
    argument: Document = part
    return argument


def named(call: Document) -> list[str]:
    """The properties that a call takes."""
    return [part["from"] for part in call["line"] if isinstance(part, dict)]


def values_of(call: Document, given: Document, key: str) -> Document:
    """The input's values for a call: those below `arguments`, where they stand there, without the run's key."""
    values = {name: value for name, value in given.items() if name != key or name in named(call)}
    below = values.get("arguments")
    return (
        below if set(values) == {"arguments"} and isinstance(below, dict) and "arguments" not in named(call) else values
    )


class Unwritable(ValueError):
    """An input that cannot be written as the command line says; the message names the property."""


def words_of(call: Document, values: Document) -> list[str]:
    """The arguments of one call. Raises Unwritable.

    Before the first positional that begins with `-` stands `--`, and so it does behind an option that takes several
    values. Where a subcommand follows, a value that begins with `-` is refused: it would be taken for an option.
    """
    line = call["line"]
    known = {part["from"] for part in line if isinstance(part, dict)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise Unwritable(
            f"{unknown[0]!r} is not among the arguments of x-call, which are {', '.join(sorted(known)) or 'none'}"
        )
    words: list[str] = []
    guarded = greedy = False
    for at, part in enumerate(line):
        if isinstance(part, str):
            words.append(part)
            guarded = greedy = False
        elif part["from"] in values and values[part["from"]] is not None:
            name, value = part["from"], values[part["from"]]
            if "position" not in part:
                words += _option(name, part, value)
                greedy = "list" in part
                continue
            given = [_word(name, each) for each in _parts(value)]
            is_alike = any(word.startswith("-") for word in given)
            if given and not guarded and (is_alike or greedy):
                if is_alike and any(isinstance(later, str) for later in line[at:]):
                    raise Unwritable(
                        f"{name!r} begins with -, and a subcommand follows it: it would be taken for an option"
                    )
                words.append("--")
                guarded = True
            words += given
    return words


def _option(name: str, part: Document, value: Any) -> Iterator[str]:
    if "rest" in part:
        for each in _parts(value):
            yield _word(name, each)
    elif "choice" in part and _choices(part, value):
        yield from _choices(part, value)
    elif "count" in part:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 100:
            raise Unwritable(f"{name!r} says how often {part['count']} is given: a whole number from 0 to 100")
        yield from [part["count"]] * value
    elif "flag" in part or "off" in part:
        yield from _flag(name, part, value)
    elif "alone" in part and value is True:
        yield part["option"]
    elif "option" not in part:
        raise Unwritable(f"{name!r} is none of {', '.join(part['choice'])}")
    else:
        for each in _parts(value) if "each" in part else [value]:
            yield from _valued(name, part, each)


def _choices(part: Document, value: Any) -> list[str]:
    """The flags that stand for a value, or for each of several; [] where one has none."""
    flags = [part["choice"].get(each if isinstance(each, str) else str(each)) for each in _parts(value)]
    return [flag for flag in flags if flag is not None] if None not in flags else []


def _flag(name: str, part: Document, value: Any) -> Iterator[str]:
    if not isinstance(value, bool):
        raise Unwritable(f"{name!r} is true or false: {part.get('flag') or part.get('off')} takes no value")
    flag = part.get("flag" if value else "off")
    if flag is not None:
        yield flag


def _valued(name: str, part: Document, value: Any) -> Iterator[str]:
    """An option and its value; a value that begins with `-` is joined to a long option, so that it is not taken for one."""
    words = [_word(name, each) for each in (_parts(value) if "list" in part else [value])]
    option = part["option"]
    if len(words) == 1 and words[0].startswith("-"):
        if not option.startswith("--"):
            raise Unwritable(f"{name!r} begins with -, and {option} would take it for an option")
        yield f"{option}={words[0]}"
    elif any(word.startswith("-") for word in words):
        raise Unwritable(f"{name!r} has a part that begins with -, which would be taken for an option")
    else:
        yield option
        yield from words


def _parts(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _word(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        word = str(value)
        if "\0" in word:
            raise Unwritable(f"{name!r} holds the character NUL, which no argument can")
        return word
    raise Unwritable(f"{name!r} is an object or a list of lists: x-call says no way to write it")
