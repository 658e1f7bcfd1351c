"""Cost is bounded by size: a megabyte of any language that is read takes less than five seconds of processor time."""

import json
import os

import pytest

from tests.conftest import patience
from tests.derive.interfaces.interface_cases import build
from workermd.derive.claims import gather
from workermd.derive.interfaces.kinds import survey

SECONDS_A_MEGABYTE = 5
PROJECT = (
    '=== pyproject.toml\n[project]\nname = "tool"\n[project.scripts]\ntool = "tool.cli:main"\n=== tool/__init__.py\n'
)
PARAMETERS = [{"name": "a", "in": "query", "schema": {"type": "string", "description": "x" * 60}}]
PATHS = {
    f"/p{number}": {
        "get": {"operationId": f"o{number}", "parameters": PARAMETERS, "responses": {"200": {"description": "ok"}}}
    }
    for number in range(4000)
}
API = json.dumps({"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": PATHS})
TOOL = "@m.tool()\ndef t{0}(a: int, b: str = 'x') -> str:\n    return b\n"
SHAPE = "{ a: z.number().int().min(1), b: z.array(z.string()).optional().describe('b') }"
REGISTRATION = (
    "server.tool('t{0}', 'Does {0}.', " + SHAPE.replace("{", "{{").replace("}", "}}") + ", async () => {{ BODY }});\n"
)
BODY = "const n = await f(a < b ? [1, 2] : {{ c: `${{d}}` }}, (x) => x?.y); " * 75
ROUTE = "@app.get('/x{0}')\ndef t{0}(a: int, b: str = 'x') -> str:\n    return b\n"


def prose(link: str, code: str) -> str:
    return (f"Some *words* with {link} and {code} inside. " * 6 + "\n\n") * 1800


TEXTS = {
    "argparse": PROJECT
    + "=== tool/cli.py\nimport argparse\ndef main():\n    p = argparse.ArgumentParser()\n"
    + "".join(f"    p.add_argument('--o{number}', type=int, help='{'x' * 40}')\n" for number in range(5000))
    + "    p.parse_args()\n",
    "markdown": "=== README.md\n# T\n\n" + prose("[a link](https://e.example/x)", "`pip install tool`"),
    "reST": "=== README.rst\nT\n=\n\n" + prose("`a link <https://e.example/x>`_", "``pip install tool``"),
    "asciidoc": "=== README.adoc\n= T\n\n" + prose("https://e.example/x[link]", "`pip install tool`"),
    "openapi": f"=== openapi.json\n{API}",
    "openapi in YAML": f"=== openapi.yaml\n{API}",
    "mcp": "=== server.py\nfrom mcp.server.fastmcp import FastMCP\nm = FastMCP('x')\n"
    + "".join(TOOL.format(number) for number in range(4000)),
    "mcp in TypeScript": '=== package.json\n{"dependencies": {"@modelcontextprotocol/sdk": "1"}}\n'
    + "".join(
        f'=== s{file}.ts\nimport "@modelcontextprotocol/sdk"; import {{ z }} from "zod";\n'
        + "".join(REGISTRATION.replace("BODY", BODY).format(number) for number in range(40))
        for file in range(5)
    ),
    "fastapi": "=== main.py\nfrom fastapi import FastAPI\napp = FastAPI()\n"
    + "".join(ROUTE.format(number) for number in range(4000)),
}


def processor_time(deed):
    """Seconds that `deed` takes in a process of its own, with those that it starts: TypeScript is parsed by one. What other
    tests have started here and what ends meanwhile is not counted."""
    pid = os.fork()
    if pid == 0:
        try:
            deed()
            os._exit(0)
        finally:
            os._exit(1)
    _, status, used = os.wait4(pid, 0)
    assert status == 0
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("name", TEXTS)
def test_a_megabyte_takes_seconds(tmp_path, name):
    repository = build(tmp_path, TEXTS[name])

    def derived():
        survey(repository)
        gather(repository, None)

    slowness = patience(1) / 3  # 1 on a quiet machine
    most = SECONDS_A_MEGABYTE * max(1, len(TEXTS[name]) / 1_000_000)
    assert processor_time(derived) < most * slowness
