"""Annotations of Python code become schemas: the types of typing, dataclasses, pydantic models, enums. By syntax tree only."""

import ast
from typing import Any

from workermd.derive.interfaces.classes import ClassFields, family
from workermd.derive.interfaces.dialect import MAX_ENUM, fits
from workermd.derive.interfaces.scope import Definition, Inexpressible, NotLiteral, Scope, Sources, dotted, keywords
from workermd.derive.interfaces.texts import MAX_DESCRIPTION, MAX_KEY, Notes
from workermd.derive.model import Evidence
from workermd.protocol.envelope import Document
from workermd.system.text import cleaned

MAX_DEPTH = 12
MAX_CITED = 8
MAX_TYPES = 2000
"""Types looked at for one function."""

_TABLE: tuple[tuple[str, Document], ...] = (
    (
        "str pathlib.Path pathlib.PurePath os.PathLike typing.AnyStr typing.Text typing.LiteralString",
        {"type": "string"},
    ),
    ("pydantic.SecretStr pydantic.StrictStr pydantic.FilePath pydantic.DirectoryPath", {"type": "string"}),
    ("int pydantic.StrictInt", {"type": "integer"}),
    ("float pydantic.StrictFloat decimal.Decimal", {"type": "number"}),
    ("bool pydantic.StrictBool", {"type": "boolean"}),
    ("None types.NoneType", {"type": "null"}),
    ("typing.Any object pydantic.JsonValue", {}),
    ("bytes bytearray", {"type": "string", "contentEncoding": "base64"}),
    ("dict typing.Dict collections.OrderedDict", {"type": "object"}),
    ("list tuple typing.List typing.Tuple", {"type": "array"}),
    ("set frozenset", {"type": "array", "uniqueItems": True}),
    ("datetime.datetime", {"type": "string", "format": "date-time"}),
    ("datetime.date", {"type": "string", "format": "date"}),
    ("datetime.time", {"type": "string", "format": "time"}),
    ("datetime.timedelta", {"type": "string", "format": "duration"}),
    ("uuid.UUID", {"type": "string", "format": "uuid"}),
    ("pydantic.EmailStr", {"type": "string", "format": "email"}),
    ("pydantic.HttpUrl pydantic.AnyUrl pydantic.AnyHttpUrl", {"type": "string", "format": "uri"}),
    ("pydantic.PositiveInt", {"type": "integer", "exclusiveMinimum": 0}),
    ("pydantic.NonNegativeInt", {"type": "integer", "minimum": 0}),
    ("pydantic.PositiveFloat", {"type": "number", "exclusiveMinimum": 0}),
    ("pydantic.NonNegativeFloat", {"type": "number", "minimum": 0}),
)
_PLAIN = {word: schema for words, schema in _TABLE for word in words.split()}
_ABC = ("typing.", "typing_extensions.", "collections.abc.")
_LISTS = {
    *("list", "List", "Sequence", "MutableSequence", "Iterable", "Collection", "Iterator", "Generator", "deque"),
    *("AsyncIterator", "AsyncGenerator", "AsyncIterable"),
}
_SETS = {"set", "frozenset", "Set", "FrozenSet", "AbstractSet", "MutableSet"}
_MAPS = {"dict", "Dict", "Mapping", "MutableMapping", "OrderedDict", "defaultdict", "DefaultDict"}
_THROUGH = {"Annotated", "Final", "Required", "NotRequired", "ReadOnly", "Awaitable", "ClassVar", "InitVar"}
_BOUNDS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "pattern": "pattern",
    "regex": "pattern",
    "title": "title",
}
_ENUMS = {"Enum", "StrEnum", "IntEnum", "IntFlag", "Flag"}


class Types:
    """Annotations to schemas. `notes` collects what could not be expressed, `used` the classes that were written out."""

    def __init__(self, sources: Sources, notes: Notes) -> None:
        self.sources = sources
        self.notes = notes
        self.used: dict[int, tuple[str, ast.ClassDef]] = {}
        self._open: list[tuple[str, str]] = []
        self._count = 0

    def schema(self, node: ast.expr, scope: Scope, depth: int = 0) -> Document:
        """The schema of an annotation. Raises Inexpressible."""
        self._count += 1
        if depth > MAX_DEPTH or self._count > MAX_TYPES:
            self.notes.add(f"types below level {MAX_DEPTH} are cut; anything is accepted there")
            return {}
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str):
                return self.schema(_expression(node.value), scope, depth + 1)
            if node.value is None:
                return {"type": "null"}
        if isinstance(node, ast.Subscript):
            return self._subscript(node, scope, depth)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            return self._union(_alternatives(node), scope, depth)
        named = isinstance(node, ast.Name | ast.Attribute)
        return self._name(node, scope, depth) if named else self._constrained(node, scope)

    def evidence(self) -> tuple[Evidence, ...]:
        """The lines of the classes that were written out, at most MAX_CITED of them."""
        return tuple(self.sources.files.cite_node(path, node) for path, node in list(self.used.values())[:MAX_CITED])

    # --- names ---

    def _name(self, node: ast.expr, scope: Scope, depth: int) -> Document:
        word = scope.qualified(node)
        known = _PLAIN.get(word) or _PLAIN.get(word.replace("typing_extensions.", "typing."))
        if known is not None or word in _PLAIN:
            return dict(known or {})
        bare = word.rpartition(".")[2]
        if word.startswith(_ABC) and bare in _LISTS | _SETS | _MAPS:
            return {"type": "object"} if bare in _MAPS else {"type": "array"}
        name = dotted(node)
        found = self.sources.definition(scope, name)
        if found is None:
            raise Inexpressible(f"the type {cleaned(name, 60)}")
        return self._defined(found[0], found[1], name, depth)

    def _defined(self, scope: Scope, definition: Definition, name: str, depth: int) -> Document:
        if isinstance(definition, ast.ClassDef):
            return self.of_class(scope, definition, depth)
        if isinstance(definition, ast.Assign | ast.AnnAssign) and definition.value is not None:
            value = definition.value
            place = (scope.path, name)
            if place in self._open:
                self.notes.add(f"{cleaned(name, 60)} holds itself; anything is accepted where it comes back")
                return {}
            self._open.append(place)
            try:
                return self._alias(value, scope, depth)
            finally:
                self._open.pop()
        raise Inexpressible(f"the type {cleaned(name, 60)}")

    def _alias(self, value: ast.expr, scope: Scope, depth: int) -> Document:
        if isinstance(value, ast.Call):
            word = scope.qualified(value.func).rpartition(".")[2]
            if word == "NewType" and len(value.args) == 2:
                return self.schema(value.args[1], scope, depth + 1)
            if word == "TypeVar":
                bound = keywords(value).get("bound")
                return self.schema(bound, scope, depth + 1) if bound is not None else {}
            raise Inexpressible("a type made by a call")
        return self.schema(value, scope, depth + 1)

    # --- generics ---

    def _subscript(self, node: ast.Subscript, scope: Scope, depth: int) -> Document:
        word = scope.qualified(node.value)
        bare = word.rpartition(".")[2]
        known = word == bare or word.startswith((*_ABC, "collections.", "dataclasses.", "os."))
        parts = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
        if not known or not parts:
            raise Inexpressible(f"the type {cleaned(dotted(node.value), 60)}[…]")
        if bare == "Literal":
            return self._literal(parts, scope)
        if bare in {"Optional", "Union"}:
            nothing: list[ast.expr] = [ast.Constant(value=None)] if bare == "Optional" else []
            return self._union([*parts, *nothing], scope, depth)
        if bare in _THROUGH:
            schema = self.schema(parts[0], scope, depth + 1)
            return self.annotated(schema, parts[1:], scope) if bare == "Annotated" else schema
        return self._container(bare, parts, scope, depth)

    def _container(self, bare: str, parts: list[ast.expr], scope: Scope, depth: int) -> Document:
        if bare in {"tuple", "Tuple"}:
            return self._tuple(parts, scope, depth)
        if bare in _LISTS | _SETS:
            unique: Document = {"uniqueItems": True} if bare in _SETS else {}
            return {"type": "array", "items": self.schema(parts[0], scope, depth + 1), **unique}
        if bare in _MAPS and len(parts) == 2:
            return {"type": "object", "additionalProperties": self.schema(parts[1], scope, depth + 1)}
        if bare == "Coroutine" and len(parts) == 3:
            return self.schema(parts[2], scope, depth + 1)
        if bare == "PathLike":
            return {"type": "string"}
        raise Inexpressible(f"the type {cleaned(bare, 60)}[…]")

    def _literal(self, parts: list[ast.expr], scope: Scope) -> Document:
        try:
            values = [self.sources.literal(scope, part) for part in parts]
        except NotLiteral:
            raise Inexpressible("a Literal whose values are not written out") from None
        return _enum(values, self.notes)

    def _union(self, parts: list[ast.expr], scope: Scope, depth: int) -> Document:
        schemas: list[Document] = []
        for part in parts:
            schema = self.schema(part, scope, depth + 1)
            if schema not in schemas:
                schemas.append(schema)
        if {} in schemas:
            return {}
        if all(isinstance(schema.get("type"), str) and len(schema) == 1 for schema in schemas):
            words = [schema["type"] for schema in schemas]
            return {"type": words[0] if len(words) == 1 else words}
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}

    def _tuple(self, parts: list[ast.expr], scope: Scope, depth: int) -> Document:
        if len(parts) == 2 and isinstance(parts[1], ast.Constant) and parts[1].value is ...:
            return {"type": "array", "items": self.schema(parts[0], scope, depth + 1)}
        items = [self.schema(part, scope, depth + 1) for part in parts]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}

    # --- constraints ---

    def _constrained(self, node: ast.expr, scope: Scope) -> Document:
        """pydantic's `constr(…)`, `conint(…)` and kin."""
        if not isinstance(node, ast.Call):
            raise Inexpressible("an annotation that is no type")
        word = scope.qualified(node.func)
        plain = {"constr": "string", "conint": "integer", "confloat": "number"}.get(word.rpartition(".")[2])
        if plain is None or not word.startswith("pydantic."):
            raise Inexpressible("a type made by a call")
        return self.constrain({"type": plain}, node, scope)

    def annotated(self, schema: Document, extras: list[ast.expr], scope: Scope) -> Document:
        """What the rest of `Annotated[T, …]` says: texts, Field, Doc and the constraints of annotated_types."""
        for extra in extras:
            if isinstance(extra, ast.Constant) and isinstance(extra.value, str):
                schema = {**schema, "description": cleaned(extra.value, MAX_DESCRIPTION)}
            elif isinstance(extra, ast.Call):
                word = scope.qualified(extra.func).rpartition(".")[2]
                if word in {"Field", "Query", "Path", "Body", "StringConstraints", "Interval", "Len"}:
                    schema = self.constrain(schema, extra, scope)
                elif word in {"Ge", "Gt", "Le", "Lt", "MinLen", "MaxLen", "MultipleOf", "Doc"} and extra.args:
                    schema = self._one_bound(schema, _AS_KEYWORD.get(word, word.lower()), extra.args[0], scope)
        return schema

    def constrain(self, schema: Document, call: ast.Call, scope: Scope) -> Document:
        """The bounds and texts among the named arguments of `Field(…)` and its kin."""
        for name, node in keywords(call).items():
            schema = self._one_bound(schema, name, node, scope)
        return schema

    def _one_bound(self, schema: Document, name: str, node: ast.expr, scope: Scope) -> Document:
        try:
            value = self.sources.literal(scope, node)
        except NotLiteral:
            return schema
        if name in {"description", "examples"}:
            said = cleaned(value, MAX_DESCRIPTION) if name == "description" else value
            return {**schema, name: said} if said and (name == "description" or isinstance(value, list)) else schema
        if name in {"min_length", "max_length", "min_items", "max_items"}:
            kind = {"array": "Items", "object": "Properties"}.get(str(schema.get("type")), "Length")
            name = name[:3] + kind
        else:
            name = _BOUNDS.get(name, "")
        if not name or value is None or isinstance(value, list | dict | bool):
            return schema
        if "anyOf" in schema and name != "title":  # Optional[…] with a bound: the bound holds for what it can hold for
            return {**schema, "anyOf": [self._one_bound_plain(one, name, value) for one in schema["anyOf"]]}
        return {**schema, name: value}

    def _one_bound_plain(self, schema: Document, name: str, value: Any) -> Document:
        return schema if schema == {"type": "null"} else {**schema, name: value}

    # --- classes ---

    def of_class(self, scope: Scope, node: ast.ClassDef, depth: int) -> Document:
        """The schema of a dataclass, a model, a TypedDict, a NamedTuple or an Enum. Raises Inexpressible."""
        place = (scope.path, node.name)
        if place in self._open:
            self.notes.add(f"{cleaned(node.name, 60)} holds itself; anything is accepted where it comes back")
            return {}
        kind = family(self.sources, scope, node)
        if kind == "":
            raise Inexpressible(f"the class {cleaned(node.name, 60)}")
        self.used[id(node)] = scope.path, node
        self._open.append(place)
        try:
            if kind == "enum":
                return self._enum_class(scope, node)
            return ClassFields(self, kind, depth).schema(scope, node)
        finally:
            self._open.pop()

    def _enum_class(self, scope: Scope, node: ast.ClassDef) -> Document:
        values: list[Any] = []
        bases = {scope.qualified(base).rpartition(".")[2] for base in node.bases}
        for statement in node.body:
            if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
                continue
            name = statement.targets[0].id
            if name.startswith("_"):
                continue
            if isinstance(statement.value, ast.Call) and scope.qualified(statement.value.func).endswith("auto"):
                values.append(name.lower() if "StrEnum" in bases else len(values) + 1)
                continue
            try:
                values.append(self.sources.literal(scope, statement.value))
            except NotLiteral:
                raise Inexpressible(f"the values of {cleaned(node.name, 60)}") from None
        if not values:
            raise Inexpressible(f"the class {cleaned(node.name, 60)}")
        return _enum(values, self.notes)


_AS_KEYWORD = {"MinLen": "min_length", "MaxLen": "max_length", "MultipleOf": "multiple_of", "Doc": "description"}


def _enum(values: list[Any], notes: Notes) -> Document:
    kept: list[Any] = []
    for value in values[: MAX_ENUM + 1]:
        if not any(value == other and type(value) is type(other) for other in kept):
            kept.append(value)
    if len(kept) > MAX_ENUM or not all(fits(value) for value in kept):
        notes.add(f"a list of allowed values is too large (more than {MAX_ENUM}); any value is accepted")
        return {}
    kinds = {type(value) for value in kept}
    word = {str: "string", int: "integer"}.get(kinds.pop()) if len(kinds) == 1 else None
    return {"type": word, "enum": kept} if word else {"enum": kept}


def _expression(text: str) -> ast.expr:
    """A type written as text. Raises Inexpressible."""
    if len(text) <= 2 * MAX_KEY:
        try:
            return ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            pass
    raise Inexpressible("an annotation that is no type")


def _alternatives(node: ast.expr) -> list[ast.expr]:
    """`A | B | C`, from left to right; without recursion, however long."""
    found: list[ast.expr] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        found.append(node.right)
        node = node.left
    return [node, *reversed(found)]
