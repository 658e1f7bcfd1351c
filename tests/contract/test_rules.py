"""The table of rules is complete, and its page is what the table says."""

import re

from tests.contract.contract_cases import ALL
from tests.contract.test_documents import DOCUMENTS
from workermd.contract.problems import misnamed
from workermd.contract.rules import GROUPS, RULES
from workermd.lint.checks import CHECKS
from workermd.lint.folder import FOLDER_CODES
from workermd.lint.ignores import FAULTY, UNUSED


def test_every_rule_is_produced_by_a_case() -> None:
    texts = [case.found for _, case in ALL] + [path.with_suffix(".expected").read_text() for path in DOCUMENTS]
    found = {code for text in texts for code in re.findall(r"WM\d{3}", text)}
    # WM105 is about the path (test_contract_reader), WM8 about other documents (test_validate).
    linted = {check.code for check in CHECKS} | {*FOLDER_CODES, FAULTY, UNUSED}  # tests/lint
    assert found | {"WM105", "WM801", "WM802", "WM803", "WM804"} | linted == set(RULES)


def test_codes_are_in_order_and_in_a_group() -> None:
    assert list(RULES) == sorted(RULES)
    assert all(any(code.startswith(group) for group in GROUPS) for code in RULES)


def test_every_rule_says_what_it_asks_and_why() -> None:
    for code, rule in RULES.items():
        assert rule.summary.endswith("."), code
        assert rule.purpose.endswith((".", "`.")), code


def test_file_names() -> None:
    assert [misnamed(path) for path in ("a.worker.md", "/x/b.worker.md", "-", "<stdin>")] == [()] * 4
    for path in ("worker.md", ".worker.md", "x/contract.md", "a.worker.md.txt"):
        assert [finding.code for finding in misnamed(path)] == ["WM105"]
