"""Works out what a module would make, by its syntax tree: nothing is imported, nothing is run.

Values that the tree does not tell are UNKNOWN. Where a condition is, both ways are gone, and what they make is merged.
An object of a known library that meets code which is not read is *doubted*, so that nothing vanishes unsaid.
Work is bounded by MAX_STEPS and MAX_DEPTH.
"""

import ast
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, ClassVar

from workermd.derive.evaluation import builtin, operators
from workermd.derive.evaluation.operators import truth
from workermd.derive.evaluation.values import (
    UNKNOWN,
    Above,
    Bound,
    Class,
    Doubted,
    Ended,
    EnumMember,
    Environment,
    Exhausted,
    External,
    FieldDefault,
    Function,
    Imported,
    Instance,
    Invocation,
    Library,
    Modelled,
    Module,
    Native,
    Partial,
    Rough,
    Stopped,
    Unknown,
    Wrapped,
    is_rich,
)
from workermd.derive.interfaces.scope import Sources, absolute

MAX_STEPS = 300_000
"""Statements and expressions worked through for one program."""

MAX_CALL_STEPS = 60_000
"""Of them for one call that the program makes: what only computes may not use up what shapes the commands needs."""

MAX_DEPTH = 22
"""Calls within calls."""

MAX_ROUNDS = 600
"""Rounds of one loop."""

MAX_MODULES = 250

_DECORATORS = {
    "dataclass",
    "dataclasses.dataclass",
    "attr.s",
    "attrs.define",
    "attr.define",
    "attrs.frozen",
    "attr.frozen",
}
_HARMLESS = (
    "functools.",
    "contextlib.",
    "typing.",
    "typing_extensions.",
    "abc.",
    "dataclasses.",
    "atexit.",
    "asyncio.",
)
_ENUMS = {"Enum", "StrEnum", "IntEnum", "Flag", "IntFlag"}


class _Left(Ended):
    """A `return`, with its value."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class _Raised(Ended):
    """A `raise`, or a call that never comes back."""


class _Broke(Ended):
    """`break`."""


class _Went(Ended):
    """`continue`."""


class _Tired(Ended):
    """A call has used up what it may. `depth` is that of the call."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.depth = depth


_MISSING = object()
_LIMITED = (2, 3, 4)
"""Depths of calls that have a limit of their own; 1 is the entry point."""


class Evaluator:
    """One program: its modules, each worked through at most once, and the libraries it is made with."""

    def __init__(self, sources: Sources, library: Library) -> None:
        self.sources = sources
        self.library = library
        self.modules: dict[str, Module] = {}
        self.steps = 0
        self.uncertain = 0
        """Above 0 where it is not told whether the code runs at all."""
        self.asked = self.platform_asked = False
        """Whether the system was asked for; and whether options depend on the answer."""
        self.depth = 0
        self.limits: list[tuple[int, int]] = []
        """Up to which step calls may go on, the innermost last, each with its depth."""
        self._candidates: list[list[Any]] = []
        """For each call the values that it may return."""

    # --- modules and names ---

    def module(self, path: str) -> Module | None:
        """A module, worked through; None where it has no syntax tree."""
        if path in self.modules:
            return self.modules[path]
        scope = self.sources.scope(path) if len(self.modules) < MAX_MODULES else None
        if scope is None:
            return None
        name = path.removesuffix(".py").removesuffix("/__init__").removeprefix("src/").replace("/", ".")
        module = Module(path, name)
        self.modules[path] = module
        module.body.values.update(
            __name__=name, __file__=Rough(path), __doc__=ast.get_docstring(scope.tree, clean=False)
        )
        kept, self.uncertain = self.uncertain, 0
        with suppress(Ended):
            self.run(scope.tree.body, module.body)
        self.uncertain = kept
        return module

    def resolve(self, dotted: str, near: str) -> Any:
        """What `package.module.name` or `package.module:name` means, seen from the file `near`."""
        module, _, name = dotted.replace(":", ".").rpartition(".")
        return self._imported(Imported(module, name, near))

    def _imported(self, imported: Imported) -> Any:
        path = self.sources.locate(imported.module, imported.near)
        if path is None:
            if imported.module.startswith("."):
                below = self.sources.locate(f"{imported.module}.{imported.name}", imported.near)
                found = self.module(below) if below is not None else None
                return found if found is not None else UNKNOWN
            if imported.name is not None:  # a namespace package has no file of its own
                below = self.sources.locate(f"{imported.module}.{imported.name}", imported.near)
                if below is not None:
                    return self.module(below) or UNKNOWN
            return self._external(f"{imported.module}.{imported.name}" if imported.name else imported.module)
        if path.removeprefix("src/").partition("/")[0] in self.library.packages:
            dotted = path.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            return External(f"{dotted}.{imported.name}" if imported.name else dotted)
        module = self.module(path)
        if module is None:
            return UNKNOWN
        return module if imported.name is None else self._of_module(module, imported.name)

    def _external(self, dotted: str) -> Any:
        if dotted in builtin.PLATFORM:
            self.asked = True
        if dotted in builtin.CONSTANTS:
            return builtin.CONSTANTS[dotted]
        return External(dotted)

    def _of_module(self, module: Module, name: str) -> Any:
        found = self._find(module.body, name)
        if found is not _MISSING:
            return found
        package = module.path.rpartition("/")
        if package[2] == "__init__.py" or not package[2]:
            dotted = "." + package[0].replace("/", ".") if package[0] else "."
            path = self.sources.locate(f"{dotted}.{name}" if dotted != "." else f".{name}", module.path)
            below = self.module(path) if path is not None and path != module.path else None
            if below is not None:
                return below
        return External(f"{module.stars[0]}.{name}") if module.stars else UNKNOWN

    def _find(self, around: Environment, name: str) -> Any:
        environment: Environment | None = around
        while environment is not None:
            if name in environment.elsewhere:
                environment = environment.elsewhere[name]
                continue
            value = environment.values.get(name, _MISSING)
            if isinstance(value, Imported):
                value = self._imported(value)
                environment.values[name] = value
            if value is not _MISSING:
                return value
            environment = environment.parent
        return _MISSING

    def bind(self, around: Environment, name: str, value: Any) -> None:
        around.elsewhere.get(name, around).values[name] = value

    # --- statements ---

    def run(self, statements: Sequence[ast.stmt], around: Environment) -> None:
        for statement in statements:
            self._step()
            deed = self._STATEMENTS.get(type(statement))
            if deed is not None:
                deed(self, statement, around)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, around: Environment) -> None:
        function = self._made_function(node, around)
        self.bind(around, node.name, self._decorated(node, function, around))

    def _made_function(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, around: Environment
    ) -> Function:
        function = Function(node, around)
        function.defaults = [self.value(default, around) for default in node.args.defaults]
        named = node.args.kw_defaults
        function.named_defaults = [self.value(one, around) if one is not None else _MISSING for one in named]
        return function

    def _decorated(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, value: Any, around: Environment
    ) -> Any:
        for expression in reversed(node.decorator_list):
            decorator = self.value(expression, around)
            made = self.call(decorator, Invocation([value], {}, False, expression, around.module))
            if isinstance(made, Unknown):  # what it makes of the function is not read: the function stands for it
                name = _spelled(expression)
                if isinstance(value, Doubted) and not _is_harmless(decorator):
                    value.doubt(f"the decorator {name}, which is not read")
                continue
            value = made
        return value

    def _class(self, node: ast.ClassDef, around: Environment) -> None:
        bases = [self.value(base, around) for base in node.bases]
        made = Class(node, around.module, bases)
        body = Environment(around.module, around)
        self.run(node.body, body)
        made.attributes = body.values
        fields = any(isinstance(base, External) and base.dotted.endswith("NamedTuple") for base in bases)
        made.is_record = fields or any(_spelled(one).partition("(")[0] in _DECORATORS for one in node.decorator_list)
        is_enum = any(
            isinstance(base, External) and base.dotted.rpartition(".")[2] in _ENUMS for base in made.lineage()
        )
        for name, value in list(made.attributes.items()):
            inner = value.function if isinstance(value, Wrapped) else value
            if isinstance(inner, Function) and inner.owner is None:
                inner.owner = made
            elif is_enum and not name.startswith("_") and not isinstance(value, Function | Wrapped):
                made.attributes[name] = EnumMember(made, name, value)
        decorated = self._decorated(node, made, around) if not made.is_record else made
        self.bind(around, node.name, decorated)

    def _return(self, node: ast.Return, around: Environment) -> None:
        raise _Left(self.value(node.value, around) if node.value is not None else None)

    def _assign(self, node: ast.Assign, around: Environment) -> None:
        value = self.value(node.value, around)
        for target in node.targets:
            self.store(target, value, around)

    def _annotated(self, node: ast.AnnAssign, around: Environment) -> None:
        if node.value is not None:
            self.store(node.target, self.value(node.value, around), around)

    def _augmented(self, node: ast.AugAssign, around: Environment) -> None:
        left, right = self.value(node.target, around), self.value(node.value, around)
        if isinstance(left, list) and isinstance(node.op, ast.Add):
            more = builtin.items(right)
            left.extend(more[: operators.MAX_PARTS - len(left)] if more is not None else [UNKNOWN])
            return
        self.store(node.target, operators.binary(node.op, left, right), around)

    def store(self, target: ast.expr, value: Any, around: Environment) -> None:
        match target:
            case ast.Name(id=name):
                self.bind(around, name, value)
            case ast.Attribute():
                self._set_attribute(self.value(target.value, around), target.attr, value)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                self._unpack(parts, value, around)
            case ast.Subscript():
                operators.put(self.value(target.value, around), self.value(target.slice, around), value)
            case ast.Starred():
                self.store(target.value, value, around)

    def _set_attribute(self, subject: Any, name: str, value: Any) -> None:
        if isinstance(subject, Instance | Modelled | Function | Class):
            subject.attributes[name] = value

    def _unpack(self, targets: list[ast.expr], value: Any, around: Environment) -> None:
        parts = builtin.items(value)
        starred = next((at for at, target in enumerate(targets) if isinstance(target, ast.Starred)), None)
        if parts is not None and starred is not None and len(parts) >= len(targets) - 1:
            rest = len(parts) - (len(targets) - 1)
            parts = [*parts[:starred], parts[starred : starred + rest], *parts[starred + rest :]]
        known = parts is not None and len(parts) == len(targets)
        for number, target in enumerate(targets):
            self.store(target, parts[number] if known and parts is not None else UNKNOWN, around)

    def _expression(self, node: ast.Expr, around: Environment) -> None:
        self.value(node.value, around)

    def _if(self, node: ast.If, around: Environment) -> None:
        kept, self.asked = self.asked, False
        answer = truth(self.value(node.test, around))
        self.platform_asked = self.platform_asked or (self.asked and _shapes_commands(node))
        self.asked = kept
        if answer is not None:
            self.run(node.body if answer else node.orelse, around)
            return
        self._ways([lambda: self.run(node.body, around), lambda: self.run(node.orelse, around)], around)

    def _ways(self, ways: list[Callable[[], None]], around: Environment) -> None:
        """Goes every way from the same values, and merges what they bind. A way that ends the function adds what it returns."""
        before = dict(around.values)
        ends: list[dict[str, Any]] = []
        lefts: list[Ended] = []
        self.uncertain += 1
        for way in ways:
            around.values = dict(before)
            try:
                way()
                ends.append(around.values)
            except (_Tired, Stopped, Exhausted, RecursionError):
                self.uncertain -= 1
                raise
            except Ended as end:
                if isinstance(end, _Left) and self._candidates:
                    self._candidates[-1].append(end.value)
                lefts.append(end)
        self.uncertain -= 1
        around.values = _merged(ends) if ends else before
        if not ends:
            returned = next((end for end in lefts if isinstance(end, _Left)), None)
            if returned is not None:
                self._candidates[-1].remove(returned.value) if returned.value in self._candidates[-1] else None
            raise returned or lefts[0]

    def _for(self, node: ast.For | ast.AsyncFor, around: Environment) -> None:
        parts = builtin.items(self.value(node.iter, around))
        if parts is None:
            self._ways([lambda: self._round(node, UNKNOWN, around), lambda: None], around)
            return
        for part in parts[:MAX_ROUNDS]:
            try:
                self._round(node, part, around)
            except _Broke:
                return
        self.run(node.orelse, around)

    def _round(self, node: ast.For | ast.AsyncFor, part: Any, around: Environment) -> None:
        self.store(node.target, part, around)
        with suppress(_Went):
            self.run(node.body, around)

    def _while(self, node: ast.While, around: Environment) -> None:
        for _ in range(MAX_ROUNDS):
            answer = truth(self.value(node.test, around))
            if answer is None:
                self._ways([lambda: self.run(node.body, around), lambda: None], around)
                return
            if not answer:
                return
            try:
                self.run(node.body, around)
            except _Broke:
                return
            except _Went:
                continue

    def _with(self, node: ast.With | ast.AsyncWith, around: Environment) -> None:
        for item in node.items:
            value = self.value(item.context_expr, around)
            if item.optional_vars is not None:
                self.store(item.optional_vars, value if is_rich(value) else UNKNOWN, around)
        self.run(node.body, around)

    def _try(self, node: ast.Try, around: Environment) -> None:
        try:
            self.run(node.body, around)
            self.run(node.orelse, around)
        except _Raised:
            for handler in node.handlers[:1]:
                self.run(handler.body, around)
        finally:
            self.run(node.finalbody, around)

    def _import(self, node: ast.Import, around: Environment) -> None:
        for alias in node.names:
            top = alias.name.partition(".")[0]
            imported = Imported(alias.name if alias.asname else top, None, around.module.path)
            self.bind(around, alias.asname or top, imported)

    def _import_from(self, node: ast.ImportFrom, around: Environment) -> None:
        module = absolute(around.module.path, node)
        if module is None:
            return
        for alias in node.names:
            if alias.name == "*":
                self._star(module, around)
            else:
                self.bind(around, alias.asname or alias.name, Imported(module, alias.name, around.module.path))

    def _star(self, dotted: str, around: Environment) -> None:
        path = self.sources.locate(dotted, around.module.path)
        module = self.module(path) if path is not None else None
        if module is None:
            around.module.stars.append(dotted.strip("."))
            return
        for name, value in list(module.body.values.items()):
            if not name.startswith("_"):
                around.values.setdefault(name, value)

    def _raise(self, _node: ast.Raise, _around: Environment) -> None:
        raise _Raised

    def _break(self, _node: ast.Break, _around: Environment) -> None:
        raise _Broke

    def _continue(self, _node: ast.Continue, _around: Environment) -> None:
        raise _Went

    def _global(self, node: ast.Global, around: Environment) -> None:
        for name in node.names:
            if around is not around.module.body:
                around.elsewhere[name] = around.module.body

    def _nonlocal(self, node: ast.Nonlocal, around: Environment) -> None:
        for name in node.names:
            outer = around.parent
            while outer is not None and name not in outer.values:
                outer = outer.parent
            if outer is not None:
                around.elsewhere[name] = outer

    def _match(self, node: ast.Match, around: Environment) -> None:
        self.value(node.subject, around)
        ways = [(lambda body=case.body: self.run(body, around)) for case in node.cases[:60]]
        self._ways([*ways, lambda: None], around)

    # --- expressions ---

    def _step(self) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise Exhausted
        if self.limits and self.steps > self.limits[-1][0]:
            raise _Tired(self.limits[-1][1])

    def value(self, node: ast.expr, around: Environment) -> Any:
        self._step()
        deed = self._EXPRESSIONS.get(type(node))
        return deed(self, node, around) if deed is not None else UNKNOWN

    def _constant(self, node: ast.Constant, _around: Environment) -> Any:
        return node.value

    def _name(self, node: ast.Name, around: Environment) -> Any:
        found = self._find(around, node.id)
        if found is not _MISSING:
            return found
        if node.id in builtin.BUILTINS:
            return builtin.BUILTINS[node.id]
        if around.module.stars:
            return External(f"{around.module.stars[0]}.{node.id}")
        return UNKNOWN

    def _attribute(self, node: ast.Attribute, around: Environment) -> Any:
        return self.attribute(self.value(node.value, around), node.attr)

    def attribute(self, value: Any, name: str) -> Any:  # noqa: PLR0911 (a table of kinds)
        """`value.name`."""
        match value:
            case Module():
                return self._of_module(value, name)
            case External():
                return self._external(f"{value.dotted}.{name}")
            case Class():
                return self._of_class(value, name)
            case Instance() | Modelled():
                return self._of_object(value, name)
            case Above():
                return self._of_above(value, name)
            case EnumMember():
                return getattr(value, name) if name in ("name", "value") else UNKNOWN
            case Function():
                own: dict[str, Any] = {"__name__": value.name, "__doc__": _doc(value)}
                return value.attributes.get(name, own.get(name, UNKNOWN))
            case Bound():
                return self.attribute(value.function, name)
        return builtin.method(value, name) or UNKNOWN

    def _of_class(self, value: Class, name: str) -> Any:
        found = value.find(name)
        if isinstance(found, Wrapped):
            return Bound(found.function, value) if found.kind == "classmethod" else found.function
        if name == "__name__":
            return value.node.name
        return UNKNOWN if found is None and name not in value.attributes else found

    def _of_object(self, value: "Instance | Modelled", name: str) -> Any:
        if name in value.attributes:
            return value.attributes[name]
        found = value.made_of.find(name) if value.made_of is not None else None
        if found is not None:
            return self._bound(found, value)
        if name == "__class__" and value.made_of is not None:
            return value.made_of
        return value.member(self, name) if isinstance(value, Modelled) else UNKNOWN

    def _bound(self, found: Any, subject: Any) -> Any:
        if isinstance(found, Function):
            return Bound(found, subject)
        if isinstance(found, Wrapped):
            if found.kind == "property":
                return self.call(
                    found.function, Invocation([subject], {}, False, ast.Pass(), _module_of(found.function))
                )
            holder = subject.made_of if found.kind == "classmethod" else None
            return Bound(found.function, holder) if holder is not None else found.function
        return found

    def _of_above(self, value: Above, name: str) -> Any:
        for base in value.owner.lineage()[1:]:
            if isinstance(base, Class) and name in base.attributes:
                return self._bound(base.attributes[name], value.subject)
        subject = value.subject
        if isinstance(subject, Modelled):
            if name == "__init__":
                return Native(name, subject.initialise)
            return subject.member(self, name)
        return Native(name, lambda _evaluator, _call: UNKNOWN)

    def _calling(self, node: ast.Call, around: Environment) -> Any:
        if isinstance(node.func, ast.Name) and node.func.id == "super" and not node.args:
            return self._above(around)
        function = self.value(node.func, around)
        arguments: list[Any] = []
        keywords: dict[str, Any] = {}
        is_open = False
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                parts = builtin.items(self.value(argument.value, around))
                arguments.extend(parts or ())
                is_open = is_open or parts is None
            else:
                arguments.append(self.value(argument, around))
        for keyword in node.keywords:
            value = self.value(keyword.value, around)
            if keyword.arg is not None:
                keywords[keyword.arg] = value
            elif isinstance(value, dict):
                keywords.update({key: part for key, part in value.items() if isinstance(key, str)})
            else:
                is_open = True
        return self.call(function, Invocation(arguments, keywords, is_open, node, around.module))

    def _above(self, around: Environment) -> Any:
        environment: Environment | None = around
        while environment is not None:
            if "__class__" in environment.values:
                return Above(environment.values["__class__"], environment.values["__self__"])
            environment = environment.parent
        return UNKNOWN

    # --- calls ---

    def call(self, value: Any, call: Invocation) -> Any:  # noqa: PLR0911 (a table of kinds)
        """`value(…)`."""
        match value:
            case Function():
                return self._invoked(value, call)
            case Bound():
                return self.call(value.function, call._replace(arguments=[value.subject, *call.arguments]))
            case Native():
                return value.deed(self, call)
            case Class():
                return self._instance(value, call)
            case Partial():
                keywords = {**value.keywords, **call.keywords}
                return self.call(
                    value.function, call._replace(arguments=[*value.arguments, *call.arguments], keywords=keywords)
                )
            case Modelled():
                own = value.made_of.find("__call__") if value.made_of is not None else None
                return self.call(Bound(own, value), call) if isinstance(own, Function) else value.called(self, call)
            case Instance():
                own = value.made_of.find("__call__")
                return self.call(Bound(own, value), call) if isinstance(own, Function) else UNKNOWN
            case External():
                return self._called_external(value, call)
            case Wrapped():
                return self.call(value.function, call)
        return self._escaped(_spelled(call.node), call)

    def _called_external(self, value: External, call: Invocation) -> Any:
        name = self.library.alike(value.dotted)
        function = self.library.functions.get(name) or builtin.FUNCTIONS.get(value.dotted)
        if function is not None:
            return function(self, call)
        make = self.library.classes.get(name)
        if make is not None:
            made = make()
            if name != value.dotted:
                made.doubt(f"{value.dotted}, which may add to it") if not _is_known_fork(value.dotted) else None
            made.initialise(self, call)
            return made
        if value.dotted in ("sys.exit", "os._exit"):
            raise _Raised
        return self._escaped(value.dotted, call)

    def _escaped(self, name: str, call: Invocation) -> Any:
        """A call of code that is not read: what it was given may be changed by it."""
        if not _is_standard(name):
            for value in [*call.arguments, *call.keywords.values()]:
                for held in builtin.doubted_in(value):
                    held.given_away(f"{name}, which is given it")
        return UNKNOWN

    def _instance(self, value: Class, call: Invocation) -> Any:
        if any(isinstance(part, EnumMember) for part in value.attributes.values()):
            members = [part for part in value.attributes.values() if isinstance(part, EnumMember)]
            return next((part for part in members if call.arguments and part.value == call.arguments[0]), UNKNOWN)
        made: Instance | Modelled = Instance(value)
        for base in value.lineage():
            make = self.library.classes.get(self.library.alike(base.dotted)) if isinstance(base, External) else None
            if make is not None:
                made = make()
                made.made_of = value
                break
        start = value.find("__init__")
        if isinstance(start, Function):
            self.call(Bound(start, made), call)
        elif isinstance(made, Modelled):
            made.initialise(self, call)
        elif value.is_record:
            self._fill(made, value, call)
        return made

    def _fill(self, made: Instance, value: Class, call: Invocation) -> None:
        """The fields of a dataclass or a NamedTuple."""
        names = [
            statement.target.id
            for above in reversed(value.lineage())
            if isinstance(above, Class)
            for statement in above.node.body
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
        ]
        made.attributes.update(zip(names, call.arguments, strict=False))
        made.attributes.update({name: part for name, part in call.keywords.items() if name in names})
        for name in names:
            if name not in made.attributes:
                default = value.find(name)
                if isinstance(default, FieldDefault):
                    nothing = call._replace(arguments=[], keywords={})
                    default = self.call(default.factory, nothing) if default.factory is not None else default.default
                made.attributes[name] = UNKNOWN if isinstance(default, External) else default
        after = value.find("__post_init__")
        if isinstance(after, Function):
            self.call(Bound(after, made), call._replace(arguments=[], keywords={}))

    def _invoked(self, function: Function, call: Invocation) -> Any:
        if self.depth >= MAX_DEPTH:
            return self._escaped("calls that are nested too deep", call)
        around = Environment(function.module, function.around)
        if function.owner is not None and call.arguments:
            around.values.update(__class__=function.owner, __self__=call.arguments[0])
            around.parent = function.around.parent
        self._parameters(function, call, around)
        if isinstance(function.node, ast.Lambda):
            return self.value(function.node.body, around)
        self.depth += 1
        self._candidates.append([])
        kept, limited = self.uncertain, len(self.limits)
        if self.depth in _LIMITED:
            self.limits.append((min([self.steps + MAX_CALL_STEPS, *(limit for limit, _ in self.limits)]), self.depth))
        try:
            self.run(function.node.body, around)
            value: Any = None
        except _Left as left:
            value = left.value
        except (RecursionError, _Tired) as end:
            if isinstance(end, _Tired) and end.depth != self.depth:
                raise
            value = self._escaped("calls that are too many, or nested too deep", call)
        finally:
            self.depth -= 1
            self.uncertain = kept
            del self.limits[limited:]
            others = self._candidates.pop()
        for other in others:
            value = merged(value, other)
        if any(isinstance(part, ast.Yield | ast.YieldFrom) for part in _shallow(function.node)):
            return UNKNOWN
        return value

    def _parameters(self, function: Function, call: Invocation, around: Environment) -> None:
        args = function.node.args
        plain = [arg.arg for arg in (*args.posonlyargs, *args.args)]
        named = [arg.arg for arg in args.kwonlyargs]
        values = around.values
        values.update(zip(plain[len(plain) - len(function.defaults) :], function.defaults, strict=False))
        values.update(
            {name: one for name, one in zip(named, function.named_defaults, strict=False) if one is not _MISSING}
        )
        if call.is_open:
            values.update(dict.fromkeys([*plain, *named], UNKNOWN))
        for name in (*plain, *named):
            values.setdefault(name, UNKNOWN)
        values.update(zip(plain, call.arguments, strict=False))
        rest = {name: part for name, part in call.keywords.items() if name not in plain and name not in named}
        values.update({name: part for name, part in call.keywords.items() if name in plain or name in named})
        if args.vararg is not None:
            values[args.vararg.arg] = UNKNOWN if call.is_open else tuple(call.arguments[len(plain) :])
        if args.kwarg is not None:
            values[args.kwarg.arg] = UNKNOWN if call.is_open else rest

    # --- expressions that are put together ---

    def _list(self, node: ast.List | ast.Tuple | ast.Set, around: Environment) -> Any:
        parts: list[Any] = []
        for part in node.elts:
            if isinstance(part, ast.Starred):
                more = builtin.items(self.value(part.value, around))
                parts.extend(more if more is not None else [UNKNOWN])
            else:
                parts.append(self.value(part, around))
        if isinstance(node, ast.Set):
            return set(parts) if all(isinstance(part, str | int | float) for part in parts) else parts
        return tuple(parts) if isinstance(node, ast.Tuple) else parts

    def _dict(self, node: ast.Dict, around: Environment) -> Any:
        made: dict[Any, Any] = {}
        for key, part in zip(node.keys, node.values, strict=True):
            value = self.value(part, around)
            if key is None:
                if not isinstance(value, dict):
                    return UNKNOWN
                made.update(value)
                continue
            name = self.value(key, around)
            if isinstance(name, str | int | float | bool | None | EnumMember | External) and not isinstance(
                name, Rough
            ):
                made[name] = value
        return made

    def _binary(self, node: ast.BinOp, around: Environment) -> Any:
        chain = [node]
        while isinstance(chain[-1].left, ast.BinOp):  # without recursion, however long
            chain.append(chain[-1].left)
        value = self.value(chain[-1].left, around)
        for step in reversed(chain):
            value = operators.binary(step.op, value, self.value(step.right, around))
        return value

    def _unary(self, node: ast.UnaryOp, around: Environment) -> Any:
        value = self.value(node.operand, around)
        if isinstance(node.op, ast.Not):
            answer = truth(value)
            return UNKNOWN if answer is None else not answer
        return -value if isinstance(node.op, ast.USub) and type(value) in (int, float) else UNKNOWN

    def _boolean(self, node: ast.BoolOp, around: Environment) -> Any:
        wanted = isinstance(node.op, ast.Or)
        value: Any = UNKNOWN
        doubtful = False
        for part in node.values:
            value = self.value(part, around)
            answer = truth(value)
            doubtful = doubtful or answer is None
            if answer is wanted:
                return value if not doubtful or is_rich(value) else UNKNOWN
        return UNKNOWN if doubtful else value

    def _comparison(self, node: ast.Compare, around: Environment) -> Any:
        left = self.value(node.left, around)
        for operator, comparator in zip(node.ops, node.comparators, strict=True):
            right = self.value(comparator, around)
            answer = operators.compare(operator, left, right)
            if answer is not True:
                return answer
            left = right
        return True

    def _choice(self, node: ast.IfExp, around: Environment) -> Any:
        answer = truth(self.value(node.test, around))
        if answer is not None:
            return self.value(node.body if answer else node.orelse, around)
        self.uncertain += 1
        first, second = self.value(node.body, around), self.value(node.orelse, around)
        self.uncertain -= 1
        return merged(first, second)

    def _subscript(self, node: ast.Subscript, around: Environment) -> Any:
        held = self.value(node.value, around)
        if isinstance(node.slice, ast.Slice):
            return self._slice(held, node.slice, around)
        key = self.value(node.slice, around)
        if isinstance(held, dict):
            return (
                held.get(key, UNKNOWN)
                if isinstance(key, str | int | EnumMember) and not isinstance(key, Rough)
                else UNKNOWN
            )
        if isinstance(held, list | tuple | str) and type(key) is int and -len(held) <= key < len(held):
            return held[key] if not isinstance(held, Rough) else UNKNOWN
        if isinstance(held, Class) and isinstance(key, str):
            return held.attributes.get(key, UNKNOWN)
        return held if isinstance(held, External | Class) else UNKNOWN

    def _slice(self, held: Any, node: ast.Slice, around: Environment) -> Any:
        ends = [self.value(part, around) if part is not None else None for part in (node.lower, node.upper, node.step)]
        plain = all(end is None or (type(end) is int and abs(end) < 10**6) for end in ends) and ends[2] != 0
        is_list = isinstance(held, list | tuple | str) and not isinstance(held, Rough)
        return held[ends[0] : ends[1] : ends[2]] if plain and is_list else UNKNOWN

    def _text(self, node: ast.JoinedStr, around: Environment) -> Any:
        parts: list[Any] = []
        for part in node.values:
            if isinstance(part, ast.Constant):
                parts.append(part.value)
            elif isinstance(part, ast.FormattedValue):
                value = self.value(part.value, around)
                parts.append(operators.shown(value) if part.format_spec is None else Rough("…"))
        return operators.joined("", parts)

    def _lambda(self, node: ast.Lambda, around: Environment) -> Any:
        return self._made_function(node, around)

    def _comprehension(
        self, node: "ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp", around: Environment
    ) -> Any:
        inner = Environment(around.module, around)
        found: list[Any] = []
        whole = self._generate(node, 0, inner, found)
        if not whole:
            return UNKNOWN
        if isinstance(node, ast.DictComp):
            return {key: value for key, value in found if isinstance(key, str | int)}
        if isinstance(node, ast.SetComp):
            return set(found) if all(isinstance(part, str | int) for part in found) else found
        return found

    def _generate(self, node: Any, level: int, around: Environment, found: list[Any]) -> bool:
        if level == len(node.generators):
            pair = isinstance(node, ast.DictComp)
            found.append(
                (self.value(node.key, around), self.value(node.value, around)) if pair else self.value(node.elt, around)
            )
            return len(found) <= operators.MAX_PARTS
        generator = node.generators[level]
        parts = builtin.items(self.value(generator.iter, around))
        if parts is None:
            return False
        for part in parts[: operators.MAX_PARTS]:
            self.store(generator.target, part, around)
            answers = [truth(self.value(test, around)) for test in generator.ifs]
            if None in answers:
                return False
            if False not in answers and not self._generate(node, level + 1, around, found):
                return False
        return True

    def _named(self, node: ast.NamedExpr, around: Environment) -> Any:
        value = self.value(node.value, around)
        self.store(node.target, value, around)
        return value

    def _awaited(self, node: ast.Await, around: Environment) -> Any:
        return self.value(node.value, around)

    _STATEMENTS: ClassVar[dict[type, Callable[..., None]]] = {
        ast.FunctionDef: _function,
        ast.AsyncFunctionDef: _function,
        ast.ClassDef: _class,
        ast.Return: _return,
        ast.Assign: _assign,
        ast.AnnAssign: _annotated,
        ast.AugAssign: _augmented,
        ast.Expr: _expression,
        ast.If: _if,
        ast.For: _for,
        ast.AsyncFor: _for,
        ast.While: _while,
        ast.With: _with,
        ast.AsyncWith: _with,
        ast.Try: _try,
        ast.TryStar: _try,
        ast.Import: _import,
        ast.ImportFrom: _import_from,
        ast.Raise: _raise,
        ast.Break: _break,
        ast.Continue: _continue,
        ast.Global: _global,
        ast.Nonlocal: _nonlocal,
        ast.Match: _match,
    }
    _EXPRESSIONS: ClassVar[dict[type, Callable[..., Any]]] = {
        ast.Constant: _constant,
        ast.Name: _name,
        ast.Attribute: _attribute,
        ast.Call: _calling,
        ast.List: _list,
        ast.Tuple: _list,
        ast.Set: _list,
        ast.Dict: _dict,
        ast.BinOp: _binary,
        ast.UnaryOp: _unary,
        ast.BoolOp: _boolean,
        ast.Compare: _comparison,
        ast.IfExp: _choice,
        ast.Subscript: _subscript,
        ast.JoinedStr: _text,
        ast.Lambda: _lambda,
        ast.ListComp: _comprehension,
        ast.SetComp: _comprehension,
        ast.GeneratorExp: _comprehension,
        ast.DictComp: _comprehension,
        ast.NamedExpr: _named,
        ast.Await: _awaited,
    }


def merged(first: Any, second: Any) -> Any:
    """Of two values that a name may have the one that says more; a doubt where both do."""
    if first is second or (type(first) is type(second) and isinstance(first, str | int | float) and first == second):
        return first
    if isinstance(first, Modelled) and isinstance(second, Modelled):
        first.doubt("a condition that is not told, which takes another in its place")
        return first
    if isinstance(first, Modelled | Function | Class) or (is_rich(first) and not is_rich(second)):
        return first
    if is_rich(second):
        return second
    if isinstance(first, tuple) and isinstance(second, tuple) and len(first) == len(second):
        return tuple(merged(*pair) for pair in zip(first, second, strict=True))
    return first if isinstance(second, Unknown | None) and is_rich(first) else UNKNOWN


def _merged(ends: list[dict[str, Any]]) -> dict[str, Any]:
    values = dict(ends[0])
    for other in ends[1:]:
        for name, value in other.items():
            values[name] = merged(values[name], value) if name in values and values[name] is not value else value
    return values


_SHAPING = {"add_argument", "add_parser", "option", "argument", "command", "add_command", "add_typer"}


def _shapes_commands(node: ast.AST) -> bool:
    return any(isinstance(part, ast.Attribute) and part.attr in _SHAPING for part in ast.walk(node))


def _spelled(node: ast.AST) -> str:
    """A decorator as it stands in the code, without its arguments."""
    while isinstance(node, ast.Call):
        node = node.func
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id if isinstance(node, ast.Name) else "…", *reversed(parts)])


def _is_harmless(decorator: Any) -> bool:
    return isinstance(decorator, External) and decorator.dotted.startswith(_HARMLESS)


def _is_standard(name: str) -> bool:
    import sys

    return name.partition(".")[0] in sys.stdlib_module_names or name.startswith(("argcomplete.", "colorama."))


def _is_known_fork(dotted: str) -> bool:
    return dotted.startswith(
        ("click.", "rich_click.", "asyncclick.", "rich_argparse.", "configargparse.", "typer.", "cloup.")
    )


def _module_of(value: Any) -> Module:
    return value.module if isinstance(value, Function) else Module("", "")


def _doc(value: Function) -> str | None:
    return ast.get_docstring(value.node, clean=False) if not isinstance(value.node, ast.Lambda) else None


def _shallow(node: ast.AST) -> list[ast.AST]:
    """The parts of a function, those of functions inside left out."""
    found: list[ast.AST] = []
    waiting: list[ast.AST] = list(getattr(node, "body", ()))
    while waiting:
        part = waiting.pop()
        found.append(part)
        if not isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(part))
    return found
