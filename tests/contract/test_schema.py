"""Schemas: which may be used, and why a value does not match without quoting it."""

import contextlib
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import loaded_by
from tests.properties import examples
from workermd.contract import schema as subject
from workermd.contract.schema import DRAFTS, FORMATS, Mismatch, UnknownDraft, check_schema, checker, draft_of
from workermd.contract.subschemas import Survey
from workermd.lint import keywords

URI = {short: uri for uri, short in DRAFTS.items()}
SECRET = "hunter2-correct-horse"


def places(schema, **options):
    return [problem.pointer for problem in check_schema(schema, **options)]


# --- drafts ---


def test_the_drafts_are_those_of_both_engines_by_their_published_uris():
    import jsonschema

    assert draft_of({}) == "2020-12"
    for uri, short in DRAFTS.items():
        name = {"2020-12": "202012", "2019-09": "201909"}.get(short, short)
        assert getattr(jsonschema, f"Draft{name}Validator").META_SCHEMA["$schema"] == uri
        assert draft_of({"$schema": uri}) == short
        assert check_schema({"$schema": uri, "type": "object"}) == ()
        assert checker({"$schema": uri, "type": "object"}, short).accepts({})


@pytest.mark.parametrize(
    ("named", "hint"),
    [
        ("http://json-schema.org/draft-07/schema", "'http://json-schema.org/draft-07/schema#'"),
        ("https://json-schema.org/draft-07/schema#", "'http://json-schema.org/draft-07/schema#'"),
        ("http://json-schema.org/draft/2020-12/schema", "'https://json-schema.org/draft/2020-12/schema'"),
        ("https://json-schema.org/draft/2020-12/schema#", "'https://json-schema.org/draft/2020-12/schema'"),
        ("http://json-schema.org/draft-03/schema#", "write one of"),
        ("http://json-schema.org/schema#", "write one of"),
        ("", "write one of"),
        (7, "write one of"),
    ],
)
def test_another_draft_is_refused_and_a_near_miss_named(named, hint):
    (problem,) = check_schema({"$schema": named, "type": "strin"})
    assert problem.pointer == "/$schema"
    assert hint in problem.hint
    with pytest.raises(UnknownDraft) as caught:
        draft_of({"$schema": named})
    assert caught.value.problem == problem


# --- schemas that cannot be used ---

REFUSED = [
    (5, [""], "no object"),
    (True, [""], "no object"),
    ([], [""], "no object"),
    ({"type": "strin"}, ["/type"], "'type' is 'strin', allowed: array, boolean"),
    ({"type": ["string", "strin"]}, ["/type"], "allowed: array, boolean"),
    ({"minLength": -1}, ["/minLength"], "'minLength' is less than minimum 0"),
    (
        {"properties": {"a/b": {"minLength": "x", "enum": 5}}},
        ["/properties/a~1b/enum", "/properties/a~1b/minLength"],
        "'enum' is an integer, allowed: array",
    ),
    ({"required": ["a", "a"]}, ["/required"], "same item twice"),
    ({"multipleOf": 0}, ["/multipleOf"], "not more than exclusiveMinimum 0"),
    ({"allOf": []}, ["/allOf"], "fewer items than minItems 1"),
    ({"properties": {"type": 5}}, ["/properties/type"], "allowed: object, boolean"),
    ({"items": [{}]}, ["/items"], "allowed: object, boolean"),
    ({"$schema": URI["7"], "dependencies": {"a": 5}}, ["/dependencies/a"], "does not allow"),
    ({"$schema": URI["4"], "exclusiveMinimum": True}, [""], "needs beside it"),
    ({"$ref": "http://example.org/x"}, ["/$ref"], "leaves this document"),
    ({"$ref": "other.json#/a"}, ["/$ref"], "leaves this document"),
    ({"$ref": "file:///etc/passwd"}, ["/$ref"], "leaves this document"),
    ({"$ref": URI["2020-12"]}, ["/$ref"], "leaves this document"),
    ({"items": {"$ref": "#/$defs/x"}}, ["/items/$ref"], "nothing stands at '#/$defs/x'"),
    ({"$ref": "#/type", "type": "string"}, ["/$ref"], "is no schema"),
    ({"$ref": "#/allOf/01", "allOf": [True, True]}, ["/$ref"], "nothing stands at"),
    ({"$ref": "#name"}, ["/$ref"], "no schema has the anchor 'name'"),
    ({"$ref": "#/$defs/a b", "$defs": {"a b": {}}}, ["/$ref"], "characters that a URI does not have"),
    ({"$dynamicRef": "#name"}, ["/$dynamicRef"], "no schema has the anchor"),
    ({"$dynamicRef": "http://example.org/x"}, ["/$dynamicRef"], "leaves this document"),
    ({"$schema": URI["2019-09"], "items": {"$recursiveRef": "x"}}, ["/items/$recursiveRef"], "not '#'"),
    ({"$ref": "#/x/y", "x": {"y": {"type": "strin"}}}, ["/x/y/type"], "'strin'"),
    ({"$ref": "#/x/y", "x": {"y": {"$ref": "http://example.org"}}}, ["/x/y/$ref"], "leaves this document"),
    ({"definitions": {"a": {"$ref": "http://example.org"}}}, ["/definitions/a/$ref"], "leaves this document"),
    ({"properties": {"a": {"$id": "http://example.org/"}}}, ["/properties/a/$id"], "away from this document"),
    ({"$defs": {"a": {"$id": "a", "$ref": "#/$defs/a"}}}, ["/$defs/a/$id"], "away from this document"),
    ({"$schema": URI["4"], "not": {"id": "http://example.org/"}}, ["/not/id"], "away from this document"),
    ({"properties": {"a": {"$schema": URI["7"]}}}, ["/properties/a/$schema"], "below the root"),
    ({"$vocabulary": {"https://example.org/": True}}, ["/$vocabulary"], "meta-schemas"),
    ({"allOf": [{"$anchor": "a"}, {"$anchor": "a"}]}, ["/allOf/0/$anchor"], "given twice"),
    ({"$ref": "#"}, ["/$ref"], "decides nothing"),
    (
        {"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"not": {"$ref": "#/$defs/a"}}}},
        None,
        "decides nothing",
    ),
    ({"pattern": "(?=a)"}, ["/pattern"], "linear time"),
    ({"items": {"pattern": r"(a)\1"}}, ["/items/pattern"], "linear time"),
    ({"patternProperties": {"a/(?!b)": {}}}, ["/patternProperties/a~1(?!b)"], "linear time"),
    ({"pattern": "["}, ["/pattern"], "no regular expression"),
    ({"pattern": r"a\Z"}, ["/pattern"], "no regular expression"),
    ({"pattern": "^.{1,100000}$"}, ["/pattern"], "cannot be used"),
]


@pytest.mark.parametrize(("schema", "where", "words"), REFUSED, ids=[str(case[0])[:40] for case in REFUSED])
def test_what_cannot_be_used_and_where(schema, where, words):
    problems = check_schema(schema)
    if where is not None:
        assert places(schema) == where
    assert any(words in problem.message for problem in problems)
    assert all(problem.hint.endswith(".") for problem in problems)
    assert check_schema(schema, thorough=False) == problems
    if isinstance(schema, dict) and "linear" in words:
        with pytest.raises(ValueError, match="check_schema"):
            checker(schema, draft_of(schema))


ACCEPTED = [
    {},
    {"const": {"$ref": "http://example.org"}, "enum": [{"$ref": "http://example.org"}]},
    {
        "default": {"$ref": "http://example.org", "$id": "x", "format": "x"},
        "examples": [{"$schema": "x", "pattern": "["}],
    },
    {
        "properties": {
            "$ref": {"type": "string"},
            "$id": {},
            "$schema": {},
            "format": {},
            "pattern": {},
            "$vocabulary": {},
        }
    },
    {"x-own": {"$ref": "http://example.org"}},
    {"required": ["$ref"], "dependentRequired": {"$ref": ["$id"]}},
    {"$ref": "#/$defs/a", "$defs": {"a": True}},
    {"$ref": "#/$defs/a%20b~1c", "$defs": {"a b/c": {}}},
    {"$ref": "#/$defs/a%25", "$defs": {"a%": {}}},
    {"$ref": "#a", "$defs": {"x": {"$anchor": "a"}}},
    {"items": {"$ref": ""}},
    {"properties": {"next": {"$ref": "#"}, "all": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}},
    {"$dynamicAnchor": "node", "items": {"$dynamicRef": "#node"}},
    {"$schema": URI["2019-09"], "$recursiveAnchor": True, "items": {"$recursiveRef": "#"}},
    {"$schema": URI["7"], "definitions": {"a": {"$id": "#a"}}, "items": {"$ref": "#a"}},
    {"$schema": URI["4"], "id": "http://example.org/x", "definitions": {"a": {"id": "#a"}}, "items": {"$ref": "#a"}},
    {
        "$id": "http://example.org/x",
        "items": {"$ref": "#/$defs/a"},
        "not": {"$ref": "http://example.org/x#/$defs/a"},
        "$defs": {"a": {}},
    },
    {"$id": "x.json", "items": {"$ref": "x.json"}},
    {"pattern": r"^[\w-]+\p{L}$", "format": "uuid"},
    {"$comment": "x", "title": "x", "unknown": 1, "deprecated": True},
]


@pytest.mark.parametrize("schema", ACCEPTED, ids=lambda schema: str(schema)[:40])
def test_what_may_be_used(schema):
    assert check_schema(schema) == ()
    assert check_schema(schema, thorough=False) == ()
    checker(schema, draft_of(schema)).accepts({})


def test_the_formats_are_those_that_the_engine_checks():
    words = {word for known in FORMATS.values() for word in known} | {"int32", "color", "phone", "byte"}
    for draft, known in FORMATS.items():
        checked = {word for word in words if not checker({"format": word}, draft).accepts(" {(~")}
        assert checked == set(known), draft
        assert check_schema({"$schema": URI[draft], "format": "int32"}) == ()


def test_an_empty_key_that_the_engines_path_leaves_out():
    schema = {"patternProperties": {"a": {"maxLength": 0}, "": {"enum": [[]]}}}
    (mismatch,) = checker(schema, "2020-12").check({"a": None})
    assert (mismatch.pointer, mismatch.schema_pointer) == ("/a", "/patternProperties//enum")
    assert mismatch.message == "must be [], the only value of the enum"
    (inner,) = checker({"properties": {"": {"type": "string"}}}, "2020-12").check({"": 1})
    assert inner.keyword == "type"


@pytest.mark.rule("S6.4")
def test_deep_schemas_are_refused_or_checked():
    schema: dict = {"type": "strin"}
    for _ in range(63):
        schema = {"not": schema}
    assert places(schema) == ["/not" * 63 + "/type"]
    assert "64 levels" in check_schema({"not": schema})[0].message
    schema.update(schema)
    schema["not"] = schema
    assert "64 levels" in check_schema(schema)[0].message


@pytest.mark.rule("S6.4")
@pytest.mark.parametrize("keyword", ["allOf", "anyOf"])
def test_schemas_that_multiply_are_refused(keyword):
    defs: dict = {f"a{n}": {keyword: [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(30)}
    defs["a30"] = {"type": "integer"}
    assert any("10000 schemas" in problem.message for problem in check_schema({"$ref": "#/$defs/a0", "$defs": defs}))
    chain: dict = {f"a{n}": {"$ref": f"#/$defs/a{n + 1}"} for n in range(500)}
    chain["a500"] = {}
    assert any("64 schemas" in problem.message for problem in check_schema({"$defs": chain}))


@pytest.mark.rule("S6.4")
def test_patterns_that_are_too_large_do_not_hold_up_a_check():
    schema = {"patternProperties": {f"^.{{{n},100000}}$": {} for n in range(500)}}
    assert len(check_schema(schema, thorough=False)) == subject.MAX_PATTERN_PROBLEMS


@pytest.mark.rule("S6.4")
def test_no_schema_reads_the_network_or_a_file(tmp_path):
    asked = []

    class Recorder(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Recorder)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        here = f"http://127.0.0.1:{server.server_port}"
        (tmp_path / "x.json").write_text("{}")
        for place in (f"{here}/x", f"{here}/x#/a", f"{here}/x#", (tmp_path / "x.json").as_uri()):
            for draft in DRAFTS.values():
                for schema in (
                    {"$schema": place},
                    {"$ref": place},
                    {"$id": place, "$ref": "y"},
                    {"$id": place, "type": "object"},
                    {"id": place, "items": {"$ref": "#/x"}},
                    {"allOf": [{"$id": place, "$ref": "y"}]},
                    {"items": {"$schema": place}},
                    {"$dynamicRef": place, "$recursiveRef": place},
                    {"x": {"$ref": place}, "$ref": "#/x"},
                    {"const": {"$ref": place}, "$vocabulary": {place: True}},
                ):
                    named = schema if "$schema" in schema else {"$schema": URI[draft], **schema}
                    check_schema(named)
                    with contextlib.suppress(ValueError):
                        checker(named, draft).check({"a": 1})  # not even where nobody asked check_schema first
        assert asked == []
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_run_imports_no_engine_before_a_value_is_checked_and_never_jsonschema():
    importing = "from workermd.contract import schema"
    assert loaded_by(importing).isdisjoint({"jsonschema", "jsonschema_rs", "referencing"})
    checking = f"""{importing}
given = {{"type": "object", "properties": {{"a": {{"pattern": "^a", "format": "date"}}}}}}
assert schema.check_schema(given, thorough=False) == ()
assert schema.checker(given, schema.draft_of(given)).check({{"a": "b"}})
"""
    loaded = loaded_by(checking)
    assert "jsonschema_rs" in loaded
    assert loaded.isdisjoint({"jsonschema", "referencing", "dataclasses"})


# --- values ---

S = SECRET
# schema, instance, [(pointer, keyword, message, schema_pointer)]
MISMATCHES = [
    ({"type": "integer"}, S, [("", "type", "is a string, allowed: integer", "/type")]),
    ({"type": ["integer", "null"]}, [S], [("", "type", "is an array, allowed: integer, null", "/type")]),
    ({"type": "integer"}, 1.5, [("", "type", "is a number, allowed: integer", "/type")]),
    ({"type": "integer"}, True, [("", "type", "is a boolean, allowed: integer", "/type")]),
    ({"type": "integer"}, None, [("", "type", "is null, allowed: integer", "/type")]),
    (
        {"enum": ["ok", 1, None, {"a": 1}]},
        S,
        [("", "enum", "must be one of the 4 values of the enum: 'ok', 1, null, {\"a\":1}", "/enum")],
    ),
    ({"enum": ["ok"]}, S, [("", "enum", "must be 'ok', the only value of the enum", "/enum")]),
    ({"const": "ok"}, S, [("", "const", "must be the const 'ok'", "/const")]),
    ({"minLength": 30}, S, [("", "minLength", "is shorter than minLength 30", "/minLength")]),
    ({"maxLength": 3}, S, [("", "maxLength", "is longer than maxLength 3", "/maxLength")]),
    ({"pattern": "^b"}, S, [("", "pattern", "does not match the pattern '^b'", "/pattern")]),
    ({"format": "date"}, S, [("", "format", "is not in the format 'date'", "/format")]),
    ({"minimum": 3}, 1, [("", "minimum", "is less than minimum 3", "/minimum")]),
    ({"maximum": 3}, 4, [("", "maximum", "is more than maximum 3", "/maximum")]),
    (
        {"exclusiveMinimum": 3},
        3,
        [("", "exclusiveMinimum", "is not more than exclusiveMinimum 3", "/exclusiveMinimum")],
    ),
    (
        {"exclusiveMaximum": 3},
        3,
        [("", "exclusiveMaximum", "is not less than exclusiveMaximum 3", "/exclusiveMaximum")],
    ),
    (
        {"$schema": URI["4"], "maximum": 3, "exclusiveMaximum": True},
        3,
        [("", "exclusiveMaximum", "is not less than exclusiveMaximum 3", "/exclusiveMaximum")],
    ),
    ({"multipleOf": 2}, 3, [("", "multipleOf", "is no multiple of multipleOf 2", "/multipleOf")]),
    (
        {"uniqueItems": True},
        [S, S],
        [("", "uniqueItems", "has the same item twice, which uniqueItems forbids", "/uniqueItems")],
    ),
    ({"minItems": 2}, [S], [("", "minItems", "has fewer items than minItems 2", "/minItems")]),
    ({"maxItems": 0}, [S], [("", "maxItems", "has more items than maxItems 0", "/maxItems")]),
    (
        {"contains": {"const": 1}},
        [S],
        [("", "contains", "has no item that matches the schema of contains", "/contains")],
    ),
    (
        {"contains": {"const": S}, "minContains": 2},
        [S],
        [("", "minContains", "has fewer items that match the schema of contains than minContains 2", "/minContains")],
    ),
    (
        {"contains": {"minLength": 1}, "maxContains": 1},
        [S, S],
        [("", "maxContains", "has more items that match the schema of contains than maxContains 1", "/maxContains")],
    ),
    (
        {"prefixItems": [{}], "items": False},
        [1, S],
        [("/1", "items", "is not allowed: the schema for it is false", "/items")],
    ),
    (
        {"prefixItems": [{}], "unevaluatedItems": False},
        [1, S],
        [("", "unevaluatedItems", "has items that the schema does not allow (unevaluatedItems)", "/unevaluatedItems")],
    ),
    (
        {"$schema": URI["7"], "items": [{}], "additionalItems": False},
        [1, S],
        [("", "additionalItems", "has more items than the schema allows (additionalItems)", "/additionalItems")],
    ),
    (
        {"properties": {"a": {}, "b": {}}, "additionalProperties": False},
        {"x": S, "y/z": S},
        [
            (
                "/x",
                "additionalProperties",
                "'x' is a property that the schema does not allow; allowed: 'a', 'b'",
                "/additionalProperties",
            ),
            (
                "/y~1z",
                "additionalProperties",
                "'y/z' is a property that the schema does not allow; allowed: 'a', 'b'",
                "/additionalProperties",
            ),
        ],
    ),
    (
        {"additionalProperties": False},
        {"x": S},
        [("/x", "additionalProperties", "'x' is a property that the schema does not allow", "/additionalProperties")],
    ),
    (
        {"unevaluatedProperties": False},
        {"x": S},
        [("/x", "unevaluatedProperties", "'x' is a property that the schema does not allow", "/unevaluatedProperties")],
    ),
    (
        {"propertyNames": {"maxLength": 1}},
        {"ab": S},
        [
            (
                "",
                "propertyNames",
                "has a property name that the schema does not allow: 'ab' is longer than maxLength 1",
                "/propertyNames/maxLength",
            )
        ],
    ),
    (
        {"propertyNames": False},
        {"ab": S},
        [("/ab", "propertyNames", "'ab' is a property that the schema does not allow", "/propertyNames")],
    ),
    (
        {"required": ["task", "a"]},
        {},
        [
            ("", "required", "lacks the required property 'task'", "/required"),
            ("", "required", "lacks the required property 'a'", "/required"),
        ],
    ),
    (
        {"dependentRequired": {"a": ["b"]}},
        {"a": S},
        [("", "dependentRequired", "lacks the required property 'b' (dependentRequired)", "/dependentRequired")],
    ),
    (
        {"$schema": URI["7"], "dependencies": {"a": ["b"]}},
        {"a": S},
        [("", "dependencies", "lacks the required property 'b' (dependencies)", "/dependencies")],
    ),
    (
        {"minProperties": 2},
        {"a": S},
        [("", "minProperties", "has fewer properties than minProperties 2", "/minProperties")],
    ),
    (
        {"maxProperties": 0},
        {"a": S},
        [("", "maxProperties", "has more properties than maxProperties 0", "/maxProperties")],
    ),
    (
        {"properties": {"a": False}},
        {"a": S},
        [("/a", "false", "is not allowed: the schema for it is false", "/properties/a")],
    ),
    ({"not": {"type": "string"}}, S, [("", "not", "matches the schema of not, which it must not", "/not")]),
    (
        {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        S,
        [("", "anyOf", "matches none of the 2 schemas of anyOf: is a string, allowed: integer, null", "/anyOf")],
    ),
    (
        {
            "anyOf": [
                {"type": "integer"},
                {"properties": {"k": {"const": 1}}},
                {"required": ["q"]},
                {"anyOf": [False, False]},
                False,
            ]
        },
        {"k": S},
        [
            (
                "",
                "anyOf",
                "matches none of the 5 schemas of anyOf: (1) is an object, allowed: integer; (2) at /k must be the const 1; (3) lacks the required property 'q'; (4) matches none of the schemas of anyOf; and 1 more",
                "/anyOf",
            )
        ],
    ),
    (
        {"oneOf": [{"maxLength": 3}, {"pattern": "^x"}]},
        S,
        [
            (
                "",
                "oneOf",
                "matches none of the 2 schemas of oneOf: (1) is longer than maxLength 3; (2) does not match the pattern '^x'",
                "/oneOf",
            )
        ],
    ),
    (
        {"oneOf": [{}, {"type": "null"}, {}]},
        S,
        [("", "oneOf", "matches 2 schemas of oneOf instead of exactly one (those that match: 1, 3)", "/oneOf")],
    ),
    (
        {"if": {"type": "string"}, "then": {"maxLength": 3}},
        S,
        [("", "maxLength", "is longer than maxLength 3", "/then/maxLength")],
    ),
    (
        {"properties": {"x": {"$ref": "#/$defs/a~1b"}}, "$defs": {"a/b": {"type": "null"}}},
        {"x": S},
        [("/x", "type", "is a string, allowed: null", "/$defs/a~1b/type")],
    ),
    (
        {"additionalProperties": {"type": "null"}},
        {"01": S},
        [("/01", "type", "is a string, allowed: null", "/additionalProperties/type")],
    ),
    (
        {"properties": {"07": {"items": {"type": "null"}}}},
        {"07": [None, S]},
        [("/07/1", "type", "is a string, allowed: null", "/properties/07/items/type")],
    ),
    (
        {"$schema": URI["7"], "contentEncoding": "base64"},
        f"@{S}",
        [("", "contentEncoding", "is not encoded as said by contentEncoding 'base64'", "/contentEncoding")],
    ),
]


@pytest.mark.rule("S2.5")
@pytest.mark.parametrize(("schema", "instance", "expected"), MISMATCHES, ids=[str(case[0])[:40] for case in MISMATCHES])
def test_what_is_said_about_a_value(schema, instance, expected):
    assert check_schema(schema) == () or SECRET in str(schema)
    judge = checker(schema, draft_of(schema))
    found = judge.check(instance)
    assert not judge.accepts(instance)
    assert sorted(map(tuple, found)) == sorted(expected)
    if SECRET not in str(schema):
        assert SECRET not in repr(found)


def test_mismatches_are_sorted_by_place_and_at_most_fifty():
    judge = checker({"items": {"type": "null"}}, "2020-12")
    found = judge.check([1] * 300)
    assert [mismatch.pointer for mismatch in found] == [f"/{n}" for n in range(50)]
    assert all(type(mismatch) is Mismatch for mismatch in found)


@pytest.mark.rule("S5.6")
def test_names_of_properties_are_quoted_in_part_and_escaped():
    judge = checker({"additionalProperties": False, "propertyNames": {"maxLength": 3}}, "2020-12")
    for mismatch in judge.check({"k" * 9000: 1, "\x1b[31m\u202e": 2}):
        assert len(mismatch.message) < 160
        assert mismatch.message.isprintable()


def test_what_is_no_json_is_not_accepted():
    judge = checker({"items": {"enum": [1, []]}}, "2020-12")
    for value in ({1, 2}, b"x", object(), "\ud800"):
        assert not judge.accepts([value])
        assert [mismatch.message for mismatch in judge.check([value])] == ["is no JSON value"]
    judge = checker({"items": {"$ref": "#"}, "minItems": 1}, "2020-12")
    deep: list = []
    for _ in range(64):
        deep = [deep]
    assert "64 levels" in judge.check(deep)[0].message
    assert judge.check(deep[0])[0].keyword == "minItems"


@pytest.mark.rule("S3.3")
def test_alternatives_that_multiply_along_the_value_do_not_hang():  # the check stands outside an attempt
    node = {
        "anyOf": [
            {"properties": {"a": {"$ref": "#"}}, "required": ["a"]},
            {"properties": {"a": {"$ref": "#"}}, "required": ["q"]},
        ]
    }
    assert check_schema(node) == ()
    value: dict = {}
    for _ in range(30):
        value = {"a": value}
    started = time.monotonic()
    (found,) = checker(node, "2020-12").check(value)
    assert "too many ways" in found.message
    assert time.monotonic() - started < 20  # listing every error would take days
    wide = [{"a": 1}] * 20_000  # large is not the same as multiplied
    (found,) = checker({"items": node, "maxItems": 3}, "2020-12").check(wide)[:1]
    assert "maxItems" in found.message


# --- against the other engine ---

names = st.sampled_from(["a", "b", "0", "x/y"])
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.sampled_from([0.5, 1.0, -0.0, 2**70, "", "a", "ab", "b", "é", "\U0001f600"])
)
instances = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=6
)
small = st.integers(0, 3)
patterns = st.sampled_from(["a", "^a", "b$", "^[ab]*$", "[^a]", "(a|b){2}", ""])
leaves = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["string", "integer", "number", "object", "array", "null", "boolean"])
        | st.lists(st.sampled_from(["string", "integer", "null", "object"]), min_size=1, unique=True),
        "enum": st.lists(instances, min_size=1, max_size=3),
        "const": instances,
        "minimum": st.integers(-2, 2),
        "exclusiveMaximum": st.integers(-2, 2),
        "multipleOf": st.integers(1, 3),
        "minLength": small,
        "maxLength": small,
        "pattern": patterns,
        "required": st.lists(names, unique=True, max_size=2),
        "dependentRequired": st.dictionaries(names, st.lists(names, unique=True, max_size=2), max_size=2),
        "minItems": small,
        "maxItems": small,
        "uniqueItems": st.booleans(),
        "minProperties": small,
        "maxProperties": small,
    },
)


def larger(inner):
    several = st.lists(inner, min_size=1, max_size=3)
    return st.builds(
        lambda leaf, more: {**leaf, **more},
        leaves,
        st.fixed_dictionaries(
            {},
            optional={
                "properties": st.dictionaries(names, inner, max_size=3),
                "patternProperties": st.dictionaries(patterns, inner, max_size=2),
                "additionalProperties": inner,
                "propertyNames": inner,
                "items": inner,
                "prefixItems": several,
                "contains": inner,
                "minContains": small,
                "maxContains": small,
                "allOf": several,
                "anyOf": several,
                "oneOf": several,
                "not": inner,
                "if": inner,
                "then": inner,
                "else": inner,
                "dependentSchemas": st.dictionaries(names, inner, max_size=2),
                "unevaluatedProperties": inner,
                "unevaluatedItems": inner,
            },
        ),
    )


references = st.sampled_from(["#/$defs/a", "#/$defs/b", "#anchor"]).map(lambda to: {"$ref": to})
schemas = st.builds(
    lambda schema, a, b: {**schema, "$defs": {"a": a, "b": {"$anchor": "anchor", **b}}},
    st.recursive(leaves | references, larger, max_leaves=6).filter(lambda schema: isinstance(schema, dict)),
    leaves | st.booleans(),
    leaves,
)


@settings(max_examples=examples(80), deadline=None)
@given(schemas, st.lists(instances, min_size=1, max_size=4))
def test_both_engines_agree(schema, values):
    import jsonschema
    from referencing import Registry

    assert check_schema(schema, thorough=False) == ()
    judge = checker(schema, draft_of(schema))
    other = jsonschema.Draft202012Validator(schema, registry=Registry())
    for value in values:
        assert judge.accepts(value) == other.is_valid(value)
        found = judge.check(value)
        assert (found == ()) == judge.accepts(value)
        for mismatch in found:
            assert mismatch.message.isprintable()
            assert len(mismatch.message) < 600


@pytest.mark.rule("S5.6")
@settings(max_examples=examples(60), deadline=None)
@given(schemas, instances)
def test_no_text_of_a_value_is_ever_repeated(schema, value):
    def planted(node):
        if isinstance(node, dict):
            return {name: planted(item) for name, item in node.items()}
        if isinstance(node, list):
            return [planted(item) for item in node]
        return SECRET if isinstance(node, str) else 8675309 if isinstance(node, int | float) else node

    found = checker(schema, draft_of(schema)).check(planted(value))
    assert SECRET not in repr(found)
    assert "8675309" not in repr(found)


KEYWORDS = [
    "type",
    "properties",
    "items",
    "$ref",
    "$id",
    "id",
    "$anchor",
    "$dynamicRef",
    "$schema",
    "$defs",
    "enum",
    "const",
    "pattern",
    "format",
    "allOf",
    "anyOf",
    "not",
    "required",
    "minLength",
    "patternProperties",
    "dependencies",
    "additionalProperties",
    "$recursiveRef",
    "$vocabulary",
    "a",
]
junk = st.recursive(
    scalars | st.sampled_from(["#", "#/$defs/a", "#a", "x", "string", "date", "(", *URI.values()]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYWORDS), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=examples(80), deadline=None)
@given(st.dictionaries(st.sampled_from(KEYWORDS), junk, max_size=5))
def test_a_schema_without_problems_is_taken_and_no_junk_escapes(schema):
    problems = check_schema(schema)
    assert list(problems) == sorted(problems)
    quick = check_schema(schema, thorough=False)
    if not problems:
        checker(schema, draft_of(schema)).check({"a": [1]})
    assert not quick or problems
    for problem in problems:
        assert re.fullmatch(r"(/.*)?", problem.pointer)
        assert problem.message.isprintable()


# --- the quick look at the meta-schema ---

EVERY_KEYWORD = st.sampled_from(sorted(keywords.ALL))
ODD = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-2, 3),
        st.sampled_from(
            [1.0, -1.0, 0.5, 2**70, 1e300, "#", "#/a", "string", "a\n", "http://x#", "http://x#a", "(?=a)", []]
        ),
        st.text(max_size=4),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(EVERY_KEYWORD, st.text(max_size=3)), inner, max_size=4)
    ),
    max_leaves=15,
)


@settings(max_examples=examples(400), deadline=None)
@given(st.sampled_from(sorted(set(DRAFTS.values()) - {"4"})), st.dictionaries(EVERY_KEYWORD, ODD, max_size=5))
def test_what_the_quick_look_accepts_jsonschema_accepts(draft, schema):
    survey = Survey(schema, draft)
    if subject._accepted(survey):
        assert subject._meta_problems(survey) == []


def test_draft_4_is_left_to_jsonschema():
    """jsonschema-rs takes an empty enum there, which the draft forbids."""
    assert places({"$schema": URI["4"], "properties": {"a": {"enum": []}}}) == ["/properties/a/enum"]
