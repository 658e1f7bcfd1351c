"""Pairs of schemas with the verdict that 2020-12 gives them, by direction.

`gone` is a value that only the old schema accepts, `come` one that only the new one accepts: each breaking
verdict has its proof beside it. `unknown` stands where the rules may not decide, whatever the truth is.
"""

from typing import Any, NamedTuple

NONE: Any = object()
B, C, U = "breaking", "compatible", "unknown"


class Pair(NamedTuple):
    id: str
    old: Any
    new: Any
    input: str
    output: str
    gone: Any = NONE
    come: Any = NONE


def obj(properties: dict[str, Any] | None = None, *required: str, **rules: Any) -> dict[str, Any]:
    """A closed object."""
    return {
        "type": "object",
        "properties": properties or {},
        "required": list(required),
        "additionalProperties": False,
    } | rules


# String, whole number, number
S, W, N, BOOL, NULL = {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "boolean"}, {"type": "null"}
STRINGS = {"type": "array", "items": S}


def arr(**rules: Any) -> dict[str, Any]:
    return {"type": "array"} | rules


TREE = {"$ref": "#/$defs/n", "$defs": {"n": obj({"v": W, "kids": arr(items={"$ref": "#/$defs/n"})})}}
TREE_WIDER = {"$ref": "#/$defs/n", "$defs": {"n": obj({"v": N, "kids": arr(items={"$ref": "#/$defs/n"})})}}
MERGE, FAILURE = obj({"m": S}, "m"), obj({"error": S}, "error")

PAIRS = (
    # type, boolean schemas
    Pair("type-added", S, {"type": ["string", "null"]}, C, B, come=None),
    Pair("type-removed", {"type": ["string", "null"]}, S, B, C, gone=None),
    Pair("type-swapped", S, W, B, B, gone="a", come=1),
    Pair("type-integer-to-number", W, N, C, B, come=1.5),
    Pair("type-number-to-integer", N, W, B, C, gone=0.5),
    Pair("type-spelled-out", {"type": ["integer", "number"]}, N, C, C),
    Pair("type-integer-as-multiple", N | {"multipleOf": 1}, W, C, C),
    Pair("type-dropped", S, {}, C, B, come=1),
    Pair("type-all-named", {"type": ["null", "boolean", "number", "string", "array", "object"]}, True, C, C),
    Pair("true-to-false", True, False, B, C, gone=1),
    Pair("false-to-anything", False, S, C, B, come="a"),
    Pair("empty-is-true", {}, True, C, C),
    Pair("annotations-only", S, S | {"title": "t", "description": "d", "default": "", "x-own": 1}, C, C),
    # enum, const
    Pair("enum-added", {"enum": ["a"]}, {"enum": ["a", "b"]}, C, B, come="b"),
    Pair("enum-removed", {"enum": ["a", "b"]}, {"enum": ["a"]}, B, C, gone="b"),
    Pair("enum-swapped", {"enum": ["a"]}, {"enum": ["b"]}, B, B, gone="a", come="b"),
    Pair("enum-reordered", {"enum": ["a", "b"]}, {"enum": ["b", "a"]}, C, C),
    Pair("enum-introduced", S, S | {"enum": ["a"]}, B, C, gone="b"),
    Pair("enum-of-a-type-with-few-values", BOOL, {"enum": [True, False]}, C, C),
    Pair("enum-of-all-whole-numbers-in-a-range", W | {"minimum": 1, "maximum": 3}, {"enum": [1, 2, 3]}, C, C),
    Pair("enum-of-one-is-const", {"enum": ["a"]}, {"const": "a"}, C, C),
    Pair("enum-narrowed-by-type", {"enum": ["a", 1]}, S | {"enum": ["a", 1]}, B, C, gone=1),
    Pair("enum-1-is-1.0", {"enum": [1]}, {"enum": [1.0]}, C, C),
    Pair("enum-true-is-not-1", {"enum": [True]}, {"enum": [1]}, B, B, gone=True, come=1),
    Pair("const-changed", {"const": 1}, {"const": 2}, B, B, gone=1, come=2),
    Pair("const-object", {"const": {"a": 1}}, obj({"a": W}, "a"), C, U, come={"a": 2}),
    # numbers
    Pair("minimum-raised", N | {"minimum": 1}, N | {"minimum": 2}, B, C, gone=1),
    Pair("minimum-added", N, N | {"minimum": 0}, B, C, gone=-1),
    Pair("maximum-raised", N | {"maximum": 1}, N | {"maximum": 2}, C, B, come=2),
    Pair("maximum-removed", N | {"maximum": 1}, N, C, B, come=2),
    Pair("minimum-made-exclusive", N | {"minimum": 1}, N | {"exclusiveMinimum": 1}, B, C, gone=1),
    Pair("maximum-made-exclusive", N | {"maximum": 1}, N | {"exclusiveMaximum": 1}, B, C, gone=1),
    Pair("exclusive-of-whole-numbers", W | {"exclusiveMinimum": 0}, W | {"minimum": 1}, C, C),
    Pair("fractional-bound-of-whole-numbers", W | {"minimum": 0.5}, W | {"minimum": 1}, C, C),
    Pair("exclusive-of-fractions", N | {"exclusiveMinimum": 0}, N | {"minimum": 1}, B, C, gone=0.5),
    Pair("minimum-of-other-types", S, S | {"minimum": 5}, C, C),
    Pair("minimum-without-type", {}, {"minimum": 5}, B, C, gone=1),
    Pair("multiple-of-coarser", N | {"multipleOf": 2}, N | {"multipleOf": 4}, U, C),
    Pair("multiple-of-added", W, W | {"multipleOf": 2}, B, C, gone=1),
    Pair("multiple-of-decimal", N | {"multipleOf": 0.1}, N | {"multipleOf": 0.01}, U, U),
    # strings
    Pair("min-length-raised", S, S | {"minLength": 1}, B, C, gone=""),
    Pair("min-length-0", S, S | {"minLength": 0}, C, C),
    Pair("max-length-lowered", S | {"maxLength": 5}, S | {"maxLength": 4}, B, C, gone="abcde"),
    Pair("max-length-removed", S | {"maxLength": 5}, S, C, B, come="abcdef"),
    Pair("max-length-0-is-empty", S | {"maxLength": 0}, {"const": ""}, C, C),
    Pair("pattern-changed", S | {"pattern": "^a+$"}, S | {"pattern": "^[ab]+$"}, U, U, come="aab"),
    Pair("pattern-added", S, S | {"pattern": "^x"}, B, C, gone="a"),
    Pair("pattern-removed", S | {"pattern": "^x"}, S, C, B, come="a"),
    Pair("pattern-that-takes-all", S, S | {"pattern": ".*"}, C, C),
    Pair("pattern-of-other-types", W, W | {"pattern": "^x"}, C, C),
    Pair("format-added", S, S | {"format": "date"}, B, C, gone="a"),
    Pair("format-removed", S | {"format": "date"}, S, C, B, come="a"),
    Pair("format-changed", S | {"format": "date"}, S | {"format": "time"}, B, B, gone="2024-01-31", come="12:00:00Z"),
    Pair("length-beside-a-pattern", S | {"pattern": "^a"}, S | {"pattern": "^a", "maxLength": 3}, U, C),
    # objects
    Pair("required-added", obj({"a": S}), obj({"a": S}, "a"), B, C, gone={}),
    Pair("required-removed", obj({"a": S}, "a"), obj({"a": S}), C, B, come={}),
    Pair("property-added-to-a-closed-object", obj({"a": S}), obj({"a": S, "b": S}), C, B, come={"b": ""}),
    Pair("property-removed-from-a-closed-object", obj({"a": S, "b": S}), obj({"a": S}), B, C, gone={"b": ""}),
    Pair("property-added-to-an-open-object", {"type": "object"}, {"type": "object", "properties": {"a": S}}, B, C, gone={"a": 1}),
    Pair("required-property-added", obj({}), obj({"a": S}, "a"), B, B, gone={}, come={"a": ""}),
    Pair("property-widened", obj({"a": W}), obj({"a": N}), C, B, come={"a": 0.5}),
    Pair("property-narrowed-deep", obj({"a": obj({"b": N})}), obj({"a": obj({"b": W})}), B, C, gone={"a": {"b": 0.5}}),
    Pair("property-forbidden", {"properties": {"a": S}}, {"properties": {"a": False}}, B, C, gone={"a": ""}),
    Pair("closed", {"type": "object"}, obj({}), B, C, gone={"x": 1}),
    Pair("opened", obj({}), {"type": "object"}, C, B, come={"x": 1}),
    Pair("additional-typed", obj({}), obj({}, additionalProperties=S), C, B, come={"x": ""}),
    Pair("additional-narrowed", obj({}, additionalProperties=N), obj({}, additionalProperties=W), B, C, gone={"x": 0.5}),
    Pair("named-out-of-additional", obj({}, additionalProperties=S), obj({"a": S}, additionalProperties=S), C, C),
    Pair("named-apart-from-additional", obj({}, additionalProperties=S), obj({"a": W}, additionalProperties=S), B, B, gone={"a": ""}, come={"a": 1}),
    Pair("pattern-properties-same", obj({}, patternProperties={"^x-": W}), obj({}, patternProperties={"^x-": N}), C, B, come={"x-a": 0.5}),
    Pair("pattern-properties-added-to-closed", obj({}), obj({}, patternProperties={"^x-": S}), C, U, come={"x-a": ""}),
    Pair("pattern-properties-hit-a-name", obj({"ab": N}), obj({"ab": N}, patternProperties={"^a": W}), B, U, gone={"ab": 0.5}),
    Pair("pattern-properties-instead-of-additional", obj({}, additionalProperties=S), obj({}, patternProperties={"": S}), U, C),
    Pair("property-names-added", {"type": "object"}, {"type": "object", "propertyNames": {"maxLength": 2}}, B, C, gone={"abc": 1}),
    Pair("property-names-of-closed", obj({"ab": S}), obj({"ab": S}, propertyNames={"maxLength": 2}), C, C),
    Pair("property-names-of-closed-refused", obj({"abc": S}), obj({"abc": S}, propertyNames={"maxLength": 2}), B, C, gone={"abc": ""}),
    Pair("min-properties-from-required", obj({"a": S}, "a"), obj({"a": S}, "a", minProperties=1), C, C),
    Pair("min-properties-raised", {"type": "object"}, {"type": "object", "minProperties": 1}, B, C, gone={}),
    Pair("max-properties-of-closed", obj({"a": S}), obj({"a": S}, maxProperties=1), C, C),
    Pair("max-properties-lowered", {"type": "object", "maxProperties": 2}, {"type": "object", "maxProperties": 1}, B, C, gone={"a": 1, "b": 1}),
    Pair("dependent-required-added", obj({"a": S, "b": S}), obj({"a": S, "b": S}, dependentRequired={"a": ["b"]}), B, C, gone={"a": ""}),
    Pair("dependent-required-already", obj({"a": S, "b": S}, "b"), obj({"a": S, "b": S}, "b", dependentRequired={"a": ["b"]}), C, C),
    Pair("dependent-required-of-nothing", obj({"a": S}), obj({"a": S}, dependentRequired={"z": ["b"]}), C, C),
    Pair("dependent-schemas-added", obj({"a": S, "b": S}), obj({"a": S, "b": S}, dependentSchemas={"a": {"required": ["b"]}}), B, C, gone={"a": ""}),
    Pair("dependent-schemas-kept", obj({"a": S}, dependentSchemas={"a": {"required": ["a"]}}), obj({"a": S}), C, C),
    Pair("unevaluated-as-additional", obj({"a": S}), {"type": "object", "properties": {"a": S}, "unevaluatedProperties": False}, C, C),
    Pair("unevaluated-beside-all-of", {"type": "object"}, {"type": "object", "allOf": [{"properties": {"a": S}}], "unevaluatedProperties": False}, B, C, gone={"x": 1}),
    # arrays
    Pair("items-narrowed", arr(items=N), arr(items=W), B, C, gone=[0.5]),
    Pair("items-added", arr(), arr(items=S), B, C, gone=[1]),
    Pair("min-items-raised", arr(), arr(minItems=1), B, C, gone=[]),
    Pair("max-items-raised", arr(maxItems=1), arr(maxItems=2), C, B, come=[1, 1]),
    Pair("prefix-items-changed", arr(prefixItems=[S]), arr(prefixItems=[W]), B, B, gone=["a"], come=[1]),
    Pair("prefix-items-as-items", arr(items=S), arr(prefixItems=[S, S], items=S), C, C),
    Pair("prefix-items-made-longer", arr(prefixItems=[S]), arr(prefixItems=[S, S]), B, C, gone=["a", 1]),
    Pair("items-false-is-max-items", arr(prefixItems=[{}], items=False), arr(maxItems=1), C, C),
    Pair("unevaluated-items-as-items", arr(prefixItems=[S], items=False), arr(prefixItems=[S], unevaluatedItems=False), C, C),
    Pair("max-items-0", arr(maxItems=0), arr(items=S), C, B, come=["a"]),
    Pair("unique-items-added", arr(), arr(uniqueItems=True), B, C, gone=[1, 1]),
    Pair("unique-items-of-one", arr(maxItems=1), arr(maxItems=1, uniqueItems=True), C, C),
    Pair("contains-added", arr(), arr(contains=S), B, C, gone=[]),
    Pair("contains-from-items", arr(items=S, minItems=1), arr(items=S, minItems=1, contains=S), C, C),
    Pair("contains-widened", arr(contains=W), arr(contains=N), C, U, come=[0.5]),
    Pair("min-contains-0", arr(), arr(contains=S, minContains=0), C, C),
    Pair("min-contains-raised", arr(contains=S), arr(contains=S, minContains=2), U, C, gone=["a"]),
    Pair("max-contains-added", arr(contains=S), arr(contains=S, maxContains=1), U, C, gone=["a", "a"]),
    # schemas in place
    Pair("all-of-is-a-conjunction", {"allOf": [S, {"maxLength": 3}]}, S | {"maxLength": 3}, C, C),
    Pair("all-of-extended", {"allOf": [S]}, {"allOf": [S, {"minLength": 1}]}, B, C, gone=""),
    Pair("any-of-extended", {"anyOf": [S]}, {"anyOf": [S, W]}, C, B, come=1),
    Pair("any-of-shortened", {"anyOf": [S, W]}, {"anyOf": [S]}, B, C, gone=1),
    Pair("any-of-as-types", {"anyOf": [S, NULL]}, {"type": ["string", "null"]}, C, C),
    Pair("any-of-branch-narrowed", {"anyOf": [S, W]}, {"anyOf": [S | {"maxLength": 1}, W]}, B, C, gone="ab"),
    Pair("any-of-same-type", {"anyOf": [S | {"maxLength": 1}]}, {"anyOf": [S | {"maxLength": 1}, S | {"minLength": 1}]}, C, B, come="ab"),
    Pair("one-of-apart-as-any-of", {"oneOf": [S, W]}, {"anyOf": [S, W]}, C, C),
    Pair("one-of-overlapping-is-not-any-of", {"anyOf": [W, N]}, {"oneOf": [W, N]}, U, C, gone=1),
    Pair("one-of-extended-apart", {"oneOf": [MERGE]}, {"oneOf": [MERGE, FAILURE]}, C, B, come={"error": ""}),
    Pair("one-of-branch-narrowed", {"oneOf": [MERGE, FAILURE]}, {"oneOf": [obj({"m": S | {"minLength": 1}}, "m"), FAILURE]}, B, C, gone={"m": ""}),
    Pair("one-of-branch-added-that-overlaps", {"oneOf": [N]}, {"oneOf": [N, W]}, U, C, gone=1),
    Pair("not-added", S, S | {"not": {"const": "x"}}, B, C, gone="x"),
    Pair("not-narrowed", S | {"not": {"enum": ["x", "y"]}}, S | {"not": {"const": "x"}}, C, B, come="y"),
    Pair("not-of-another-type", S, S | {"not": W}, C, C),
    Pair("if-then-added", obj({"a": S, "b": S}), obj({"a": S, "b": S}, **{"if": {"required": ["a"]}, "then": {"required": ["b"]}}), B, C, gone={"a": ""}),
    Pair("if-then-holds-anyway", obj({"a": S, "b": S}, "b"), obj({"a": S, "b": S}, "b", **{"if": {"required": ["a"]}, "then": {"required": ["b"]}}), C, C),
    Pair("else-added", obj({"a": S, "b": S}), obj({"a": S, "b": S}, **{"if": {"required": ["a"]}, "else": {"required": ["b"]}}), U, C, gone={}),
    Pair("if-same-then-widened", {"if": S, "then": {"maxLength": 1}}, {"if": S, "then": {"maxLength": 2}}, C, U, come="ab"),
    Pair("if-alone-says-nothing", S, S | {"if": {"minLength": 3}}, C, C),
    Pair("then-alone-says-nothing", S, S | {"then": False}, C, C),
    # references
    Pair("moved-to-defs", obj({"a": STRINGS}), obj({"a": {"$ref": "#/$defs/s"}}, **{"$defs": {"s": STRINGS}}), C, C),
    Pair("definition-narrowed", {"$ref": "#/$defs/s", "$defs": {"s": S}}, {"$ref": "#/$defs/s", "$defs": {"s": S | {"minLength": 1}}}, B, C, gone=""),
    Pair("unused-definition", S, S | {"$defs": {"s": W}}, C, C),
    Pair("ref-with-a-sibling", {"$ref": "#/$defs/s", "$defs": {"s": S}}, {"$ref": "#/$defs/s", "maxLength": 1, "$defs": {"s": S}}, B, C, gone="ab"),
    Pair("recursive-same", TREE, TREE | {"title": "t"}, C, C),
    Pair("recursive-widened", TREE, TREE_WIDER, C, B, come={"kids": [{"v": 0.5}]}),
    Pair("recursive-to-open", TREE, {"type": "object"}, C, B, come={"z": 1}),
    Pair("anchor", {"$ref": "#/$defs/s", "$defs": {"s": S}}, {"$ref": "#here", "$defs": {"s": {"$anchor": "here"} | S}}, C, C),
    # schemas that nothing matches
    Pair("impossible-length", S | {"minLength": 3, "maxLength": 2}, W, C, B, come=1),
    Pair("impossible-required", obj({}, "a"), W, C, B, come=1),
    Pair("impossible-range", {"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 2}, S, C, B, come=""),
    Pair("unknown-keyword", S, S | {"dependencies": {"a": ["b"]}}, U, C),
)  # fmt: skip
