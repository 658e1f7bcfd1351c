"""Ledgers that earlier versions of the program wrote: what was kept stays readable, and goes on.

Each `saved/runs_of_version_N.sql` is the dump of a ledger that the program of that version filled with its own runs: one
settled, one failed, one interrupted with attempts left, one whose supervisor and attempt were killed, and, since there
are questions, one that asks.
"""

import json
import sqlite3
from pathlib import Path

import pytest

from workermd.ledger.sqlite.migrations import MIGRATIONS

SAVED = Path(__file__).with_name("saved")
CONTRACT = SAVED / "echo.worker.md"
VERSIONS = range(1, len(MIGRATIONS))
FINISHED = [*("--backend", "command", "--"), "sh", "-c", 'printf \'{"status": "ok", "result": "now"}\'']


@pytest.fixture(params=VERSIONS, ids=lambda version: f"version {version}")
def saved(request, cli):
    """A command line with a ledger of an earlier version, and what it held before it was opened."""
    cli.ledger.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(cli.ledger)
    connection.executescript(SAVED.joinpath(f"runs_of_version_{request.param}.sql").read_text())
    connection.close()
    cli.version = request.param
    return cli


def answer(cli, run_id, *options, amount=0.5):
    given = json.dumps({"run_id": run_id, "amount": amount})
    return cli("run", *options, CONTRACT, "-", *FINISHED, given=given)


def test_there_is_a_saved_ledger_of_every_earlier_version():
    assert sorted(path.name for path in SAVED.glob("runs_of_version_*.sql")) == [
        f"runs_of_version_{version}.sql" for version in VERSIONS
    ]


@pytest.mark.rule("S4.5", "S4.10")
def test_its_runs_replay_and_go_on(saved):
    """No attempt of a settled run is started; an unfinished one is not told that its contract changed."""
    settled = answer(saved, "settled", "--envelope")
    assert settled.code == 0, settled.err
    assert settled.document["outputs"]["result"] == "from before"
    assert settled.document["replayed"] is True
    assert settled.document["notes"] == [], "the contract means what it meant"
    assert (answer(saved, "failed").code, answer(saved, "settled", amount=0.25).code) == (6, 3)
    for unfinished, attempts in (("waiting", 2), ("running", 2)):
        done = answer(saved, unfinished, "--envelope")
        assert (done.code, done.document["outputs"]["result"]) == (0, "now"), done.err
        assert len(done.document["attempts"]) == attempts
    if saved.version > 1:
        assert answer(saved, "asking").code == 6
        assert saved("approve", "asking", "--answer", "a", "--by", "ann").code == 0
        assert answer(saved, "asking").document["result"] == "now"


@pytest.mark.rule("S4.5")
def test_another_meaning_is_still_noticed(saved, tmp_path):
    """A row is compared as it was made, and that comparison can fail."""
    changed = tmp_path / "echo.worker.md"
    changed.write_text(CONTRACT.read_text().replace("timeout_seconds: 20", "timeout_seconds: 21"))
    given = json.dumps({"run_id": "waiting", "amount": 0.5})
    refused = saved("run", changed, "-", *FINISHED, given=given)
    assert (refused.code, refused.document["result"]["error"]["code"]) == (3, "contract_changed")


@pytest.mark.rule("S4.10")
def test_a_newer_ledger_is_refused_with_words(cli):
    assert answer(cli, "one").code == 0
    connection = sqlite3.connect(cli.ledger)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    refused = answer(cli, "one")
    assert (refused.code, refused.document["error"]["code"]) == (2, "ledger_unavailable")
    assert f"is of version {len(MIGRATIONS) + 1}" in refused.err
    assert "Traceback" not in refused.err


@pytest.mark.rule("S2.4", "S4.11")
@pytest.mark.parametrize("column", ["output", "envelope"])
def test_an_answer_that_was_changed_is_none(cli, column):
    """One byte, behind the ledger's back: no caller gets it, and nothing is run again."""
    assert answer(cli, "one").code == 0
    connection = sqlite3.connect(cli.ledger)
    connection.executescript("DROP TRIGGER settled_run_is_final")
    (before,) = connection.execute(f"SELECT {column} FROM runs").fetchone()
    connection.execute(f"UPDATE runs SET {column} = ?", (before.replace(b"now", b"not"),))
    connection.commit()
    connection.close()
    refused = answer(cli, "one")
    assert (refused.code, refused.document["error"]["code"]) == (2, "ledger_unavailable")
    assert "run one is not the one that was settled" in refused.err
