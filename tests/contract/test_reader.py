"""What a reading holds: the contract, the places, and no surprises on any bytes."""

import time
from pathlib import Path

import frontmatter
import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.contract.contract_cases import GOOD, edit, front
from tests.properties import examples
from workermd.contract import document, yamltext
from workermd.contract.cache import load
from workermd.contract.model import Constraints, Lines, Span
from workermd.contract.problems import Problems
from workermd.contract.reader import MAX_BYTES, parse, read
from workermd.protocol.errors import ConfigurationError, ContractUnusable
from workermd.protocol.finding import ordered
from workermd.system.text import quoted

REGISTRY = Path(__file__).parents[2] / "registry" / "autogen.worker.md"


def test_contract_of_the_registry() -> None:
    reading = read(REGISTRY.read_bytes(), "autogen.worker.md")
    contract = reading.contract
    assert contract is not None
    assert (contract.shape, contract.id, contract.version) == ("registry", "autogen-repo-derived-worker", "1.0.0")
    assert contract.mode == "agent-orchestration-worker"
    assert contract.purpose == "Execute one orchestrated agent task as a bounded worker step."
    assert contract.front_matter["derivation_confidence"] == "0.95"
    assert contract.front_matter["tags"][0] == "agentic"
    assert contract.statuses == ("ok", "retryable_error", "invalid_request", "invalid_output")
    assert contract.constraints == Constraints(
        timeout_seconds=30.0,
        max_attempts=2,
        idempotency_key="run_id",
        status_enum=contract.statuses,
        notes="adapt to concrete APIs/classes documented in this repository before production use",
    )
    assert (contract.input_draft, contract.output_draft) == ("2020-12", "2020-12")
    assert contract.reports_status


def test_places_point_at_the_text() -> None:
    text = "\ufeff" + GOOD.replace("\n", "\r\n")
    reading = read(text.encode(), "demo.worker.md")
    slices = {name: reading.text[span.start : span.end] for name, span in reading.places.items()}
    assert slices["/front_matter/id"] == "demo-worker"
    assert slices["/front_matter/tags/0"] == "a"
    assert slices["/purpose"] == "Do one thing."
    assert slices["/input_schema/properties/run_id/type"] == '"string"'
    assert slices["/output_schema/properties/status/enum/1"] == '"retryable_error"'
    assert slices["/constraints/timeout_seconds"] == "30"
    assert slices["/constraints/status_enum"].startswith("[ok, ")
    assert slices["/constraints"] == "### Constraints"


def test_end_column_stays_on_the_line() -> None:
    reading = read(edit("name: Demo", "name: |\n  a\n  b\nversion: 2.0").encode(), "demo.worker.md")
    duplicate = reading.findings[0]
    assert (duplicate.line, duplicate.column, duplicate.end_column) == (7, 1, 8)


@pytest.mark.rule("S4.5")
def test_meaning_is_all_but_prose() -> None:
    def meaning(text: str) -> str:
        contract = read(text.encode(), "demo.worker.md").contract
        assert contract is not None
        return contract.meaning_sha256

    same = [
        GOOD.replace("name: Demo", "name: Other"),
        GOOD.replace("# Demo", "# Other\n\nMore prose."),
        GOOD.replace("\n", "\r\n"),
        GOOD.replace(
            '{\n  "type": "object",\n  "required": ["run_id"],', '{"required": ["run_id"],\n  "type": "object",'
        ),
        GOOD.replace("timeout_seconds: 30", "timeout_seconds: 30.0"),
    ]
    other = [
        GOOD.replace("Do one thing", "Do another thing"),
        GOOD.replace("agent-orchestration-worker", "tool-gateway-worker"),
        GOOD.replace("timeout_seconds: 30", "timeout_seconds: 31"),
        GOOD.replace("notes: adapt", "notes: other"),
        GOOD.replace('{"type": "string"}}', '{"type": "string", "minLength": 1}}'),
        GOOD.replace('"result": {"type": "object"}', '"result": {}'),
    ]
    assert {meaning(text) for text in same} == {meaning(GOOD)}
    assert len({meaning(text) for text in [GOOD, *other]}) == len(other) + 1


@pytest.mark.rule("S1.2")
def test_messages_name_the_other_place_and_the_way_out() -> None:
    def one(text: str) -> tuple[str, str]:
        found = read(text.encode(), "demo.worker.md").findings
        return found[0].message, found[0].hint

    assert one(front("id: other")) == ("found 'id' again; it stands on line 2 already", "Keep one of the two.")
    assert one(front("derived: x")) == ("unknown key 'derived'", "Did you mean derived_on?")
    assert one(edit("timeout_seconds: 30", "**timeout_seconds**: 30"))[1] == "Write `- timeout_seconds: 30`."
    assert one("Page\n\n" + GOOD)[0].endswith("the first such line is 3")
    assert (
        "stands in the code fence that begins on line 13"
        in one(edit("### Input schema\n", "~~~\n### Input schema\n~~~\n"))[0]
    )
    assert "line 31" in one(edit("[ok, retry", "[ok, needs_human, retry"))[0]


def test_long_values_are_not_quoted_in_full() -> None:
    assert quoted("x" * 100) == repr("x" * 37 + "...")
    assert quoted("a\nb") == r"'a\nb'"
    secret = "s3cret" * 40
    reading = read(edit("id: demo-worker", f"id: '! {secret}'").encode(), "demo.worker.md")
    assert secret not in reading.findings[0].message + reading.findings[0].hint


def test_without_libyaml_reading_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    with pytest.raises(ConfigurationError, match="libyaml") as caught:
        read(GOOD.encode(), "demo.worker.md")
    assert "pip install" in caught.value.hint


HOSTILE = {
    "alias bomb": front("x-a: &a [b,b]\n" + "\n".join(f"x-{n}: &{n} [{'*a,' * 50}]" for n in range(15))),
    "braces": front("x-a: " + "{" * 20000),
    "bullets": GOOD.replace("- notes: adapt", "- a: 1\n" * 12000),
    "bullets without colon": GOOD.replace("- notes: adapt", "- aaaa\n" * 12000),
    "headings": GOOD + "# Constraints\n" * 15000,
    "nested headings": GOOD + "- # Constraints\n" * 12000,
    "json array": GOOD.replace('"type": "object",\n  "required": ["run_id"],', f'"enum": [{"1," * 60000}1],'),
    "controls": "\x01" * MAX_BYTES,
    "nothing but near misses": front("x-a: b").replace("### Constraints", "###Constraints\n" * 10000),
    "unknown keys": front("\n".join(f"tim{n}: 1" for n in range(900))),
    "quotes": GOOD + "> " * 100000,
    "words": GOOD.replace("- notes: adapt", f"- tools_allowed: [{'a,' * 100000}]"),
}


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in HOSTILE.items()])
def test_hostile_text_takes_bounded_time(text: str) -> None:
    started = time.process_time()
    reading = read(text.encode(), "demo.worker.md")
    assert time.process_time() - started < 20
    assert len(reading.findings) < 200


PIECES = st.sampled_from(
    ["---\n", "\n", "id: a\n", "version: 1.0\n", "name: b\n", "tags: [a]\n", "? ", "- ", "> ", "    ", "\t", "```json\n",
     "```\n", "~~~\n", "<!--\n", "-->\n", "<div>\n", "### Input schema\n", "### Output schema\n", "### Constraints\n",
     "## Worker spec\n", "Input schema\n===\n", "# x\n", '[a]: /b "\n', "{}\n", '{"type": "object"}\n', "[", "&a ", "*a ",
     "!!x ", "<<: ", "- timeout_seconds: 5\n", "- max_attempts: 0\n", "1. a\n", "Purpose: x\n", "\r\n", "\r", "\x00",
     "\x85", "\u2028", "\ufeff", "\U0001f600", "text", ": ", "'", '"', "#", "`", "|\n", "%"]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=40).map("".join)
GLUED = st.tuples(TEXTS, st.integers(0, len(GOOD))).map(lambda pair: GOOD[: pair[1]] + pair[0] + GOOD[pair[1] :])


@settings(max_examples=examples(400), deadline=None)
@given(st.one_of(st.binary(max_size=200), TEXTS.map(str.encode), GLUED.map(str.encode)))
def test_any_bytes_give_a_reading(data: bytes) -> None:
    reading = read(data, "demo.worker.md", thorough=False)
    assert (reading.contract is None) == any(finding.severity == "error" for finding in reading.findings)
    assert reading.findings == ordered(reading.findings)
    count = reading.text.count("\n") + 1
    for finding in reading.findings:
        assert 1 <= finding.line <= count
        assert 1 <= finding.column <= finding.end_column
    for span in reading.places.values():
        assert 0 <= span.start <= span.end <= len(reading.text)


@pytest.mark.rule("S2.1")
@settings(max_examples=examples(100), deadline=None)
@given(st.one_of(st.binary(max_size=60), GLUED.map(str.encode)))
def test_load_raises_only_what_it_says(data: bytes) -> None:
    reading = read(data, "demo.worker.md", thorough=False)
    if reading.contract is not None:
        assert load(data, "demo.worker.md") == (reading.contract, reading.findings)
        return
    with pytest.raises(ContractUnusable) as caught:
        load(data, "demo.worker.md")
    assert caught.value.findings == reading.findings
    assert "\n" not in caught.value.message


def flat(value: object) -> object:
    """python-frontmatter's value, as text wherever YAML made something else of it."""
    if isinstance(value, dict):
        return {str(key): flat(item) for key, item in value.items()}
    if isinstance(value, list):
        return [flat(item) for item in value]
    return value


WORDS = st.from_regex(r"[a-z][a-z ]{0,8}[a-z]", fullmatch=True).filter(
    lambda word: word not in ("yes", "no", "on", "off", "true", "false", "null")
)
KEYS = st.from_regex(r"x-[a-z]{1,8}", fullmatch=True)
TREES = st.recursive(WORDS | st.text(max_size=20), lambda tree: st.lists(tree, max_size=3) | st.dictionaries(KEYS, tree, max_size=3), max_leaves=8)  # fmt: skip


@settings(max_examples=examples(60), deadline=None)
@given(st.dictionaries(KEYS, TREES, min_size=1, max_size=4), st.sampled_from([None, True, False]), st.booleans())
def test_front_matter_agrees_with_python_frontmatter(tree: dict[str, object], flow: bool | None, wide: bool) -> None:
    """Written by PyYAML with every scalar as text; read by both."""
    lines = yaml.safe_dump(tree, default_flow_style=flow, allow_unicode=wide, sort_keys=False)
    text = f"---\n{lines}---\n"
    start, end = 4, 4 + len(lines)
    problems = Problems("x", Lines(text))
    ours = yamltext.read(text, start, end, problems)
    assume(not problems.has_errors)  # a TAB or a line separator in a value
    assert ours.complete
    theirs, _ = frontmatter.parse(text)
    assert ours.values == flat(theirs)


def test_front_matter_oracle_can_fail() -> None:
    problems = Problems("x", Lines("x-a: on\n"))
    assert yamltext.read("x-a: on\n", 0, 8, problems).values == {"x-a": "on"}
    assert frontmatter.parse("---\nx-a: on\n---\n")[0] == {"x-a": True}


@settings(max_examples=examples(300), deadline=None)
@given(TEXTS)
def test_leaving_out_the_start_of_the_body_changes_nothing(text: str) -> None:
    plain = text.replace("\r", "").replace("\x00", "")
    lines = Lines(plain)
    part, whole = document.read_body(lines, 1), document.read_body(lines, 1, whole=True)
    assert part.sections == whole.sections
    assert part.blocks == whole.blocks[len(whole.blocks) - len(part.blocks) :]
    some, every = Problems("x", lines), Problems("x", lines)
    document.check_structure(part, lines, some)
    document.check_structure(whole, lines, every)
    assert some.findings() == every.findings()


@settings(max_examples=examples(150), deadline=None)
@given(TEXTS)
def test_fences_are_those_of_markdown_it(text: str) -> None:
    """The raw slice holds what markdown-it calls the content, but for indentation and tabs."""
    plain = text.replace("\r", "").replace("\x00", "").replace("\t", "")
    lines = Lines(plain)
    fences = [
        block for block in document.read_body(lines, 1, whole=True).blocks if block.kind == "fence" and not block.level
    ]
    tokens = [token for token in MarkdownIt("commonmark").parse(plain) if token.type == "fence" and not token.level]
    assert len(fences) == len(tokens)
    for fence, token in zip(fences, tokens, strict=True):
        raw = plain[slice(*document.fence_content(fence, lines))]
        assert [line.strip(" ") for line in raw.split("\n")] == [
            line.strip(" ") for line in token.content.split("\n")
        ] or not (document.fence_is_closed(fence, lines))


def test_parse_leaves_schemas_alone() -> None:
    parsed = parse(edit('"type": "object"', '"type": "objekt"').encode(), "demo.worker.md")
    assert parsed.problems.findings() == ()
    assert parsed.parts is not None
    assert isinstance(parsed.parts.places["/input_schema"], Span)
