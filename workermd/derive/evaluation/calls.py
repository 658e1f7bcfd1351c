"""Calls: of functions and classes of the repository, of known libraries, and of code that is not read."""

import ast
from typing import Any

from workermd.derive.evaluation import builtin
from workermd.derive.evaluation.frame import MAX_CALL_STEPS, MAX_DEPTH, MISSING, Left, Raised, Tired
from workermd.derive.evaluation.merging import is_known_fork, is_standard, merged, shallow, spelled
from workermd.derive.evaluation.names import Names
from workermd.derive.evaluation.values import (
    UNKNOWN,
    Above,
    Bound,
    Class,
    EnumMember,
    Environment,
    External,
    FieldDefault,
    Function,
    Instance,
    Invocation,
    Modelled,
    Native,
    Partial,
    Wrapped,
)

_LIMITED = (2, 3, 4)
"""Depths of calls that have a limit of their own; 1 is the entry point."""


class Calling(Names):
    """What calling a value gives."""

    def calling(self, node: ast.Call, around: Environment) -> Any:
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
        return self._escaped(spelled(call.node), call)

    def _called_external(self, value: External, call: Invocation) -> Any:
        name = self.library.alike(value.dotted)
        function = self.library.functions.get(name) or builtin.FUNCTIONS.get(value.dotted)
        if function is not None:
            return function(self, call)
        make = self.library.classes.get(name)
        if make is not None:
            made = make()
            if name != value.dotted:
                made.doubt(f"{value.dotted}, which may add to it") if not is_known_fork(value.dotted) else None
            made.initialise(self, call)
            return made
        if value.dotted in ("sys.exit", "os._exit"):
            raise Raised
        return self._escaped(value.dotted, call)

    def _escaped(self, name: str, call: Invocation) -> Any:
        """A call of code that is not read: what it was given may be changed by it."""
        if not is_standard(name):
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
        self.candidates.append([])
        kept, limited = self.uncertain, len(self.limits)
        if self.depth in _LIMITED:
            self.limits.append((min([self.steps + MAX_CALL_STEPS, *(limit for limit, _ in self.limits)]), self.depth))
        try:
            self.run(function.node.body, around)
            value: Any = None
        except Left as left:
            value = left.value
        except (RecursionError, Tired) as end:
            if isinstance(end, Tired) and end.depth != self.depth:
                raise
            value = self._escaped("calls that are too many, or nested too deep", call)
        finally:
            self.depth -= 1
            self.uncertain = kept
            del self.limits[limited:]
            others = self.candidates.pop()
        for other in others:
            value = merged(value, other)
        if any(isinstance(part, ast.Yield | ast.YieldFrom) for part in shallow(function.node)):
            return UNKNOWN
        return value

    def _parameters(self, function: Function, call: Invocation, around: Environment) -> None:
        args = function.node.args
        plain = [arg.arg for arg in (*args.posonlyargs, *args.args)]
        named = [arg.arg for arg in args.kwonlyargs]
        values = around.values
        values.update(zip(plain[len(plain) - len(function.defaults) :], function.defaults, strict=False))
        values.update(
            {name: one for name, one in zip(named, function.named_defaults, strict=False) if one is not MISSING}
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
