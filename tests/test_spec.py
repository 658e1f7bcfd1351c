"""The written rules, the code and the tests say the same."""

import re

from tests.conftest import ROOT
from workermd.protocol.envelope import ERROR_CODES, Status

SPEC = (ROOT / "docs" / "spec.md").read_text()


def test_every_rule_is_named_by_a_test():
    rules = set(re.findall(r"\*\*(S\d\.\d)\*\*", SPEC))
    assert len(rules) > 40
    sources = "".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    assert rules - set(re.findall(r"S\d\.\d", sources)) == set()


def test_the_table_of_statuses_is_the_enumeration():
    """S1.1"""
    rows = re.findall(r"^\| `(\w+)` \| .* \| (\d) \|", SPEC.split("## 2.")[0], re.MULTILINE)
    assert rows == [(status.value, str(status.exit_code)) for status in Status]


def test_the_table_of_error_codes_is_the_table():
    """S5.5"""
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", SPEC.split("## Error codes")[1], re.MULTILINE)
    assert dict(rows) == ERROR_CODES
