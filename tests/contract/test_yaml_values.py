"""YAML as values: the core schema, aliases and merges as copies, places, and what is refused."""

import pytest

from workermd.contract.yaml_values import YamlError, read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[1, -2, 0x1F, 0o17, 1.5, 1e3, .5]", [1, -2, 31, 15, 1.5, 1000.0, 0.5]),
        ("[true, False, null, ~, ]", [True, False, None, None]),
        ("[on, yes, 2026-03-01, 1.2.3, .inf, 012x, 1_000]", ["on", "yes", "2026-03-01", "1.2.3", ".inf", "012x", "1_000"]),
        ("['true', \"1\", !!str 1, ! 2]", ["true", "1", "1", "2"]),
        ("200: a\ntrue: b", {"200": "a", "true": "b"}),
        ("a: &x {k: 1}\nb: *x\nc: {<<: *x, k: 2, l: 3}", {"a": {"k": 1}, "b": {"k": 1}, "c": {"k": 2, "l": 3}}),
        ("a: {<<: [{x: 1}, {x: 2, y: 2}]}", {"a": {"x": 1, "y": 2}}),
        ("&k key: &v value\n*v : *k", {"key": "value", "value": "key"}),
        ("a: |\n  one\n  two\n\nb: >-\n  x\n  y\n", {"a": "one\ntwo\n", "b": "x y"}),
        ("", None),
    ],
)  # fmt: skip
def test_scalars_mean_what_the_core_schema_says(text, value):
    assert read(text).value == value
    assert [type(one) for one in read(text).value or ()] == [type(one) for one in value or ()]


def test_every_scalar_may_stay_as_written():
    assert read("a: 1.10\nb: true\nc:\n", as_text=True).value == {"a": "1.10", "b": "true", "c": ""}


def test_places_end_with_the_last_thing_that_belongs_to_a_value():
    text = "a:\n  b: 1\n  # after\n\nc: |\n  text\n\nd: {e: f}\n"
    places = {pointer: text[start:end] for pointer, (start, end) in read(text).places.items()}
    assert places["/a"] == "a:\n  b: 1"
    assert places["/a/b"] == "b: 1"
    assert places["/c"] == "c: |\n  text"
    assert places["/d"] == "d: {e: f}"


def test_a_copy_does_not_change_with_its_original():
    value = read("a: &x [1]\nb: *x").value
    value["a"].append(2)
    assert value["b"] == [1]


@pytest.mark.parametrize(
    ("within", "beyond"),
    [
        ("[" * 64 + "]" * 64, "[" * 65 + "]" * 65),
        ("a: &a [[1]]\nb: " + "[" * 61 + "*a" + "]" * 61, "a: &a [[1]]\nb: " + "[" * 62 + "*a" + "]" * 62),
    ],
    ids=["written", "copied"],
)
def test_nesting_is_counted_to_the_last_level(within, beyond):
    """What an alias copies is as deep as what is written."""
    assert read(within).value
    with pytest.raises(YamlError, match="more than 64 levels"):
        read(beyond)


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\na: 2", "--- 1\n--- 2", "? {a: b}\n: c", "a: *b", "a: &a {b: *a}", "!x a", "a: !!python/name:os.x y",
        "<<: 1", "{a", "a: " + "[" * 70 + "]" * 70, "a: &a [" + "[" * 40 + "]" * 40 + "]\nb: " + "[" * 30 + "*a" + "]" * 30,
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_refused(text):
    with pytest.raises(YamlError) as caught:
        read(text)
    assert "\n" not in str(caught.value)
