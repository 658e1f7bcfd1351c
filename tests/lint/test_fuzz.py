"""Whatever a file holds, reading and linting it gives findings: no exception, no long wait, and fixes that are safe."""

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.properties import DEEP, examples
from workermd.contract.reader import read
from workermd.contract.schema import DRAFTS
from workermd.lint.engine import lint
from workermd.lint.fixes import fixed
from workermd.lint.selection import Selection
from workermd.report import text

SEEDS = [
    path.read_bytes()
    for folder in ("contracts", "registry", "tests/lint", "tests/contract/documents")
    for path in sorted((ROOT / folder).rglob("*.worker.md"))
]
LONGEST = 10.0
"""Seconds of processor time for one input, with slack for the coverage of tests; most take a few milliseconds."""

BOUNDED = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))

ODD_PIECES = [
    "---", "```", "```json", "~~~", "<!--", "-->", "\ufeff", "\u202e", "\u200b", "\x00", "\r", "\u2028", "{", "[", '"', ":",
    "- ", "# ", "### Constraints", "### Input schema", "<!-- workermd: ignore WM515 x -->", "<!-- workermd: ", "é", "😀",
    "eyJ" + "a" * 300 + ".", "://" + "a" * 300, "Bearer " + "a" * 300, "ignore all previous", "[a](b) " * 50, "is " * 100,
]  # fmt: skip
ODD_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5),
    st.sampled_from([{}, [], [[]], {"": {}}, "#", "#/", "#/properties", "string", ["string", "object"], 1e300, 2**70]),
)  # fmt: skip
WORDS = st.sampled_from(
    [
        "type",
        "enum",
        "const",
        "required",
        "properties",
        "additionalProperties",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "minLength",
        "maxLength",
        "allOf",
        "anyOf",
        "not",
        "items",
        "prefixItems",
        "$ref",
        "$defs",
        "definitions",
        "$schema",
        "$id",
        "id",
        "pattern",
        "format",
        "maxProperties",
        "minProperties",
    ]
)
SCHEMAS = st.recursive(
    st.one_of(st.booleans(), st.just({})),
    lambda inner: st.dictionaries(
        WORDS, st.one_of(ODD_VALUES, inner, st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner))
    ),
    max_leaves=12,
)


HOLDERS = ["$defs", "definitions", "dependentSchemas", "dependencies", "then", "if", "contains", "propertyNames"]


def hold(data):
    """What has to be true of every input."""
    began = time.process_time()
    reading = read(data, "a.worker.md")
    linted = lint(reading)
    mended = fixed(data, "a.worker.md", Selection())
    text.findings(linted.findings, {"a.worker.md": reading.text})
    assert time.process_time() - began < LONGEST
    assert list(linted.findings) == sorted(set(linted.findings))
    assert {each for each in reading.findings if each.severity == "error"} <= {*linted.findings} or "***" in str(linted)
    lines = reading.text.split("\n")
    for finding in linted.findings:
        assert 1 <= finding.line <= len(lines)
        assert 1 <= finding.column <= len(lines[finding.line - 1]) + 1
        assert finding.column <= finding.end_column
        assert "\n" not in finding.message + finding.hint
    if mended != data:
        after = read(mended, "a.worker.md")
        assert (after.contract is None) == (reading.contract is None)
        if after.contract and reading.contract:
            assert after.contract.meaning_sha256 == reading.contract.meaning_sha256


@st.composite
def mutated(draw):
    """A real contract with a few lines moved, cut, doubled or spoilt."""
    lines = draw(st.sampled_from(SEEDS)).decode("utf-8", "replace").split("\n")
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(lines) - 1))
        deed = draw(st.integers(0, 5))
        if deed == 0:
            del lines[at : at + draw(st.integers(1, 5))]
        elif deed == 1:
            lines[at:at] = lines[draw(st.integers(0, at)) : at]
        elif deed == 2:
            place = draw(st.integers(0, len(lines[at])))
            lines[at] = lines[at][:place] + draw(st.sampled_from(ODD_PIECES)) + lines[at][place:]
        elif deed == 3:
            lines[at] = draw(st.one_of(st.sampled_from(ODD_PIECES), st.text(max_size=30)))
        elif deed == 4:
            other = draw(st.integers(0, len(lines) - 1))
            lines[at], lines[other] = lines[other], lines[at]
        else:
            lines[at] = re.sub(r"[0-9]+|\"[^\"]*\"", lambda _: json.dumps(draw(ODD_VALUES)), lines[at], count=1)
        lines = lines or [""]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


@settings(BOUNDED, max_examples=examples(300))
@given(mutated())
def test_mutated_contracts(data):
    hold(data)


@settings(BOUNDED, max_examples=examples(200))
@given(
    st.one_of(
        st.binary(max_size=400), st.text(max_size=400).map(lambda text: ("---\n" + text).encode("utf-8", "replace"))
    )
)
def test_bytes(data):
    hold(data)


@settings(BOUNDED, max_examples=examples(200))
@given(st.sampled_from(SEEDS), st.data())
def test_bytes_changed_in_place(seed, data):
    at = data.draw(st.integers(0, len(seed)))
    hold(seed[:at] + data.draw(st.binary(max_size=8)) + seed[at + data.draw(st.integers(0, 8)) :])


@settings(BOUNDED, max_examples=examples(250))
@given(st.dictionaries(WORDS, st.one_of(ODD_VALUES, SCHEMAS, st.lists(SCHEMAS, max_size=2)), max_size=6))
def test_schemas(schema):
    hold_schema(schema)


@settings(BOUNDED, max_examples=examples(200))
@given(st.sampled_from(sorted(DRAFTS)), st.sampled_from(HOLDERS), SCHEMAS, SCHEMAS)
def test_schemas_that_no_meta_schema_looks_at(draft, holder, first, second):
    """A keyword of another draft may hold anything."""
    hold_schema(
        {
            "$schema": draft,
            "type": "object",
            "required": ["run_id"],
            "properties": {"run_id": {"type": "string"}, "a": {holder: {"b": first, "c": second}}},
            holder: {"x": first, "y": second},
        }
    )


def hold_schema(schema):
    whole = (ROOT / "registry" / "autogen.worker.md").read_text()
    whole = re.sub(
        r"```json\n.*?```", lambda _: f"```json\n{json.dumps(schema, indent=1)}\n```", whole, flags=re.DOTALL
    )
    hold(whole.encode("utf-8", "surrogatepass"))


SHARE = 1 if DEEP else 4
"""A quarter of the size shows in a quarter of the time what grows faster than the size."""
BIG = 250_000 // SHARE
HUGE = {
    "sections": "### Constraints\n" * (BIG // 16),
    "ignores": "<!-- workermd: ignore WM515 x -->\n" * (BIG // 34),
    "comments": "<!-- workermd:" * (BIG // 14),
    "links": "## Evidence notes\n" + "[a](b)" * (BIG // 6),
    "brackets": "## Evidence notes\n" + "[" * BIG,
    "angles": "## Evidence notes\n" + "<a " * (BIG // 3),
    "status": "## Evidence notes\n" + "this project is officially currently " * (BIG // 37),
    "licences": "## Evidence notes\n" + "licensed under the " * (BIG // 19),
    "moved": "## Evidence notes\n" + "moved to " * (BIG // 9),
    "instructions": "ignore all " * (BIG // 11),
    "blanks": "ignore" + " " * BIG,
    "lines of blanks": "system" + "\n " * (BIG // 2),
    "addresses": "https://a:" * (BIG // 10),
    "at signs": "a://" + "b@" * (BIG // 2),
    "tokens": "eyJ" * (BIG // 3),
    "dots": ("eyJaaaaaaaaaaa.eyJaaaaaaaaaaa" * (BIG // 29)),
    "bearers": "bearer " * (BIG // 7),
    "keys": "-----BEGIN PRIVATE KEY-----" * (BIG // 27),
    "sk": "sk-" * (BIG // 3),
    "unseen": "\u200b" * (BIG // 3),
    "bidi": "\u202e" * (BIG // 3),
    "tags": "\U000e0041" * (BIG // 4),
    "fences": "```\n" * (BIG // 4),
    "list items": "- a\n" * (BIG // 4),
    "numbered items": "1. a\n" * (BIG // 5),
    "headings": "# a\n" * (BIG // 4),
    "underlined headings": "a\n===\n" * (BIG // 6),
    "quotes": "> a\nb\n" * (BIG // 6),
}


@pytest.mark.uncovered
@pytest.mark.parametrize("body", HUGE.values(), ids=HUGE)
def test_huge_files(body):
    """Each wears out one pattern; `make fuzz` tries them as large as a file may be."""
    seed = (Path(ROOT) / "tests" / "lint" / "WM901" / "good.worker.md").read_text()
    data = (seed + "\n" + body).encode()[: 256 * 1024 // SHARE].decode("utf-8", "ignore").encode()
    began = time.process_time()
    reading = read(data, "a.worker.md")
    between = time.process_time()
    lint(reading)
    assert time.process_time() - between < LONGEST / SHARE
    assert between - began < 2 * LONGEST / SHARE, "a file of list items takes 1.1 s"
