"""Ten planted faults are found within a minute each, by the smallest input that shows them; the originals are silent."""

import json
import shutil
import time

import pytest

from tests.conftest import ROOT, patience
from tests.fuzz.faults import PLANTED

SHIPPED = ("aggregate", "code-review", "data-validation", "output-gate", "web-extract")


def planted_in(folder, planted):
    """The copy of the worker with the fault, and of its contract."""
    text = (ROOT / "workermd" / "workers" / f"{planted.worker}.py").read_text()
    assert text.count(planted.old) == 1, "the fault follows the code that it is planted in"
    (folder / "planted.py").write_text(text.replace(planted.old, planted.new))
    name = planted.worker.replace("_", "-")
    shutil.copy(ROOT / "contracts" / f"{name}.worker.md", folder / "planted.worker.md")
    shutil.copy(ROOT / "contracts" / "examples" / f"{name}.input.json", folder / "planted.input.json")


@pytest.mark.parametrize("planted", PLANTED, ids=[each.name for each in PLANTED])
def test_a_planted_fault_is_found_kept_and_played_first(planted, cli, tmp_path):
    planted_in(tmp_path, planted)
    call = [
        "fuzz",
        "planted.worker.md",
        "--function",
        "planted:run",
        "--in-process",
        "--seed",
        planted.seed,
        "--hang",
        2,
    ]
    call += ["--secret-env", "TOKEN", "--format", "json"]
    began = time.monotonic()
    done = cli(*call, "--seconds", round(patience(50)), "--until-found", env={"TOKEN": "x"})
    assert done.code == 1, done.err
    assert time.monotonic() - began < patience(60)
    found = {each["check"]: each for each in done.document["found"]}
    assert {*found} == {planted.check}, done.out
    cases = [json.loads(line) for line in (tmp_path / "planted.fuzz.jsonl").read_bytes().splitlines()]
    assert found[planted.check]["input"] in [case["input"] for case in cases]
    if planted.check != "killed":  # a moment is no part of an input
        again = cli(*call, "--draws", 1, "--seconds", 20, env={"TOKEN": "x"})
        assert (again.code, again.document["replayed"]) == (1, len(cases))
        assert any(each["kept"] for each in again.document["found"])


@pytest.mark.parametrize("name", SHIPPED)
def test_the_originals_are_silent(name, cli, tmp_path):
    spec = ROOT / "contracts" / f"{name}.worker.md"
    call = [
        "fuzz",
        spec,
        "--in-process",
        "--seconds",
        60,
        "--draws",
        60,
        "--seed",
        5,
        "--no-keep",
    ]
    done = cli(*call, "--format", "json", "--hang", patience(2))
    assert done.code == 0, done.out
    assert done.document["found"] == []
    assert done.document["valid"] >= 20
