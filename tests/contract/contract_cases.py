"""Edits of one good contract, each with everything that must be found: the rows of the format's tables."""

from typing import NamedTuple

GOOD = """\
---
id: demo-worker
name: Demo
version: 1.0.0
worker_mode: agent-orchestration-worker
tags:
- a
---
# Demo

Purpose: Do one thing.

### Input schema

```json
{
  "type": "object",
  "required": ["run_id"],
  "properties": {"run_id": {"type": "string"}}
}
```

### Output schema

```json
{
  "type": "object",
  "required": ["run_id", "status", "result"],
  "properties": {
    "run_id": {"type": "string"},
    "status": {"type": "string", "enum": ["ok", "retryable_error", "invalid_request", "invalid_output"]},
    "result": {"type": "object"}
  }
}
```

### Constraints

- timeout_seconds: 30
- max_attempts: 2
- idempotency_key: run_id
- status_enum: [ok, retryable_error, invalid_request, invalid_output]
- notes: adapt

## How this should be used

1. Keep it.
"""

INPUT_FENCE = GOOD[GOOD.index("```json") : GOOD.index("### Output")].rstrip()
BULLETS = GOOD[GOOD.index("- timeout") : GOOD.index("## How")].rstrip()
JSON_BULLETS = """\
```json
{
  "timeout_seconds": 30,
  "max_attempts": 2,
  "tools_allowed": ["fetch_url", "parse_html"],
  "rate_limit": "per tenant"
}
```"""


class Case(NamedTuple):
    """`found`: `line:column code` of every finding, in order. Text is encoded as UTF-8."""

    name: str
    document: str | bytes
    found: str


def edit(old: str, new: str, document: str = GOOD) -> str:
    assert document.count(old) >= 1, old
    return document.replace(old, new, 1)


def front(lines: str) -> str:
    """Lines more in the front matter, from line 8 on."""
    return edit("- a\n---\n", f"- a\n{lines}\n---\n")


def bullet(old: str, new: str) -> str:
    return edit(f"- {old}\n", f"{new}\n")


FILE_START = [
    Case("typographic quotes", edit("name: Demo", "name: \u201cDemo\u201d"), "3:7 WM117"),
    Case("prose with a no-break space", edit("- notes: adapt", "- notes: adapt\n\nNote:\u00a0this is prose."), ""),
    Case("more below the purpose", edit("Do one thing.", "Do one thing.\n\nAnd more."), "13:1 WM714"),
    Case("good", GOOD, ""),
    Case("crlf", GOOD.replace("\n", "\r\n"), ""),
    Case("no final line end", GOOD.rstrip("\n"), ""),
    Case("not utf-8", GOOD.encode().replace(b"Do one", b"Do \xff one"), "11:13 WM101"),
    Case("cut inside a character", GOOD.encode() + "é".encode()[:1], "48:1 WM101"),
    Case("utf-16 with a mark", GOOD.encode("utf-16"), "1:1 WM101"),
    Case("byte order mark", "\ufeff" + GOOD, "1:1 WM102"),
    Case("two byte order marks", "\ufeff\ufeff" + GOOD, "1:1 WM102 1:1 WM108"),
    Case("byte order mark takes no column", edit("id: demo", "id: demo!", "\ufeff" + GOOD), "1:1 WM102 2:5 WM115"),
    Case("too large", GOOD + "x" * 262144, "1:1 WM103"),
    Case("as large as allowed", GOOD + "x" * (262144 - len(GOOD)), ""),
    Case("nul", edit("one thing", "one\x00thing"), "11:16 WM104"),
    Case("escape, delete, c1", edit("one thing", "\x1b\x7f\x81"), "11:13 WM104 11:14 WM104 11:15 WM104"),
    Case("form feed in the body", edit("one thing", "one\fthing"), "11:16 WM104"),
    Case("lone cr", edit("one thing", "one\rthing"), "11:16 WM104"),
    Case("tab in the body", edit("one thing", "one\tthing"), ""),
    Case("blank line first", "\n" + GOOD, "2:1 WM108"),
    Case("spaces first", "  " + GOOD, "1:3 WM108"),
    Case("form feed first", "\f" + GOOD, "1:1 WM104 1:1 WM108"),
    Case("nbsp first", "\xa0" + GOOD, "1:1 WM108"),
    Case("text first", "Hello\n" + GOOD, "1:1 WM107"),
    Case("comment first", "<!-- x -->\n" + GOOD, "1:1 WM107"),
    Case("five dashes", edit("---\n", "-----\n"), "1:1 WM108"),
    Case("dashes and blanks", edit("---\n", "---  \n"), "1:1 WM108"),
    Case("dots as the end", edit("- a\n---\n", "- a\n...\n"), "1:1 WM109"),
    Case("dashes and blanks as the end", edit("- a\n---\n", "- a\n--- \n"), "1:1 WM109"),
    Case("no end", edit("- a\n---\n", "- a\n"), "1:1 WM109"),
    Case("only the first line", "---", "1:1 WM109"),
    Case("marker in a block scalar", front("x-a: |\n---\n  b"), ""),
    Case("json front matter", "{}\n" + GOOD[GOOD.index("# Demo") :], "1:1 WM107"),
    Case("toml front matter", "+++\n+++\n" + GOOD[GOOD.index("# Demo") :], "1:1 WM107"),
    Case("empty front matter", "---\n---\n" + GOOD[GOOD.index("# Demo") :], "2:1 WM111"),
    Case("comment as front matter", "---\n# id: x\n---\n" + GOOD[GOOD.index("# Demo") :], "2:1 WM111"),
    Case("scalar front matter", "---\njust text\n---\n" + GOOD[GOOD.index("# Demo") :], "2:1 WM111"),
    Case("list front matter", "---\n- id\n---\n" + GOOD[GOOD.index("# Demo") :], "2:1 WM111"),
    Case("empty", "", "1:1 WM106"),
    Case("binary", bytes(range(128)), "1:1 WM106"),
    Case("web page", "<!DOCTYPE html>\n<html><h3>Input schema</h3></html>", "1:1 WM106"),
    Case("agent prompt", "---\nname: fixer\ndescription: fix: it\ntools: Read\n---\nYou fix.\n", "1:1 WM106"),
    Case("prose", "# A worker\n\nDoes things.\n", "1:1 WM106"),
    Case("no front matter", GOOD[GOOD.index("# Demo") :], "1:1 WM107"),
]

YAML = [
    Case("flow mapping", "---\n{id: demo, name: x, version: 1.0}\n---\n" + GOOD[GOOD.index("# Demo") :], ""),
    Case("duplicate key", front("id: other"), "8:1 WM202"),
    Case("duplicate key inside", front("x-a: {b: 1, b: [2]}"), "8:13 WM202"),
    Case("anchor", edit("name: Demo", "name: &a Demo"), "3:7 WM203"),
    Case("alias", front("x-b: *a"), "8:6 WM203"),
    Case("alias of a known key", edit("name: Demo", "name: *a"), "3:7 WM203"),
    Case("alias as a key", front("*a : b"), "8:1 WM203"),
    Case("alias bomb", front("x-a: &a [b, b]\nx-c: &c [*a, *a]"), "8:6 WM203 9:6 WM203 9:10 WM203 9:14 WM203"),
    Case("merge key", front("<<: {a: b}"), "8:1 WM204"),
    Case("merge key with an alias", front("x-a: {<<: *a}"), "8:7 WM204 8:11 WM203"),
    Case("tag", edit("name: Demo", "name: !!str Demo"), "3:7 WM205"),
    Case("tag on a list", front("x-a: !!set [b]"), "8:6 WM205"),
    Case("tag of its own", front("x-a: !python/object:os.system b"), "8:6 WM205"),
    Case("list as a key", front("? [a]\n: b"), "8:3 WM206"),
    Case("mapping as a key", front("x-a: {{b: c}: [d]}"), "8:7 WM206"),
    Case("second document", front("--- # again\nb: c"), "8:1 WM207"),
    Case("directive", edit("---\n", "---\n%YAML 1.1\n"), "3:1 WM201"),
    Case("end marker", front("...\nb: c"), "8:1 WM207"),
    Case("tab", edit("name: Demo", "name:\tDemo"), "3:6 WM208"),
    Case("tab as indentation", front("x-a:\n\tb: c"), "9:1 WM208"),
    Case("next line", edit("name: Demo", "name: a\x85b"), "3:8 WM208"),
    Case("separators", edit("name: Demo", "name: a\u2028b\u2029c"), "3:8 WM208 3:10 WM208"),
    Case("byte order mark inside", edit("id: demo", "\ufeffid: demo"), "2:1 WM208"),
    Case("surrogates", front(r'x-a: "\ud83d\ude00"'), "8:9 WM201"),
    Case("astral character", front("x-a: \U0001f600 \nid: b"), "9:1 WM202"),
    Case("depth 16", front(f"x-a: {'[' * 15}b{']' * 15}"), ""),
    Case("depth 17", front(f"x-a: {'[' * 16}b{']' * 16}"), "8:21 WM209"),
    Case("25 KB of brackets", front(f"x-a: {'[' * 25000}"), "8:21 WM209"),
    Case("25 KB of dashes", front(f"x-a:\n  {'- ' * 12500}"), "9:33 WM209"),
    Case("2,100 events", front(f"x-a: [{'b,' * 2100}]"), "8:3973 WM210"),
    Case("33 KiB", front(f"x-a: {'b' * 33000}"), "2:1 WM211"),
    Case("33 KiB of wide characters", front(f"x-a: {'é' * 16500}"), "2:1 WM211"),
    Case("syntax error", edit("name: Demo", "name: Demo: x"), "3:11 WM201"),
    Case("syntax error with crlf", edit("name: Demo", "name: a: b").replace("\n", "\r\n"), "3:8 WM201"),
    Case("open bracket", front("x-a: [b"), "9:1 WM201"),
    Case("special character first", front("x-a: @b"), "8:6 WM201"),
    Case("unknown key", front("descripton: b"), "8:1 WM116"),
    Case("unknown key with a near one", front("derived: 2026-01-01"), "8:1 WM116"),
    Case("free key", front("x-a: {b: [c]}"), ""),
    Case("empty known value", edit("name: Demo", "name:"), "3:1 WM114"),
    Case("empty quotes", edit("name: Demo", "name: ''"), "3:1 WM114"),
    Case("tilde is text", edit("name: Demo", "name: ~"), ""),
    Case("switch words are text", edit("name: Demo", "name: on"), ""),
    Case("empty unknown value", front("x-a:"), ""),
    Case("id missing", edit("id: demo-worker\n", ""), "1:1 WM112"),
    Case("version missing", edit("version: 1.0.0\n", ""), "1:1 WM112"),
    Case("name missing", edit("name: Demo\n", ""), "1:1 WM113"),
    Case("worker_id for id", edit("id: demo", "worker_id: demo"), ""),
    Case("worker_id and id", front("worker_id: demo-worker"), ""),
    Case("worker_id other than id", front("worker_id: other"), "8:12 WM703"),
    Case("id with a blank", edit("id: demo-worker", "id: demo worker"), "2:5 WM115"),
    Case("id with a slash", edit("id: demo-worker", "id: a/b"), "2:5 WM115"),
    Case("id beyond ascii", edit("id: demo-worker", "id: dému"), "2:5 WM115"),
    Case("id of dots", edit("id: demo-worker", "id: .."), "2:5 WM115"),
    Case("id is a list", edit("id: demo-worker", "id: [a]"), "2:1 WM115"),
    Case("version of two", edit("1.0.0", "1.10"), ""),
    Case("version with suffix", edit("1.0.0", "1.0.0-rc.1"), ""),
    Case("version of one", edit("1.0.0", "1"), "4:10 WM115"),
    Case("version with v", edit("1.0.0", "v1.0"), "4:10 WM115"),
    Case("real date", front("derived_on: 2024-02-29"), ""),
    Case("date that is none", front("derived_on: 2026-13-41"), "8:13 WM115"),
    Case("leap day that is none", front("derived_on: 2026-02-29"), "8:13 WM115"),
    Case("date with time", front("repository_updated_at: 2026-03-01T00:00:00Z"), "8:24 WM115"),
    Case("date in other digits", front("derived_on: \uff12\uff10\uff12\uff16-03-01"), "8:13 WM115"),
    Case("url", front("source_repository: HTTPS://github.com/a/b"), ""),
    Case("url of a file", front("source_repository: file:///etc/passwd"), "8:20 WM115"),
    Case("url without host", front("source_registry_url: https:///a"), "8:22 WM115"),
    Case("confidence", front("derivation_confidence: 0.95"), ""),
    Case("confidence above 1", front("derivation_confidence: 1.5"), "8:24 WM115"),
    Case("confidence in words", front("derivation_confidence: .inf"), "8:24 WM115"),
    Case("confidence of 5,000 digits", front(f"derivation_confidence: {'9' * 5000}"), "8:24 WM115"),
    Case("tags as text", edit("tags:\n- a\n", "tags: a\n"), "6:7 WM115"),
    Case("tags of lists", edit("- a\n", "- [a]\n"), "6:1 WM115"),
    Case("constraints in front matter", front("constraints: {max_tokens: 5}"), ""),
    Case("constraints as text", front("constraints: none"), "8:14 WM115"),
    Case("inputs as text", front("inputs: none"), "8:1 WM115"),
    Case("same constraint twice", front("constraints: {timeout_seconds: 30.0}"), ""),
    Case("other constraint", front("constraints: {timeout_seconds: 31}"), "40:20 WM703"),
    Case("other attempts", front("retries: {max_attempts: 3}"), "41:17 WM703"),
    Case("retries", front("retries: {max_attempts: 2, backoff: exponential}"), ""),
    Case("retries inside constraints", front("constraints: {retries: {max_attempts: 3}}"), "41:17 WM703"),
    Case("unknown retry key", front("retries: {jitter: full}"), "8:11 WM607"),
    Case("observability", front("observability: {trace_id: required, log_fields: [a]}"), ""),
    Case("alias as a constraint", front("constraints: {max_tokens: *a}"), "8:27 WM203"),
    Case("purpose twice", front("purpose: Do one thing."), ""),
    Case("other purpose", front("purpose: Do two."), "12:10 WM703"),
]

SECTIONS = [
    Case("atx with tail, upper case", edit("### Input schema", "  ###  INPUT\t schema ### "), ""),
    Case("setext", edit("### Input schema\n", "Input schema\n============\n"), ""),
    Case("any rank", edit("### Input schema", "# Input schema"), ""),
    Case("no blank after the marks", edit("### Input schema", "###Input schema"), "13:1 WM301"),
    Case("indent of 4", edit("### Input schema", "    ### Input schema"), "13:5 WM301"),
    Case("nbsp", edit("### Input schema", "### Input\xa0schema"), "13:1 WM301"),
    Case("emphasis", edit("### Input schema", "### **Input** schema"), "13:1 WM301"),
    Case("kelvin sign", edit("# Demo", "# Wor\u212aer spec"), ""),
    Case("misspelt", edit("### Input schema", "### Input shema"), "13:1 WM301"),
    Case("absent", edit("### Constraints", "### Rules"), "47:1 WM301"),
    Case("in a comment", edit("### Input schema\n", "<!--\n### Input schema\n-->\n"), "14:1 WM301"),
    Case("in an html block", edit("### Input schema\n", "<div>\n<h3>Input schema</h3>\n</div>\n"), "14:1 WM301"),
    Case("in a fence", edit("### Input schema\n", "~~~\n### Input schema\n~~~\n"), "14:1 WM301"),
    Case("in a list", edit("### Input schema\n", "- ### Input schema\n"), "13:1 WM303"),
    Case("in a quote", edit("### Input schema\n", "> ### Input schema\n"), "13:1 WM303"),
    Case("other heading in a list", edit("# Demo\n", "# Demo\n- # Install it\n"), ""),
    Case("known heading in a list as well", edit("# Demo\n", "# Demo\n\n- # Constraints\n"), "11:1 WM303"),
    Case("repeated section", edit("## How", "### constraints\n\n## How"), "45:1 WM302"),
    Case("subheading inside", edit("```json", "#### Note\n\n```json"), ""),
    Case("heading of the same rank ends it", edit("```json", "### Note\n\n```json"), "13:1 WM306"),
    Case("tilde fence", GOOD.replace("```json", "~~~json").replace("```", "~~~"), ""),
    Case("longer fence", edit("```json", "`````json").replace("}\n```\n\n### Out", "}\n`````\n\n### Out"), ""),
    Case("upper case and more words", edit("```json", "``` JSON title=x"), ""),
    Case("indented fence", edit("```json\n{\n", "  ```json\n  {\n"), ""),
    Case("no info word", edit("```json", "```"), "15:1 WM308"),
    Case("braces", edit("```json", "```{.json}"), "15:1 WM308"),
    Case("jsonc", edit("```json", "```jsonc"), "15:1 WM308"),
    Case("json5", edit("```json", "```json5"), "15:1 WM308"),
    Case("indented code", edit(INPUT_FENCE, '    {"type": "object"}'), "15:5 WM308"),
    Case("no fence", edit(INPUT_FENCE, "See below."), "13:1 WM306"),
    Case("fence in a comment", edit(INPUT_FENCE, f"<!--\n{INPUT_FENCE}\n-->"), "13:1 WM306"),
    Case("fence in a list", edit(INPUT_FENCE, "- ```json\n  {}\n  ```"), "15:1 WM309"),
    Case("fence in a quote", edit(INPUT_FENCE, "> ```json\n> {}\n> ```"), "15:1 WM309"),
    Case("other language", edit("### Output", "```python\npass\n```\n\n### Output"), "23:1 WM310"),
    Case("only another language", edit("```json", "```yaml"), "15:1 WM308"),
    Case("two fences", edit("### Output", "```json\n{}\n```\n\n### Output"), "23:1 WM307"),
    Case("fence never closes", edit("## How", "```\n\n## How"), "45:1 WM304 45:1 WM308"),
    Case("fence elsewhere never closes", GOOD + "\n~~~~ text\nx\n~~~\n", "49:1 WM304"),
    Case("fence closed by too few", edit("```json", "````json"), "15:1 WM304"),
    Case("fence closed with a tail", edit("}\n```", "}\n``` x"), "15:1 WM304"),
    Case("comment never closes", edit("### Output", "<!-- later\n\n### Output"), "23:1 WM305 25:1 WM301 39:1 WM301"),
    Case("script never closes", GOOD + "\n <script>\n", "49:2 WM305"),
    Case("style closes", GOOD + "\n<style>\n\na {}\n</style>\n", ""),
    Case("instruction never closes", GOOD + "\n<?php\n", "49:1 WM305"),
    Case("cdata never closes", GOOD + "\n<![CDATA[ x\n", "49:1 WM305"),
    Case("declaration never closes", GOOD + "\n<!ELEMENT x\n", "49:1 WM305"),
    Case("div ends with a blank line", GOOD + "\n<div>\n\n# x\n", ""),
    Case("worker spec beside front matter", edit("# Demo", "# Worker spec"), "9:1 WM110"),
]

JSON = [
    Case("duplicate key", edit('"type": "object",', '"type": "object", "type": "object",'), "17:21 WM401"),
    Case("nan", edit('"type": "object",', '"default": NaN,'), "17:14 WM401"),
    Case("infinity", edit('"type": "object",', '"default": 1e400,'), "17:14 WM401"),
    Case("large integer", edit('"type": "object",', f'"type": "object", "default": {2**70},'), ""),
    Case("5,000 digits", edit('"type": "object",', f'"default": {"9" * 5000},'), "17:14 WM401"),
    Case("lone surrogate", edit('"type": "object",', r'"title": "\ud83d",'), "17:13 WM401"),
    Case("depth 65", edit('"type": "object",', f'"default": {"[" * 64}{"]" * 64},'), "17:77 WM401"),
    Case("trailing comma", edit('"string"}}\n', '"string"}},\n'), "19:47 WM401"),
    Case("single quotes", edit('"type": "object",', "'type': 1,"), "17:3 WM401"),
    Case("comment", edit('"type": "object",', '"type": "object", // x'), "17:21 WM401"),
    Case("empty", edit(INPUT_FENCE, "```json\n```"), "16:1 WM401"),
    Case("two values", edit(INPUT_FENCE, "```json\n{} {}\n```"), "16:4 WM401"),
    Case("list", edit(INPUT_FENCE, "```json\n[1]\n```"), "16:1 WM402"),
    Case("true", edit(INPUT_FENCE, "```json\ntrue\n```"), "16:1 WM402"),
    Case("tab before a value", edit('  "type": "object",', '\t"type": nope,'), "17:10 WM401"),
    Case(
        "indented fence keeps columns",
        edit('```json\n{\n  "type": "object"', '  ```json\n  {\n  "type": nope'),
        "17:11 WM401",
    ),
    Case("schema keyword", edit('"type": "object"', '"type": "objekt"'), "17:11 WM501"),
    Case(
        "schema keyword of several lines", edit('"required": ["run_id"]', '"required": [\n"run_id", 5]'), "19:11 WM501"
    ),
    Case(
        "schema in depth",
        edit('{"run_id": {"type": "string"}}', '{"run_id": {"type": "string", "minLength": -1}}'),
        "19:60 WM501",
    ),
    Case(
        "foreign draft",
        edit('"type": "object",', '"$schema": "https://example.com/s", "type": "object",'),
        "17:14 WM501",
    ),
    Case(
        "known draft",
        edit('"type": "object",', '"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",'),
        "",
    ),
    # S6.4
    Case(
        "reference out of the document",
        edit('{"type": "string"}', '{"type": "string", "allOf": [{"$ref": "http://x/y"}]}'),
        "19:66 WM501",
    ),
]

CONSTRAINTS = [
    Case("star bullets", GOOD.replace("- max", "* max"), ""),
    Case("decimal", bullet("timeout_seconds: 30", "- timeout_seconds: 0.5"), ""),
    Case("value in wide blanks", bullet("timeout_seconds: 30", "-   timeout_seconds: \t 30  "), ""),
    Case(
        "all of ours",
        bullet(
            "notes: adapt",
            "- attempt_timeout_seconds: 10\n- max_cost_usd: 0\n- max_tool_calls: 3\n- max_output_bytes: 100\n- max_tokens: 0\n- tools_allowed: [a, b(c:*)]\n- rate_limit: 10/min\n- retries.backoff: exponential\n- success_statuses: [ok]\n- x-own: 1",
        ),
        "",
    ),
    *[
        Case(f"reach {value}", bullet("notes: adapt", f"- {value}"), "")
        for value in (
            "max_memory_mb: 512",
            "max_processes: 8",
            "max_artifact_mb: 0",
            "network: none",
            "network: loopback",
            "network: [Api.example.com:443, 10.0.0.7:8080]",
            "files: none",
            "files: [read(rulebook), write(cache)]",
        )
    ],
    *[
        Case(f"no reach {value}", bullet("notes: adapt", f"- {value}"), f"43:{len(value.partition(':')[0]) + 5} WM606")
        for value in (
            "max_memory_mb: 0",
            "max_processes: 0.5",
            "max_artifact_mb: 1g",
            "network: any",
            "network: []",
            "network: [*.example.com:443]",
            "network: [example.com]",
            "network: [https://example.com:443]",
            "network: [a.example:443, A.example:443]",
            "network: [a.example:70000]",
            "files: all",
            "files: []",
            "files: [read(/etc)]",
            "files: [rulebook]",
            "files: [read(a), write(a)]",
        )
    ],
    Case("zero seconds", bullet("timeout_seconds: 30", "- timeout_seconds: 0"), "39:20 WM606"),
    Case("no attempts", bullet("max_attempts: 2", "- max_attempts: 0"), "40:17 WM606"),
    Case("half an attempt", bullet("max_attempts: 2", "- max_attempts: 1.5"), "40:17 WM606"),
    Case("negative cost", bullet("notes: adapt", "- max_cost_usd: -1"), "43:17 WM606"),
    Case("text as it is", bullet("notes: adapt", "- notes: adapt: see docs # @team"), ""),
    Case("brackets in text", bullet("notes: adapt", "- notes: [draft] fix"), ""),
    Case("at sign in text", bullet("notes: adapt", "- notes: @team"), ""),
    *[
        Case(f"timeout {value}", bullet("timeout_seconds: 30", f"- timeout_seconds: {value}"), "39:20 WM606")
        for value in (
            "0x1e",
            "1_000",
            "1:30",
            "30 # half",
            "30s",
            '"30"',
            "030",
            "+30",
            ".5",
            "5.",
            "1e3",
            "٣٠",
            "1" * 400,
        )
    ],
    Case("no timeout value", bullet("timeout_seconds: 30", "- timeout_seconds:"), "39:3 WM606"),
    Case("no blank after the colon", bullet("timeout_seconds: 30", "- timeout_seconds:30"), "39:3 WM601"),
    Case("emphasis", bullet("timeout_seconds: 30", "- **timeout_seconds**: 30"), "39:3 WM601"),
    Case("emphasis around all", bullet("timeout_seconds: 30", "- **timeout_seconds: 30**"), "39:3 WM601"),
    Case("code", bullet("timeout_seconds: 30", "- `timeout_seconds`: 30"), "39:3 WM601"),
    Case("blank before the colon", bullet("timeout_seconds: 30", "- timeout_seconds : 30"), "39:3 WM601"),
    Case("no colon", bullet("notes: adapt", "- be nice"), "43:3 WM601"),
    Case("word list", bullet("notes: adapt", "- tools_allowed: []"), ""),
    Case("no brackets", bullet("notes: adapt", "- tools_allowed: a, b"), "43:18 WM606"),
    Case("quoted words", bullet("notes: adapt", '- tools_allowed: ["a"]'), "43:18 WM606"),
    Case("repeated words", bullet("notes: adapt", "- tools_allowed: [a, a]"), "43:18 WM606"),
    Case("tools with patterns", bullet("notes: adapt", "- tools_allowed: [a, b(c=*, d=e f), g(h=\\,)]"), ""),
    Case("a blank before a pattern", bullet("notes: adapt", "- tools_allowed: [a (b=c)]"), "43:18 WM606"),
    Case("a pattern that is none", bullet("notes: adapt", "- tools_allowed: [a(b, c)]"), "43:18 WM606"),
    Case("suffix that leaked in", bullet("notes: adapt", "- tools_allowed: [a (optional), b(optional)]"), ""),
    Case("empty word", bullet("notes: adapt", "- tools_allowed: [a,,b]"), "43:18 WM606"),
    Case("no statuses", edit("[ok, retryable_error, invalid_request, invalid_output]", "[]"), "42:16 WM606"),
    Case("other back-off", bullet("notes: adapt", "- retries.backoff: linear"), "43:20 WM606"),
    Case("repeated key", bullet("notes: adapt", "- max_attempts: 2"), "43:3 WM605"),
    Case("two names that differ", bullet("notes: adapt", "- retries.max_attempts: 3"), "43:25 WM703"),
    Case("two lines", bullet("notes: adapt", "- notes: adapt\n  more"), "43:1 WM602"),
    Case("lazy line", bullet("notes: adapt", "- notes: adapt\nmore"), "43:1 WM602"),
    Case("value on the next line", bullet("notes: adapt", "-\n  notes: adapt"), "43:1 WM602"),
    Case("second paragraph", bullet("notes: adapt", "- notes: adapt\n\n  more"), "43:1 WM602"),
    Case("nested", bullet("notes: adapt", "- notes: adapt\n  - more"), "43:1 WM602"),
    Case("nested at once", bullet("notes: adapt", "- - notes: adapt"), "43:1 WM602 43:1 WM604"),
    Case("empty item", bullet("notes: adapt", "-"), "43:1 WM602"),
    Case("comment as item", bullet("notes: adapt", "- <!-- x -->"), "43:1 WM602"),
    Case("numbered", bullet("notes: adapt", "\n1. notes: adapt"), "44:1 WM603"),
    Case("paragraph", bullet("notes: adapt", "\nmax_tokens: 5"), "44:1 WM604"),
    Case("quote", bullet("notes: adapt", "\n> - max_tokens: 5"), "44:1 WM604"),
    Case("prose", bullet("notes: adapt", "\nAdapt: these."), ""),
    Case("unknown key", bullet("notes: adapt", "- timeout: 5"), "43:3 WM607"),
    Case("unknown key with blanks", bullet("notes: adapt", "- max attempts: 5"), "43:3 WM607"),
    Case("free key", bullet("notes: adapt", "- x-a: 5"), ""),
    Case("json object", edit(BULLETS, JSON_BULLETS), ""),
    Case("json object and bullets", edit(BULLETS, f"{BULLETS}\n\n{JSON_BULLETS}"), "46:1 WM608"),
    Case("json list", edit(BULLETS, "```json\n[]\n```"), "40:1 WM402"),
    Case(
        "json text as number",
        edit('"timeout_seconds": 30', '"timeout_seconds": "30"', edit(BULLETS, JSON_BULLETS)),
        "41:22 WM606",
    ),
    Case(
        "json true as number",
        edit('"timeout_seconds": 30', '"timeout_seconds": true', edit(BULLETS, JSON_BULLETS)),
        "41:22 WM606",
    ),
    Case("json null", edit('"per tenant"', "null", edit(BULLETS, JSON_BULLETS)), "44:3 WM606"),
    Case(
        "json retries",
        edit(
            '"max_attempts": 2', '"retries": {"max_attempts": 2, "backoff": "exponential"}', edit(BULLETS, JSON_BULLETS)
        ),
        "",
    ),
    Case("json unknown key", edit('"rate_limit"', '"rate"', edit(BULLETS, JSON_BULLETS)), "44:3 WM607"),
    Case(
        "json words as text", edit('["fetch_url", "parse_html"]', '"[a]"', edit(BULLETS, JSON_BULLETS)), "43:20 WM606"
    ),
    Case(
        "no info word",
        edit(BULLETS, JSON_BULLETS).replace("### Constraints\n\n```json", "### Constraints\n\n```"),
        "39:1 WM308",
    ),
]

MEANING = [
    Case("no timeout", bullet("timeout_seconds: 30", "- x-a: 1"), "37:1 WM701"),
    Case("no attempts", bullet("max_attempts: 2", "- x-a: 1"), "37:1 WM702"),
    # S1.2
    Case("statuses differ", edit("[ok, retryable_error, ", "[ok, needs_human, retryable_error, "), "42:16 WM704"),
    Case("statuses in another order", edit("[ok, retryable_error, ", "[retryable_error, ok, "), ""),
    Case(
        "statuses by reference",
        edit(
            '"result": {"type": "object"}\n  }',
            '"result": {"type": "object"}\n  },\n  "$defs": {"a/b": {"enum": ["ok"]}}',
            edit(
                '"status": {"type": "string", "enum": ["ok", "retryable_error", "invalid_request", "invalid_output"]}',
                '"status": {"$ref": "#/$defs/a~1b"}',
            ),
        ),
        "31:15 WM710 43:16 WM704",
    ),
    # S4.1
    Case("key is no property", edit("idempotency_key: run_id", "idempotency_key: job"), "41:20 WM705"),
    Case("key is no string", edit('{"run_id": {"type": "string"}}', '{"run_id": {"type": "integer"}}'), "41:20 WM705"),
    Case("key is not required", edit('"required": ["run_id"]', '"required": []'), "41:20 WM705"),
    Case(
        "default key is no property",
        edit('"properties": {"run_id"', '"properties": {"job"', bullet("idempotency_key: run_id", "- x-a: 1")),
        "19:17 WM705",
    ),
    Case(
        "no key in the input and none named",
        edit(
            '"required": ["run_id"],\n  "properties": {"run_id"',
            '"properties": {"job"',
            bullet("idempotency_key: run_id", "- x-a: 1"),
        ),
        "",
    ),
    Case(
        "key by reference",
        edit(
            '"properties": {"run_id": {"type": "string"}}',
            '"properties": {"run_id": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"type": "string"}}',
        ),
        "",
    ),
    # S3.8
    Case("attempt longer than the run", bullet("notes: adapt", "- attempt_timeout_seconds: 31"), "43:28 WM706"),
    Case("attempt as long as the run", bullet("notes: adapt", "- attempt_timeout_seconds: 30"), ""),
    Case("tools but no calls", bullet("notes: adapt", "- max_tool_calls: 0\n- tools_allowed: [a]"), "43:19 WM707"),
    Case("calls but no tools", bullet("notes: adapt", "- max_tool_calls: 1\n- tools_allowed: []"), "44:18 WM707"),
    Case("no room for output", bullet("notes: adapt", "- max_output_bytes: 1"), "43:21 WM707"),
    Case("room for the smallest output", bullet("notes: adapt", "- max_output_bytes: 2"), ""),
    # S1.6
    Case("success that is no status", bullet("notes: adapt", "- success_statuses: [ok, done]"), "43:21 WM708"),
    Case("no ok", GOOD.replace('"ok", ', "").replace("[ok, ", "["), "31:42 WM709"),
    Case(
        "no ok but a success",
        bullet("notes: adapt", "- success_statuses: [done]").replace('"ok", ', '"done", ').replace("[ok, ", "[done, "),
        "",
    ),
    Case(
        "no status for failures", GOOD.replace(', "invalid_output"', "").replace(", invalid_output", ""), "31:42 WM710"
    ),
    Case("own statuses", GOOD.replace('"ok", ', '"ok", "partial", ').replace("[ok, ", "[ok, partial, "), ""),
    # S5.2
    Case(
        "no room for failures",
        edit('"result": {"type": "object"}', '"result": {"type": "object", "required": ["answer"]}'),
        "32:15 WM711",
    ),
    Case(
        "no room where a person is needed",
        edit(
            '"result": {"type": "object"}\n  }',
            '"result": {"type": "object"}\n  },\n  "if": {"properties": {"status": {"const": "needs_human"}}},'
            ' "then": {"properties": {"result": {"required": ["answer"]}}}',
            GOOD.replace('["ok", ', '["ok", "needs_human", ').replace("[ok, ", "[ok, needs_human, "),
        ),
        "32:15 WM711",
    ),
    Case(
        "no result",
        edit(
            '"required": ["run_id", "status", "result"],',
            '"required": ["run_id", "status"],',
            edit(',\n    "result": {"type": "object"}', ""),
        ).replace('"properties": {\n', '"additionalProperties": false, "properties": {\n'),
        "29:34 WM711",
    ),
]

TABLES = {
    "7.2": FILE_START,
    "7.3": YAML,
    "7.4": SECTIONS,
    "7.5": JSON,
    "7.6": CONSTRAINTS,
    "meaning": MEANING,
}
ALL = [(f"{table}-{case.name}", case) for table, cases in TABLES.items() for case in cases]
