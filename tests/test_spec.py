"""The written rules, the code and the tests say the same."""

import json
import re
import tomllib

import pytest

from tests.conftest import ROOT
from tests.rules_proved import PAGE, deep, page, proofs, refuse_unknown, rules
from workermd.protocol.envelope import ERROR_CODES, Status

SPEC = (ROOT / "docs" / "spec.md").read_text()


def test_every_rule_has_a_proof():
    found = proofs()
    assert len(found) > 40
    assert [rule for rule, tests in found.items() if not tests] == []


def test_every_rule_has_a_proof_that_make_test_runs():
    left = deep()
    bare = [
        rule
        for rule, files in proofs().items()
        if {(file, test) for file, tests in files.items() for test in tests} <= left
    ]
    assert bare == []


def test_the_table_of_proofs_is_what_the_markers_say():
    assert PAGE.read_text() == page(), "write it anew: python -m tests.rules_proved"


def test_every_rule_that_can_be_seen_has_a_case_of_the_conformance_kit():
    kit = ROOT / "workermd" / "testing" / "conformance"
    documents = [json.loads(path.read_text()) for path in (kit / "cases").glob("*.json")]
    seen = {rule for document in documents for case in document["cases"] for rule in case["rules"] if rule[0] == "S"}
    unseen = tomllib.loads((kit / "unseen.toml").read_text())["unseen"].keys()
    assert not seen & unseen, "a rule that has a case can be seen"
    assert seen | unseen == set(rules()), (
        "write a case of the kit, or the reason why none can see the rule: docs/conformance.md"
    )


@pytest.mark.parametrize("named", [(), ("S0.9",), ("S1.1", "S4.33"), ("1.1",)])
def test_a_marker_names_rules_that_there_are(request, named):
    request.node.add_marker(pytest.mark.rule(*named))
    with pytest.raises(pytest.UsageError, match="no such rule"):
        refuse_unknown([request.node])


@pytest.mark.rule("S1.1")
def test_the_table_of_statuses_is_the_enumeration():
    rows = re.findall(r"^\| `(\w+)` \| .* \| (\d) \|", SPEC.split("## 2.")[0], re.MULTILINE)
    assert rows == [(status.value, str(status.exit_code)) for status in Status]


@pytest.mark.rule("S5.5")
def test_the_table_of_error_codes_is_the_table():
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", SPEC.split("## Error codes")[1], re.MULTILINE)
    assert dict(rows) == ERROR_CODES
