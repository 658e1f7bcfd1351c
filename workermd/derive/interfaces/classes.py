"""Classes whose fields are declared: dataclasses, attrs, pydantic models, TypedDict and NamedTuple."""

import ast
from typing import TYPE_CHECKING, Any, NamedTuple

from workermd.derive.interfaces.dialect import defaulted
from workermd.derive.interfaces.docstrings import parse
from workermd.derive.interfaces.scope import Inexpressible, NotLiteral, Scope, Sources, dotted, field_of, keywords
from workermd.protocol.envelope import Document
from workermd.system.text import cleaned

if TYPE_CHECKING:
    from workermd.derive.interfaces.annotations import Types

MAX_BASES = 8

_DECORATORS = {
    **dict.fromkeys(("dataclasses.dataclass", "pydantic.dataclasses.dataclass"), "dataclass"),
    **dict.fromkeys(
        ("attr.s", "attr.attrs", "attr.define", "attr.frozen", "attrs.define", "attrs.frozen"), "dataclass"
    ),
}
_BASES = {
    **dict.fromkeys(("pydantic.BaseModel", "pydantic.main.BaseModel", "pydantic_settings.BaseSettings"), "model"),
    **dict.fromkeys(("sqlmodel.SQLModel", "msgspec.Struct"), "model"),
    **dict.fromkeys(("typing.TypedDict", "typing_extensions.TypedDict"), "typeddict"),
    **dict.fromkeys(("typing.NamedTuple", "typing_extensions.NamedTuple"), "namedtuple"),
    **dict.fromkeys((f"enum.{word}" for word in ("Enum", "StrEnum", "IntEnum", "IntFlag", "Flag")), "enum"),
}
_FIELDS = {"Field", "field", "ib", "attrib"}
_MARKS = {"Required": True, "NotRequired": False}


def family(sources: Sources, scope: Scope, node: ast.ClassDef, seen: set[int] | None = None) -> str:
    """`dataclass`, `model`, `typeddict`, `namedtuple` or `enum`; "" for any other class."""
    seen = {id(node)} if seen is None else seen
    for decorator in node.decorator_list:
        word = scope.qualified(decorator.func if isinstance(decorator, ast.Call) else decorator)
        if word in _DECORATORS:
            return _DECORATORS[word]
    for base in node.bases[:MAX_BASES]:
        plain = base.value if isinstance(base, ast.Subscript) else base
        word = scope.qualified(plain)
        if word in _BASES:
            return _BASES[word]
        found = sources.definition(scope, dotted(plain))
        if found is not None and isinstance(found[1], ast.ClassDef) and id(found[1]) not in seen and len(seen) < 64:
            seen.add(id(found[1]))
            kind = family(sources, found[0], found[1], seen)
            if kind:
                return kind
    return ""


class Field(NamedTuple):
    schema: Document
    required: bool


class ClassFields:
    """The fields of one class, those of its bases first."""

    def __init__(self, types: "Types", kind: str, depth: int) -> None:
        self.types = types
        self.kind = kind
        self.depth = depth
        self._fields: dict[str, Field] = {}
        self._seen: set[int] = set()
        self._open = kind in {"model", "typeddict"}

    def schema(self, scope: Scope, node: ast.ClassDef) -> Document:
        """The schema of an instance. Raises Inexpressible where a required field cannot be expressed."""
        self._collect(scope, node)
        if self.kind == "namedtuple":
            items = [{**field.schema, "title": name} for name, field in self._fields.items()]
            least = sum(field.required for field in self._fields.values())
            return {"type": "array", "prefixItems": items, "minItems": least, "maxItems": len(items)}
        schema: Document = {
            "type": "object",
            "properties": {name: field.schema for name, field in self._fields.items()},
        }
        required = [name for name, field in self._fields.items() if field.required]
        if required:
            schema["required"] = required
        if not self._open:
            schema["additionalProperties"] = False
        said = parse(ast.get_docstring(node, clean=False)).summary
        return {**schema, "description": said} if said else schema

    def _collect(self, scope: Scope, node: ast.ClassDef) -> None:
        self._seen.add(id(node))
        self.types.used.setdefault(id(node), (scope.path, node))
        for base in reversed(node.bases[:MAX_BASES]):
            plain = base.value if isinstance(base, ast.Subscript) else base
            found = self.types.sources.definition(scope, dotted(plain))
            if (
                found is not None
                and isinstance(found[1], ast.ClassDef)
                and id(found[1]) not in self._seen
                and len(self._seen) < 64
            ):
                self._collect(found[0], found[1])
        total = not any(
            keyword.arg == "total" and isinstance(keyword.value, ast.Constant) and keyword.value.value is False
            for keyword in node.keywords
        )
        said = parse(ast.get_docstring(node, clean=False)).parameters
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                self._field(scope, statement, statement.target.id, total, said)
            elif isinstance(statement, ast.Assign):
                self._configuration(statement)

    def _configuration(self, statement: ast.Assign) -> None:
        """pydantic's `model_config = ConfigDict(extra="forbid")`."""
        named = [target.id for target in statement.targets if isinstance(target, ast.Name)]
        if self.kind == "model" and "model_config" in named and isinstance(statement.value, ast.Call):
            extra = keywords(statement.value).get("extra")
            if isinstance(extra, ast.Constant) and extra.value == "forbid":
                self._open = False

    def _field(self, scope: Scope, node: ast.AnnAssign, name: str, total: bool, said: dict[str, str]) -> None:
        annotation = node.annotation
        outer = (
            scope.qualified(annotation.value) if isinstance(annotation, ast.Subscript) else scope.qualified(annotation)
        )
        word = outer.rpartition(".")[2]
        if word in {"ClassVar", "KW_ONLY"} or (self.kind == "model" and name.startswith("_")):
            return
        required = _MARKS.get(word, total) if self.kind == "typeddict" else node.value is None
        value = node.value
        call = (
            value if isinstance(value, ast.Call) and scope.qualified(value.func).rpartition(".")[2] in _FIELDS else None
        )
        beside = field_of(scope, annotation) if call is None else None
        if beside is not None and value is None:  # the default stands in the annotation
            call = beside
        options = keywords(call) if call is not None else {}
        init = options.get("init")
        if isinstance(init, ast.Constant) and init.value is False:
            return
        default = self._default(scope, value, call, options)
        if call is not None:
            required = not default and "default_factory" not in options and "factory" not in options
            required = required and default is None
        try:
            schema = self.types.schema(annotation, scope, self.depth + 1)
        except Inexpressible as error:
            if required:
                raise
            self.types.notes.add(f"the field {cleaned(name, 60)} is left out: {error}")
            return
        if call is not None:
            schema = self.types.constrain(schema, call, scope)
        if default is not None:
            schema = defaulted(schema, default.value)
        if name in said and "description" not in schema:
            schema = {**schema, "description": said[name]}
        self._fields[self._spelled(scope, name, options)] = Field(schema, required)

    def _spelled(self, scope: Scope, name: str, options: dict[str, ast.expr]) -> str:
        alias = options.get("validation_alias", options.get("alias"))
        if self.kind == "model" and alias is not None:
            try:
                spelled = self.types.sources.literal(scope, alias)
            except NotLiteral:
                return name
            return spelled if isinstance(spelled, str) and spelled else name
        return name

    def _default(
        self, scope: Scope, value: ast.expr | None, call: ast.Call | None, options: dict[str, ast.expr]
    ) -> "_Default | None":
        """The default that is written out; one that has to be computed has `unknown`, None is no default."""
        node = value
        if call is not None:
            first = call.args[0] if call.args and scope.qualified(call.func).endswith("Field") else None
            node = options.get("default", first)
        if node is None or (isinstance(node, ast.Constant) and node.value is ...):
            return None
        try:
            return _Default(self.types.sources.literal(scope, node))
        except NotLiteral:
            return _Default(_Unknown)


class _Unknown:
    """A default that only running the code would tell: no JSON value, so it is never written."""


class _Default:
    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value
