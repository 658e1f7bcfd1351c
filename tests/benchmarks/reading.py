"""In this process: reading a contract, and holding an input against its schema."""

import json
import re
from pathlib import Path
from typing import Any

import frontmatter
import jsonschema
from markdown_it import MarkdownIt

from tests.benchmarks.measure import BrokenError, Scene, in_turns, repeated
from tests.benchmarks.processes import CONTRACT
from tests.benchmarks.table import Row
from tests.contract.schema_mazes import mazes
from workermd.contract import reader
from workermd.contract.schema import checker

GOOD = {"run_id": "r", "task": "do next to nothing", "context": {"depth": [1, 2, {"three": None}]}}


def contract(_folder: Path, rounds: int) -> list[Row]:
    """Ours reads with a place for everything. Neither it nor the baseline checks a schema in the first row."""
    data = CONTRACT.read_bytes()
    markdown = MarkdownIt("commonmark")  # built once for the baseline, as it is for ours

    def libraries() -> object:
        fields, body = frontmatter.parse(data.decode())
        fences = [token for token in markdown.parse(body) if token.type == "fence" and token.info == "json"]
        return fields, [json.loads(fence.content) for fence in fences]

    parts = reader.parse(data, "autogen.worker.md").parts
    if parts is None or libraries()[1] != [parts.input_schema, parts.output_schema]:
        raise BrokenError("the two ways of reading found different schemas")
    baseline = "frontmatter + markdown-it + json, no places"
    parse, read = "a contract's parts with places", "the same, schemas and meaning checked"
    found = in_turns(
        {
            baseline: repeated(libraries),
            parse: repeated(lambda: reader.parse(data, "autogen.worker.md")),
            read: repeated(lambda: reader.read(data, "autogen.worker.md", thorough=False)),
        },
        rounds,
    )
    return [Row(found[parse], found[baseline], most_ratio=0.75), Row(found[read], found[baseline])]


def diff(folder: Path, rounds: int) -> list[Row]:
    """Two contracts whose schemas, on both sides, are made to take long to compare: the slowest pair of all."""
    scene = Scene(folder)
    slowest = max((_compared(scene, *maze) for maze in mazes()), key=lambda found: found[0])
    name, paths = slowest[1], slowest[2]
    case = f"diff of hostile schemas, the slowest: {name}"
    found = in_turns({case: lambda: scene.workermd("diff", *paths, "--exit-zero")}, rounds)
    return [Row(found[case], most_ms=2000)]


def _compared(scene: Scene, name: str, old: Any, new: Any) -> tuple[float, str, list[Path]]:
    paths = [scene.folder / f"{name.replace(' ', '-')}.{each}.worker.md" for each in ("old", "new")]
    for path, schema in zip(paths, (old, new), strict=True):
        schemas = _sides(json.loads(json.dumps(schema).replace('"$ref": "#"', '"$ref": "#/$defs/maze"')))
        before, between, after = re.split(r"(?<=```json\n).*?(?=```)", CONTRACT.read_text(), flags=re.DOTALL)
        path.write_text(f"{before}{schemas[0]}\n{between}{schemas[1]}\n{after}")
    return scene.workermd("diff", *paths, "--exit-zero"), name, paths


def _sides(maze: Any) -> list[str]:
    """The schema of a property of an input and of an output."""
    parts = reader.parse(CONTRACT.read_bytes(), CONTRACT.name).parts
    assert parts is not None
    sides: list[Any] = [parts.input_schema, parts.output_schema]
    for side, place in zip(sides, ("context", "result"), strict=True):
        side["properties"][place] = {"$ref": "#/$defs/maze"}
        side["$defs"] = {"maze": maze}
    return [json.dumps(side) for side in sides]


def check(_folder: Path, rounds: int) -> list[Row]:
    """A good input against the contract's schema, first with both sides prebuilt, then built each time."""
    parts = reader.read(CONTRACT.read_bytes(), str(CONTRACT), thorough=False).contract
    assert parts is not None
    schema, draft = parts.input_schema, parts.input_draft
    ours = checker(schema, draft)
    theirs = jsonschema.Draft202012Validator(schema)
    if ours.check(GOOD) or not theirs.is_valid(GOOD) or not ours.check({}) or theirs.is_valid({}):
        raise BrokenError("the two engines do not agree on a good and a bad input")
    prebuilt, built = "jsonschema is_valid, prebuilt", "jsonschema built, is_valid"
    accepts, checks, builds = "Checker.accepts", "Checker.check", "checker built, check"
    found = in_turns(
        {
            prebuilt: repeated(lambda: theirs.is_valid(GOOD)),
            accepts: repeated(lambda: ours.accepts(GOOD)),
            checks: repeated(lambda: ours.check(GOOD)),
            built: repeated(lambda: jsonschema.Draft202012Validator(schema).is_valid(GOOD)),
            builds: repeated(lambda: checker(schema, draft).check(GOOD)),
        },
        rounds,
    )
    return [
        Row(found[accepts], found[prebuilt], most_ratio=0.05),
        Row(found[checks], found[prebuilt], most_ratio=0.05),
        Row(found[builds], found[built]),
    ]
