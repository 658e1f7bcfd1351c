"""MCP servers in TypeScript and JavaScript: what is read of their tools, and that the rest is said and stays open."""

import json

import pytest

from tests.derive.interfaces.interface_cases import build
from workermd.contract.schema import check_schema, checker
from workermd.derive.interfaces.ecmascript import trees
from workermd.derive.interfaces.kinds import survey

MANIFEST = '=== package.json\n{"name": "n", "dependencies": {"@modelcontextprotocol/sdk": "1", "zod": "3"}}\n'
HEAD = """import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { z } from "zod";
const server = new McpServer({ name: "n", version: "1" });
"""


def found(tmp_path, text):
    """The tools by name, and why others were left out."""
    answer = survey(build(tmp_path, MANIFEST + text), ["mcp"])
    for one in answer.interfaces:
        for schema in (one.input_schema, one.output_schema):
            assert schema is None or check_schema(schema) == ()
    return {one.name: one for one in answer.interfaces}, [one.reason for one in answer.skipped]


def argument(tmp_path, zod, before=""):
    """What becomes of one argument: its schema, whether it is required, and the notes."""
    text = (
        f'=== index.ts\n{HEAD}{before}\nserver.tool("t", "Says.", {{ a: {zod} }}, async () => ({{ content: [] }}));\n'
    )
    tool = found(tmp_path, text)[0]["t"]
    return tool.input_schema["properties"]["a"], "a" in tool.input_schema.get("required", ()), tool.notes


@pytest.mark.parametrize(
    ("zod", "schema", "required"),
    [
        ("z.string()", {"type": "string"}, True),
        ("z.string().min(2).max(0x10).describe('Words.')", {"type": "string", "minLength": 2, "maxLength": 16, "description": "Words."}, True),
        ("z.string().email().optional()", {"type": "string", "format": "email"}, False),
        ("z.string().url().nullish()", {"type": ["null", "string"], "format": "uri"}, False),
        ("z.string().regex(/^[a-z]+$/)", {"type": "string", "pattern": "^[a-z]+$"}, True),
        ("z.coerce.number().int().positive().lte(1_000)", {"type": "integer", "exclusiveMinimum": 0, "maximum": 1000}, True),
        ("z.number().min(-1.5).default(60 * 2)", {"type": "number", "minimum": -1.5, "default": 120}, False),
        ("z.boolean().default(false)", {"type": "boolean", "default": False}, False),
        ("z.enum(['a', \"b\\u00e9\"])", {"type": "string", "enum": ["a", "bé"]}, True),
        ("z.literal('x').or(z.literal(2))", {"enum": ["x", 2]}, True),
        ("z.union([z.string(), z.number()])", {"anyOf": [{"type": "string"}, {"type": "number"}]}, True),
        ("z.array(z.string()).nonempty().max(3)", {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3}, True),
        ("z.record(z.string(), z.number())", {"type": "object", "additionalProperties": {"type": "number"}}, True),
        ("z.tuple([z.string(), z.boolean()])", {"type": "array", "prefixItems": [{"type": "string"}, {"type": "boolean"}], "minItems": 2, "maxItems": 2}, True),
        ("z.any()", {}, False),
        ("z.object({ b: z.string().optional() }).strict()", {"type": "object", "properties": {"b": {"type": "string"}}, "additionalProperties": False}, True),
        ("z.object({ b: z.null() }).passthrough()", {"type": "object", "properties": {"b": {"type": "null"}}, "required": ["b"]}, True),
        ("z.object({ b: z.null(), c: z.null() }).partial().pick({ b: true })", {"type": "object", "properties": {"b": {"type": "null"}}, "additionalProperties": False}, True),
    ],
)  # fmt: skip
def test_zod_becomes_json_schema(tmp_path, zod, schema, required):
    assert argument(tmp_path, zod) == (schema, required, ())


@pytest.mark.parametrize(
    ("zod", "before"),
    [
        ("makeSchema()", "function makeSchema() { return z.string(); }"),
        ("z.string().shaped()", ""),
        ("y.string()", 'import { y } from "yup";'),
        ("z.enum(names)", "const names = process.argv;"),
        ("changing", "let changing = z.string(); changing = z.number();"),
        ("z.custom((one) => true)", ""),
        ("Tree", "const Tree: any = z.lazy(() => Tree);"),
    ],
)
def test_an_argument_that_is_not_read_accepts_anything_and_is_said(tmp_path, zod, before):
    schema, required, notes = argument(tmp_path, zod, before)
    assert (schema, required) == ({}, False)
    assert len(notes) == 1
    assert "accepts anything" in notes[0]


def test_an_object_with_a_part_that_is_not_read_is_not_closed(tmp_path):
    tools, _ = found(
        tmp_path,
        f"=== index.ts\n{HEAD}server.registerTool('t', {{ inputSchema: {{ a: z.string(), ...more(), [key()]: z.null() }} }}, run);",
    )
    assert tools["t"].input_schema == {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    assert any("any others are accepted" in note for note in tools["t"].notes)


REGISTERED = f"""=== src/index.ts
{HEAD}import {{ PAGE, Names, limits as bounds }} from "./shared.js";
import * as all from "./shared";
const Place = z.object({{ lat: z.number(), lon: z.number() }});
const config = {{ title: "Where", description: ["First", "second."].join(" "), inputSchema: {{ place: Place.describe("There."), ...PAGE }} }};
export function start(server: McpServer) {{
  const shape = {{ unit: z.nativeEnum(Names) }} as const;
  server.registerTool("where", config, async (args) => {{ return {{ content: [] }}; }});
  server.tool(Names.Short, {{ readOnlyHint: true }}, async () => ({{ content: [] }}));
  server.tool("local", `Of ${{bounds.most}} units.`, shape, handler);
  this.server.registerTool("whole", {{ description: "D.", inputSchema: all.Whole, outputSchema: {{ n: z.number() }} }}, handler);
  server.registerTool("lost", build(), handler);
  server.registerTool(name(), {{ description: "D." }}, handler);
}}
=== src/shared.ts
import {{ z }} from "zod";
export * from "./deep/index.js";
export const limits = {{ most: 7 }};
export enum Names {{ Short = "short", Long = "long" }}
export const Whole = z.object({{ q: z.string() }}).extend({{ n: z.number().max(limits.most) }});
=== src/deep/index.ts
import {{ z as zod }} from "zod";
const page = {{ page: zod.number().int().optional() }};
export {{ page as PAGE }};
"""


def test_tools_registered_in_every_form_are_found(tmp_path):
    tools, skipped = found(tmp_path, REGISTERED)
    assert list(tools) == ["local", "lost", "short", "where", "whole"]
    where = tools["where"]
    assert where.summary == "First second."
    assert where.input_schema["properties"]["page"] == {"type": "integer"}
    assert where.input_schema["required"] == ["place"]
    assert where.input_schema["additionalProperties"] is False
    assert where.input_schema["properties"]["place"]["required"] == ["lat", "lon"]
    assert {one.path for one in where.evidence} == {"src/index.ts", "src/deep/index.ts"}
    assert tools["short"].input_schema == {"type": "object", "properties": {}}
    assert tools["local"].summary == "Of 7 units."
    assert tools["local"].input_schema["properties"]["unit"] == {"type": "string", "enum": ["short", "long"]}
    whole = tools["whole"]
    assert checker(whole.input_schema, "2020-12").accepts({"q": "x", "n": 7})
    assert not checker(whole.input_schema, "2020-12").accepts({"q": "x", "n": 8})
    assert whole.output_schema == {"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]}
    assert tools["lost"].input_schema == {"type": "object"}
    assert "any are accepted" in tools["lost"].notes[0]
    assert [reason for reason in skipped if reason.startswith("a tool is left out: ")]


LISTED = """=== server.js
const { Server } = require("@modelcontextprotocol/sdk/server/index.js");
const { ListToolsRequestSchema } = require("@modelcontextprotocol/sdk/types.js");
const { z } = require("zod");
const { extra } = require("./extra.js");
const ECHO = { name: "echo", description: "Echoes.", inputSchema: { type: "object", properties: { text: { type: "string", description: said() }, other: made() }, required: ["text"], additionalProperties: false } };
const Count = z.object({ n: z.number() });
server.setRequestHandler(ListToolsRequestSchema, async () => {
  const tools = [ECHO, { name: "count", inputSchema: zodToJsonSchema(Count) }, { name: "made", inputSchema: schemaOf("made") }, dynamic()];
  return { tools };
});
"""


def test_a_list_of_tools_written_out_is_found(tmp_path):
    tools, skipped = found(tmp_path, LISTED)
    assert list(tools) == ["count", "echo", "made"]
    echo = tools["echo"]
    assert echo.input_schema["properties"] == {"text": {"type": "string"}, "other": {}}
    assert echo.input_schema["required"] == ["text"]
    assert len(echo.notes) == 1
    assert tools["count"].input_schema["required"] == ["n"]
    assert tools["made"].input_schema == {"type": "object"}
    assert tools["made"].notes
    assert skipped == ["a tool of the list is left out: it is computed when the server runs"]


def test_a_list_that_is_computed_is_said(tmp_path):
    text = '=== a.ts\nimport "@modelcontextprotocol/sdk";\ns.setRequestHandler(ListToolsRequestSchema, () => ({ tools: all() }));\n'
    assert found(tmp_path, text) == ({}, ["the list of tools is left out: it is computed when the server runs"])


GOOD = HEAD + 'server.tool("good", { a: z.string() }, run);\n'
HOSTILE = {
    "more memory than there is": "a<b," * 30_000,
    "too large": "// " + "x" * 300_000,
    "deep brackets": "(" * 100_000,
    "deep objects": "server.tool('t', " + "{a: z.object(" * 5_000,
    "deep chain": "server.tool('t', { a: z.string()" + ".optional()" * 5_000 + " }, run);",
    "a circle": "const a = b, b = a, c = c.d(), d = { ...d }, e = [...e];\nserver.tool('t', { a, c, d: z.object(d), e: z.enum(e) }, run);\nserver.tool('u', c.d.e(), run);",
    "doubled": "".join(f"const a{n + 1} = z.object({{ x: a{n}, y: a{n} }});\nconst s{n + 1} = `${{s{n}}}${{s{n}}}`;\n" for n in range(40))
    + "const a0 = z.string();\nconst s0 = 'xxxxxxxxxxxxxxxx';\nserver.tool('t', s40, { a: a40 }, run);",
    "a million digits": f"server.tool('t', {{ a: z.number().max({'9' * 5000}).min(1e999).default(0x) }}, run);",
    "invisible": 'server.tool("t\\u202e", "D\\u0000\\ud800\\u{110000}", { "\\u202e": z.string(), "__proto__": z.null() }, run);',
    "bad pattern": "server.tool('t', { a: z.string().regex(/(a+)+(?=b)\\1/) }, run);",
    "cut off": REGISTERED.partition("\n")[2][:700],
    "controls": "\x00\x01\x1b[31m server.tool('t', 'D.', {}, run) \u2028 \ufeff",
}  # fmt: skip
INVISIBLE = {"\u202e", "\x00", "\x1b", "\u2028", "\ud800"}


@pytest.mark.rule("S6.5")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_module_costs_no_other(tmp_path, name):
    (tmp_path / "b").mkdir()
    text = HEAD + HOSTILE[name]
    tools, _ = found(tmp_path, f"=== b/good.ts\n{GOOD}=== a.ts\n{text}")
    assert tools["good"].input_schema["required"] == ["a"]
    for tool in tools.values():
        written = json.dumps(tool.input_schema, ensure_ascii=False) + tool.name + tool.summary + "".join(tool.notes)
        assert not INVISIBLE & set(written)


def test_what_cannot_be_parsed_is_said_and_the_parser_is_given_up(tmp_path):
    _, skipped = found(tmp_path, "".join(f"=== {n}.ts\n{HEAD}server.tool;\n{'a<b,' * 30_000}" for n in range(4)))
    assert skipped[:3] == ["takes too much memory or time to be parsed"] * 3
    assert skipped[3].startswith("was not parsed: ")


def test_without_tree_sitter_the_module_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(trees, "is_there", lambda: False)
    tools, skipped = found(tmp_path, f"=== index.ts\n{GOOD}")
    assert (tools, len(skipped)) == ({}, 1)
    assert "workermd[derive]" in skipped[0]


def test_a_repository_without_an_mcp_library_starts_no_parser(tmp_path, monkeypatch):
    monkeypatch.setattr(trees.TreeParser, "parse", lambda *_: pytest.fail("a parser was started"))
    assert survey(build(tmp_path, f'=== package.json\n{{"name": "n"}}\n=== index.ts\n{GOOD}'), ["mcp"]).interfaces == ()
