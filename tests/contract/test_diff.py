"""What changed between two contracts: each kind of change from a real pair of files, with verdict, bump and place."""

import re
from typing import Any

import pytest

from tests.conftest import FOUR, ROOT, contract_text
from workermd.contract import bump
from workermd.contract.diff import KINDS, Difference, difference
from workermd.contract.model import Lines, Reading
from workermd.contract.reader import read

S = {"type": "string"}


def reading(text: str, path: str = "a.worker.md") -> Reading:
    found = read(text.encode(), path)
    assert found.contract is not None, found.findings
    return found


def schema(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["run_id"],
        "properties": {"run_id": S} | properties,
    }


def outputs(statuses: Any = None, **rules: Any) -> dict[str, Any]:
    status = {"enum": statuses or FOUR}
    properties = {"run_id": S, "status": status, "result": {"type": "object"} | rules}
    return {"type": "object", "additionalProperties": False, "required": ["run_id", "status"], "properties": properties}


def compare(old: dict[str, Any], new: dict[str, Any], version: str = "1.0.0") -> Difference:
    text = contract_text(**new).replace("version: 1.0.0", f"version: {version}")
    return difference(reading(contract_text(**old), "old.worker.md"), reading(text, "new.worker.md"))


def bounds(**values: object) -> dict[str, Any]:
    return {"constraints": values}


MINE = [*FOUR, "partial"]
CASES: tuple[tuple[str, dict[str, Any], dict[str, Any], str], ...] = (
    ("id-changed", {"id": "a"}, {"id": "b"}, "/front_matter/id"),
    ("mode-changed", {"mode": "a"}, {"mode": "b"}, "/front_matter/worker_mode"),
    ("purpose-changed", {"purpose": "Answer."}, {"purpose": "Delete."}, "/purpose"),
    ("purpose-respaced", {"purpose": "Answer  it."}, {"purpose": "Answer it."}, "/purpose"),
    (
        "idempotency-key-changed",
        {"input_schema": schema(key=S) | {"required": ["run_id", "key"]}},
        {"input_schema": schema(key=S) | {"required": ["run_id", "key"]}} | bounds(idempotency_key="key"),
        "/constraints/idempotency_key",
    ),
    ("input-narrowed", {"input_schema": schema(a=S)}, {"input_schema": schema(a=S | {"maxLength": 1})}, "/input_schema/properties/a/maxLength"),
    ("input-widened", {"input_schema": schema(a=S | {"maxLength": 1})}, {"input_schema": schema(a=S)}, "/input_schema/properties/a/maxLength"),
    ("input-undecided", {"input_schema": schema(a=S | {"pattern": "^a$"})}, {"input_schema": schema(a=S | {"pattern": "^aa?$"})}, "/input_schema/properties/a/pattern"),
    ("input-reworded", {"input_schema": schema(a=S)}, {"input_schema": schema(a=S | {"title": "A"})}, "/input_schema"),
    ("output-narrowed", {"output_schema": outputs()}, {"output_schema": outputs(maxProperties=9)}, "/output_schema/properties/result/maxProperties"),
    ("output-widened", {"output_schema": outputs(maxProperties=9)}, {"output_schema": outputs()}, "/output_schema/properties/result/maxProperties"),
    (
        "output-undecided",
        {"output_schema": outputs(propertyNames={"pattern": "^a$"})},
        {"output_schema": outputs(propertyNames={"pattern": "^aa?$"})},
        "/output_schema/properties/result/propertyNames/pattern",
    ),
    ("output-reworded", {"output_schema": outputs()}, {"output_schema": outputs(minProperties=0)}, "/output_schema"),
    ("status-added", {}, {"statuses": [*FOUR, "needs_human"]}, "/output_schema/properties/status/enum"),
    ("status-removed", {"statuses": [*FOUR, "needs_human"]}, {}, "/output_schema/properties/status/enum"),
    (
        "success-changed",
        {"statuses": MINE},
        {"statuses": MINE} | bounds(success_statuses="[ok, partial]"),
        "/constraints/success_statuses",
    ),
    ("timeout-raised", {}, bounds(timeout_seconds=21), "/constraints/timeout_seconds"),
    ("timeout-lowered", {}, bounds(timeout_seconds=19), "/constraints/timeout_seconds"),
    ("attempt-timeout-raised", bounds(attempt_timeout_seconds=5), {}, "/constraints/attempt_timeout_seconds"),
    ("attempt-timeout-lowered", {}, bounds(attempt_timeout_seconds=5), "/constraints/attempt_timeout_seconds"),
    ("attempts-raised", {}, bounds(max_attempts=3), "/constraints/max_attempts"),
    ("attempts-lowered", {}, bounds(max_attempts=None), "/constraints/max_attempts"),
    ("budget-raised", bounds(max_tokens=5), {}, "/constraints/max_tokens"),
    ("budget-lowered", bounds(max_cost_usd=0.5), bounds(max_cost_usd=0), "/constraints/max_cost_usd"),
    ("size-raised", {}, bounds(max_output_bytes=2_000_000), "/constraints/max_output_bytes"),
    ("size-lowered", {}, bounds(max_output_bytes=1000), "/constraints/max_output_bytes"),
    ("tool-added", bounds(tools_allowed="[a]"), bounds(tools_allowed="[a, b]"), "/constraints/tools_allowed"),
    ("tool-removed", {}, bounds(tools_allowed="[a]"), "/constraints/tools_allowed"),
    ("tool-added", bounds(tools_allowed="[a(p=x/*)]"), bounds(tools_allowed="[a(p=*)]"), "/constraints/tools_allowed"),
    ("tool-removed", bounds(tools_allowed="[a*]"), bounds(tools_allowed="[ab(p=x)]"), "/constraints/tools_allowed"),
    ("reach-widened", bounds(max_memory_mb=64), {}, "/constraints/max_memory_mb"),
    ("reach-narrowed", {}, bounds(max_processes=4), "/constraints/max_processes"),
    ("reach-widened", bounds(max_artifact_mb=1), bounds(max_artifact_mb=2), "/constraints/max_artifact_mb"),
    ("reach-widened", bounds(network="none"), bounds(network="loopback"), "/constraints/network"),
    ("reach-widened", bounds(network="[a.b:1]"), bounds(network="[a.b:1, c.d:1]"), "/constraints/network"),
    ("reach-widened", bounds(network="loopback"), {}, "/constraints/network"),
    ("reach-narrowed", bounds(network="[a.b:1]"), bounds(network="loopback"), "/constraints/network"),
    ("reach-widened", bounds(files="none"), bounds(files="[read(a)]"), "/constraints/files"),
    ("reach-widened", bounds(files="[read(a)]"), bounds(files="[write(a)]"), "/constraints/files"),
    ("reach-narrowed", bounds(files="[write(a)]"), bounds(files="[read(a)]"), "/constraints/files"),
    ("reach-narrowed", {}, bounds(files="none"), "/constraints/files"),
    ("rate-limit-added", {}, bounds(rate_limit="1 a day"), "/constraints/rate_limit"),
    ("rate-limit-changed", bounds(rate_limit="1 a day"), bounds(rate_limit="2 a day"), "/constraints/rate_limit"),
    ("rate-limit-removed", bounds(rate_limit="1 a day"), {}, "/constraints/rate_limit"),
    ("backoff-changed", {}, bounds(backoff="exponential"), "/constraints/backoff"),
    ("notes-changed", {}, bounds(notes="be kind"), "/constraints/notes"),
)  # fmt: skip


@pytest.mark.parametrize(("kind", "old", "new", "pointer"), CASES, ids=[case[0] for case in CASES])
def test_each_kind(kind: str, old: dict[str, Any], new: dict[str, Any], pointer: str) -> None:
    found = compare(old, new)
    assert [(change.kind, change.pointer) for change in found.changes] == [(kind, pointer)]
    (change,) = found.changes
    assert (change.verdict, change.requires) == (KINDS[kind].verdict, KINDS[kind].requires)
    assert found.required == KINDS[kind].requires
    assert found.is_bump_missing
    for spot in (change.old, change.new):
        assert pointer.startswith(spot.place)
    # The place that has what changed is the very one: its line holds the last word of the pointer.
    spot, text = (
        (change.new, contract_text(**new)) if change.new.place == pointer else (change.old, contract_text(**old))
    )
    assert spot.place == pointer
    if kind not in ("purpose-changed", "purpose-respaced", "input-reworded", "output-reworded"):
        word = {"worker_mode": "worker_mode"}.get(pointer.rpartition("/")[2], pointer.rpartition("/")[2])
        near = "\n".join(Lines(text).line_text(line) for line in range(max(1, spot.line - 1), spot.line + 1))
        assert word in near


def test_every_kind_has_a_case() -> None:
    others = {"shape-changed", "status-moved", "call-changed"}  # below: they need other files
    assert {case[0] for case in CASES} | others == set(KINDS)


def test_another_way_to_call() -> None:
    plain = contract_text()
    first, second = (
        plain.replace("\nversion:", f"\nx-call:\n- program\n- {word}\nversion:", 1) for word in ("add", "remove")
    )
    for old, new, reason in ((first, second, "changed"), (plain, first, "was added"), (first, plain, "was taken away")):
        found = difference(reading(old, "old.worker.md"), reading(new, "new.worker.md"))
        assert [change.kind for change in found.changes] == ["call-changed"]
        assert found.changes[0].reason == f"x-call {reason}"
    assert difference(reading(first, "old.worker.md"), reading(first, "new.worker.md")).changes == ()


def test_another_shape() -> None:
    site = (ROOT / "tests/contract/documents/good/site-shape.worker.md").read_text()
    found = difference(reading(contract_text()), reading(site))
    assert "shape-changed" in {change.kind for change in found.changes}
    assert "status-moved" not in {change.kind for change in found.changes}


def test_a_status_that_moves_to_the_envelope() -> None:
    bare = {"type": "object", "properties": {"run_id": S, "result": {"type": "object"}}}
    found = compare({"output_schema": outputs()}, {"output_schema": bare})
    assert "status-moved" in {change.kind for change in found.changes}


def test_the_same_contract_has_no_changes() -> None:
    for path in sorted([*ROOT.glob("contracts/*.worker.md"), *ROOT.glob("registry/*.worker.md")]):
        same = reading(path.read_text())
        found = difference(same, same)
        assert (found.changes, found.required, found.made, found.is_bump_missing) == ((), "none", "none", False)


def test_prose_and_order_change_nothing() -> None:
    text = (ROOT / "registry/autogen.worker.md").read_text()
    other = text.replace("\n  - stars", "").replace(
        "# autogen Repo-Derived Worker", "# Another title\n\nMore words.", 1
    )
    other = other.replace('"run_id",\n    "task",', '"task",\n    "run_id",')
    assert other != text
    found = difference(reading(text), reading(other))
    assert {change.kind for change in found.changes} <= {"input-reworded", "output-reworded"}


def test_two_sides_of_one_enum_are_told_apart() -> None:
    old, new = {"enum": ["a", "b"]}, {"enum": ["b", "c"]}
    found = compare({"input_schema": schema(a=old)}, {"input_schema": schema(a=new)})
    assert [(change.kind, change.reason) for change in found.changes] == [
        ("input-narrowed", "values equal to 'a' were accepted and are refused now"),
        ("input-widened", "values equal to 'c' were refused and are accepted now"),
    ]


def test_nothing_harmless_is_told_where_something_is_undecided() -> None:
    old, new = S | {"pattern": "^a$"}, S | {"pattern": "^b$"}
    found = compare({"input_schema": schema(a=old)}, {"input_schema": schema(a=new)})
    assert {change.verdict for change in found.changes} <= {"breaking", "unknown"}


def test_a_new_status_is_told_once() -> None:
    found = compare({}, {"statuses": [*FOUR, "needs_human"]})
    assert [change.reason for change in found.changes] == ["the status 'needs_human' is new"]


def test_schemas_of_draft_4_are_compared_as_text() -> None:
    draft = {"$schema": "http://json-schema.org/draft-04/schema#"}
    found = compare({"input_schema": schema(a=S) | draft}, {"input_schema": schema(a=S, b=S) | draft})
    assert [change.kind for change in found.changes] == ["input-undecided"]


def test_a_contract_with_errors_is_refused() -> None:
    broken = read(b"---\nid: a\n---\n", "a.worker.md")
    with pytest.raises(ValueError, match="errors"):
        difference(broken, broken)


# --- versions ---

VERSIONS = (
    ("1.0.0", "1.0.0", "none"), ("1.0", "1.0.0", "none"), ("1.2.3", "1.2.4", "patch"), ("1.2.3", "1.3.0", "minor"),
    ("1.2.3", "2.0.0", "major"), ("2.0.0", "1.9.9", "none"), ("1.9.0", "1.10.0", "minor"), ("0.1.0", "0.2.0", "major"),
    ("0.1.0", "0.1.1", "minor"), ("0.9", "1.0", "major"), ("1.0.0", "2.0.0-rc.1", "major"), ("2.0.0-rc.1", "2.0.0-rc.2", "major"),
    ("2.0.0-rc.2", "2.0.0-rc.10", "major"), ("2.0.0-rc.2", "2.0.0", "major"), ("2.0.0", "2.0.0-rc.1", "none"),
    ("1.1.0-a", "1.1.0", "minor"), ("1.1.1-a", "1.1.1", "patch"), ("1.0.0-1", "1.0.0-a", "major"), ("0.1.1-a", "0.1.1", "minor"),
)  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), VERSIONS)
def test_the_bump_between_two_versions(old: str, new: str, expected: str) -> None:
    assert bump.made(old, new) == expected


@pytest.mark.parametrize(("version", "missing"), [("1.0.0", True), ("1.0.1", True), ("1.1.0", True), ("2.0.0", False)])
def test_the_bump_that_a_breaking_change_takes(version: str, missing: bool) -> None:
    found = compare({}, bounds(timeout_seconds=99), version)
    assert (found.required, found.is_bump_missing) == ("major", missing)


def test_a_word_that_is_no_version() -> None:
    with pytest.raises(ValueError):
        bump.parsed("one")


# --- the page ---


def diff_tables():
    """The generated tables of `docs/diff.md`."""
    lines = ["| change | verdict | bump it takes | why |", "|---|---|---|---|"]
    lines += [f"| `{name}` | {kind.verdict} | {kind.requires} | {kind.why} |" for name, kind in KINDS.items()]
    return "\n".join(lines) + "\n"


def test_the_page_has_the_generated_table() -> None:
    page = (ROOT / "docs" / "diff.md").read_text()
    assert diff_tables() in page, "write diff_tables() to docs/diff.md"
    assert re.search(r"^# ", page)
