"""zod schemas, read by syntax tree, as JSON Schema. What is not read accepts anything, and a note says so."""

from collections.abc import Callable
from typing import NamedTuple

from workermd.derive.interfaces.dialect import defaulted, fits
from workermd.derive.interfaces.ecmascript.modules import FUNCTIONS, Expression, ImportedName, SyntaxModules, Unread
from workermd.derive.interfaces.texts import MAX_DESCRIPTION, MAX_KEY, Notes
from workermd.protocol.envelope import Document
from workermd.system.text import cleaned, is_visible, shown

MAX_CHAIN = 60
"""Methods called one after the other on one schema."""

_TYPES: dict[str, Document] = {
    "string": {"type": "string"},
    "number": {"type": "number"},
    "int": {"type": "integer"},
    "int32": {"type": "integer"},
    "bigint": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "null": {"type": "null"},
    "any": {},
    "unknown": {},
    "json": {},
    "undefined": {},
    "void": {},
    "never": {"not": {}},
    "email": {"type": "string", "format": "email"},
    "url": {"type": "string", "format": "uri"},
    "httpUrl": {"type": "string", "format": "uri"},
    "uuid": {"type": "string", "format": "uuid"},
    "ipv4": {"type": "string", "format": "ipv4"},
    "ipv6": {"type": "string", "format": "ipv6"},
    "iso.date": {"type": "string", "format": "date"},
    "iso.datetime": {"type": "string"},
    "iso.time": {"type": "string"},
    **{word: {"type": "string"} for word in ("nanoid", "cuid", "cuid2", "ulid", "base64", "jwt", "guid", "stringbool")},
}
_MAY_BE_LEFT_OUT = {"any", "unknown", "json", "undefined", "void"}
_FORMATS = {"email": "email", "url": "uri", "uuid": "uuid", "ipv4": "ipv4", "ipv6": "ipv6", "date": "date"}
_NUMBER_BOUNDS = {
    **dict.fromkeys(("min", "gte"), "minimum"),
    **dict.fromkeys(("max", "lte"), "maximum"),
    **dict.fromkeys(("multipleOf", "step"), "multipleOf"),
    "gt": "exclusiveMinimum",
    "lt": "exclusiveMaximum",
}
_SAME = {
    *("trim", "toLowerCase", "toUpperCase", "normalize", "finite", "safe", "brand", "readonly", "register", "strip"),
    *(
        "nanoid",
        "cuid",
        "cuid2",
        "ulid",
        "base64",
        "jwt",
        "emoji",
        "ip",
        "cidr",
        "time",
        "datetime",
        "duration",
        "unwrap",
    ),
}
_UNSAID = {"refine", "superRefine", "check", "startsWith", "endsWith", "includes", "lowercase", "uppercase"}


class ZodSchema(NamedTuple):
    """A schema as JSON Schema, whether the property may be left out, and the shape where it is an object."""

    schema: Document
    optional: bool = False
    shape: "ZodShape | None" = None


class ZodShape(NamedTuple):
    """The properties of an object; `whole` where none is missing; `rest` what others may be, True for anything."""

    properties: dict[str, ZodSchema]
    whole: bool = True
    rest: Document | bool = False


OPEN = ZodSchema({}, optional=True)


class ZodReader:
    """Reads the schemas of one tool. `direction` is `input` or `output`."""

    def __init__(self, modules: SyntaxModules, notes: Notes, direction: str) -> None:
        self.modules = modules
        self.notes = notes
        self.direction = direction
        self._open: list[tuple[str, int, int]] = []

    def is_zod(self, place: Expression) -> bool:
        """Whether an expression is built from zod, or from constants that are."""
        try:
            found = self.modules.settle(place)
            return isinstance(found, Expression) and self._word(found) is not None
        except Unread:
            return False

    def read(self, place: Expression, depth: int = 0) -> ZodSchema:
        """The schema that an expression means; open, with a note, where it is not read."""
        try:
            return self._read(place, depth)
        except Unread as error:
            self.notes.add(f"a part of the schema is not read, and accepts anything: {error}")
            return OPEN

    def object_of(self, place: Expression) -> ZodSchema:
        """A schema, or an object whose properties are schemas."""
        found = self.modules.settle(place)
        if isinstance(found, Expression) and found.kind == "object":
            return self._object(self.shape(found, 0))
        return self._read(place, 0)

    def shape(self, place: Expression, depth: int) -> ZodShape:
        found = self.modules.settle(place, depth)
        if isinstance(found, Expression) and found.kind in {"call_expression", "member_expression"}:
            shape = self._read(found, depth + 1).shape
            if shape is not None:
                return shape
        if isinstance(found, ImportedName) or found.kind != "object":
            raise Unread("the properties of an object are computed")
        properties: dict[str, ZodSchema] = {}
        whole = True
        for one in found.children:
            self.modules.step(depth)
            try:
                whole = self._property(found.at(one), properties, depth + 1) and whole
            except Unread as error:
                whole = False
                self.notes.add(f"properties are missing, and any others are accepted: {error}")
        return ZodShape(properties, whole)

    def _property(self, place: Expression, properties: dict[str, ZodSchema], depth: int) -> bool:
        """One part of a shape; False where it is one of several that are not all known. Raises Unread."""
        if place.kind == "pair" and len(place.children) == 2:
            name = self.modules.key(place.at(place.children[0]), depth)
            properties[name] = self.read(place.at(place.children[1]), depth)
        elif place.kind == "shorthand_property_identifier":
            properties[place.text()] = self.read(place, depth)
        elif place.kind == "spread_element" and place.children:
            spread = self.shape(place.at(place.children[0]), depth)
            properties.update(spread.properties)
            return spread.whole
        else:
            raise Unread("a part of an object was not understood")
        return True

    def _object(self, shape: ZodShape) -> ZodSchema:
        known = {name: one for name, one in shape.properties.items() if len(name) <= MAX_KEY and is_visible(name)}
        schema: Document = {"type": "object", "properties": {name: one.schema for name, one in known.items()}}
        required = [name for name, one in known.items() if not one.optional]
        if required:
            schema["required"] = required
        is_whole = shape.whole and len(known) == len(shape.properties)
        if is_whole and shape.rest is not True and (shape.rest is not False or self.direction == "input"):
            schema["additionalProperties"] = shape.rest
        return ZodSchema(schema, shape=shape)

    # --- expressions ---

    def _read(self, place: Expression, depth: int) -> ZodSchema:
        self.modules.step(depth)
        found = self.modules.settle(place, depth)
        if isinstance(found, ImportedName):
            raise Unread(f"{cleaned(found.name, 60)} comes from another package")
        at = found.block.module.path, found.node.start, found.node.end
        if at in self._open:
            raise Unread("it holds itself")
        self._open.append(at)
        try:
            return self._settled(found, depth + 1)
        finally:
            self._open.pop()

    def _settled(self, place: Expression, depth: int) -> ZodSchema:
        if place.kind == "member_expression" and place.at(place.children[-1]).text() == "shape":
            return self._read(place.at(place.children[0]), depth)
        if place.kind != "call_expression" or len(place.children) < 2:
            raise Unread("it is no call of zod")
        word = self._word(place)
        given = [place.at(one) for one in place.children[-1].children]
        if word is not None and word != "":
            return self._built(word.removeprefix("coerce."), given, depth)
        function = place.children[0]
        if function.kind != "member_expression" or len(function.children) != 2:
            raise Unread("it is made by a function")
        base = self._read(place.at(function.children[0]), depth)
        return self._changed(base, place.at(function.children[1]).text(), given, depth)

    def _word(self, place: Expression, depth: int = 0) -> str | None:
        """`string` of `z.string()`; "" of a method called on a schema of zod; None where zod is not found."""
        self.modules.step(depth)
        node, block = place.node, place.block
        words: list[str] = []
        for _ in range(MAX_CHAIN):
            if node.kind == "call_expression" and node.children:
                if words:
                    return "" if self._word(Expression(node, block), depth + 1) is not None else None
                node = node.children[0]
            elif node.kind == "member_expression" and len(node.children) == 2:
                words.insert(0, block.module.text(node.children[1]))
                node = node.children[0]
            elif node.kind == "identifier":
                return self._named(Expression(node, block), words, depth + 1)
            else:
                return None
        return None

    def _named(self, place: Expression, words: list[str], depth: int) -> str | None:
        try:
            found = self.modules.settle(place, depth)
        except Unread:
            return None
        if isinstance(found, Expression):
            return "" if words and self._word(found, depth) is not None else None
        if "zod" not in found.module:
            return None
        own = found.name.split(".") if found.name not in {"z", "*", "default"} else []
        return ".".join([*(own[1:] if own[:1] == ["z"] else own), *words])

    # --- what z.… makes ---

    def _built(self, word: str, given: list[Expression], depth: int) -> ZodSchema:
        if word in _TYPES:
            return ZodSchema(dict(_TYPES[word]), optional=word in _MAY_BE_LEFT_OUT)
        build: Callable[[list[Expression], int], ZodSchema] | None = {
            "object": self._of_object,
            "strictObject": self._of_object,
            "looseObject": self._loose,
            "interface": self._of_object,
            "literal": self._literal,
            "enum": self._enum,
            "nativeEnum": self._enum,
            "array": self._array,
            "tuple": self._tuple,
            "record": self._record,
            "partialRecord": self._record,
            "union": self._union,
            "discriminatedUnion": self._union,
            "xor": self._union,
            "intersection": self._intersection,
            "preprocess": self._preprocess,
            "lazy": self._lazy,
        }.get(word)
        if build is not None:
            return build(given, depth)
        if word in {"optional", "nullable", "nullish"} and given:
            return self._changed(self.read(given[0], depth), word, [], depth)
        raise Unread(f"z.{cleaned(word, 40)} is not expressed")

    def _of_object(self, given: list[Expression], depth: int) -> ZodSchema:
        return self._object(self.shape(given[0], depth) if given else ZodShape({}))

    def _loose(self, given: list[Expression], depth: int) -> ZodSchema:
        return self._object(self.shape(_first(given), depth)._replace(rest=True))

    def _literal(self, given: list[Expression], depth: int) -> ZodSchema:
        value = self.modules.literal(_first(given), depth)
        return ZodSchema({"enum": value} if isinstance(value, list) and value else {"const": value})

    def _enum(self, given: list[Expression], depth: int) -> ZodSchema:
        found = self.modules.settle(_first(given), depth)
        if isinstance(found, ImportedName):
            raise Unread("the values of an enumeration come from another package")
        is_list = found.kind == "array"
        values = self.modules.literal(found, depth) if is_list else self.modules.enumerated(found, depth)
        if not values or not all(isinstance(value, str | int | float) for value in values):
            raise Unread("the values of an enumeration are not written out")
        word: Document = {"type": "string"} if all(isinstance(value, str) for value in values) else {}
        return ZodSchema({**word, "enum": list(dict.fromkeys(values))})

    def _array(self, given: list[Expression], depth: int) -> ZodSchema:
        return ZodSchema({"type": "array", "items": self.read(_first(given), depth).schema})

    def _tuple(self, given: list[Expression], depth: int) -> ZodSchema:
        parts = [self.read(one, depth) for one in self.modules.elements(self._list(given), depth)]
        schema: Document = {"type": "array", "prefixItems": [one.schema for one in parts]}
        if len(given) == 1 and not any(one.optional for one in parts):
            schema |= {"minItems": len(parts), "maxItems": len(parts)}
        return ZodSchema(schema if parts else {"type": "array"})

    def _record(self, given: list[Expression], depth: int) -> ZodSchema:
        value = self.read(given[-1], depth).schema if given else {}
        schema: Document = {"type": "object", "additionalProperties": value}
        if len(given) > 1:
            names = self.read(given[0], depth).schema
            if names.get("type") == "string" and len(names) > 1:
                schema["propertyNames"] = names
        return ZodSchema(schema)

    def _union(self, given: list[Expression], depth: int) -> ZodSchema:
        place = self._list(given[-1:] if given and given[0].kind == "string" else given)
        parts = [self.read(one, depth) for one in self.modules.elements(place, depth)]
        return _any_of(parts)

    def _list(self, given: list[Expression]) -> Expression:
        for one in given:
            found = self.modules.settle(one)
            if isinstance(found, Expression) and found.kind == "array":
                return found
        raise Unread("a list of schemas is computed")

    def _intersection(self, given: list[Expression], depth: int) -> ZodSchema:
        if len(given) != 2:
            raise Unread("an intersection was not understood")
        return self._both(self.read(given[0], depth), self.read(given[1], depth))

    def _both(self, left: ZodSchema, right: ZodSchema) -> ZodSchema:
        if left.shape and right.shape:
            return self._object(
                ZodShape({**left.shape.properties, **right.shape.properties}, left.shape.whole and right.shape.whole)
            )
        parts = [{**one.schema} for one in (left, right)]
        for one in parts:
            one.pop("additionalProperties", None)
        return ZodSchema({"allOf": parts}, left.optional and right.optional)

    def _preprocess(self, given: list[Expression], depth: int) -> ZodSchema:
        self.notes.add("a value is changed before it is checked: other forms than these may be accepted")
        found = self._read(given[-1], depth) if len(given) == 2 else OPEN
        return self._object(found.shape._replace(rest=True)) if found.shape else found

    def _lazy(self, given: list[Expression], depth: int) -> ZodSchema:
        function = _first(given)
        if function.kind not in FUNCTIONS or not function.children:
            raise Unread("a schema is computed")
        return self._read(function.at(function.children[-1]), depth)

    # --- what methods change ---

    def _changed(self, base: ZodSchema, word: str, given: list[Expression], depth: int) -> ZodSchema:
        if word in _SAME:
            return base
        if word in _UNSAID:
            self.notes.add("a condition beside the schema is not expressed")
            return base
        change: Callable[[ZodSchema, str, list[Expression], int], ZodSchema] | None = {
            **dict.fromkeys(("optional", "exactOptional", "nullable", "nullish"), self._lenient),
            **dict.fromkeys(("describe", "meta"), self._described),
            **dict.fromkeys(("default", "prefault", "catch"), self._default),
            **dict.fromkeys(("transform", "pipe", "overwrite"), self._transformed),
            **dict.fromkeys(("array", "or", "and"), self._joined),
        }.get(word)
        if change is not None:
            return change(base, word, given, depth)
        bound = self._bound(base.schema, word, given, depth)
        if bound is not None:
            return base._replace(schema=bound)
        if base.shape is not None:
            return self._reshaped(base.shape, word, given, depth)._replace(optional=base.optional)
        raise Unread(f"the method {shown(word)} is not expressed")

    def _lenient(self, base: ZodSchema, word: str, _given: list[Expression], _depth: int) -> ZodSchema:
        if word in {"nullable", "nullish"}:
            return ZodSchema(_or_null(base.schema), base.optional or word == "nullish")
        return base._replace(optional=True)

    def _described(self, base: ZodSchema, word: str, given: list[Expression], depth: int) -> ZodSchema:
        return base._replace(schema=self._said(base.schema, word, given, depth))

    def _transformed(self, base: ZodSchema, word: str, _given: list[Expression], _depth: int) -> ZodSchema:
        return base if self.direction == "input" or word == "overwrite" else OPEN._replace(optional=base.optional)

    def _joined(self, base: ZodSchema, word: str, given: list[Expression], depth: int) -> ZodSchema:
        if word == "array":
            return ZodSchema({"type": "array", "items": base.schema})
        other = self.read(_first(given), depth)
        return _any_of([base, other]) if word == "or" else self._both(base, other)

    def _said(self, schema: Document, word: str, given: list[Expression], depth: int) -> Document:
        try:
            value = self.modules.literal(_first(given), depth)
        except Unread:
            return schema
        said = {"description": value} if word == "describe" else value if isinstance(value, dict) else {}
        texts = {key: cleaned(said.get(key), MAX_DESCRIPTION) for key in ("title", "description")}
        return {**schema, **{key: text for key, text in texts.items() if text}}

    def _default(self, base: ZodSchema, word: str, given: list[Expression], depth: int) -> ZodSchema:
        schema = base.schema
        if word == "catch":
            self.notes.add("a value that does not fit is replaced, so any is accepted")
            schema = {"description": schema["description"]} if "description" in schema else {}
        try:
            value = self.modules.literal(_first(given), depth)
        except Unread:
            return ZodSchema(schema, optional=True, shape=base.shape if schema is base.schema else None)
        return base._replace(schema=defaulted(schema, value), optional=True)

    def _bound(self, schema: Document, word: str, given: list[Expression], depth: int) -> Document | None:
        """A bound or a format of a string, a number or a list; None for another method."""
        kind = schema.get("type")
        if kind in {"number", "integer"}:
            return self._of_number(schema, word, given, depth)
        if kind == "string" and word in _FORMATS:
            return {**schema, "format": _FORMATS[word]}
        if kind == "string" and word == "regex":
            return self._pattern(schema, _first(given))
        if kind not in {"string", "array"} or word not in {"min", "max", "length", "nonempty"}:
            return None
        names = ("minLength", "maxLength") if kind == "string" else ("minItems", "maxItems")
        value = 1 if word == "nonempty" else self._amount(given, depth)
        if not isinstance(value, int) or value < 0:
            return schema
        chosen = {"max": names[1:], "length": names}.get(word, names[:1])
        return {**schema, **dict.fromkeys(chosen, value)}

    def _of_number(self, schema: Document, word: str, given: list[Expression], depth: int) -> Document | None:
        fixed: dict[str, Document] = {
            "int": {"type": "integer"},
            "positive": {"exclusiveMinimum": 0},
            "negative": {"exclusiveMaximum": 0},
            "nonnegative": {"minimum": 0},
            "nonpositive": {"maximum": 0},
        }
        if word in fixed:
            return {**schema, **fixed[word]}
        keyword = _NUMBER_BOUNDS.get(word)
        if keyword is None:
            return None
        value = self._amount(given, depth)
        return schema if value is None or (keyword == "multipleOf" and value <= 0) else {**schema, keyword: value}

    def _amount(self, given: list[Expression], depth: int) -> int | float | None:
        try:
            value = self.modules.literal(_first(given), depth)
        except Unread as error:
            self.notes.add(f"a bound is not read: {error}")
            return None
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    def _pattern(self, schema: Document, place: Expression) -> Document:
        found = self.modules.settle(place)
        plain = isinstance(found, Expression) and [one.kind for one in found.children] == ["regex_pattern"]
        if isinstance(found, Expression) and plain and "pattern" not in schema:
            return {**schema, "pattern": found.at(found.children[0]).text()}
        self.notes.add("a pattern is not expressed")
        return schema

    def _reshaped(self, shape: ZodShape, word: str, given: list[Expression], depth: int) -> ZodSchema:
        properties = shape.properties
        if word in {"extend", "safeExtend", "merge", "augment"}:
            more = self.shape(_first(given), depth)
            return self._object(ZodShape({**properties, **more.properties}, shape.whole and more.whole, shape.rest))
        if word in {"strict", "passthrough", "loose"}:
            return self._object(shape._replace(rest=word != "strict"))
        if word == "catchall":
            return self._object(shape._replace(rest=self.read(_first(given), depth).schema))
        if word == "keyof":
            if not shape.whole:
                raise Unread("the names of an object's properties are not all known")
            return ZodSchema({"type": "string", "enum": list(properties)})
        if word not in {"pick", "omit", "partial", "required"}:
            raise Unread(f"the method {shown(word)} is not expressed")
        chosen = properties.keys() if not given else self.modules.members(self._record_of(given[0]), depth).keys()
        if word in {"pick", "omit"}:
            kept = {name: one for name, one in properties.items() if (name in chosen) == (word == "pick")}
            return self._object(shape._replace(properties=kept))
        changed = {
            name: one._replace(optional=word == "partial") if name in chosen else one
            for name, one in properties.items()
        }
        return self._object(shape._replace(properties=changed))

    def _record_of(self, place: Expression) -> Expression:
        found = self.modules.settle(place)
        if isinstance(found, ImportedName) or found.kind != "object":
            raise Unread("which properties are meant is computed")
        return found


def _first(given: list[Expression]) -> Expression:
    if not given:
        raise Unread("an argument is missing")
    return given[0]


def _any_of(parts: list[ZodSchema]) -> ZodSchema:
    if not parts:
        raise Unread("a union is empty")
    schemas = [one.schema for one in parts]
    constants = [one["const"] for one in schemas if one.keys() == {"const"}]
    optional = any(one.optional for one in parts)
    if len(constants) == len(schemas) and all(fits(one) for one in constants):
        return ZodSchema({"enum": constants}, optional)
    return ZodSchema({"anyOf": schemas}, optional)


def _or_null(schema: Document) -> Document:
    if not schema:
        return schema
    said: Document = {key: schema[key] for key in ("title", "description", "default") if key in schema}
    rest = {key: value for key, value in schema.items() if key not in said}
    if isinstance(rest.get("type"), str) and "enum" not in rest and rest["type"] != "null":
        return {**rest, "type": [rest["type"], "null"], **said}
    return {"anyOf": [rest, {"type": "null"}], **said}
