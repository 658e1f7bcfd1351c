"""Whole files: `documents/good` are contracts, `documents/bad` are not; beside each, what must be found.

An `.expected` file has one line `line:column code` for every finding, in order.
"""

from pathlib import Path

import pytest

from workermd.contract.reader import read

FOLDER = Path(__file__).parent / "documents"
DOCUMENTS = sorted(FOLDER.glob("*/*.worker.md"))
REGISTRY = Path(__file__).parents[2] / "registry"


@pytest.mark.parametrize("path", [pytest.param(path, id=f"{path.parent.name}/{path.name}") for path in DOCUMENTS])
def test_findings(path: Path) -> None:
    reading = read(path.read_bytes(), str(path))
    found = "".join(f"{finding.line}:{finding.column} {finding.code}\n" for finding in reading.findings)
    assert found == path.with_suffix(".expected").read_text(), [finding.message for finding in reading.findings]
    assert (reading.contract is not None) == (path.parent.name == "good")


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in sorted(REGISTRY.glob("*.worker.md"))])
def test_registry_files_have_no_findings(path: Path) -> None:
    assert read(path.read_bytes(), str(path)).findings == ()
