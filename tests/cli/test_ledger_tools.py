"""The ledger as a tool: lists in pages, logs, receipts, and what is erased."""

import csv
import io
import json
import sqlite3
import subprocess
from pathlib import Path

import pytest

OK = [
    "--backend",
    "command",
    "--",
    "sh",
    "-c",
    'echo said by $WORKERMD_RUN_ID >&2; printf \'{"status": "ok", "result": {}}\'',
]
FAILING = ["--backend", "command", "--", "sh", "-c", "echo going wrong >&2; exit 9"]


@pytest.fixture
def runs(cli, contract):
    """Carries out runs of these names; one that begins with `bad` fails."""
    path = contract()

    def carry_out(*names: str) -> None:
        for name in names:
            program = FAILING if name.startswith("bad") else OK
            cli("run", path, "-", *program, given=json.dumps({"run_id": name, "task": f"the task of {name}"}))

    return carry_out


def listed(cli, *options: str) -> list[str]:
    return [json.loads(line)["run_id"] for line in cli("runs", "list", "--format", "jsonl", *options).out.splitlines()]


def test_lists_are_chosen_and_come_in_pages(cli, runs) -> None:
    runs("one", "two", "bad three", "four")
    assert listed(cli) == ["four", "bad three", "two", "one"]
    assert listed(cli, "--error", "backend_failed") == ["bad three"]
    assert listed(cli, "--match", "o", "--status", "ok") == ["four", "two", "one"]
    assert listed(cli, "--until", "1h") == []
    assert listed(cli, "--since", "1h", "--worker", "echo", "--limit", "1") == ["four"]
    page = cli("runs", "list", "--format", "json", "--limit", "3").document
    rest = cli("runs", "list", "--format", "json", "--limit", "3", "--behind", page["next"]).document
    assert [each["run_id"] for each in (*page["runs"], *rest["runs"])] == ["four", "bad three", "two", "one"]
    assert rest["next"] is None
    table = list(csv.DictReader(io.StringIO(cli("runs", "list", "--format", "csv").out.decode())))
    assert (table[0]["run_id"], table[1]["status"]) == ("four", "invalid_output")
    wrong = cli("runs", "list", "--since", "yesterday")
    assert wrong.code == 2
    assert "2026-11-01T10:00+01:00" in wrong.err


@pytest.mark.rule("S4.15")
def test_the_log_of_every_attempt_is_kept(cli, runs) -> None:
    runs("one", "bad")
    assert cli("runs", "show", "one", "--log").out == b"said by one\n"
    assert cli("runs", "show", "bad", "--log").out == b"going wrong\n"
    shown = cli("runs", "show", "one").out.decode()
    assert "the task of one" in shown
    assert '"result": {}' in shown
    assert cli("runs", "prune", "--all").code == 0
    assert not list(Path(f"{cli.ledger}.artifacts").glob("*"))


def test_the_contract_of_a_run_is_kept_with_it(cli, runs, tmp_path) -> None:
    runs("one")
    (tmp_path / "echo.worker.md").unlink()
    assert cli("runs", "show", "one", "--format", "json").document["contract"]["text"].startswith("---\nid: echo\n")


@pytest.mark.rule("S4.12")
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE links SET at = at + 1 WHERE number = 2", "link 2 (settled) was changed"),
        ("DELETE FROM links WHERE number = 2", "links 2 to 2 are missing"),
        ("DELETE FROM links WHERE number = 3", "the chain was cut: it ends with link 2"),
        ("UPDATE links SET number = 9 WHERE number = 2", "links 2 to 2 are missing"),
        ("UPDATE runs SET status = 'fine' WHERE run_id = 'two'", "run 'two' of echo is not the one that link 2 settled"),
        ("UPDATE runs SET output = x'7b7d' WHERE run_id = 'two'", "the answer of run 'two' of echo is not the one"),
        ("DELETE FROM runs WHERE run_id = 'two'", "speaks of a run that is not there"),
        ("UPDATE links SET gone = 3 WHERE number = 1", ""),
    ],
)  # fmt: skip
def test_a_changed_chain_is_named(cli, runs, tmp_path, change: str, said: str) -> None:
    runs("one", "two", "three")
    kept = tmp_path / "head.json"
    kept.write_bytes(cli("runs", "receipt", "--head").out)
    assert (
        cli("runs", "verify", "--against", kept).out.decode().startswith("3 links, 3 settled runs, 0 of them unsealed")
    )
    with sqlite3.connect(cli.ledger) as connection:
        for (trigger,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute(change)
    connection.close()
    found = cli("runs", "verify", "--against", kept)
    assert found.code == (1 if said else found.code), found.out
    assert said in found.out.decode()


@pytest.mark.rule("S4.12")
def test_a_receipt_is_checked_elsewhere(cli, runs, tmp_path) -> None:
    """Signed with the operator's key; other tools read the envelope, and a changed one is noticed."""
    runs("one", "two")
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", private], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True, capture_output=True)
    receipt = tmp_path / "receipt.json"
    receipt.write_bytes(cli("runs", "receipt", "two", "--key", private).out)
    assert cli("runs", "verify-receipt", receipt, "--public-key", public).code == 0
    assert "was not checked" in cli("runs", "verify-receipt", receipt).out.decode()
    document = json.loads(receipt.read_text())
    assert document["payloadType"] == "application/vnd.in-toto+json"
    other = tmp_path / "other.json"
    other.write_bytes(cli("runs", "receipt", "one", "--key", private).out)
    other.write_text(json.dumps({**json.loads(other.read_text()), "signatures": document["signatures"]}))
    refused = cli("runs", "verify-receipt", other, "--public-key", public)
    assert (refused.code, "not signed with this key" in refused.err) == (2, True)
    other.write_text("[" * 100_000)
    assert (cli("runs", "verify-receipt", other).code, cli("runs", "verify", "--against", other).code) == (2, 2)


@pytest.mark.rule("S4.13")
def test_an_erased_run_is_in_no_file_of_the_ledger(cli, runs) -> None:
    runs("keep", "Zappelphilipp")
    erased = cli("runs", "erase", "Zappelphilipp", "--by", "ann", "--reason", "asked for it")
    assert erased.code == 0, erased.err
    held = [
        file
        for file in cli.ledger.parent.rglob("*")
        if file.is_file() and (b"Zappelphilipp" in file.read_bytes() or "Zappelphilipp" in str(file))
    ]
    assert held == []
    assert listed(cli) == ["keep"]
    assert cli("runs", "verify").code == 0
    runs("Zappelphilipp")
    assert listed(cli) == ["Zappelphilipp", "keep"], "its key is free again"
