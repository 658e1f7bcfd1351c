"""Every ledger that a test leaves behind has to be whole."""

import sqlite3
from pathlib import Path

import pytest
from ledger_caller import damage


@pytest.fixture(autouse=True)
def whole_ledgers(tmp_path: Path):
    yield
    for path in tmp_path.rglob("ledger.db"):
        try:
            found = damage(str(path))
        except sqlite3.OperationalError as error:
            found = [str(error)]
        assert found == [], path


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "ledger.db")
