"""Commands built with typer, as the evaluator makes them: applications, commands, callbacks, parameters by annotation."""

import ast
from collections.abc import Iterator
from typing import Any, NamedTuple

from workermd.derive.evaluation.evaluator import Evaluator
from workermd.derive.evaluation.values import (
    UNKNOWN,
    Bound,
    Calls,
    Class,
    Function,
    Invocation,
    Modelled,
    Native,
    Partial,
    Rough,
    Stopped,
)
from workermd.derive.interfaces.annotations import Types
from workermd.derive.interfaces.click_commands import ELSEWHERE, MAX_NESTED, Node, Reader
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
from workermd.derive.interfaces.scope import Inexpressible, Scope, Sources
from workermd.derive.interfaces.texts import Notes, first_paragraph, name_of
from workermd.protocol.envelope import Document
from workermd.system.text import cleaned

MAX_VISITS = 1000

_CONTEXTS = {"Context", "CallbackParam"}


class _Registered(NamedTuple):
    name: Any
    function: Any
    given: dict[str, Any]


class Application(Modelled):
    """A `typer.Typer()`."""

    def __init__(self) -> None:
        super().__init__()
        self.given: dict[str, Any] = {}
        self.commands: list[_Registered] = []
        self.groups: list[_Registered] = []
        self.callback: Any = None
        self.elsewhere: list[str] = []
        """By which code it may get further subcommands."""

    def given_away(self, why: str) -> None:
        self.lacks(why)

    def lacks(self, why: str) -> None:
        if why not in self.elsewhere and len(self.elsewhere) < 4:
            self.elsewhere.append(why)

    def initialise(self, _evaluator: Calls, call: Invocation) -> None:
        self.given = {**self.given, **call.keywords}
        if "callback" in call.keywords:
            self.callback = call.keywords["callback"]

    def member(self, _evaluator: Calls, name: str) -> Any:
        match name:
            case "command":
                return Native(name, self._command)
            case "callback":
                return Native(name, self._callback)
            case "add_typer":
                return Native(name, self._add)
            case "info":
                return UNKNOWN
        return UNKNOWN

    def called(self, _evaluator: Calls, _call: Invocation) -> Any:
        raise Stopped(self)

    def _command(self, _evaluator: Calls, call: Invocation) -> Any:
        name = call.get(0, "name")

        def register(_inner: Calls, given: Invocation) -> Any:
            function = given.get(0, "f")
            if isinstance(name, Rough) or not isinstance(name, str | None):
                self.lacks("a command whose name is computed")
            elif len(self.commands) < MAX_COMMANDS:
                self.commands.append(_Registered(name, function, call.keywords))
            return function

        return Native("command", register)

    def _callback(self, _evaluator: Calls, call: Invocation) -> Any:
        def register(_inner: Calls, given: Invocation) -> Any:
            self.callback = given.get(0, "f")
            self.given = {**self.given, **call.keywords}
            kind = call.keywords.get("cls")
            if isinstance(kind, Class) and isinstance(kind.find("list_commands"), Function):
                self.lacks(f"those that the class {cleaned(kind.node.name, 60)} finds when the program runs")
            return self.callback

        return Native("callback", register)

    def _add(self, _evaluator: Calls, call: Invocation) -> Any:
        added = call.get(0, "typer_instance")
        if isinstance(added, Application) and len(self.groups) < MAX_COMMANDS:
            self.groups.append(_Registered(call.keywords.get("name"), added, call.keywords))
        else:
            self.lacks("subcommands that are made by code that is not read")


class Marker(Modelled):
    """`typer.Option(…)` or `typer.Argument(…)`."""

    def __init__(self, word: str) -> None:
        super().__init__()
        self.word = word
        self.given: Invocation | None = None

    def initialise(self, _evaluator: Calls, call: Invocation) -> None:
        self.given = call


def library() -> tuple[dict[str, Any], dict[str, Any]]:
    def run(_evaluator: Calls, call: Invocation) -> Any:
        application = Application()
        application.commands.append(_Registered(None, call.get(0, "function"), {}))
        raise Stopped(application)

    classes = {
        "typer.Typer": Application,
        "typer.Option": lambda: Marker("Option"),
        "typer.Argument": lambda: Marker("Argument"),
    }
    same = lambda _evaluator, call: call.get(0, "typer_instance")  # noqa: E731
    functions = {
        "typer.run": run,
        **dict.fromkeys((f"typer.main.{name}" for name in ("get_command", "get_group", "get_command_from_info")), same),
    }
    return classes, functions


class TyperReader:
    """Applications become commands."""

    def __init__(self, sources: Sources, evaluator: Evaluator) -> None:
        self.sources = sources
        self.evaluator = evaluator
        self.visits = 0
        self.clicks = Reader(sources)

    def commands(
        self,
        application: Application,
        words: tuple[str, ...] = (),
        above: tuple[CommandOption, ...] = (),
        unread: tuple[str, ...] = (),
        given: dict[str, Any] | None = None,
    ) -> list[CommandSignature]:
        self.visits += 1
        if self.visits > MAX_VISITS or len(words) > MAX_NESTED:
            return []
        unread = (*unread, *application.doubts)
        settings = {**application.given, **(given or {})}
        callback = (given or {}).get("callback", application.callback)
        base = self._command(callback, words, (), unread) if isinstance(callback, Function) else None
        single = len(application.commands) == 1 and not application.groups and base is None and not words
        if single:
            only = application.commands[0]
            return [self._command(only.function, words, above, unread, only.given)]
        options = (*above, *(base.options if base is not None else ()))
        found: list[CommandSignature] = []
        if settings.get("invoke_without_command") is True and base is not None:
            found.append(base._replace(options=options))
        for one in application.commands:
            word = one.name if isinstance(one.name, str) else _word(one.function)
            if name_of(word):
                found.append(self._command(one.function, (*words, name_of(word)), options, unread, one.given))
        for group in application.groups:
            word = _group_word(group)
            if group.function is not application:
                below = (*words, word) if word else words
                found.extend(self.commands(group.function, below, options, unread, group.given))
        if not found:
            missing = (*unread, *application.elsewhere, "subcommands, none of which is found")
            return [
                (base or CommandSignature(words, "", options, (), (), ()))._replace(options=options, unread=missing)
            ]
        if application.elsewhere:
            note = ELSEWHERE.format("; ".join(application.elsewhere))
            found = [command._replace(notes=(*command.notes, note)) for command in found]
        return list({command.words: command for command in found}.values())[:MAX_COMMANDS]

    def _command(
        self,
        function: Any,
        words: tuple[str, ...],
        above: tuple[CommandOption, ...],
        unread: tuple[str, ...],
        given: dict[str, Any] | None = None,
    ) -> CommandSignature:
        if isinstance(function, Node):
            return self.clicks.commands(function, words, above, unread)[0]
        plain = _plain(function)
        if plain is None or isinstance(plain.node, ast.Lambda):
            return CommandSignature(
                words, "", above, (), (), (*unread, "the function of the command, which is made by other code")
            )
        notes = Notes()
        said = parse(ast.get_docstring(plain.node, clean=False))
        own = list(self._parameters(plain, said.parameters, notes, len(words)))
        doubts = function.doubts if isinstance(function, Function) else []
        settings = (given or {}).get("context_settings")
        if isinstance(settings, dict) and settings.get("allow_extra_args") is True:
            unread = (*unread, "further arguments, which it takes as they are")
        help_text = first_paragraph((given or {}).get("help")) or said.summary
        evidence = (self.sources.files.cite_node(plain.module.path, plain.node),)
        return CommandSignature(words, help_text, (*above, *together(own)), evidence, notes.all(), (*unread, *doubts))

    def _parameters(
        self, function: Function, said: dict[str, str], notes: Notes, level: int
    ) -> Iterator[CommandOption]:
        scope = self.sources.scope(function.module.path)
        args = function.node.args
        plain = [*args.posonlyargs, *args.args]
        first = len(plain) - len(args.defaults)
        defaults: list[Any] = [None] * first + list(function.defaults)
        given: list[bool] = [False] * first + [True] * len(args.defaults)
        named = [node is not None for node in args.kw_defaults]
        pairs = zip([*plain, *args.kwonlyargs], [*defaults, *function.named_defaults], [*given, *named], strict=False)
        types = Types(self.sources, notes)
        for arg, default, has_default in list(pairs)[function.owner is not None :]:
            if scope is not None:
                option = self._parameter(
                    function, arg, default if has_default else UNKNOWN, has_default, types, scope, level
                )
                if option is not None:
                    schema = option.schema
                    flags = "" if option.flags == () else ", ".join(option.flags[:4])
                    if arg.arg in said and schema.get("description", flags) == flags:
                        schema = described(schema, option.flags, said[arg.arg])
                    yield option._replace(schema=schema)

    def _parameter(  # noqa: PLR0917 (all that tells what one parameter is)
        self, function: Function, arg: ast.arg, default: Any, has_default: bool, types: Types, scope: Scope, level: int
    ) -> CommandOption | None:
        annotation = arg.annotation or ast.Name(id="str")
        inner, marker, holder = self._annotated(annotation, function, scope)
        if holder.qualified(inner).rpartition(".")[2] in _CONTEXTS:
            return None
        call = marker.given if marker is not None else None
        words = list(call.arguments) if call is not None else []
        if isinstance(default, Marker):
            marker, call = default, default.given
            words = list(call.arguments[1:]) if call is not None else []
            default = call.get(0, "default", UNKNOWN) if call is not None else UNKNOWN
            has_default = call is not None and (bool(call.arguments) or "default" in call.keywords)
        settings = call.keywords if call is not None else {}
        has_default = (has_default and default is not ...) or "default_factory" in settings
        try:
            schema = types.schema(inner, holder)
        except Inexpressible as error:
            if not {"parser", "click_type"} & settings.keys():
                types.notes.add(f"the argument {cleaned(arg.arg, 60)} is taken as text: {error}")
            schema = {"type": "string"}
        schema = _without_null(schema)
        kind = marker.word if marker is not None else "Option" if has_default else "Argument"
        flags = tuple(word for word in words if isinstance(word, str) and word.startswith("-"))
        schema, way, flags = _written(arg.arg, kind, schema, flags, settings)
        value = kept_default(getattr(default, "value", default)) if has_default else None
        text = described(with_default(schema, value), flags, settings.get("help"))
        required = not has_default and settings.get("envvar") is None
        return CommandOption(arg.arg, flags, text, required, way, level)

    def _annotated(
        self, annotation: ast.expr, function: Function, scope: Scope
    ) -> tuple[ast.expr, Marker | None, Scope]:
        """The type of `Annotated[type, Option(…)]`, aliases followed, and the mark beside it."""
        for _ in range(4):
            if (
                isinstance(annotation, ast.Constant)
                and isinstance(annotation.value, str)
                and len(annotation.value) < 400
            ):
                try:
                    annotation = ast.parse(annotation.value, mode="eval").body
                except (SyntaxError, ValueError):
                    return annotation, None, scope
            if isinstance(annotation, ast.Subscript) and scope.qualified(annotation.value).endswith("Annotated"):
                parts = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
                marks = [self.evaluator.value(part, self._around(function, scope)) for part in parts[1:]]
                mark = next((each for each in marks if isinstance(each, Marker)), None)
                return parts[0], mark, scope
            name = ".".join(_dotted(annotation))
            found = self.sources.definition(scope, name) if name else None
            if found is None or not isinstance(found[1], ast.Assign | ast.AnnAssign) or found[1].value is None:
                break
            if not isinstance(found[1].value, ast.Subscript):
                break
            scope, annotation = found[0], found[1].value
        return annotation, None, scope

    def _around(self, function: Function, scope: Scope) -> Any:
        if scope.path == function.module.path:
            return function.around
        module = self.evaluator.module(scope.path)
        return module.body if module is not None else function.around


def _dotted(node: ast.expr) -> list[str]:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [node.id, *reversed(parts)] if isinstance(node, ast.Name) else []


def _plain(function: Any) -> Function | None:
    """What typer looks at: of wrappers the function that they wrap."""
    for _ in range(6):
        if isinstance(function, Bound | Partial):
            function = function.function
        elif isinstance(function, Function) and isinstance(function.attributes.get("__wrapped__"), Function):
            function = function.attributes["__wrapped__"]
    return function if isinstance(function, Function) else None


def _word(function: Any) -> str:
    if isinstance(function, Node):
        return str(function.name)
    plain = _plain(function)
    return plain.name.lower().replace("_", "-") if plain is not None else ""


def _group_word(group: _Registered) -> str:
    application: Application = group.function
    for name in (group.name, application.given.get("name")):
        if isinstance(name, str):
            return name_of(name)
    callback = group.given.get("callback", application.callback)
    return _word(callback) if isinstance(callback, Function) else ""


def _without_null(schema: Document) -> Document:
    """`Optional[T]` may be left out; it cannot be given as nothing."""
    kinds = schema.get("type")
    if isinstance(kinds, list) and "null" in kinds:
        rest = [kind for kind in kinds if kind != "null"]
        return {**schema, "type": rest[0] if len(rest) == 1 else rest}
    several = schema.get("anyOf")
    if isinstance(several, list):
        rest = [one for one in several if one != {"type": "null"}]
        return rest[0] if len(rest) == 1 else {**schema, "anyOf": rest}
    return schema


def _written(
    name: str, kind: str, schema: Document, flags: tuple[str, ...], settings: dict[str, Any]
) -> tuple[Document, Document, tuple[str, ...]]:
    """The schema, the way its value is written, and the flags."""
    for key, bound in (("min", "minimum"), ("max", "maximum")):
        value = settings.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and settings.get("clamp") is not True:
            schema = {**schema, bound: value}
    if settings.get("case_sensitive") is False and all(isinstance(one, str) for one in schema.get("enum", [1])):
        schema = in_any_case(schema["enum"])
    if kind == "Argument":
        is_list = schema.get("type") == "array"
        return schema, {"position": True, **({"list": True} if is_list else {})}, ()
    word = name.replace("_", "-").lower()
    if schema.get("type") == "boolean" and settings.get("is_flag") is not False:
        flags = flags or (f"--{word}", f"--no-{word}")
        on = [flag.partition("/")[0].strip() for flag in flags if flag.partition("/")[0].strip()]
        off = [flag.partition("/")[2].strip() for flag in flags if flag.partition("/")[2].strip()]
        if flags == (f"--{word}", f"--no-{word}"):
            on, off = [flags[0]], [flags[1]]
        way = {"flag": _long(on)} if on else {}
        return schema, {**way, **({"off": _long(off)} if off else {})}, flags
    flags = flags or (f"--{word}",)
    if settings.get("count") is True:
        return {"type": "integer", "minimum": 0}, {"count": _long(list(flags))}, flags
    if schema.get("type") == "array":
        inner = schema.get("items", {"type": "string"})
        if "prefixItems" in schema:
            return schema, {"option": _long(list(flags)), "list": True}, flags
        several = isinstance(inner, dict) and inner.get("type") == "array"
        return schema, {"option": _long(list(flags)), "each": True, **({"list": True} if several else {})}, flags
    return schema, {"option": _long(list(flags))}, flags


def _long(flags: list[str]) -> str:
    return next((flag for flag in flags if flag.startswith("--")), flags[0])
