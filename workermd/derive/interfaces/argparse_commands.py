"""Commands built with argparse, as the evaluator makes them: parsers, groups, subcommands, parents, actions."""

import ast
from collections.abc import Callable
from typing import Any, NamedTuple

from workermd.derive.evaluation.values import (
    UNKNOWN,
    Calls,
    Class,
    EnumMember,
    External,
    Invocation,
    Modelled,
    Native,
    Rough,
    Stopped,
    Unknown,
)
from workermd.derive.interfaces.commands import (
    MAX_COMMANDS,
    CommandOption,
    CommandSignature,
    described,
    kept_default,
    together,
    with_default,
)
from workermd.derive.interfaces.scope import Sources
from workermd.derive.interfaces.texts import name_of
from workermd.derive.model import Evidence
from workermd.protocol.envelope import Document
from workermd.system.text import cleaned

MAX_NESTED = 6
MAX_ARGUMENTS = 600

_TYPES = {"int": "integer", "float": "number"}
_NAMELESS = {"help", "version"}
_ACTIONS = {
    **{f"_{word}Action": action for word, action in (("StoreTrue", "store_true"), ("StoreFalse", "store_false"))},
    **{
        f"_{word}Action": action
        for word, action in (("Store", "store"), ("StoreConst", "store_const"), ("Append", "append"))
    },
    **{f"_{word}Action": action for word, action in (("Count", "count"), ("Help", "help"), ("Version", "version"))},
    **{f"_{word}Action": action for word, action in (("Extend", "extend"), ("AppendConst", "append_const"))},
    "BooleanOptionalAction": "boolean_optional",
}


class CallSite(NamedTuple):
    path: str
    node: ast.AST


class Action(Modelled):
    """What `add_argument` makes; an Action class of the repository too."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[Any] = []
        self.values: dict[str, Any] = {}
        self.place: CallSite | None = None
        self.conditional = False

    def initialise(self, _evaluator: Calls, call: Invocation) -> None:
        flags = call.get(0, "option_strings")
        self.names = list(flags) if isinstance(flags, list | tuple) else self.names
        positional = dict(
            zip(("option_strings", "dest", "nargs", "const", "default", "type"), call.arguments, strict=False)
        )
        self.values = {**positional, **call.keywords}


class Parser(Modelled):
    """An ArgumentParser."""

    def __init__(self) -> None:
        super().__init__()
        self.given: dict[str, Any] = {}
        self.arguments: list[Action] = []
        self.children: dict[str, Parser] = {}
        self.maker: dict[str, Any] = {}
        self.place: CallSite | None = None
        self.asked: list[str] | None = None
        """Its doubts when it was last asked by `parse_known_args`: what happens to it later does not matter."""
        self.is_child = False
        self.is_parent = False
        self.lacks: list[str] = []
        self.actions: dict[str, Any] = {}
        """Actions of its own, by the word that `register` gives them."""

    def initialise(self, _evaluator: Calls, call: Invocation) -> None:
        self.given = call.keywords
        self.place = CallSite(call.module.path, call.node)
        parents = call.keywords.get("parents", [])
        if call.is_open or not isinstance(parents, list | tuple):
            self.doubt("parents, which cannot be told") if "parents" in call.keywords else None
            return
        for parent in parents:
            if isinstance(parent, Parser):
                parent.is_parent = True
                self.arguments.extend(parent.arguments)
                self.doubts.extend(why for why in parent.doubts if why not in self.doubts)
            else:
                self.doubt("parents, which cannot be told")

    def member(self, _evaluator: Calls, name: str) -> Any:  # noqa: PLR0911 (a table of names)
        match name:
            case "add_argument" | "add_option" | "add_arg" | "add":
                return Native(name, self._add)
            case "add_option_group":
                return Native(
                    name,
                    lambda _evaluator, call: found if isinstance(found := call.get(0, "title"), Group) else Group(self),
                )
            case "add_argument_group" | "add_mutually_exclusive_group" | "add_argparse_group":
                return Native(name, lambda _evaluator, _call: Group(self))
            case "add_subparsers":
                return Native(name, self._subparsers)
            case "parse_args" | "parse_intermixed_args":
                return Native(name, self._stop)
            case "parse_known_args" | "parse_known_intermixed_args":
                return Native(name, self._ask)
            case "_add_action":
                return Native(name, self._take)
            case "register" | "set_defaults":
                return Native(name, self._register)
            case "description" | "prog" | "epilog" | "usage":
                return self.given.get(name, UNKNOWN)
        return UNKNOWN

    def _register(self, _evaluator: Calls, call: Invocation) -> Any:
        """`register`; `set_defaults` has keywords alone, and adds nothing that is given."""
        if call.get(0, "registry_name") == "action" and isinstance(call.get(1, "value"), str):
            self.actions[call.get(1, "value")] = call.get(2, "object")

    def _stop(self, _evaluator: Calls, _call: Invocation) -> Any:
        raise Stopped(self)

    def _ask(self, _evaluator: Calls, _call: Invocation) -> Any:
        self.asked = list(self.doubts)
        return (UNKNOWN, UNKNOWN)

    def _take(self, _evaluator: Calls, call: Invocation) -> Any:
        action = call.get(0, "action")
        if isinstance(action, Action):
            self.arguments.append(action)
        else:
            self.doubt("an argument that is made by other code")
        return action

    def _subparsers(self, _evaluator: Calls, call: Invocation) -> Any:
        self.maker = call.keywords
        return Subparsers(self)

    def _add(self, evaluator: Calls, call: Invocation) -> Any:
        """One `add_argument`."""
        given = call.arguments[0] if len(call.arguments) == 1 else None
        if isinstance(given, Action):
            return self._take(evaluator, call)
        names = [name for name in call.arguments if isinstance(name, str) and not isinstance(name, Rough)]
        if call.is_open or len(names) != len(call.arguments) or len(self.arguments) >= MAX_ARGUMENTS:
            self.doubt("an argument whose name is computed")
        action = Action()
        untold = any(isinstance(call.keywords.get(name), Unknown | External) for name in ("dest", "nargs"))
        if untold or isinstance(call.keywords.get("action"), Unknown):
            self.doubt("an argument with settings that are computed")
        kind = call.keywords.get("action")
        kind = self.actions.get(kind, kind) if isinstance(kind, str) else kind
        rest = {name: value for name, value in call.keywords.items() if name != "action"}
        if isinstance(kind, Class):
            made = evaluator.call(kind, call._replace(arguments=[names, rest.get("dest", UNKNOWN)], keywords={**rest}))
            action = made if isinstance(made, Action) else action
            rest = {**rest, **(action.values if isinstance(made, Action) else {})}
        action.values = {**rest, **({"action": kind} if kind is not None else {})}
        action.names = names
        action.place = CallSite(call.module.path, call.node)
        action.conditional = evaluator.uncertain > 0
        if names or (not call.arguments and isinstance(call.keywords.get("dest"), str)):
            self.arguments.append(action)
        return action


class OptionParser(Parser):
    """optparse's: it declares options, and takes further words without declaring them."""

    def initialise(self, evaluator: Calls, call: Invocation) -> None:
        super().initialise(evaluator, call)
        self.doubt("its positional arguments, which optparse does not declare")


class Group(Modelled):
    """A group of arguments: they belong to its parser."""

    def __init__(self, parser: Parser | None = None) -> None:
        super().__init__()
        self.parser = parser or Parser()

    def initialise(self, _evaluator: Calls, call: Invocation) -> None:
        parser = call.get(0, "parser")
        if isinstance(parser, Parser):
            self.parser = parser

    def doubt(self, why: str) -> None:
        self.parser.doubt(why)

    def member(self, evaluator: Calls, name: str) -> Any:
        return self.parser.member(evaluator, name)


class Subparsers(Modelled):
    """The maker of subcommands."""

    def __init__(self, parser: Parser) -> None:
        super().__init__()
        self.parser = parser

    def doubt(self, why: str) -> None:
        self.parser.doubt(why)

    def member(self, _evaluator: Calls, name: str) -> Any:
        if name == "add_parser":
            return Native(name, self._add)
        return self.parser.children if name in ("choices", "_name_parser_map") else UNKNOWN

    def _add(self, evaluator: Calls, call: Invocation) -> Any:
        word = call.get(0, "name")
        kind = self.parser.maker.get("parser_class", self.parser.made_of)
        inner = call._replace(
            arguments=[], keywords={k: v for k, v in call.keywords.items() if k not in ("name", "aliases")}
        )
        child = evaluator.call(kind, inner) if isinstance(kind, Class) else None
        if not isinstance(child, Parser):
            child = Parser()
            child.initialise(evaluator, inner)
        child.given = {**call.keywords, **child.given}
        child.is_child = True
        if not isinstance(word, str) or isinstance(word, Rough) or not name_of(word):
            self.parser.lacks.append(
                "there may be subcommands beside those that are listed: one has a name that is computed"
            )
        elif len(self.parser.children) < MAX_COMMANDS:
            self.parser.children[name_of(word)] = child
        return child


def library(made: list[Parser]) -> dict[str, Any]:
    """The classes of argparse, by name; each parser made is added to `made`."""

    def parser(kind: type[Parser]) -> Callable[[], Parser]:
        def make() -> Parser:
            made.append(kind())
            return made[-1]

        return make

    actions = dict.fromkeys((f"argparse.{name}" for name in ("Action", *_ACTIONS)), Action)
    options = {"optparse.OptionParser": parser(OptionParser), "optparse.OptionGroup": Group, "optparse.Option": Action}
    return {"argparse.ArgumentParser": parser(Parser), **options, **actions}


def root_of(made: list[Parser]) -> Parser | None:
    """The parser of a program whose `parse_args` was not seen: the one that is asked, or the only one there is."""
    roots = [parser for parser in made if not parser.is_child and not parser.is_parent]
    asked = [parser for parser in roots if parser.asked is not None]
    if asked:  # the one that is asked for little comes before the one that is asked for all
        chosen = max(asked, key=lambda parser: len(parser.arguments) + len(parser.children))
        chosen.doubts = chosen.asked or []
        return chosen
    if len(roots) == 1 and (roots[0].arguments or roots[0].children):
        roots[0].doubt("the call of parse_args, which is not found")
        return roots[0]
    return None


SUPPRESSED = "==SUPPRESS=="
"""argparse's own word for a default, a help or a destination that is left out."""


class _Above(NamedTuple):
    """What leads to a parser: the words, their options, and what of them is not read."""

    words: tuple[str, ...] = ()
    options: tuple[CommandOption, ...] = ()
    unread: tuple[str, ...] = ()


def commands(sources: Sources, parser: Parser) -> tuple[CommandSignature, ...]:
    """The commands that end somewhere: every leaf with the options on the way to it."""
    return tuple(_flat(sources, parser, _Above()))[:MAX_COMMANDS]


def _flat(sources: Sources, parser: Parser, above: _Above) -> list[CommandSignature]:
    words = above.words
    prefixes = parser.given.get("prefix_chars")
    prefix = prefixes if isinstance(prefixes, str) and not isinstance(prefixes, Rough) and prefixes else "-"
    own = [option for action in parser.arguments if (option := _option(action, prefix, len(words))) is not None]
    options = (*above.options, *together(own))
    unread = (*above.unread, *parser.doubts)
    if parser.children and len(words) < MAX_NESTED:
        found = [
            command
            for word, child in parser.children.items()
            for command in _flat(sources, child, _Above((*words, word), options, unread))
        ]
        return [command._replace(notes=(*command.notes, *parser.lacks)) for command in found]
    return [CommandSignature(words, _said(parser), options, _evidence(sources, parser), (), unread)]


def _said(parser: Parser) -> str:
    texts = [parser.given.get(name) for name in ("description", "help")]
    return next((said for text in texts if (said := cleaned(text, 300))), "")


def _evidence(sources: Sources, parser: Parser) -> tuple[Evidence, ...]:
    """For each file the lines from the first call to the last."""
    spans: dict[str, tuple[int, int]] = {}
    for place in [parser.place, *(action.place for action in parser.arguments)]:
        line = getattr(place.node, "lineno", 0) if place is not None else 0
        if place is not None and line:
            first, last = spans.get(place.path, (line, line))
            end = getattr(place.node, "end_lineno", line) or line
            spans[place.path] = min(first, line), max(last, end)
    return tuple(sources.files.cite(path, first, last) for path, (first, last) in sorted(spans.items()))


def _action_of(action: Action) -> str:
    kind = action.values.get("action", "store")
    if isinstance(kind, Class):
        for above in kind.lineage():
            if isinstance(above, External):
                return _ACTIONS.get(above.dotted.rpartition(".")[2], "store")
        return "store"
    if isinstance(kind, External):
        return _ACTIONS.get(kind.dotted.rpartition(".")[2], "store")
    return str(kind) if isinstance(kind, str) else "store"


def _option(action: Action, prefix: str, level: int) -> CommandOption | None:
    """One argument; None for what is no argument (`--help`, `--version`)."""
    values = {**action.values, **{name: value for name, value in action.attributes.items() if name != "completer"}}
    if values.get("dest") == SUPPRESSED:  # it keeps nothing: it prints, and the program ends
        return None
    values = {name: value for name, value in values.items() if not (isinstance(value, str) and value == SUPPRESSED)}
    kind = _action_of(action)
    flags = tuple(name for name in action.names if name[:1] in prefix)
    if kind in _NAMELESS:
        return None
    name = _name(action, values.get("dest"), flags, prefix)
    if not name:
        return None
    schema, way = _written(kind, flags, values)
    nargs = _nargs(values)
    optional = (bool(flags) and values.get("required") is not True) or (not flags and nargs in ("?", "*", "rest"))
    value, default = _const(kind, values), _default(kind, values)
    schema = described(with_default(schema, default), flags, values.get("help"))
    return CommandOption(name, flags, schema, not optional and not action.conditional, way, level, value)


def _name(action: Action, dest: Any, flags: tuple[str, ...], prefix: str) -> str:
    """The destination: as stated, else of the first long flag, else of the argument itself."""
    if isinstance(dest, str) and dest:
        return "" if isinstance(dest, Rough) else dest
    if not flags:
        return str(next(iter(action.names), ""))
    long = next((flag for flag in flags if not flag[:2].strip(prefix)), flags[0])
    return long.lstrip(prefix).replace("-", "_")


def _default(kind: str, values: dict[str, Any]) -> Any:
    default = kept_default(values.get("default"))
    if "default" in values:
        return default
    return {"store_true": False, "store_false": True}.get(kind)


def _const(kind: str, values: dict[str, Any]) -> Any:
    if kind in ("store_true", "store_false"):
        return kind == "store_true"
    return values.get("const")


def _nargs(values: dict[str, Any]) -> Any:
    nargs = values.get("nargs")
    if isinstance(nargs, External):
        return "rest" if nargs.dotted.endswith("REMAINDER") else None
    return "rest" if nargs == "..." else nargs


def _longest(flags: tuple[str, ...]) -> str:
    return next((flag for flag in flags if len(flag) > 2), flags[0])


def _written(kind: str, flags: tuple[str, ...], values: dict[str, Any]) -> tuple[Document, Document]:
    """The schema of an argument, and how its value is written."""
    flag = _longest(flags) if flags else ""
    if kind == "count":
        return {"type": "integer", "minimum": 0}, {"count": flag}
    if kind == "boolean_optional":
        return {"type": "boolean"}, {"flag": flag, "off": f"--no-{flag[2:]}"}
    if _is_flag(kind, values):
        return {"type": "boolean"}, {"flag": flag, "each": True} if kind == "append_const" else {"flag": flag}
    return _valued(kind, flag, values)


def _is_flag(kind: str, values: dict[str, Any]) -> bool:
    """Whether an option takes no value: optparse's callbacks without a type are of that sort too."""
    if kind == "callback":
        return values.get("type") is None and not values.get("nargs")
    constant = kind in ("store_true", "store_false", "store_const", "append_const")
    return constant or (values.get("nargs") == 0 and kind == "store")


def _valued(kind: str, flag: str, values: dict[str, Any]) -> tuple[Document, Document]:
    schema, nargs = _item(values), _nargs(values)
    way: Document = {"option": flag} if flag else {"position": True}
    if nargs in ("*", "+", "rest") or (isinstance(nargs, int) and not isinstance(nargs, bool)):
        schema = {"type": "array", "items": schema}
        way["list"] = True
        if nargs == "+":
            schema["minItems"] = 1
        elif isinstance(nargs, int):
            schema.update({"minItems": nargs, "maxItems": nargs})
    elif nargs == "?" and flag:  # the flag alone is a value too
        schema = {"anyOf": [schema, {"const": True}]}
        way["alone"] = True
    if kind == "append":
        return {"type": "array", "items": schema}, {**way, "each": True}
    if kind == "extend" and "list" not in way:
        return {"type": "array", "items": schema}, {**way, "each": True}
    return schema, way


def _item(values: dict[str, Any]) -> Document:
    kind = values.get("type")
    name = kind.name if isinstance(kind, Native) else kind if isinstance(kind, str) else ""
    schema: Document = {"type": _TYPES.get(name, "string")}
    if isinstance(kind, External) and kind.dotted == "float":
        schema = {"type": "number"}
    choices = values.get("choices")
    if isinstance(choices, Class):
        return schema
    if isinstance(choices, dict | set):
        choices = sorted(choices, key=str) if isinstance(choices, set) else list(choices)
    if isinstance(choices, list | tuple) and choices:
        words = [choice.value if isinstance(choice, EnumMember) else choice for choice in choices]
        if all(isinstance(word, str | int | float) and not isinstance(word, Rough) for word in words):
            return {"enum": list(dict.fromkeys(words))}
    return schema
