"""Care for the file: found damage, a copy while others write, what is read of a damaged file, and a smaller one."""

import os
import sqlite3
from pathlib import Path

import pytest

from tests.ledger.ledger_caller import WORKER, answer, key, soon
from workermd.ledger import results
from workermd.ledger.receipts import verify
from workermd.ledger.sqlite import care
from workermd.ledger.sqlite.store import Ledger
from workermd.protocol.errors import LedgerBusy, UsageError


def fill(path: str, count: int, text: str = "{}", name: str = "run") -> None:
    with Ledger.open(path) as ledger, ledger.transaction(soon()) as t:
        for n in range(count):
            run = t.start_attempt(t.admit(key(f"{name} {n}")), results.new_token(), "a test")
            t.close_attempt(run, "ok", {}, answer("ok", text))


def test_a_copy_is_whole_while_somebody_writes(path: str, tmp_path: Path) -> None:
    fill(path, 50)
    copy = str(tmp_path / "copy.db")
    with Ledger.open(path) as ledger, ledger.transaction(soon()) as t:
        t.admit(key("not yet there"))
        assert care.back_up(path, copy) == os.path.getsize(copy)
    assert list(care.faults(copy)) == []
    with Ledger.open(copy) as copied:
        assert (len(copied.runs()), verify(copied).faults) == (50, ())
    with pytest.raises(UsageError, match="is there already"):
        care.back_up(path, copy)


def test_what_can_be_read_of_a_damaged_file_goes_on(path: str, tmp_path: Path) -> None:
    """Pages in the middle are overwritten: the rest comes over, and the new ledger goes on."""
    fill(path, 400, "x" * 3000)
    with open(path, "r+b") as file:
        size = os.path.getsize(path)
        for at in range(size // 2, size // 2 + 10 * 8192, 8192):
            file.seek(at // 8192 * 8192)
            file.write(b"\xff" * 8192)
    assert list(care.faults(path)) != []
    target = str(tmp_path / "salvaged" / "ledger.db")
    found = care.salvage(path, target)
    assert 300 < found.rows["runs"] < 400
    assert found.lost["runs"] > 0
    assert list(care.faults(target)) == []
    fill(target, 1, name="new")
    with Ledger.open(target) as ledger:
        kept = ledger.runs()
        assert all(ledger.look(WORKER, each.run_id) is not None for each in kept)
    os.unlink(path)  # it is damaged on purpose


def test_a_smaller_file_in_pages_of_today(path: str) -> None:
    """Also where it was made by an earlier version."""
    connection = sqlite3.connect(path)
    connection.executescript(Path(__file__).with_name("saved").joinpath("runs_of_version_5.sql").read_text())
    connection.close()
    fill(path, 200, "x" * 3000)
    with Ledger.open(path) as ledger:
        with pytest.raises(LedgerBusy, match="another process has it open"):
            care.compact(path)
        with ledger.transaction(soon()) as t:
            t.prune()
    before, after = care.compact(path)
    assert after < before / 2
    with Ledger.open(path) as ledger:
        assert ledger._connection.execute("PRAGMA page_size").fetchone() == (8192,)
        assert ledger._connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        assert {each.run_id for each in ledger.runs()} == {"waiting", "running"}


def test_a_pruned_file_gives_space_back(path: str) -> None:
    fill(path, 300, "x" * 6000)
    with Ledger.open(path) as ledger:
        with ledger.transaction(soon()) as t:
            t.prune()
        before = ledger._connection.execute("PRAGMA page_count").fetchone()[0]
        ledger.give_space_back(1000)
        assert ledger._connection.execute("PRAGMA page_count").fetchone()[0] < before / 2
