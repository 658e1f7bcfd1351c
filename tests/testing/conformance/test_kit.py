"""The conformance kit: its cases are right, it tells runtimes apart, and workermd passes what it claims."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from junitparser import JUnitXml

from tests import loaded
from tests.conftest import ROOT, patience
from tests.testing.conformance import ablation
from workermd.protocol.errors import ConfigurationError, UsageError
from workermd.testing.conformance import cases, conduct, judge, proof, results, runtime

KIT = ROOT / "workermd" / "testing" / "conformance"
RUNTIMES = Path(__file__).parent / "runtimes"
ALL = cases.load()
OURS = runtime.load(runtime.OURS)
OURS = OURS._replace(environment=OURS.environment | {"PYTHONPATH": str(ROOT)})


def forked(call: conduct.Started) -> "subprocess.Popen[bytes]":
    """workermd from the loaded process; where a signal is to meet all that it started, see COLD."""
    return loaded.start(
        call.words[3:], call.environment, cold=False,
        cwd=call.folder, stdin=subprocess.DEVNULL, stdout=call.stdout, stderr=call.stderr, start_new_session=True,
    )  # fmt: skip


def named(*names: str) -> list[cases.KitCase]:
    found = [case for case in ALL if case.id in names]
    assert len(found) == len(names), set(names) - {case.id for case in found}
    return found


def tried(held: runtime.Runtime, *names: str, start: conduct.Start = conduct.process) -> dict[str, conduct.KitResult]:
    found = conduct.conduct(named(*names), held, jobs=2, patience=patience(1), start=start)
    return {result.case.id: result for result in found}


def words(found: dict[str, conduct.KitResult]) -> dict[str, str]:
    return {
        name: result.word if result.word == "passed" else f"{result.word}: {result.reasons}"
        for name, result in found.items()
    }


def test_the_kit_proves_itself():
    proof.prove(ALL)
    assert len(ALL) >= 80
    assert {case.level for case in ALL} == set(cases.LEVELS)


def test_workermd_offers_every_command_and_option_that_a_case_needs():
    assert [(case.id, why) for case in ALL if (why := OURS.missing(case))] == []
    unused = OURS.options.keys() - {name for case in ALL for name in case.options}
    assert unused <= {"max_turns", "timeout", "setting"}


SAMPLE = (
    "answer", "input-refused", "output-repaired", "status-outside", "contract-unusable", "own-status-succeeds", "task-document",
    "secret-masked", "bound-not-held", "output-to-a-file", "request-document", "replay-other-spacing", "conflict", "at-once",
    "answer-changed", "key-from-the-input", "rate-limit", "input-key-twice", "input-lone-surrogate", "input-exact",
    "read-7-6-repeated-key", "constraint-hexadecimal", "decision", "denied-for-good", "program-called", "service-not-changed",
)  # fmt: skip


def test_workermd_passes_a_sample_of_what_it_claims():
    """`make conformance` tries all of them."""
    assert words(tried(OURS, *SAMPLE, start=forked)) == dict.fromkeys(words(tried_names()), "passed")


def tried_names() -> dict[str, conduct.KitResult]:
    return {case.id: conduct.KitResult(case, "passed") for case in named(*SAMPLE)}


@pytest.mark.cold
@pytest.mark.parametrize(
    ("name", "program", "passes", "known"),
    [
        ("shell", "jq", ("answer", "input-no-json", "output-exhausted", "task-asks"), ("left-behind",)),
        ("node", "node", ("answer", "conflict", "at-once", "pruned"), ("numbers-apart", "reply-half-surrogate")),
    ],
)
def test_another_runtime_has_its_honest_result(name, program, passes, known):
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed, so the runtime in it cannot be tried")
    held = runtime.load(str(RUNTIMES / f"{name}.toml"))
    assert held.known.keys() <= {case.id for case in ALL}
    found = tried(held, *passes, *known)
    offered = {each: "passed" if not held.missing(named(each)[0]) else "skipped" for each in passes}
    assert {each: result.word for each, result in found.items()} == offered | dict.fromkeys(known, "known")
    again = tried(held._replace(known={}), *known)
    assert {result.word for result in again.values()} == {"failed"}


def test_what_is_known_to_fail_and_passes_is_told():
    held = OURS._replace(known={"answer": "it never answered"})
    found = tried(held, "answer", start=forked)
    assert found["answer"].word == "mended"
    assert not results.is_clean([*found.values()])
    assert b"take it from known_failures" in results.as_text([*found.values()], held)


def a_file(**row) -> dict:
    """A file with one case."""
    return {"kit": 1, "level": "core", "cases": [{"id": "made", "rules": ["S2.4"], "title": "Made.", **row}]}


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"contract": "plain", "steps": [{"input": {"n": 1}, "expect": {"outcome": "ok"}}]}, "input does not match"),
        ({"contract": {"file": "plain", "edits": [["max_attempts: 2", "x"]]}, "steps": [{"expect": {}}]}, "is unusable"),
        ({"contract": {"file": "plain", "usable": False}, "steps": [{"expect": {}}]}, "its contract is usable"),
        ({"contract": {"file": "plain", "edits": [["nowhere", "x"]]}, "steps": [{"expect": {}}]}, "an edit needs it once"),
        (
            {"contract": "plain", "input": {"run_id": "r"}, "task": [{"reply": {"status": "done"}}], "steps": [{"expect": {"outcome": "ok"}}]},
            "last reply does not match",
        ),
        ({"contract": "plain", "steps": [{"expect": {"outcome": "fine"}}]}, "/cases/0/steps/0/expect/outcome"),
        ({"contract": "plain", "steps": [{"expect": {"exit": 0}}]}, "exit"),
    ],
)  # fmt: skip
def test_a_mistake_of_the_kit_is_told_before_any_runtime_is_tried(tmp_path, row, told):
    (tmp_path / "core.json").write_text(json.dumps(a_file(**row)))
    with pytest.raises(ConfigurationError, match=re.escape(told)):
        proof.prove(cases.load(str(tmp_path)))


SHOWN = judge.Shown(
    outcome="ok", stdout=b'{"a": [1, true], "s": "x"}', stderr=b"a note\n", seconds=1.0, started=1, given={"n": 1},
    environment={"A": "1"}, alive=False, asked=0, written=b'{"w": 1}', earlier=(), beside=b"{}", patience=1.0,
)  # fmt: skip
SHOWN = SHOWN._replace(earlier=(SHOWN._replace(stdout=b"other"), SHOWN))

RIGHT = {
    "outcome": ["ok", "findings"], "stdout": "document", "values": {"/a/0": 1, "/a/1": True}, "types": {"/a": "array", "/s": "string"},
    "absent": ["/b", "/a/9", "/a/x"], "says": ["note"], "hides": ["secret"], "starts": 1, "requests": 0, "at_most_seconds": 1.5,
    "at_least_seconds": 0.5, "same_bytes_as": 2, "survivors": False, "task": {"/n": 1}, "task_has": ["/n"], "environment": {"A": "1", "B": None},
    "file": {"/w": 1},
}  # fmt: skip
WRONG = {
    "outcome": "needs_human", "stdout": "empty", "values": {"/a/1": 1}, "types": {"/a/1": "number"}, "absent": ["/a"], "says": ["secret"],
    "hides": ["note"], "starts": [0, 2], "requests": 1, "at_most_seconds": 0.5, "at_least_seconds": 1.5, "same_bytes_as": 1,
    "findings": [], "survivors": True, "task": {"/n": 2}, "task_has": ["/m"], "environment": {"A": None}, "file": {"/w": 2}, "alike": True,
}  # fmt: skip


def test_every_expectation_can_be_met_and_missed():
    assert RIGHT.keys() | {"alike", "findings"} == WRONG.keys() == judge.CHECKS.keys()
    assert judge.CHECKS.keys() == cases.schema()["$defs"]["expectation"]["properties"].keys()
    assert [*judge.reasons(SHOWN, RIGHT)] == []
    for key, wanted in WRONG.items():
        assert len([*judge.reasons(SHOWN, {key: wanted})]) == 1, key
    region = {"locations": [{"physicalLocation": {"region": {"startLine": 2, "startColumn": 3}}}]}
    sarif = json.dumps({"runs": [{"results": [{"ruleId": "X1", "level": "error"} | region]}]}).encode()
    told, place = SHOWN._replace(stdout=sarif), {"line": 2, "column": 3}
    for wanted, same, count in (
        ([place | {"code": "X1"}], True, 0),
        ([place | {"code": "X2"}], True, 1),
        ([place | {"code": "X2"}], False, 0),
        ([], True, 1),
    ):
        assert len([*judge.reasons(told._replace(same_codes=same), {"findings": wanted})]) == count
    assert [*judge.reasons(SHOWN._replace(beside=SHOWN.stdout), {"alike": True})] == []


def test_a_runtimes_file_is_held_to_its_form(tmp_path):
    def loaded_from(text):
        (tmp_path / "r.toml").write_text(text)
        return runtime.load(str(tmp_path / "r.toml"))

    held = loaded_from(
        'claims = ["core"]\n[commands]\nrun = ["{kit}/r", "{spec}", "{options}"]\n[options]\nn = ["-n", "{value}"]\n[exits]\nok = [0, 9]'
    )
    assert held.words("run", {"spec": "S"}, {"n": 3}) == [f"{tmp_path}/r", "S", "-n", "3"]
    assert (held.outcome(9), held.outcome(3), held.outcome(77)) == ("ok", "invalid_request", "exit code 77")
    for text, told in (
        ("claim = []", "unknown key claim"), ("x", "no TOML"), (f"a = {'9' * 5000}", "too long"), ("[exits]\nfine = [0]", "no such outcome"),
        ('[commands]\nrun = "x"', "lists of words"), ('claims = ["all"]', "allowed: core"),
    ):  # fmt: skip
        with pytest.raises((ConfigurationError, UsageError), match=told):
            loaded_from(text)


@pytest.mark.rule("S1.5")
def test_the_command_line(cli, tmp_path):
    listed = cli("conformance", "--list-cases")
    assert listed.out.decode().count("\n") == len(ALL)
    done = cli(
        "conformance",
        "--case",
        "answer",
        "--case",
        "input-refused",
        "--report",
        "junit=j.xml",
        "--report",
        "badge=b.json",
        "--format",
        "json",
    )
    assert done.code == 0, done.err
    assert done.document["levels"]["core"]["passed"] == 2
    assert json.loads((tmp_path / "b.json").read_text())["message"] == "core 2/2"
    suite = next(iter(JUnitXml.fromfile(str(tmp_path / "j.xml"))))
    assert (suite.tests, suite.failures) == (2, 0)
    wrong = cli("conformance", "-q", "--case", "answer", "--", "sh", "-c", "echo {spec}; exit 4")
    assert (wrong.code, b"failed answer" in wrong.out) == (1, True)
    assert cli("conformance", "-q", "--exit-zero", "--case", "answer", "--", "sh", "-c", "exit 4 # {spec}").code == 0
    for words_, told in (
        (("--case", "nothing"), "no case 'nothing'"), (("--claims", "all"), "allowed: core"), (("--", "sh"), "no {spec}"),
        (("--claims", "core", "--case", "replay"), "no case was tried"), (("--runtime", "no.toml"), "cannot be read"),
    ):  # fmt: skip
        done = cli("conformance", *words_)
        assert (done.code, told in done.err) == (2, True), done.err


def test_the_data_ships_with_the_package():
    """What a wheel holds is the package's folder: all that the kit reads stands in it."""
    assert os.path.commonpath([KIT, ROOT / "workermd"]) == str(ROOT / "workermd")
    assert {path.suffix for path in KIT.rglob("*") if path.is_file() and "__pycache__" not in str(path)} == {
        ".py",
        ".json",
        ".toml",
        ".md",
    }


def test_a_rule_taken_out_turns_its_cases_red(tmp_path):
    """`make conformance-ablation` takes all of them out."""
    faults = ablation.load()
    assert len(faults) >= 10
    for fault in faults:
        fault.applied((ROOT / fault.file).read_text())
        named(*fault.tests)
    folder = ablation.copied(tmp_path)
    for fault in faults:
        if fault.name.startswith(("S2.3", "S6.3")):
            name = fault.tests[0]
            assert ablation.red(fault, folder, [name, "answer"], patience(1)) == [name]


def test_the_page_says_what_is_so():
    page = (ROOT / "docs" / "conformance.md").read_text()
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    shown = json.loads(next(text for kind, text in blocks if kind == "json"))
    kept = json.loads((KIT / "cases" / "core.json").read_text())["cases"]
    assert shown in kept
    held = runtime._runtime(tomllib.loads(next(text for kind, text in blocks if kind == "toml")), "my-runtime.toml")
    assert held.known.keys() | held.not_offered.keys() <= {case.id for case in ALL}
    assert set(re.findall(r"`(\w+)`", page.split("`exits` may name are")[1].split("How `workermd`")[0])) == set(
        runtime.EXITS
    )
    counts = [sum(case.level == level for case in ALL) for level in cases.LEVELS]
    assert f"| workermd | {' | '.join(f'{n}/{n}' for n in counts)} |" in page
    for name in ("node", "shell"):
        other = runtime.load(str(RUNTIMES / f"{name}.toml"))
        for level in other.claims:
            offered = {case.id for case in ALL if case.level == level and not other.missing(case)}
            assert f"{len(offered - other.known.keys())}/{len(offered)}" in page, (name, level)
    output = "\t".join(("level", *results._WORDS))
    assert output in page
