import pytest

from tests.contract.contract_cases import ALL, Case
from workermd.contract.reader import read
from workermd.protocol.finding import Finding


def placed(findings: tuple[Finding, ...]) -> str:
    return " ".join(f"{finding.line}:{finding.column} {finding.code}" for finding in findings)


@pytest.mark.rule("S1.2", "S3.8", "S4.1", "S6.4")
@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in ALL])
def test_everything_wrong_is_found_at_its_place(case: Case) -> None:
    data = case.document if isinstance(case.document, bytes) else case.document.encode()
    reading = read(data, "demo.worker.md")
    assert placed(reading.findings) == case.found, [finding.message for finding in reading.findings]
    assert (reading.contract is None) == any(finding.severity == "error" for finding in reading.findings)
    for finding in reading.findings:
        assert "\n" not in finding.message + finding.hint
        assert finding.end_column >= finding.column
        assert len(finding.message) < 260, finding.message
