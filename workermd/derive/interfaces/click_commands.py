"""Commands built with click, as the evaluator makes them: decorated functions, groups, parameters."""

import ast
import re
from typing import Any

from workermd.derive.evaluation.builtin import items
from workermd.derive.evaluation.values import (
    UNKNOWN,
    Bound,
    Calls,
    Class,
    EnumMember,
    External,
    Function,
    Invocation,
    Modelled,
    Native,
    Partial,
    Rough,
    Stopped,
    Unknown,
)
from workermd.derive.interfaces.commands import (
    MAX_COMMANDS,
    CommandOption,
    CommandSignature,
    described,
    in_any_case,
    kept_default,
    together,
    with_default,
)
from workermd.derive.interfaces.docstrings import parse
from workermd.derive.interfaces.scope import Sources
from workermd.derive.interfaces.texts import first_paragraph, name_of
from workermd.protocol.envelope import Document
from workermd.system.text import cleaned

MAX_NESTED = 6
MAX_PARAMETERS = 600
MAX_VISITS = 1000
"""Groups and commands looked at: groups that hold one another multiply."""

ELSEWHERE = "there may be subcommands beside those that are listed: {}"

_HELD = "__click_params__"
_FORKS = ("rich_click", "asyncclick", "cloup", "click_extra", "typer.core", "trogon.click")
_GROUPS = {
    *("DefaultGroup", "DYMGroup", "HelpColorsGroup", "HelpColorsMultiCommand", "ClickAliasedGroup", "AliasedGroup"),
    *("RichGroup", "FlaskGroup", "NaturalOrderGroup", "OrderedGroup", "TyperGroup", "MultiCommand"),
}
_COMMANDS = {"RichCommand", "HelpColorsCommand", "DYMMixin", "TyperCommand"}
_TYPES: dict[str, Document] = {
    **{word: {"type": "integer"} for word in ("int", "INT")},
    **{word: {"type": "number"} for word in ("float", "FLOAT")},
    **{word: {"type": "boolean"} for word in ("bool", "BOOL")},
    "UUID": {"type": "string", "format": "uuid"},
}


def alike(dotted: str) -> str:  # noqa: PLR0911 (a table of names)
    """click's own name of what its forks and wrappers call the same."""
    top, _, last = dotted.rpartition(".")
    if last in _GROUPS:
        return "click.Group"
    if last in _COMMANDS:
        return "click.Command"
    if dotted.startswith(("click.", "argparse.", "typer.Typer", "typer.run")):
        return "click." + last if dotted.startswith(("click.decorators.", "click.core.", "click.types.")) else dotted
    if last in ("ArgumentParser", "ArgParser", "GooeyParser", "Cmd2ArgumentParser"):
        return "argparse.ArgumentParser"
    if dotted.split(".", maxsplit=1)[0] in _FORKS or dotted.startswith("typer.core."):
        return f"click.{last}"
    if top.startswith("click_option_group"):
        return f"click.{last}" if last == "option" else dotted
    return dotted


class Parameter(Modelled):
    """An option or an argument of a command."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.names: list[Any] = []
        self.given: dict[str, Any] = {}
        self.is_open = False
        self.conditional = False

    def initialise(self, evaluator: Calls, call: Invocation) -> None:
        first = call.get(0, "param_decls", [])
        self.names = list(first) if isinstance(first, list | tuple) else [first]
        self.given = {**self.given, **{name: value for name, value in call.keywords.items() if name != "param_decls"}}
        self.is_open = self.is_open or call.is_open
        self.conditional = evaluator.uncertain > 0

    def member(self, _evaluator: Calls, name: str) -> Any:
        return self.given.get(name, UNKNOWN)

    @property
    def only_tells(self) -> bool:
        """A `--version` or `--help` by hand: it prints, and the program ends."""
        eager = self.given.get("is_eager") is True and self.given.get("expose_value") is False
        return eager and bool({"--version", "--help"} & {name for name in self.names if isinstance(name, str)})


class Node(Modelled):
    """A command or a group."""

    def __init__(self, *, is_group: bool) -> None:
        super().__init__()
        self.is_group = is_group
        self.name: Any = None
        self.given: dict[str, Any] = {}
        self.parameters: list[Any] = []
        self.children: dict[str, Any] = {}
        self.function: Any = None
        self.elsewhere: list[str] = []
        """By which code it may get further subcommands."""

    def given_away(self, why: str) -> None:
        if self.is_group:
            self.lacks(why)
        else:
            self.doubt(why)

    def lacks(self, why: str) -> None:
        if why not in self.elsewhere and len(self.elsewhere) < 4:
            self.elsewhere.append(why)

    def initialise(self, evaluator: Calls, call: Invocation) -> None:
        self.given = {**self.given, **call.keywords}
        self.name = call.get(0, "name", self.name)
        self.function = call.keywords.get("callback", self.function)
        listed = call.keywords.get("params")
        if isinstance(listed, list):
            self.parameters = listed
        elif listed is not None:
            self.doubt("its parameters, which are computed")
        children = call.keywords.get("commands")
        if isinstance(children, dict):
            self.children = children
        for part in items(children) or () if isinstance(children, list | tuple) else ():
            self._adopt(part, None)
        for name, source in call.keywords.items():
            self._lazy(evaluator, name, source, call)

    def _lazy(self, evaluator: Calls, name: str, source: Any, call: Invocation) -> None:
        """`lazy_subcommands={"name": "package.module.command"}` and `sources=[…]` of a collection."""
        if name == "sources" and isinstance(source, list | tuple):
            for group in source:
                self.children.update(group.children if isinstance(group, Node) else {})
        elif "commands" in name and isinstance(source, dict) and name != "commands":
            for word, place in source.items():
                if isinstance(word, str) and isinstance(place, str) and re.fullmatch(r"[\w.:]{3,200}", place):
                    self._adopt(evaluator.resolve(place, call.module.path), word)

    def _adopt(self, command: Any, word: Any) -> None:
        name = word if isinstance(word, str) and not isinstance(word, Rough) else getattr(command, "name", None)
        if (word is not None and not isinstance(word, str)) or isinstance(name, Rough) or not isinstance(name, str):
            self.lacks("a subcommand that is found when the program runs")
        elif not isinstance(command, Modelled):
            self.lacks(f"the subcommand {name_of(name)}, which is made by code that is not read")
        elif len(self.children) < MAX_COMMANDS:
            self.children[name_of(name)] = command

    def member(self, _evaluator: Calls, name: str) -> Any:  # noqa: PLR0911 (a table of names)
        if name in ("command", "group") and self.is_group:
            return Native(name, lambda inner, call: self._child(inner, call, is_group=name == "group"))
        match name:
            case "add_command":
                return Native(name, lambda _evaluator, call: self._adopt(call.get(0, "cmd"), call.get(1, "name")))
            case "add_section" | "section":
                return Native(name, lambda _evaluator, _call: UNKNOWN)
            case "params":
                return self.parameters
            case "commands":
                return self.children
            case "callback":
                return self.function if self.function is not None else UNKNOWN
            case "main":
                return Native(name, self.called)
            case "result_callback" | "resultcallback":
                return Native(name, lambda _evaluator, _call: Native("kept", lambda _inner, call: call.get(0, "f")))
            case "name" | "help" | "short_help" | "epilog":
                return self.name if name == "name" else self.given.get(name, UNKNOWN)
        return UNKNOWN

    def called(self, _evaluator: Calls, _call: Invocation) -> Any:
        raise Stopped(self)

    def _child(self, evaluator: Calls, call: Invocation, *, is_group: bool) -> Any:
        """`@group.command(…)`: the decorator that makes the command and adds it."""
        own = None
        if "cls" not in call.keywords and self.made_of is not None:
            own = self.made_of.find("group_class" if is_group else "command_class")
        call = call._replace(keywords={**call.keywords, "cls": own}) if isinstance(own, Class) else call
        aliases = call.keywords.get("aliases")
        keywords = {name: value for name, value in call.keywords.items() if name != "aliases"}
        made = _decorating(evaluator, call._replace(keywords=keywords), is_group=is_group)

        def adopt(inner: Calls, given: Invocation) -> Any:
            command = inner.call(made, given) if isinstance(made, Native) else made
            self._adopt(command, None)
            return command

        if isinstance(made, Node):
            self._adopt(made, None)
            return made
        del aliases  # another word for the same command
        return Native("command", adopt)


def _decorating(evaluator: Calls, call: Invocation, *, is_group: bool) -> Any:
    """`@command`, `@command()` and `@command("name", cls=…)`."""
    first = call.arguments[0] if call.arguments else None
    if (
        isinstance(first, Function | Bound | Partial | Unknown)
        and not isinstance(first, str)
        and len(call.arguments) == 1
    ):
        return _made(evaluator, call._replace(arguments=[]), first, is_group=is_group)

    def decorate(inner: Calls, given: Invocation) -> Any:
        return _made(inner, call, given.get(0, "f"), is_group=is_group)

    return Native("command", decorate)


def _made(evaluator: Calls, call: Invocation, function: Any, *, is_group: bool) -> Any:
    """The command that a decorated function becomes."""
    if isinstance(function, Node):
        return function
    given = {name: value for name, value in call.keywords.items() if name not in ("cls", "name")}
    name = call.get(0, "name")
    held = function.attributes.get(_HELD, []) if isinstance(function, Function) else []
    listed = given.pop("params", [])
    parameters = [*(listed if isinstance(listed, list) else []), *reversed(held)]
    word = name if isinstance(name, str) else _word(function)
    kind = call.keywords.get("cls")
    inner = call._replace(arguments=[], keywords={**given, "name": word, "callback": function, "params": parameters})
    node = evaluator.call(kind, inner) if isinstance(kind, Class) else None
    if not isinstance(node, Node):
        node = Node(is_group=is_group)
        node.initialise(evaluator, inner)
        if kind is not None and not _is_plain(kind):
            node.doubt(f"the class {_named(kind)}, which is not read")
    node.name = word if node.name is None or isinstance(node.name, Unknown) else node.name
    node.is_group = node.is_group or is_group
    node.function = function
    if node.made_of is not None and isinstance(node.made_of.find("get_command"), Function):
        listing = node.made_of.find("list_commands")
        if isinstance(listing, Function) and not node.children:
            node.lacks(f"subcommands that the class {cleaned(node.made_of.node.name, 60)} finds when the program runs")
    if call.is_open:
        node.doubt("settings of the command that are computed")
    if isinstance(function, Function):
        for why in function.doubts:
            node.doubt(why)
    elif not isinstance(function, Bound):
        node.doubt("the function of the command, which is made by other code")
    return node


def _is_plain(kind: Any) -> bool:
    return isinstance(kind, External) and alike(kind.dotted) in ("click.Group", "click.Command")


def _named(kind: Any) -> str:
    if isinstance(kind, External):
        return cleaned(kind.dotted, 80)
    return cleaned(kind.node.name, 60) if isinstance(kind, Class) else "of the command"


def _word(function: Any) -> Any:
    """The name of a command without one of its own: the function's, its ending `_command` left out."""
    inner = _innermost(function)
    if not isinstance(inner, Function) or not inner.name:
        return UNKNOWN
    word = inner.name.lower().replace("_", "-")
    head, mark, tail = word.rpartition("-")
    return head if mark and head and tail in ("command", "cmd", "group", "grp") else word


# --- parameters ---


def _attached(_evaluator: Calls, parameter: Parameter, target: Any) -> Any:
    if isinstance(target, Partial):
        target = target.function
    if isinstance(target, Function):
        held = target.attributes.setdefault(_HELD, [])
        if len(held) < MAX_PARAMETERS:
            held.append(parameter)
    elif isinstance(target, Node):
        target.parameters.append(parameter)
    return target


def _parameter(kind: str, default_names: tuple[str, ...] = (), fixed: Document | None = None) -> Any:
    """`@option(…)`, `@argument(…)` and the ready-made options."""

    def made(_evaluator: Calls, call: Invocation) -> Any:
        def attach(inner: Calls, given: Invocation) -> Any:
            own = call.keywords.get("cls")
            names = list(call.arguments) or list(default_names)
            keywords = {**(fixed or {}), **{name: value for name, value in call.keywords.items() if name != "cls"}}
            maker = call._replace(arguments=[names], keywords=keywords)
            parameter = inner.call(own, maker) if isinstance(own, Class) else None
            if not isinstance(parameter, Parameter):
                parameter = Parameter(kind)
                parameter.initialise(inner, maker)
            return _attached(inner, parameter, given.get(0, "f"))

        return Native(kind, attach)

    return made


def _bare(_evaluator: Calls, call: Invocation) -> Any:
    """A decorator that leaves the parameters as they are."""
    return call.get(0, "f")


def _bare_made(_evaluator: Calls, _call: Invocation) -> Any:
    return Native("kept", _bare)


def _option_group(_evaluator: Calls, call: Invocation) -> Any:
    """cloup's `option_group("title", option(…), …)`: all its options."""
    inner = [part for part in call.arguments if isinstance(part, Native)]

    def attach(deeper: Calls, given: Invocation) -> Any:
        target = given.get(0, "f")
        for part in reversed(inner):
            target = deeper.call(part, given._replace(arguments=[target]))
        return target

    return Native("option_group", attach)


def library() -> tuple[dict[str, Any], dict[str, Any]]:
    """The classes and functions of click, by name."""
    classes = {
        **dict.fromkeys(("click.Command", "click.BaseCommand"), lambda: Node(is_group=False)),
        **dict.fromkeys(("click.Group", "click.MultiCommand", "click.CommandCollection"), lambda: Node(is_group=True)),
        "click.Option": lambda: Parameter("option"),
        "click.Argument": lambda: Parameter("argument"),
    }
    flag: Document = {"is_flag": True}
    functions = {
        "click.command": lambda evaluator, call: _decorating(evaluator, call, is_group=False),
        "click.group": lambda evaluator, call: _decorating(evaluator, call, is_group=True),
        "click.option": _parameter("option"),
        "click.argument": _parameter("argument"),
        "click.confirmation_option": _parameter("option", ("--yes",), flag),
        "click.password_option": _parameter("option", ("--password",)),
        **dict.fromkeys(("click.version_option", "click.help_option"), _bare_made),
        **dict.fromkeys(("click.pass_context", "click.pass_obj"), _bare),
        **dict.fromkeys(("click.make_pass_decorator", "click.pass_meta_key"), _bare_made),
        "click.option_group": _option_group,
        "click_option_group.optgroup.group": _bare_made,
        "click_option_group.optgroup.option": _parameter("option"),
    }
    return classes, functions


# --- commands ---


class Reader:
    """Nodes become commands."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.visits = 0

    def commands(
        self,
        node: Node,
        words: tuple[str, ...] = (),
        above: tuple[CommandOption, ...] = (),
        unread: tuple[str, ...] = (),
    ) -> list[CommandSignature]:
        self.visits += 1
        if self.visits > MAX_VISITS:
            return []
        options = (*above, *self._options(node, len(words)))
        unread = (*unread, *node.doubts)
        own = CommandSignature(words, self._said(node), options, self._evidence(node), (), unread)
        if not node.is_group or len(words) >= MAX_NESTED:
            return [own]
        found = [own] if node.given.get("invoke_without_command") is True else []
        for word, child in list(node.children.items())[:MAX_COMMANDS]:
            if isinstance(child, Node) and child is not node:
                found.extend(self.commands(child, (*words, word), options, unread))
        if not found:
            return [own._replace(unread=(*unread, *node.elsewhere, "subcommands, none of which is found"))]
        if node.elsewhere:
            note = ELSEWHERE.format("; ".join(node.elsewhere))
            found = [command._replace(notes=(*command.notes, note)) for command in found]
        return list({command.words: command for command in found}.values())[:MAX_COMMANDS]

    def _said(self, node: Node) -> str:
        given = first_paragraph(node.given.get("help")) or first_paragraph(node.given.get("short_help"))
        function = _innermost(node.function)
        return given or (parse(ast.get_docstring(function.node, clean=False)).summary if function is not None else "")

    def _evidence(self, node: Node) -> tuple[Any, ...]:
        function = _innermost(node.function)
        if function is not None:
            return (self.sources.files.cite_node(function.module.path, function.node),)
        return ()

    def _options(self, node: Node, level: int) -> list[CommandOption]:
        found: list[CommandOption] = []
        for parameter in node.parameters[:MAX_PARAMETERS]:
            if isinstance(parameter, Parameter) and parameter.only_tells:
                continue
            option = option_of(parameter, level) if isinstance(parameter, Parameter) else None
            if option is not None:
                found.append(option)
            else:
                node.doubt("an option whose name is computed")
            if isinstance(parameter, Parameter) and (parameter.is_open or parameter.doubts):
                node.doubt("an option with settings that are computed")
        settings = node.given.get("context_settings")
        if isinstance(settings, dict) and settings.get("allow_extra_args") is True:
            node.doubt("further arguments, which it takes as they are")
        return together(found)


def _innermost(value: Any) -> "Any":
    """The function whose lines declare a command: of wrappers the one that is wrapped."""
    for _ in range(6):
        if isinstance(value, Bound | Partial):
            value = value.function
        elif isinstance(value, Function) and isinstance(value.attributes.get("__wrapped__"), Function):
            value = value.attributes["__wrapped__"]
    return value if isinstance(value, Function) and not isinstance(value.node, ast.Lambda) else None


def option_of(parameter: Parameter, level: int) -> CommandOption | None:
    """One parameter; None where its name cannot be told."""
    words = [word for word in parameter.names if isinstance(word, str) and not isinstance(word, Rough)]
    if len(words) != len(parameter.names) or not words:
        return None
    given = parameter.given
    flags = tuple(word for word in words if not word.isidentifier())
    named = [word for word in words if word.isidentifier()]
    schema: Document
    way: Document = {"position": True}
    if parameter.kind == "argument":
        name, flags = words[0].lower().replace("-", "_"), ()
        schema = _type(given.get("type"), given.get("default"))
    else:
        name = named[0] if named else _by_flags(flags)
        if not name or not flags:
            return None
        schema, way = _option_schema(flags, given)
    schema, way = _several(schema, way, given)
    default = kept_default(given.get("default"))
    if "flag" in way and default is None and "flag_value" not in given:
        default = False
    value = given.get("flag_value", True if "flag" in way and "off" not in way else None)
    if "flag_value" in given and isinstance(default, bool):
        default = given["flag_value"] if default else None
    schema = described(with_default(schema, default), flags, given.get("help"))
    required = _required(parameter, given) and not parameter.conditional
    if required and "list" in way:
        schema = {**schema, "minItems": 1}
    return CommandOption(name, flags, schema, required, way, level, value)


def _by_flags(flags: tuple[str, ...]) -> str:
    """click's rule: of the flags the first with the longest prefix."""
    first = [flag.partition("/")[0].partition(";")[0].strip() for flag in flags]
    first = [flag for flag in first if flag]
    best = sorted(first, key=lambda flag: -(len(flag) - len(flag.lstrip("-/+"))))
    return best[0].lstrip("-/+").replace("-", "_").lower() if best else ""


def _required(parameter: Parameter, given: dict[str, Any]) -> bool:
    if given.get("envvar") is not None:  # the environment may give it
        return False
    stated = given.get("required")
    if parameter.kind == "option" or isinstance(stated, bool):
        return stated is True and "default" not in given
    return "default" not in given and given.get("nargs") != -1 and stated is None


def _option_schema(flags: tuple[str, ...], given: dict[str, Any]) -> tuple[Document, Document]:
    on, off = _on_off(flags)
    if off:
        return {"type": "boolean"}, {"flag": on, "off": off}
    if given.get("count") is True:
        return {"type": "integer", "minimum": 0}, {"count": on}
    if given.get("is_flag") is True or ("flag_value" in given and given.get("is_flag") is not False):
        return {"type": "boolean"}, {"flag": on}
    schema = _type(given.get("type"), given.get("default"), is_list=given.get("multiple") is True)
    return schema, {"option": on}


def _on_off(flags: tuple[str, ...]) -> tuple[str, str]:
    """The longest flag, and the one that says no, of `--on/--off`."""
    pairs = [re.split(r"\s*[/;]\s*", flag, maxsplit=1) if not flag.startswith("/") else [flag] for flag in flags]
    on = [pair[0].strip() for pair in pairs if pair[0].strip()]
    off = [pair[1].strip() for pair in pairs if len(pair) > 1 and pair[1].strip()]
    long = next((flag for flag in on if flag.startswith("--")), on[0] if on else "")
    return long, next((flag for flag in off if flag.startswith("--")), off[0] if off else "")


def _several(schema: Document, way: Document, given: dict[str, Any]) -> tuple[Document, Document]:
    """Values that are given more than once, or several at a time."""
    if "flag" in way or "count" in way:
        return schema, way
    nargs = given.get("nargs")
    if nargs == -1:
        return {"type": "array", "items": schema}, {**way, "list": True}
    if isinstance(nargs, int) and not isinstance(nargs, bool) and nargs > 1 and "prefixItems" not in schema:
        schema = {"type": "array", "items": schema, "minItems": nargs, "maxItems": nargs}
    if schema.get("type") == "array":
        way = {**way, "list": True}
    if given.get("multiple") is True:
        return {"type": "array", "items": schema}, {**way, "each": True}
    return schema, way


def _type(kind: Any, default: Any, *, is_list: bool = False) -> Document:
    if kind is None:
        sample = default[0] if is_list and isinstance(default, list | tuple) and default else default
        if isinstance(sample, tuple) and sample:
            return _tuple([_type(None, part) for part in sample])
        by_default = {int: "integer", float: "number", bool: "boolean"}.get(type(sample), "string")
        return {"type": by_default}
    if isinstance(kind, tuple):
        return _tuple([_type(part, None) for part in kind])
    if isinstance(kind, ParameterType):
        return kind.schema()
    word = (
        kind.name if isinstance(kind, Native) else kind.dotted.rpartition(".")[2] if isinstance(kind, External) else ""
    )
    return dict(_TYPES.get(word, {"type": "string"}))


def _tuple(parts: list[Document]) -> Document:
    return {"type": "array", "prefixItems": parts, "minItems": len(parts), "maxItems": len(parts)}


class ParameterType(Modelled):
    """A type of click: a choice, a range, a tuple."""

    def __init__(self, word: str) -> None:
        super().__init__()
        self.word = word
        self.given: Invocation | None = None

    def initialise(self, _evaluator: Calls, call: Invocation) -> None:
        self.given = call

    def schema(self) -> Document:
        call = self.given
        if call is None:
            return {"type": "string"}
        match self.word:
            case "Choice":
                return self._choice(call)
            case "IntRange" | "FloatRange":
                return self._range(call)
            case "Tuple":
                parts = items(call.get(0, "types"))
                return _tuple([_type(part, None) for part in parts]) if parts else {"type": "array"}
        return {"type": "string"}

    def _choice(self, call: Invocation) -> Document:
        given = call.get(0, "choices")
        parts = items(given)
        words = [part.name if isinstance(part, EnumMember) else part for part in parts or ()]
        if not words or not all(isinstance(word, str) and not isinstance(word, Rough) for word in words):
            return {"type": "string"}
        if call.get(1, "case_sensitive", True) is False:
            return in_any_case(list(words))
        return {"enum": list(dict.fromkeys(words))}

    def _range(self, call: Invocation) -> Document:
        schema: Document = {"type": "integer" if self.word == "IntRange" else "number"}
        if call.keywords.get("clamp") is True:
            return schema
        for position, (key, bound) in enumerate((("min", "minimum"), ("max", "maximum"))):
            value = call.get(position, key)
            if isinstance(value, int | float) and not isinstance(value, bool):
                opened = call.keywords.get(f"{key}_open") is True
                schema[f"exclusive{bound.capitalize()}" if opened else bound] = value
        return schema


def types() -> dict[str, Any]:
    """The types of click that are made by a call."""
    words = ("Choice", "IntRange", "FloatRange", "Tuple", "Path", "File", "DateTime")
    return {f"click.{word}": (lambda word=word: ParameterType(word)) for word in words}
