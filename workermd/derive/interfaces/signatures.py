"""The parameters and the result of a Python function as schemas."""

import ast
from typing import NamedTuple

from workermd.derive.interfaces.annotations import Types
from workermd.derive.interfaces.dialect import arguments, defaulted, fits, fitted
from workermd.derive.interfaces.docstrings import DocstringParts, parse
from workermd.derive.interfaces.scope import Inexpressible, NotLiteral, Scope, Sources, field_of
from workermd.derive.interfaces.texts import Notes
from workermd.derive.model import Evidence
from workermd.protocol.envelope import Document
from workermd.system.text import cleaned

Function = ast.FunctionDef | ast.AsyncFunctionDef

_OF_VALUES = {str: "string", bool: "boolean", int: "integer", float: "number"}


class Untyped(ValueError):
    """A function that cannot be called by a schema: a required parameter without a usable type."""


class Signature(NamedTuple):
    """`evidence` is the function, then the classes that its schemas are made of."""

    input_schema: Document
    output_schema: Document | None
    said: DocstringParts
    evidence: tuple[Evidence, ...]


class _Parameter(NamedTuple):
    node: ast.arg
    default: ast.expr | None
    required: bool


def signature(
    sources: Sources, scope: Scope, function: Function, notes: Notes, given: frozenset[str] = frozenset()
) -> Signature:
    """The schemas of a function; `given` are last words of types that the framework passes in. Raises Untyped."""
    types = Types(sources, notes)
    said = parse(ast.get_docstring(function, clean=False))
    properties: dict[str, Document] = {}
    required: list[str] = []
    for parameter in _parameters(function.args):
        name = parameter.node.arg
        if _last_word(scope, parameter.node.annotation) & given or (
            name in ("self", "cls") and not parameter.node.annotation
        ):
            continue
        schema = _schema(types, scope, parameter, notes)
        if schema is None:
            continue
        if name in said.parameters and "description" not in schema:
            schema = {**schema, "description": said.parameters[name]}
        properties[name] = schema
        if parameter.required and not _has_default(scope, parameter.node.annotation):
            required.append(name)
    schema = arguments(properties, required)
    _star(types, scope, function.args, schema, notes)
    output = _result(types, scope, function, notes, said)
    evidence = sources.files.cite_node(scope.path, function), *types.evidence()
    return Signature(fitted(schema, notes), output, said, tuple(dict.fromkeys(evidence)))


def _parameters(args: ast.arguments) -> list[_Parameter]:
    plain = [*args.posonlyargs, *args.args]
    missing = len(plain) - len(args.defaults)
    found = [
        _Parameter(node, args.defaults[number - missing] if number >= missing else None, number < missing)
        for number, node in enumerate(plain)
    ]
    found.extend(
        _Parameter(node, default, default is None)
        for node, default in zip(args.kwonlyargs, args.kw_defaults, strict=True)
    )
    return found


def _last_word(scope: Scope, annotation: ast.expr | None) -> set[str]:
    """The bare names of the types that an annotation offers."""
    if annotation is None:
        return set()
    names = [node for node in ast.walk(annotation) if isinstance(node, ast.Name | ast.Attribute)]
    return {scope.qualified(node).rpartition(".")[2] for node in names[:20]}


def _schema(types: Types, scope: Scope, parameter: _Parameter, notes: Notes) -> Document | None:
    """The schema of a parameter; None, with a note, for an optional one that cannot be expressed."""
    name = cleaned(parameter.node.arg, 60)
    options, default = _declared(scope, parameter.default)
    if default is None and (field := field_of(scope, parameter.node.annotation)) is not None:
        default = _declared(scope, field)[1]
    is_required = parameter.required
    try:
        value = types.sources.literal(scope, default) if default is not None else None
        known = default is not None and fits(value)
    except NotLiteral:
        value, known = None, False
    annotation = parameter.node.annotation
    if annotation is None:
        word = _OF_VALUES.get(type(value)) if known else None
        if word is None:
            if is_required:
                raise Untyped(f"the parameter {name} has no type")
            notes.add(f"the parameter {name} is left out: it has no type")
            return None
        return {"type": word, "default": value}
    try:
        schema = types.schema(annotation, scope)
    except Inexpressible as error:
        if is_required:
            raise Untyped(f"the parameter {name} has {error}") from None
        notes.add(f"the parameter {name} is left out: it has {error}")
        return None
    if options is not None:
        schema = types.constrain(schema, options, scope)
    return defaulted(schema, value) if known else schema


def _declared(scope: Scope, default: ast.expr | None) -> tuple[ast.Call | None, ast.expr | None]:
    """`= Field(default=…, ge=…)` as the call and the default in it."""
    if isinstance(default, ast.Call) and scope.qualified(default.func).rpartition(".")[2] == "Field":
        named = next((keyword.value for keyword in default.keywords if keyword.arg == "default"), None)
        return default, named or (default.args[0] if default.args else None)
    return None, default


def _has_default(scope: Scope, annotation: ast.expr | None) -> bool:
    """`Annotated[int, Field(default=…)]` without a default of Python's own."""
    field = field_of(scope, annotation)
    return field is not None and any(keyword.arg in ("default", "default_factory") for keyword in field.keywords)


def _star(types: Types, scope: Scope, args: ast.arguments, schema: Document, notes: Notes) -> None:
    """`*args` as a list of its name, `**kwargs` as any further arguments."""
    if args.vararg is not None and args.vararg.annotation is not None:
        try:
            item = types.schema(args.vararg.annotation, scope)
            schema["properties"][args.vararg.arg] = {"type": "array", "items": item, "default": []}
        except Inexpressible:
            notes.add(f"further positional arguments ({cleaned(args.vararg.arg, 60)}) are left out")
    elif args.vararg is not None:
        notes.add(f"further positional arguments ({cleaned(args.vararg.arg, 60)}) are left out")
    if args.kwarg is not None:
        schema["additionalProperties"] = True
        if args.kwarg.annotation is not None:
            try:
                schema["additionalProperties"] = types.schema(args.kwarg.annotation, scope) or True
            except Inexpressible:
                notes.add("further named arguments are of any type")


def _result(types: Types, scope: Scope, function: Function, notes: Notes, said: DocstringParts) -> Document | None:
    if function.returns is None:
        return None
    try:
        schema = fitted(types.schema(function.returns, scope), notes)
    except Inexpressible as error:
        notes.add(f"the result is not described: it is {error}")
        return None
    return {**schema, "description": said.result} if said.result and "description" not in schema else schema
