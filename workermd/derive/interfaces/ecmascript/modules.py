"""Modules of TypeScript and JavaScript: which declaration a name means, and what a constant expression says."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from workermd.derive.interfaces.ecmascript.trees import SourceNotParsed, SyntaxNode, TreeParser
from workermd.derive.interfaces.reading import RepositoryReading
from workermd.derive.model import Evidence
from workermd.system.text import cleaned

MAX_STEPS = 400_000
"""Expressions that are looked at for one repository."""
MAX_STEPS_A_TOOL = 20_000
MAX_LEVELS = 60
MAX_STARS = 20
MAX_TEXT = 20_000

SUFFIXES = (".ts", ".tsx", ".mts", ".cts", ".js", ".mjs", ".cjs", ".jsx")
_SCOPES = {
    "program",
    "statement_block",
    "class_body",
    "switch_body",
    "for_statement",
    "for_in_statement",
    "catch_clause",
}
FUNCTIONS = {
    *("arrow_function", "function_expression", "function_declaration", "method_definition", "generator_function"),
    *("generator_function_declaration", "function"),
}
_INNER = _SCOPES | FUNCTIONS
_DECLARING = FUNCTIONS | {
    *("lexical_declaration", "variable_declaration", "enum_declaration", "class_declaration", "import_statement"),
    *("export_statement", "for_in_statement", "catch_clause"),
}
_WRAPPED = {"parenthesized_expression", "as_expression", "satisfies_expression", "non_null_expression"}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": "", "\r\n": ""}


class Unread(Exception):
    """What an expression says is known only when the program runs, or was not understood."""


class ImportedName(NamedTuple):
    """A name of another module: `name` is `*` for the whole module."""

    module: str
    name: str


class NameBlock:
    """The names that a block declares: a constant's value, an import, or None for what cannot be followed."""

    __slots__ = ("above", "module", "names")

    def __init__(self, module: "SyntaxModule", above: "NameBlock | None") -> None:
        self.module = module
        self.above = above
        self.names: dict[str, SyntaxNode | ImportedName | None] = {}


class Expression(NamedTuple):
    """An expression and the block whose names it knows."""

    node: SyntaxNode
    block: NameBlock

    def at(self, node: SyntaxNode) -> "Expression":
        return Expression(node, self.block)

    @property
    def kind(self) -> str:
        return self.node.kind

    @property
    def children(self) -> list[SyntaxNode]:
        return self.node.children

    def text(self) -> str:
        return self.block.module.text(self.node)


class SyntaxModule:
    """One file: its tree, its blocks, what it exports, and the calls in it, in order."""

    def __init__(self, path: str, source: bytes, root: SyntaxNode) -> None:
        self.path = path
        self.source = source
        self.top = NameBlock(self, None)
        self.exports: dict[str, str | ImportedName | SyntaxNode] = {}
        self.stars: list[str] = []
        self.calls: list[Expression] = []
        self._inner: dict[int, NameBlock] = {}
        self._walk(root)

    def text(self, node: SyntaxNode) -> str:
        return self.source[node.start : node.end].decode(errors="replace")

    def lines(self, first: SyntaxNode, last: SyntaxNode) -> tuple[int, int]:
        start = self.source.count(b"\n", 0, first.start) + 1
        return start, start + self.source.count(b"\n", first.start, last.end)

    def inside(self, function: Expression) -> NameBlock:
        """The block of a function's own constants."""
        return self._inner.get(id(function.node.children[-1])) or self._inner.get(id(function.node), function.block)

    def _walk(self, root: SyntaxNode) -> None:
        waiting: list[tuple[SyntaxNode, NameBlock]] = [(child, self.top) for child in reversed(root.children)]
        while waiting:
            node, block = waiting.pop()
            inner, kind = block, node.kind
            if kind in _INNER:
                inner = self._inner[id(node)] = NameBlock(self, block)
            if kind in _DECLARING:
                self._declare(node, block, inner)
            elif kind == "call_expression":
                self.calls.append(Expression(node, block))
            waiting.extend([(child, inner) for child in reversed(node.children) if child.children])

    def _declare(self, node: SyntaxNode, block: NameBlock, inner: NameBlock) -> None:
        kind = node.kind
        if kind in {"lexical_declaration", "variable_declaration"}:
            constant = self.source.startswith(b"const", node.start)
            for declarator in node.children:
                self._declarator(declarator, block, constant=constant)
        elif kind == "enum_declaration" or kind in FUNCTIONS or kind == "class_declaration":
            name = node.children[0] if node.children else None
            if name is not None and name.kind in {"identifier", "type_identifier"} and kind != "arrow_function":
                self._name(block, self.text(name), node)
        elif kind == "import_statement":
            self._import(node)
        elif kind == "export_statement" and block is self.top:
            self._export(node)
        if kind in FUNCTIONS or kind in {"for_in_statement", "catch_clause"}:
            for name in _bound(node):
                inner.names[self.text(name)] = None

    def _name(self, block: NameBlock, name: str, value: SyntaxNode | ImportedName | None) -> None:
        block.names[name] = None if name in block.names else value

    def _declarator(self, node: SyntaxNode, block: NameBlock, *, constant: bool) -> None:
        if node.kind != "variable_declarator" or not node.children:
            return
        name, value = node.children[0], node.children[-1]
        given = constant and len(node.children) > 1 and value.kind != "type_annotation"
        if name.kind == "identifier":
            self._name(block, self.text(name), value if given else None)
            return
        module = self._required(value) if given else None
        for one in name.children if name.kind == "object_pattern" else ():
            if module and one.kind == "shorthand_property_identifier_pattern":
                self._name(block, self.text(one), ImportedName(module, self.text(one)))
        for one in _names_in(name):
            block.names.setdefault(self.text(one), None)

    def _required(self, node: SyntaxNode) -> str | None:
        """The module of `require("x")`."""
        if node.kind != "call_expression" or len(node.children) < 2 or self.text(node.children[0]) != "require":
            return None
        given = node.children[-1].children
        return self.text(given[0])[1:-1] if len(given) == 1 and given[0].kind == "string" else None

    def value_of(self, node: SyntaxNode) -> SyntaxNode | ImportedName:
        module = self._required(node)
        return node if module is None else ImportedName(module, "*")

    def _import(self, node: SyntaxNode) -> None:
        source = node.children[-1] if node.children else None
        if source is None or source.kind != "string":
            return
        module = self.text(source)[1:-1]
        for clause in node.children[:-1]:
            for one in clause.children if clause.kind == "import_clause" else ():
                if one.kind == "identifier":
                    self._name(self.top, self.text(one), ImportedName(module, "default"))
                elif one.kind == "namespace_import" and one.children:
                    self._name(self.top, self.text(one.children[0]), ImportedName(module, "*"))
                for each in one.children if one.kind == "named_imports" else ():
                    if each.kind == "import_specifier" and each.children:
                        given = ImportedName(module, self.text(each.children[0]))
                        self._name(self.top, self.text(each.children[-1]), given)

    def _export(self, node: SyntaxNode) -> None:
        last = node.children[-1] if node.children else None
        if last is None:
            return
        from_module = last.kind == "string" and b"from" in self.source[node.start : last.start]
        module = self.text(last)[1:-1] if from_module else ""
        for one in node.children:
            if one.kind == "export_clause":
                self._listed(one, module)
            elif one.kind in {"lexical_declaration", "enum_declaration"}:
                self._declared(one)
        if module and len(node.children) == 1:
            self.stars.append(module)
        elif re.match(rb"export\s+default\b", self.source[node.start : node.start + 60]):
            self.exports["default"] = last

    def _listed(self, clause: SyntaxNode, module: str) -> None:
        """`export { name as given }`, with or without `from`."""
        for one in clause.children:
            if one.kind == "export_specifier" and one.children:
                name, given = self.text(one.children[0]), self.text(one.children[-1])
                self.exports[given] = ImportedName(module, name) if module else name

    def _declared(self, node: SyntaxNode) -> None:
        for one in node.children if node.kind == "lexical_declaration" else [node]:
            if one.children and one.children[0].kind == "identifier":
                name = self.text(one.children[0])
                self.exports[name] = name


def _bound(node: SyntaxNode) -> Iterator[SyntaxNode]:
    """The names of a function's parameters, or of a loop."""
    for child in node.children[: 1 if node.kind in {"for_in_statement", "catch_clause"} else None]:
        if child.kind == "formal_parameters":
            yield from _names_in(child)
        elif child.kind == "identifier" and (node.kind != "function_declaration" and child is not node.children[-1]):
            yield child
        elif child.kind in {"object_pattern", "array_pattern"}:
            yield from _names_in(child)


def _names_in(node: SyntaxNode) -> Iterator[SyntaxNode]:
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if one.kind in {"identifier", "shorthand_property_identifier_pattern"}:
            yield one
        waiting.extend(one.children)


class SyntaxModules:
    """The modules of a repository, each parsed once; a budget for what is looked at; what was followed."""

    def __init__(self, files: RepositoryReading, parser: TreeParser) -> None:
        self.files = files
        self._parser = parser
        self._modules: dict[str, SyntaxModule | None] = {}
        self.steps = MAX_STEPS
        self._left = MAX_STEPS_A_TOOL
        self.followed: dict[tuple[str, int, int], None] = {}

    def begin(self) -> None:
        """A tool begins: its own share of the work, and its own evidence."""
        self._left = MAX_STEPS_A_TOOL
        self.followed = {}

    def step(self, depth: int) -> None:
        """Raises Unread when the budget is spent."""
        self.steps -= 1
        self._left -= 1
        if self.steps < 0 or self._left < 0 or depth > MAX_LEVELS:
            raise Unread("it is too large or nested too deep")

    def module(self, path: str) -> SyntaxModule | None:
        if path not in self._modules:
            self._modules[path] = self._parsed(path)
        return self._modules[path]

    def _parsed(self, path: str) -> SyntaxModule | None:
        text = self.files.text(path)
        if text is None:
            return None
        source = text.encode()
        try:
            return SyntaxModule(path, source, self._parser.parse(path, source))
        except SourceNotParsed as error:
            self.files.skip(path, str(error))
            return None

    def evidence(self) -> tuple[Evidence, ...]:
        return tuple(self.files.cite(*where) for where in list(self.followed)[:8])

    # --- names ---

    def settle(self, place: Expression, depth: int = 0) -> Expression | ImportedName:
        """What an expression means where it is a name, a member, or wrapped in a type. Raises Unread."""
        while True:
            self.step(depth)
            depth += 1
            node = place.node
            if node.kind in _WRAPPED and node.children:
                place = place.at(node.children[0])
            elif node.kind in {"identifier", "shorthand_property_identifier"}:
                named = self._named(place, depth)
                if isinstance(named, ImportedName):
                    return named
                place = named
            elif node.kind in {"member_expression", "subscript_expression"}:
                member = self._member(place, depth)
                if member is None or isinstance(member, ImportedName):
                    return place if member is None else member
                place = member
            else:
                return place

    def _named(self, place: Expression, depth: int) -> Expression | ImportedName:
        name = place.text()
        block: NameBlock | None = place.block
        while block is not None and name not in block.names:
            block = block.above
        if block is None:
            raise Unread(f"{cleaned(name, 60)} is not declared in its module")
        return self._value(block, name, depth)

    def _value(self, block: NameBlock, name: str, depth: int) -> Expression | ImportedName:
        value = block.names.get(name)
        if value is None:
            raise Unread(f"{cleaned(name, 60)} is known only when the program runs")
        if isinstance(value, SyntaxNode):
            value = block.module.value_of(value)
        if isinstance(value, ImportedName):
            return self._imported(value, block.module, depth)
        module = block.module
        self.followed.setdefault((module.path, *module.lines(value, value)))
        return Expression(value, block)

    def _imported(self, given: ImportedName, module: SyntaxModule, depth: int) -> Expression | ImportedName:
        path = self._located(given.module, module.path)
        if path is None:
            return given
        if given.name == "*":
            return ImportedName(path, "*")
        other = self.module(path)
        if other is None:
            raise Unread(f"{cleaned(path, 80)} could not be read")
        return self._exported(other, given.name, depth)

    def _exported(self, module: SyntaxModule, name: str, depth: int) -> Expression | ImportedName:
        self.step(depth)
        given = module.exports.get(name)
        if isinstance(given, str):
            if given not in module.top.names:
                raise Unread(f"{cleaned(name, 60)} is not a constant")
            return self._value(module.top, given, depth + 1)
        if isinstance(given, ImportedName):
            return self._imported(given, module, depth + 1)
        if given is not None:
            return Expression(given, module.top)
        for star in module.stars[:MAX_STARS]:
            path = self._located(star, module.path)
            other = self.module(path) if path is not None else None
            if other is not None and (name in other.exports or other.stars):
                return self._exported(other, name, depth + 1)
        raise Unread(f"{cleaned(name, 60)} is not exported as a constant")

    def _located(self, module: str, path: str) -> str | None:
        """The file that a relative import names, as bundlers and Node look for it."""
        if not module.startswith("."):
            return None
        parts = list(PurePosixPath(path).parent.parts)
        for part in module.split("/"):
            if part == "..":
                if not parts:
                    return None
                parts.pop()
            elif part not in {"", "."}:
                parts.append(part)
        whole = "/".join(parts)
        stem = re.sub(r"\.(?:[mc]?[jt]s|[jt]sx)$", "", whole)
        tried = [whole, *(f"{base}{end}" for base in dict.fromkeys((stem, whole)) for end in SUFFIXES)]
        tried += [f"{whole}/index{end}" for end in SUFFIXES]
        return next((one for one in tried if one.endswith(SUFFIXES) and self.files.has(one)), None)

    def _member(self, place: Expression, depth: int) -> Expression | ImportedName | None:
        """`X.name` of an object, an enumeration or a module; None where X is something else."""
        if len(place.children) < 2:
            return None
        key = place.children[-1]
        if place.kind == "member_expression":
            name = place.at(key).text()
        else:
            value = self.literal(place.at(key), depth + 1)
            if not isinstance(value, str):
                raise Unread("an element is chosen by number")
            name = value
        of = self.settle(place.at(place.children[0]), depth + 1)
        if isinstance(of, ImportedName):
            if of.name == "*" and of.module.endswith(SUFFIXES) and self.files.has(of.module):
                other = self.module(of.module)
                if other is None:
                    raise Unread("a module could not be read")
                return self._exported(other, name, depth + 1)
            return None if of.name == "*" else ImportedName(of.module, f"{of.name}.{name}")
        if of.kind == "object":
            found = self.members(of, depth + 1).get(name)
            if found is None:
                raise Unread(f"an object has no {cleaned(name, 60)} that is written out")
            return found
        if of.kind == "enum_declaration":
            return self._of_enum(of, name)
        return None

    def _of_enum(self, place: Expression, name: str) -> Expression:
        for one in place.children[-1].children:
            if one.kind == "enum_assignment" and len(one.children) == 2 and _key(place.at(one.children[0])) == name:
                return place.at(one.children[1])
        raise Unread(f"{cleaned(name, 60)} of an enumeration is not written out")

    def enumerated(self, place: Expression, depth: int) -> list[Any]:
        """The values of an enumeration, or of an object of constants."""
        if place.kind == "enum_declaration":
            found = place.children[-1].children
            if not all(one.kind == "enum_assignment" and len(one.children) == 2 for one in found):
                raise Unread("an enumeration counts its values")
            return [self.literal(place.at(one.children[1]), depth + 1) for one in found]
        if place.kind == "object":
            return [self.literal(one, depth + 1) for one in self.members(place, depth + 1).values()]
        raise Unread("the values of an enumeration are computed")

    def members(self, place: Expression, depth: int) -> dict[str, Expression]:
        """The properties of an object, those spread into it from constants too. Raises Unread where not all are known."""
        found: dict[str, Expression] = {}
        for one in place.children:
            self.step(depth)
            if one.kind == "pair" and len(one.children) == 2:
                found[self.key(place.at(one.children[0]), depth + 1)] = place.at(one.children[1])
            elif one.kind == "shorthand_property_identifier":
                found[place.at(one).text()] = place.at(one)
            elif one.kind == "method_definition" and one.children:
                found[place.at(one.children[0]).text()] = place.at(one)
            elif one.kind == "spread_element" and one.children:
                spread = self.settle(place.at(one.children[0]), depth + 1)
                if isinstance(spread, ImportedName) or spread.kind != "object":
                    raise Unread("what is spread into an object is computed")
                found.update(self.members(spread, depth + 1))
            else:
                raise Unread("a part of an object was not understood")
        return found

    def key(self, place: Expression, depth: int) -> str:
        if place.kind == "computed_property_name" and place.children:
            value = self.literal(place.at(place.children[0]), depth + 1)
            if isinstance(value, str):
                return value
        elif place.kind in {"property_identifier", "string", "number"}:
            return _key(place)
        raise Unread("a property's name is computed")

    # --- values ---

    def literal(self, place: Expression, depth: int = 0) -> Any:
        """The value of a constant expression, as JSON has it. Raises Unread."""
        self.step(depth)
        settled = self.settle(place, depth)
        if isinstance(settled, ImportedName):
            raise Unread(f"{cleaned(settled.name, 60)} comes from another package")
        simple = {"true": True, "false": False, "null": None}
        if settled.kind in simple:
            return simple[settled.kind]
        read = {
            "string": self._string,
            "template_string": self._string,
            "number": self._number,
            "unary_expression": self._unary,
            "binary_expression": self._binary,
            "array": self._array,
            "object": self._object,
            "call_expression": self._called,
        }.get(settled.kind)
        if read is None:
            raise Unread("a value is computed")
        return read(settled, depth + 1)

    def _string(self, place: Expression, depth: int) -> str:
        parts: list[str] = []
        for one in place.children:
            if one.kind == "string_fragment":
                parts.append(place.at(one).text())
            elif one.kind == "escape_sequence":
                parts.append(_escaped(place.at(one).text()))
            elif one.kind == "template_substitution" and one.children:
                value = self.literal(place.at(one.children[0]), depth)
                parts.append(value if isinstance(value, str) else _as_text(value))
            else:
                raise Unread("a text was not understood")
        text = "".join(parts)
        if len(text) > MAX_TEXT:
            raise Unread("a text is too long")
        return _sound(text)

    def _number(self, place: Expression, _depth: int) -> int | float:
        word = place.text().replace("_", "")
        if len(word) > 40:
            raise Unread("a number was not understood")
        try:
            value = int(word, 0) if re.match("0[xob]", word, re.IGNORECASE) else float(word)
        except ValueError:
            raise Unread("a number was not understood") from None
        if value != value or abs(value) == float("inf"):  # noqa: PLR0124 (not a number)
            raise Unread("a number is too large")
        return int(value) if value == int(value) and abs(value) < 2**53 else value

    def _unary(self, place: Expression, depth: int) -> Any:
        value = self.literal(place.at(place.children[0]), depth) if place.children else None
        if place.text().startswith("-") and isinstance(value, int | float) and not isinstance(value, bool):
            return -value
        raise Unread("a value is computed")

    def _binary(self, place: Expression, depth: int) -> Any:
        if len(place.children) != 2:
            raise Unread("a value is computed")
        left, right = (self.literal(place.at(one), depth) for one in place.children)
        source = place.block.module.source
        sign = source[place.children[0].end : place.children[1].start].strip()
        if sign == b"+" and isinstance(left, str) and isinstance(right, str):
            if len(left) + len(right) > MAX_TEXT:
                raise Unread("a text is too long")
            return left + right
        if not {type(left), type(right)} <= {int, float} or max(abs(left), abs(right)) >= 2**40:
            raise Unread("a value is computed")
        if sign == b"*":
            return left * right
        if sign in {b"+", b"-"}:
            return left + right if sign == b"+" else left - right
        raise Unread("a value is computed")

    def _array(self, place: Expression, depth: int) -> list[Any]:
        return [self.literal(one, depth) for one in self.elements(place, depth)]

    def elements(self, place: Expression, depth: int) -> list[Expression]:
        """The elements of an array, those spread into it too. Raises Unread where not all are known."""
        found: list[Expression] = []
        for one in place.children:
            self.step(depth)
            if one.kind == "spread_element" and one.children:
                spread = self.settle(place.at(one.children[0]), depth + 1)
                if isinstance(spread, ImportedName) or spread.kind != "array":
                    raise Unread("what is spread into a list is computed")
                found.extend(self.elements(spread, depth + 1))
            else:
                found.append(place.at(one))
            if len(found) > MAX_TEXT:
                raise Unread("a list is too long")
        return found

    def _object(self, place: Expression, depth: int) -> dict[str, Any]:
        return {key: self.literal(value, depth) for key, value in self.members(place, depth).items()}

    def _called(self, place: Expression, depth: int) -> Any:
        """`[…].join("…")` and `"…".trim()`: texts are often written so."""
        function = place.children[0]
        if function.kind == "member_expression" and len(function.children) == 2:
            word = place.at(function.children[1]).text()
            given = place.children[-1].children
            if word in {"join", "trim"} and len(given) == (word == "join"):
                value = self.literal(place.at(function.children[0]), depth)
                if word == "trim" and isinstance(value, str):
                    return value.strip()
                sign = self.literal(place.at(given[0]), depth) if given else None
                if isinstance(sign, str) and isinstance(value, list) and all(isinstance(one, str) for one in value):
                    return sign.join(value)[:MAX_TEXT]
        raise Unread("a value is computed by a call")


def _key(place: Expression) -> str:
    text = place.text()
    if place.kind != "string":
        return _sound(text)
    return _sound(
        "".join(
            _escaped(place.at(one).text()) if one.kind == "escape_sequence" else place.at(one).text()
            for one in place.children
        )
    )


def _escaped(sequence: str) -> str:
    word = sequence[1:]
    if word in _ESCAPES:
        return _ESCAPES[word]
    number = re.fullmatch(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{0*([0-9a-fA-F]{1,6})\}", word)
    if number is None:
        return word
    code = int(next(one for one in number.groups() if one), 16)
    return chr(code) if code <= 0x10FFFF else "\ufffd"


def _sound(text: str) -> str:
    """Halves of a character written as two escapes are joined; a half alone is replaced."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _as_text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unread("a text holds something that is no text")
    return str(value)
