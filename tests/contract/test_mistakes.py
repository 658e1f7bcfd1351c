"""The mistakes of a first hour, each with what is said of it: at its own place, by its name, once."""

import pytest

from tests.contract.contract_cases import BULLETS, GOOD, INPUT_FENCE, edit, front
from workermd.contract.reader import read
from workermd.lint.engine import lint

INPUT = GOOD[GOOD.index("### Input") : GOOD.index("### Output")]
OUTPUT = GOOD[GOOD.index("### Output") : GOOD.index("### Constraints")]
NBSP = "\u00a0"
TABLE = "| key | value |\n|---|---|\n| timeout_seconds | 30 |"


def bullet(old, new):
    return edit(f"- {old}\n", f"{new}\n")


def schema(text):
    return edit(INPUT_FENCE, f"```json\n{text}\n```")


# name: document, line of the finding, its code, words of message and hint
MISTAKES = {
    "no blank after a colon": (edit("name: Demo", "name:Demo"), 3, "WM201", "'name'", "Write `name: Demo`"),
    "no blank in a constraint": (bullet("timeout_seconds: 30", "- timeout_seconds:30"), 39, "WM601", "a blank", "Write `- timeout_seconds: 30`"),
    "tab in yaml": (edit("name: Demo", "name:\tDemo"), 3, "WM208", "a TAB", "spaces"),
    "tab before a key": (edit("name: Demo", "\tname: Demo"), 3, "WM208", "a TAB", "spaces"),
    "Inputs": (edit("### Input schema", "### Inputs"), 13, "WM301", "Input schema is missing; this line", "### Input schema"),
    "Outputs": (edit("### Output schema", "## Outputs"), 23, "WM301", "Output schema is missing; this line", "### Output schema"),
    "Ouput schema": (edit("### Output schema", "### Ouput schema"), 23, "WM301", "this line is no heading", "### Output schema"),
    "no blank after the marks": (edit("### Input schema", "###Input schema"), 13, "WM301", "this line is no heading", ""),
    "bold for a heading": (edit("### Constraints", "**Constraints**"), 37, "WM301", "this line is no heading", ""),
    "schema in yaml": (edit(INPUT_FENCE, "```yaml\ntype: object\n```"), 15, "WM308", "'yaml'", "Convert it to JSON"),
    "fence without language": (edit(INPUT_FENCE, INPUT_FENCE.replace("json", "")), 15, "WM308", "language ''", "```json"),
    "jsonc": (edit(INPUT_FENCE, INPUT_FENCE.replace("json", "jsonc")), 15, "WM308", "'jsonc'", "```json"),
    "unclosed fence": (edit(INPUT_FENCE, INPUT_FENCE.removesuffix("\n```")), 15, "WM304", "not closed before the heading on line 22", "Close it"),
    "seconds with a unit": (bullet("timeout_seconds: 30", "- timeout_seconds: 30s"), 39, "WM606", "plain decimal", "Write `30`."),
    "minutes": (bullet("timeout_seconds: 30", "- timeout_seconds: 1.5 min"), 39, "WM606", "plain decimal", "Write `90`."),
    "minutes under another name": (bullet("timeout_seconds: 30", "- timeout: 5m"), 39, "WM701", "'timeout'", "`- timeout_seconds: 300`"),
    "decimal comma": (bullet("timeout_seconds: 30", "- timeout_seconds: 1,5"), 39, "WM606", "plain decimal", "Write `1.5`."),
    "negative": (bullet("timeout_seconds: 30", "- timeout_seconds: -1"), 39, "WM606", "plain decimal", "Write for example `30`."),
    "attempts in a word": (bullet("max_attempts: 2", "- max_attempts: two"), 40, "WM606", "whole number", "Write for example `3`."),
    "list without brackets": (edit("- status_enum: [ok, ", "- status_enum: ok, "), 42, "WM606", "words in brackets", "Write `[ok, "),
    "v before a version": (edit("version: 1.0.0", "version: v1.0.0"), 4, "WM115", "such as 1.0", "Write `1.0.0`."),
    "one number for a version": (edit("version: 1.0.0", "version: 2"), 4, "WM115", "such as 1.0", "Write `2.0.0`."),
    "blank in an id": (edit("id: demo-worker", "id: demo worker"), 2, "WM115", "letters", "Write `demo-worker`."),
    "verison": (edit("version: 1.0.0", "verison: 1.0.0"), 4, "WM112", "'verison' is not its name", "Write `version:`"),
    "purpose behind a picture": (edit("Purpose:", "\U0001f3af Purpose:"), 11, "WM713", "no paragraph that begins `Purpose:`", "Write a paragraph"),
    "Purpos": (edit("Purpose:", "Purpos:"), 11, "WM713", "'Purpos', which is not the word Purpose", ""),
    "example for the input schema": (schema('{"run_id": "a", "lines": ["x"]}'), 37, "WM705", "looks like an example of an input", "Write the schema"),
    "example for the output schema": (edit(OUTPUT[OUTPUT.index("```json") :].rstrip(), '```json\n{"run_id": "a", "result": {}}\n```'), 26, "WM510", "looks like an example", "Write the schema"),
    "timeout": (bullet("timeout_seconds: 30", "- timeout: 30s"), 39, "WM701", "'timeout' is not its name", "Write `- timeout_seconds: 30`"),
    "timeout of 0": (bullet("timeout_seconds: 30", "- timeout_seconds: 0"), 39, "WM606", "up to 1000000000", ""),
    "timeout beyond": (bullet("timeout_seconds: 30", "- timeout_seconds: 99999999999"), 39, "WM606", "up to 1000000000", ""),
    "attempts in quotes": (bullet("max_attempts: 2", '- max_attempts: "2"'), 40, "WM606", "whole number", ""),
    "max_retries": (bullet("max_attempts: 2", "- max_retries: 2"), 40, "WM702", "'max_retries' is not its name", "Write `- max_attempts: 2`"),
    "constraints without dashes": (edit(BULLETS, "timeout_seconds: 30"), 39, "WM604", "outside the bullet list", "- timeout_seconds"),
    "constraints as a table": (edit(BULLETS, TABLE), 39, "WM604", "found a table", "bullet"),
    "bold key": (bullet("timeout_seconds: 30", "- **timeout_seconds**: 30"), 39, "WM601", "plain key", "- timeout_seconds: 30"),
    "equals sign": (bullet("timeout_seconds: 30", "- timeout_seconds = 30"), 39, "WM601", "plain key", "Write `- "),
    "run_id not required": (edit('"required": ["run_id"]', '"required": []'), 41, "WM705", "not required", "required string"),
    "run_id an integer": (schema('{"type": "object", "required": ["run_id"], "properties": {"run_id": {"type": "integer"}}}'), 37, "WM705", "no string", ""),
    "trailing comma": (schema('{"type": "object",}'), 16, "WM401", "comma", "Remove"),
    "single quotes": (schema("{'type': 'object'}"), 16, "WM401", "quotes", "double quotes"),
    "nbsp in json": (schema(f'{{{NBSP}"type": "object"}}'), 16, "WM401", "U+00A0", ""),
    "type str": (edit('{"run_id": {"type": "string"}}', '{"run_id": {"type": "string"}, "a": {"type": "str"}}'), 19, "WM501", "", ""),
    "lone CR": (GOOD.replace("\n", "\r"), 1, "WM104", "CR alone", "LF"),
    "nbsp before a value": (edit("version: 1.0.0", f"version:{NBSP}1.0.0"), 4, "WM201", "U+00A0 (no-break space) at column 9", "Write `version: 1.0.0`"),
    "nbsp in a value": (edit("version: 1.0.0", f"version: {NBSP}1.0.0"), 4, "WM115", "version is", "Remove U+00A0 (no-break space) at column 10"),
    "nbsp in a key": (edit("id: demo", f"id{NBSP}: demo"), 2, "WM112", "the key id holds U+00A0", "Remove it"),
    "zero width in a key": (edit("id: demo", "\u200bid: demo"), 2, "WM112", "U+200B (zero width space) at column 1", "Remove it"),
    "nbsp for the blank of a bullet": (bullet("timeout_seconds: 30", f"-{NBSP}timeout_seconds: 30"), 39, "WM604", "U+00A0 (no-break space) at column 2", "Write `- timeout_seconds: 30`"),
    "nbsp after the colon of a bullet": (bullet("timeout_seconds: 30", f"- timeout_seconds:{NBSP}30"), 39, "WM601", "U+00A0 (no-break space) at column 19", "Write `- timeout_seconds: 30`"),
    "nbsp after a value": (bullet("timeout_seconds: 30", f"- timeout_seconds: 30{NBSP}"), 39, "WM606", "", "Remove U+00A0 (no-break space) at column 22"),
    "zero width in a constraint": (bullet("timeout_seconds: 30", "- \u200btimeout_seconds: 30"), 39, "WM601", "U+200B", "Write `- timeout_seconds: 30`"),
    "nbsp in a heading": (edit("### Input schema", f"### Input{NBSP}schema"), 13, "WM301", "holds U+00A0", "### Input schema"),
    "typographic quotes": (edit("name: Demo", "name: \u201cDemo\u201d"), 3, "WM117", "typographic quotes", "plain quotes"),
    "two contracts": (GOOD + GOOD, 60, "WM302", "a second contract begins here", "Split the file"),
    "version with a v": (edit("version: 1.0.0", "version: v1.0.0"), 4, "WM115", "a version such as", ""),
    "mode abbreviated": (edit("agent-orchestration-worker", "agent"), 5, "WM124", "", "agent-orchestration-worker"),
    "mode misspelt": (edit("agent-orchestration-worker", "agent-orchestation-worker"), 5, "WM124", "", "agent-orchestration-worker"),
    "model in the front matter": (front("model: gpt"), 8, "WM116", "unknown key 'model'", "workermd.toml"),
    "no purpose": (edit("Purpose: Do one thing.", "Do one thing."), 1, "WM713", "no purpose", "Purpose: ..."),
    "purpose in a list": (edit("Purpose:", "- Purpose:"), 11, "WM713", "stands in a list", ""),
    "second paragraph": (edit("one thing.", "one thing.\n\nAnd another."), 13, "WM714", "no part of the purpose", "### Purpose"),
    "required but not there": (schema('{"type": "object", "required": ["run_id", "line"], "properties": {"run_id": {"type": "string"}, "lines": {"type": "array"}}}'), 16, "WM519", "'line' is required", "Did you mean 'lines'?"),
    "status in other words": (GOOD.replace('"ok", "retry', '"OK", "retry').replace("[ok, retry", "[OK, retry"), 31, "WM709", "do not include ok", ""),
}  # fmt: skip
NOTES = {"WM515", "WM113"}
ALONE = [name for name in MISTAKES if name not in ("status in other words", "type str", "trailing comma")]
"""One cause has one finding; those left out break a second rule by themselves."""


def found(document):
    reading = read(document.encode(), "demo.worker.md")
    return [each for each in lint(reading).findings if each.code not in NOTES]


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_at_its_place_by_its_name(name):
    document, line, code, message, hint = MISTAKES[name]
    said = found(document)
    (told,) = [each for each in said if each.code == code][:1] or [None]
    assert told is not None, said
    assert told.line == line, said
    assert message in told.message, told
    assert hint in told.hint, told


@pytest.mark.parametrize("name", ALONE)
def test_one_cause_is_told_once(name):
    document, _, code, _, _ = MISTAKES[name]
    assert [each.code for each in found(document)] == [code], [each.message for each in found(document)]


@pytest.mark.parametrize(
    "document",
    [
        GOOD.replace("\n", "\r\n"),
        edit("### Input", "# Input"),
        edit("Input schema", "INPUT Schema"),
        edit("Purpose:", "**purpose:**"),
    ],
)
def test_what_is_no_mistake_is_not_called_one(document):
    assert found(document) == found(GOOD) == []
