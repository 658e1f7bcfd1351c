"""aggregate: merging, conflicts, completeness."""

import pytest

from workermd import Refused
from workermd.workers.aggregate import run

CONTRACT = "aggregate"


@pytest.fixture
def merge(make_task, example):
    """`merge(part, part, …)`: parts as `(source, data)` or whole; the output, judged by the contract."""

    def merge_parts(*parts, policy="best_effort", **order):
        whole = [part if isinstance(part, dict) else {"source": part[0], "data": part[1]} for part in parts]
        document = {"run_id": "r", "merge_policy": policy, "parts": whole, **order}
        example.accepts_input(document)
        return example.complete(run(make_task(document)))

    return merge_parts


def test_the_example_gives_the_expected_output(example, make_task):
    example.accepts_input(example.input)
    assert example.complete(run(make_task(example.input))) == example.output


def test_objects_merge_member_by_member(merge):
    result = merge(("a", {"x": {"y": 1}, "z": [1]}), ("b", {"x": {"w": None}, "z": [1.0]}))["result"]
    assert result["merged"] == {"x": {"y": 1, "w": None}, "z": [1]}
    assert result["conflicts"] == []
    assert result["completeness"] == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, True), (0, False), ("1", 1), ([1], [True]), ([1, 2], [2, 1]), ({}, []), ({"a": 1}, "a"), (None, 0)],
)
def test_what_differs_as_json_is_a_conflict(merge, one, other):
    result = merge(("a", {"k": one}), ("b", {"k": other}))["result"]
    assert result["conflicts"] == [{"pointer": "/k", "sources": ["a", "b"], "chosen": None}]
    assert result["merged"] == {}


@pytest.mark.parametrize(
    ("first", "second", "chosen"),
    [
        ({"priority": 1}, {"confidence": 0.9}, "a"),
        ({"confidence": 0.2}, {"confidence": 0.9}, "b"),
        ({"priority": 1, "confidence": 0.1}, {"priority": 1, "confidence": 0.2}, "b"),
        ({"priority": -1}, {}, "b"),
        ({}, {}, None),
    ],
)
def test_rank_decides_a_conflict(merge, first, second, chosen):
    parts = [{"source": "a", "data": {"k": 1}, **first}, {"source": "b", "data": {"k": 2}, **second}]
    result = merge(*parts)["result"]
    assert result["conflicts"][0]["chosen"] == chosen
    assert result["merged"] == ({"k": 1 if chosen == "a" else 2} if chosen else {})


def test_leaders_that_agree_outweigh_the_rest(merge):
    parts = [
        {"source": name, "data": {"k": value}, "priority": p}
        for name, value, p in [("a", 1, 0), ("b", 2, 1), ("c", 2, 1)]
    ]
    assert merge(*parts)["result"]["conflicts"] == [{"pointer": "/k", "sources": ["a", "b", "c"], "chosen": "b"}]


def test_pointers_escape_names(merge):
    result = merge(("a", {"a/b": {"c~d": 1}}), ("b", {"a/b": {"c~d": 2}}), expected={"pointers": ["/a~1b/c~0d"]})[
        "result"
    ]
    assert result["conflicts"][0]["pointer"] == "/a~1b/c~0d"
    assert (result["missing"], result["completeness"]) == (["/a~1b/c~0d"], 0)


def test_strict_takes_no_conflict_and_is_final(merge):
    parts = [("a", {f"k{n}": n for n in range(9)}), ("b", {f"k{n}": -n for n in range(9)})]
    answer = merge(*parts, policy="strict")
    assert answer["status"] == "invalid_request"
    error = answer["result"]["error"]
    assert (error["code"], error["retryable"]) == ("merge_conflict", False)
    assert error["message"].startswith("8 conflict(s) under strict, at /k1, /k2, /k3, /k4, /k5 and 3 more;")
    assert merge(("a", {"k": 1}), ("b", {"j": 1}), policy="strict")["status"] == "ok"


def test_completeness_counts_pointers_and_sources(merge):
    expected = {"pointers": ["/list/1", "/list/2", "/null", "/list/01x"], "sources": ["a", "z"]}
    result = merge(("a", {"list": [0, 0], "null": None}), expected=expected)["result"]
    assert result["missing"] == ["/list/2", "/null", "/list/01x", "z"]
    assert result["completeness"] == 0.3333


def test_completeness_says_1_only_when_nothing_is_missing(merge):
    data = {f"k{n}": 1 for n in range(9_999)}
    result = merge(("a", data), expected={"pointers": [f"/k{n}" for n in range(10_000)]})["result"]
    assert result["completeness"] == 0.9999


def test_a_source_may_speak_once(merge):
    assert merge(("a", {}), ("a", {}))["result"]["error"]["code"] == "duplicate_source"


def test_it_has_no_settings(example, make_task):
    with pytest.raises(Refused, match="folder"):
        run(make_task(example.input, folder="."))
