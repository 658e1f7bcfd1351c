"""Every ledger that a test leaves behind has to be whole."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ledger.ledger_caller import damage
from tests.postgres_server import WHY_NOT, Server, binaries


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


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One server for all tests of this process."""
    if not binaries():
        pytest.skip(WHY_NOT)
    pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    server = Server()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module", params=["file", "postgres"])
def server(request: pytest.FixtureRequest) -> Server | None:
    """What a ledger's database lies on; None for a ledger in a file."""
    return None if request.param == "file" else request.getfixturevalue("postgres")


@pytest.fixture
def place(server: Server | None, path: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a ledger that is not there yet: the rules are the same in a file and in a database."""
    if server is None:
        return path
    monkeypatch.setenv("WORKERMD_SPOOL", f"{path}.spool")
    return server.fresh()
