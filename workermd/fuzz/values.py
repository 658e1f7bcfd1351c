"""What is drawn where a schema leaves a choice: texts and numbers on which programs have stumbled before."""

import math
from typing import Any

CANARY = "zq9canary7"
"""Stands in many drawn texts. A message that holds it quotes a value of the input."""

SECRET = "zq9secret7"  # noqa: S105 - it is no secret: it stands for one
"""The value of every secret variable of the binding while it is fuzzed."""

TEXTS = (
    *(
        "",
        " ",
        "a",
        "0",
        "-1",
        "null",
        "true",
        "NaN",
        "1e999",
        "A" * 300,
        " padded ",
        "line\nline",
        "tab\there",
        "\u0000",
    ),
    *(
        "../../etc/passwd",
        "/",
        ".",
        "..",
        "~",
        "a/b",
        "%00",
        "%s%n{}",
        "{{x}}",
        "${HOME}",
        "$(id)",
        "`id`",
        "'; --",
        "<b>&",
    ),
    *(
        '"',
        "\\",
        "\u202eevil",
        "\u200b",
        "e\u0301",
        "\u00e9",
        "\U0001f469\u200d\U0001f52c",
        "\u65e5\u672c",
        "\ufeffbom",
        "\uffff",
    ),
    *("STRASSE", "stra\u00dfe", "\u0130", "__proto__", "constructor", "toString", CANARY, f"{CANARY} and more"),
)

NAMES = (*("a", "b", "id", "name", "value", "type", "", " ", "a/b", "a~b", "__proto__", "length", "\u65e5", "x" * 60),)
"""Of properties that a schema leaves open."""

INTEGERS = (0, 1, -1, 2, 7, 10, 100, 255, 256, 1000, 2**31 - 1, 2**31, 2**53, 2**53 + 1, -(2**53) - 1, 2**63, 10**30)

FLOATS = (0.0, -0.0, 0.1, 0.5, 1.0, 1.5, -2.5, 1e-7, 5e-324, 1e15 + 0.3, 2.0**53 + 2, 1e21, 1e300, -1e300)

SCHEMAS: tuple[Any, ...] = (
    {},
    {"type": "object"},
    {"required": ["a"]},
    {"properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False},
    {"properties": {"a": {"enum": [1, "1", None]}, "b": {"pattern": "^[a-z]+$"}}},
    {"$ref": "#"},
    {"properties": {"a": {"$ref": "#"}}},
    {"$ref": "#/$defs/none"},
    {"$ref": "https://example.com/none.json"},
    {"type": "nothing"},
    {"type": 5},
    {"pattern": "("},
    {"properties": {"a": {"pattern": "(a+)+$"}}},
    {"not": {}},
    {"allOf": [{"$ref": "#/$defs/x"}], "$defs": {"x": {"allOf": [{"$ref": "#/$defs/x"}]}}},
    {"minProperties": -1},
    {"enum": []},
    {"properties": {"a": False}},
    {"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"a": {}}},
    {"$schema": "https://example.com/own"},
    {"items": [{"type": "integer"}]},
    {"properties": {"a": {"format": "date"}, "b": {"multipleOf": 0.1}}},
)
"""JSON Schemas as data: usable, broken, recursive."""

BY_NAME: tuple[tuple[tuple[str, ...], tuple[Any, ...]], ...] = (
    (
        ("url", "uri", "href", "link"),
        (
            *(
                "http://127.0.0.1/",
                "https://example.invalid/a?b=c#d",
                "http://[::1]:1/",
                "http://a@b/",
                "HTTP://EXAMPLE.INVALID",
            ),
            *(
                "https://example.invalid/" + "a" * 200,
                "http://0x7f.1/",
                "http://169.254.169.254/latest",
                "http://\u0435xample.invalid/",
            ),
        ),
    ),
    (
        ("path", "file", "folder", "dir"),
        ("a.csv", "none.jsonl", "../x.csv", "/etc/hostname", "a/../b", "a\u0000b", "." * 40),
    ),
    (("pointer",), ("", "/", "/a", "/a/0", "/a~1b", "/~0", "/a/-", "/result/valid", "/" + "a/" * 50)),
    (("schema",), SCHEMAS),
    (
        ("diff", "patch"),
        ("--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a\n+b\n", "--- a\n+++ b\n@@ -1,9 +1 @@\n", "@@", "diff --git a b\n"),
    ),
    (
        ("date", "time", "start", "end"),
        ("2026-02-28", "2024-02-29", "2026-02-30", "0000-00-00", "2026-01-01T00:00:00Z"),
    ),
    (("email", "mail"), ("a@example.invalid", "a@b", "@", "a b@c")),
    (("selector", "css"), ("h1", "h1 > a", "#a", "[", "a::b", "*" * 50)),
)
"""Words in a property's name, and values that such a property is often given."""

BY_FORMAT: dict[str, tuple[str, ...]] = {
    "date": ("2026-02-28", "2024-02-29", "0001-01-01", "9999-12-31"),
    "time": ("00:00:00Z", "23:59:59.999Z", "23:59:60Z", "12:00:00+14:00"),
    "date-time": (
        "2026-02-28T12:00:00Z",
        "1970-01-01T00:00:00-00:00",
        "2016-12-31T23:59:60Z",
        "9999-12-31T23:59:59.9+14:00",
    ),
    "email": ("a@example.invalid", '"a b"@example.invalid', "a+b@example.invalid"),
    "hostname": ("a", "example.invalid", "xn--bcher-kva.example", "a" * 63 + ".invalid"),
    "ipv4": ("127.0.0.1", "0.0.0.0", "255.255.255.255"),  # noqa: S104 - a value, nobody listens there
    "ipv6": ("::1", "::", "2001:db8::1", "::ffff:127.0.0.1"),
    "uri": ("https://example.invalid/", "urn:x:y", "file:///etc/hostname", "mailto:a@example.invalid"),
    "uuid": ("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    "json-pointer": ("", "/", "/a~0b/0"),
    "regex": ("", "a", "^[a-z]+$", "(a+)+$"),
    "duration": ("P1D", "PT0S", "P1Y2M3DT4H5M6S"),
}


def hints(name: str, schema: Any) -> tuple[Any, ...]:
    """Values for a property of this name and schema, the author's own first; not all of them have to fit."""
    schema = schema if isinstance(schema, dict) else {}
    found = [*_listed(schema, "examples"), *_listed(schema, "x-fuzz")]
    found += [schema["default"]] if "default" in schema else []
    found += BY_FORMAT.get(schema.get("format", ""), ())
    words = name.lower()
    for parts, values in BY_NAME:
        if any(part in words for part in parts):
            found += values
    return tuple(found)


def _listed(schema: Any, keyword: str) -> list[Any]:
    found = schema.get(keyword)
    return found if isinstance(found, list) else []


def bounds(schema: Any) -> tuple[float, float]:
    """The least and the most that a number may be, from all four keywords, open ends included."""
    low = max(_number(schema, "minimum", -math.inf), _number(schema, "exclusiveMinimum", -math.inf))
    high = min(_number(schema, "maximum", math.inf), _number(schema, "exclusiveMaximum", math.inf))
    return low, high


def _number(schema: Any, keyword: str, missing: float) -> float:
    found = schema.get(keyword, missing)
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else missing
