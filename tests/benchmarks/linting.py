"""Many contracts in one call: `validate` beside check-jsonschema on their front matters, and how its memory grows."""

import subprocess
import sys
from pathlib import Path

from tests.benchmarks.measure import BrokenError, Measured, Scene, Series, in_turns
from tests.benchmarks.processes import CONTRACT
from tests.benchmarks.table import Row

FILES = 1_000
FEW, MANY = 100, 10_000
SIZE = 4096
"""Bytes of a contract, which prose is added to reach."""

FAULTS: tuple[tuple[str, str], ...] = (
    ("repository_updated_at: 2", "repository_updated_at: on 2"),
    ("derivation_confidence: 0", "derivation_confidence: 7"),
    ("derived_on: ", "derived_onn: "),
    ("version: 1.0.0", "version: 1.0.0\nversion: 1.0.1"),
    ('"type": "string"', '"type": "strng"'),
    ('"required": [', '"requird": ['),
    ("- max_attempts: ", "- max_atempts: "),
    ("- timeout_seconds: 30", "- timeout_seconds: 30s"),
    ("### Constraints", "### Constrains"),
    ("- status_enum: [ok, ", "- status_enum: [fine, "),
)
"""What is wrong with every second file, each in its turn: a part of the good one and what stands there instead."""


def write(folder: Path, count: int) -> None:
    """`count` contracts of about SIZE bytes, half of them bad, and their front matters as YAML beside them."""
    good = _good()
    for part, _ in FAULTS:
        if part not in good:
            raise BrokenError(f"{CONTRACT.name} no longer holds {part!r}")
    folder.mkdir()
    for number in range(count):
        text = good.replace("\nid: ", f"\nid: n{number}-", 1)
        text += "\n" + "A line of prose that says nothing.\n" * ((SIZE - len(text)) // 35)
        if number % 2:
            text = text.replace(*FAULTS[number // 2 % len(FAULTS)], 1)
        (folder / f"{number:05}.worker.md").write_text(text)
        (folder / f"{number:05}.yml").write_text(text.split("---\n")[1])


def _good() -> str:
    """The contract of the registry without what there is to say about it."""
    lines = [
        line
        for line in CONTRACT.read_text().replace("CC-BY-4.0", "MIT").splitlines(keepends=True)
        if "img.shields.io" not in line and "**Important:**" not in line
    ]
    bare = '"type": "object"\n    }'
    return "".join(lines).replace(bare, bare.replace("\n", ',\n      "maxProperties": 50\n'))


def linting(folder: Path, rounds: int) -> list[Row]:
    scene = Scene(folder)
    for count in (FEW, FILES, MANY):
        write(folder / str(count), count)
    (folder / "schema.json").write_bytes(_schema())
    expected = _expected(folder)
    theirs = f"check-jsonschema, {FILES:,} front matters"
    first, again = (f"validate, {FILES:,} contracts, {when}" for when in ("for the first time", "unchanged"))
    cases = {
        theirs: _check_jsonschema(scene, folder),
        first: _validate(scene, folder / str(FILES), expected, WORKERMD_CACHE="off"),
        again: _validate(scene, folder / str(FILES), expected),
    }
    found = in_turns(cases, rounds)
    memory = in_turns({f"{count:,}": _memory(scene, folder / str(count)) for count in (FEW, MANY)}, min(rounds, 3))
    few, many = (
        Series(f"peak memory of validate, {count:,} contracts", memory[f"{count:,}"].samples, "MiB")
        for count in (FEW, MANY)
    )
    return [
        Row(found[again], found[theirs], most_ratio=0.1),
        Row(found[first], found[theirs]),
        Row(many, few, most_ratio=1.1),
    ]


def _schema() -> bytes:
    return subprocess.run(
        [sys.executable, "-m", "workermd", "schema", "contract"], capture_output=True, check=True
    ).stdout


def _expected(folder: Path) -> bytes:
    """Every second file has a finding, so that neither side is measured at doing nothing."""
    from workermd.contract.reader import read
    from workermd.lint.engine import lint

    for path in sorted((folder / str(FEW)).glob("*.worker.md")):
        codes = {each.code for each in lint(read(path.read_bytes(), path.name)).findings}
        if bool(codes) != (int(path.name[:5]) % 2 == 1):
            raise BrokenError(f"{path.name}: {sorted(codes)}")
    return f" in {FILES} files\n".encode()


def _validate(scene: Scene, folder: Path, said: bytes, **variables: str) -> Measured:
    def measured() -> float:
        seconds = scene.workermd("validate", folder, code=1, **variables)
        if not scene.said().endswith(said):
            raise BrokenError(f"validate ended with {scene.said()[-200:]!r}")
        return seconds

    return measured


def _check_jsonschema(scene: Scene, folder: Path) -> Measured:
    program = Path(sys.executable).with_name("check-jsonschema")
    if not program.exists():
        raise BrokenError("check-jsonschema is not installed: pip install -e '.[bench]', or call `make bench`")
    paths = sorted((folder / str(FILES)).glob("*.yml"))

    def measured() -> float:
        return scene.program(program, "--schemafile", folder / "schema.json", *paths, code=1)

    return measured


def _memory(scene: Scene, folder: Path) -> Measured:
    """In MiB / 1000, because samples are taken for seconds and shown as thousandths."""

    def measured() -> float:
        scene.workermd("validate", folder, code=1, WORKERMD_CACHE="off")
        return scene.peak_mib / 1000

    return measured
