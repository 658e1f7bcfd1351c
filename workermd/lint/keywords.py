"""The keywords of each draft of JSON Schema, and what each of them applies to."""

_DRAFT_4 = frozenset(
    [
        "$schema",
        "id",
        "$ref",
        "title",
        "description",
        "default",
        "multipleOf",
        "maximum",
        "exclusiveMaximum",
        "minimum",
        "exclusiveMinimum",
        "maxLength",
        "minLength",
        "pattern",
        "additionalItems",
        "items",
        "maxItems",
        "minItems",
        "uniqueItems",
        "maxProperties",
        "minProperties",
        "required",
        "additionalProperties",
        "definitions",
        "properties",
        "patternProperties",
        "dependencies",
        "enum",
        "type",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "format",
    ]
)
_DRAFT_6 = (_DRAFT_4 - {"id"}) | {"$id", "const", "contains", "propertyNames", "examples"}
_DRAFT_7 = _DRAFT_6 | {"$comment", "if", "then", "else", "readOnly", "writeOnly", "contentEncoding", "contentMediaType"}
_DRAFT_2019 = (_DRAFT_7 - {"definitions", "dependencies"}) | frozenset(
    [
        "$anchor",
        "$recursiveRef",
        "$recursiveAnchor",
        "$vocabulary",
        "$defs",
        "dependentSchemas",
        "dependentRequired",
        "unevaluatedItems",
        "unevaluatedProperties",
        "maxContains",
        "minContains",
        "contentSchema",
        "deprecated",
    ]
)
_DRAFT_2020 = (_DRAFT_2019 - {"additionalItems", "$recursiveRef", "$recursiveAnchor"}) | {
    "prefixItems",
    "$dynamicRef",
    "$dynamicAnchor",
}
KEYWORDS: dict[str, frozenset[str]] = {
    "4": _DRAFT_4,
    "6": _DRAFT_6,
    "7": _DRAFT_7,
    "2019-09": _DRAFT_2019,
    "2020-12": _DRAFT_2020,
}
"""By draft, as `draft_of` names it. Where a draft renamed a keyword, only the new name is listed."""

ALL = frozenset().union(*KEYWORDS.values())
REF_STANDS_ALONE = ("4", "6", "7")
"""The drafts in which whatever stands beside `$ref` is ignored."""

ANNOTATIONS = frozenset(
    [
        "$schema",
        "$id",
        "id",
        "$anchor",
        "$comment",
        "$defs",
        "definitions",
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
    ]
)
"""Keywords that forbid no value."""

INSTEAD = {
    "definitions": "$defs",
    "$defs": "definitions",
    "id": "$id",
    "$id": "id",
    "dependencies": "dependentRequired or dependentSchemas",
    "dependentRequired": "dependencies",
    "dependentSchemas": "dependencies",
    "additionalItems": "items beside prefixItems",
    "prefixItems": "items with a list",
    "$recursiveRef": "$dynamicRef",
    "$recursiveAnchor": "$dynamicAnchor",
    "const": "enum with one value",
    "nullable": 'type with a list, such as ["string", "null"]',
    "example": "examples",
}
"""What another draft, or OpenAPI, calls a keyword, and what to write instead."""

_OF_TYPE = {
    ("number", "integer"): "multipleOf maximum exclusiveMaximum minimum exclusiveMinimum",
    ("string",): "maxLength minLength pattern format contentEncoding contentMediaType contentSchema",
    ("array",): "items prefixItems additionalItems maxItems minItems uniqueItems contains maxContains minContains "
    "unevaluatedItems",
    (
        "object",
    ): "properties patternProperties additionalProperties required maxProperties minProperties dependentRequired "
    "dependentSchemas dependencies propertyNames unevaluatedProperties",
}
APPLIES_TO = {word: types for types, words in _OF_TYPE.items() for word in words.split()}
"""The types of value that a keyword judges; it lets every other value pass."""
