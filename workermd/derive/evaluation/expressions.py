"""Expressions: the value of each kind of them, by its syntax tree."""

import ast
from collections.abc import Callable
from typing import Any, ClassVar

from workermd.derive.evaluation import builtin, operators
from workermd.derive.evaluation.calls import Calling
from workermd.derive.evaluation.frame import MISSING
from workermd.derive.evaluation.merging import merged
from workermd.derive.evaluation.operators import truth
from workermd.derive.evaluation.values import UNKNOWN, Class, EnumMember, Environment, External, Rough, is_rich


class Expressions(Calling):
    """What an expression is worth; UNKNOWN where the tree does not tell."""

    def value(self, node: ast.expr, around: Environment) -> Any:
        self.step()
        deed = self._EXPRESSIONS.get(type(node))
        return deed(self, node, around) if deed is not None else UNKNOWN

    def _constant(self, node: ast.Constant, _around: Environment) -> Any:
        return node.value

    def _name(self, node: ast.Name, around: Environment) -> Any:
        found = self.find(around, node.id)
        if found is not MISSING:
            return found
        if node.id in builtin.BUILTINS:
            return builtin.BUILTINS[node.id]
        if around.module.stars:
            return External(f"{around.module.stars[0]}.{node.id}")
        return UNKNOWN

    def _attribute(self, node: ast.Attribute, around: Environment) -> Any:
        return self.attribute(self.value(node.value, around), node.attr)

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
        return self.made_function(node, around)

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

    _EXPRESSIONS: ClassVar[dict[type, Callable[..., Any]]] = {
        ast.Constant: _constant,
        ast.Name: _name,
        ast.Attribute: _attribute,
        ast.Call: Calling.calling,
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
