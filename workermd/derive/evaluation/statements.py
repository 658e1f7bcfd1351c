"""Statements: assignments, branches, loops, definitions and imports. A condition that is not told goes both ways."""

import ast
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, ClassVar

from workermd.derive.evaluation import builtin, operators
from workermd.derive.evaluation.expressions import Expressions
from workermd.derive.evaluation.frame import MAX_ROUNDS, Broke, Left, Raised, Tired, Went
from workermd.derive.evaluation.merging import is_harmless, merged_ends, shapes_commands, spelled
from workermd.derive.evaluation.operators import truth
from workermd.derive.evaluation.values import (
    UNKNOWN,
    Class,
    Doubted,
    Ended,
    EnumMember,
    Environment,
    Exhausted,
    External,
    Function,
    Imported,
    Instance,
    Invocation,
    Modelled,
    Stopped,
    Unknown,
    Wrapped,
    is_rich,
)
from workermd.derive.interfaces.scope import absolute

_DECORATORS = {
    "dataclass",
    "dataclasses.dataclass",
    "attr.s",
    "attrs.define",
    "attr.define",
    "attrs.frozen",
    "attr.frozen",
}
_ENUMS = {"Enum", "StrEnum", "IntEnum", "Flag", "IntFlag"}


class Statements(Expressions):
    """Works statements through, one after the other."""

    def run(self, statements: Sequence[ast.stmt], around: Environment) -> None:
        for statement in statements:
            self.step()
            deed = self._STATEMENTS.get(type(statement))
            if deed is not None:
                deed(self, statement, around)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, around: Environment) -> None:
        function = self.made_function(node, around)
        self.bind(around, node.name, self._decorated(node, function, around))

    def _decorated(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, value: Any, around: Environment
    ) -> Any:
        for expression in reversed(node.decorator_list):
            decorator = self.value(expression, around)
            made = self.call(decorator, Invocation([value], {}, False, expression, around.module))
            if isinstance(made, Unknown):  # what it makes of the function is not read: the function stands for it
                name = spelled(expression)
                if isinstance(value, Doubted) and not is_harmless(decorator):
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
        made.is_record = fields or any(spelled(one).partition("(")[0] in _DECORATORS for one in node.decorator_list)
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
        raise Left(self.value(node.value, around) if node.value is not None else None)

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
        self.platform_asked = self.platform_asked or (self.asked and shapes_commands(node))
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
            except (Tired, Stopped, Exhausted, RecursionError):
                self.uncertain -= 1
                raise
            except Ended as end:
                if isinstance(end, Left) and self.candidates:
                    self.candidates[-1].append(end.value)
                lefts.append(end)
        self.uncertain -= 1
        around.values = merged_ends(ends) if ends else before
        if not ends:
            returned = next((end for end in lefts if isinstance(end, Left)), None)
            if returned is not None:
                self.candidates[-1].remove(returned.value) if returned.value in self.candidates[-1] else None
            raise returned or lefts[0]

    def _for(self, node: ast.For | ast.AsyncFor, around: Environment) -> None:
        parts = builtin.items(self.value(node.iter, around))
        if parts is None:
            self._ways([lambda: self._round(node, UNKNOWN, around), lambda: None], around)
            return
        for part in parts[:MAX_ROUNDS]:
            try:
                self._round(node, part, around)
            except Broke:
                return
        self.run(node.orelse, around)

    def _round(self, node: ast.For | ast.AsyncFor, part: Any, around: Environment) -> None:
        self.store(node.target, part, around)
        with suppress(Went):
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
            except Broke:
                return
            except Went:
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
        except Raised:
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
        raise Raised

    def _break(self, _node: ast.Break, _around: Environment) -> None:
        raise Broke

    def _continue(self, _node: ast.Continue, _around: Environment) -> None:
        raise Went

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
