"""What a ledger in a database has beside the rules that it shares with a file: machines, leases, fences, its address."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.ledger.ledger_caller import WORKER, answer, dump, key, soon
from tests.postgres_server import Server
from workermd.config import configuration
from workermd.ledger import lease, results
from workermd.ledger.opening import open_ledger, open_to_read
from workermd.ledger.postgres.connection import PostgresConnection, _may_pass
from workermd.ledger.postgres.migrations import MIGRATIONS
from workermd.ledger.records import Run
from workermd.ledger.sqlite.opening import LedgerFault
from workermd.ledger.sqlite.store import Ledger
from workermd.protocol.address import masked
from workermd.protocol.errors import ConfigurationError, LedgerBusy, LedgerUnavailable, UsageError


@pytest.fixture
def address(postgres: Server) -> str:
    return postgres.fresh()


def on_machine(address: str, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A spool folder is a machine, whatever it stands on."""
    with monkeypatch.context() as patch:
        patch.setenv("WORKERMD_SPOOL", str(tmp_path / name))
        return open_ledger(address)


def live_for(ledger: Ledger, lease_seconds: float, grace: float = 0.0, margin: float = 0.1) -> None:
    ledger._connection.execute(
        "UPDATE liveness SET lease = make_interval(secs => ?), grace = make_interval(secs => ?), "
        "margin = make_interval(secs => ?)",
        (lease_seconds, grace, margin),
    )


def claim(ledger: Ledger, run_id: str = "r") -> Run:
    with ledger.transaction(soon()) as t:
        return t.start_attempt(t.admit(key(run_id)), results.new_token(), "a test", b"k" * 32)


def close(ledger: Ledger, run: Run, outcome: str = "ok") -> Run:
    with ledger.transaction(soon()) as t:
        return t.close_attempt(run, outcome, {}, answer() if outcome == "ok" else None)


def stop_renewing(ledger: Ledger) -> None:
    """As if the machine's processes were gone."""
    ledger._lease.end()


@pytest.mark.rule("S4.2", "S4.4")
def test_an_attempt_of_a_machine_that_lives_is_nobody_elses(address, tmp_path, monkeypatch):
    with (
        on_machine(address, tmp_path, "a", monkeypatch) as one,
        on_machine(address, tmp_path, "b", monkeypatch) as other,
    ):
        run = claim(one)
        assert (one.held_elsewhere(WORKER, "r"), other.held_elsewhere(WORKER, "r")) == (False, True)
        with pytest.raises(LedgerBusy, match="is being executed on"):
            close(other, run, "crashed")
        assert close(one, run).state == "done"
        assert not other.held_elsewhere(WORKER, "r")


@pytest.mark.rule("S4.2", "S4.3")
def test_the_attempt_of_a_dead_machine_is_closed_and_its_late_result_refused(address, tmp_path, monkeypatch):
    with (
        on_machine(address, tmp_path, "a", monkeypatch) as one,
        on_machine(address, tmp_path, "b", monkeypatch) as other,
    ):
        live_for(one, 0.6)
        run = claim(one)
        assert not lease.is_over(one.lease_file)
        stop_renewing(one)
        until = soon()
        while other.held_elsewhere(WORKER, "r"):
            assert time.monotonic() < until
            time.sleep(0.05)
        assert lease.is_over(one.lease_file), "the machine itself knows it first"
        close(other, run, "crashed")
        with pytest.raises(LedgerBusy, match="comes too late"):
            close(one, run)
        with pytest.raises(LedgerBusy, match="may begin nothing"):
            claim(one)
        again = claim(other)
        assert (again.attempts, again.state) == (2, "running")
        assert close(other, again).attempts == 2


@pytest.mark.rule("S4.2")
def test_after_a_restart_of_the_database_nobody_is_judged_before_the_grace_is_over(tmp_path, monkeypatch):
    server = Server()
    try:
        server.start()
        address = server.fresh()
        with (
            on_machine(address, tmp_path, "a", monkeypatch) as one,
            on_machine(address, tmp_path, "b", monkeypatch) as other,
        ):
            live_for(one, 0.6, grace=3.0)
            claim(one)
            stop_renewing(one)
            server.stop()
            time.sleep(1.0)
            server.start()
            began = time.monotonic()
            assert other.held_elsewhere(WORKER, "r"), "the lease is over, but it could not be renewed"
            with open_ledger(address) as third:  # whoever comes meets the new start
                while third.held_elsewhere(WORKER, "r"):
                    assert time.monotonic() - began < 60
                    time.sleep(0.05)
                assert time.monotonic() - began >= 2.5
    finally:
        server.close()


def test_a_connection_that_was_lost_is_made_again_and_a_transaction_is_not_repeated(address, postgres):
    end_all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = '{}'"
    end_all = end_all.format(address.rpartition("/")[2])
    with open_ledger(address) as ledger:
        run = claim(ledger)
        postgres.execute(end_all)
        assert ledger.look(WORKER, "r") == run
        postgres.execute(end_all)
        assert close(ledger, run).state == "done"
        with pytest.raises(LedgerUnavailable), ledger.transaction(soon()) as t:  # noqa: PT012
            t.admit(key("lost"))
            postgres.execute(end_all)
            t.admit(key("too"))
        assert ledger.look(WORKER, "lost") is None


def test_what_may_be_done_twice_begins_again_where_a_restart_cut_it_off(address, postgres):
    """A node that starts while its database restarts gets its lease. What the database refuses is not asked again."""
    connection = PostgresConnection(address, soon())
    tries = []

    def deed():
        tries.append(1)
        if len(tries) == 1:
            connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return connection.execute("SELECT 7").fetchone()

    assert connection.insist(deed, soon()) == (7,)
    assert len(tries) == 2
    with pytest.raises(psycopg.errors.UndefinedTable):
        connection.insist(lambda: tries.append(1) or connection.execute("SELECT 1 FROM nothing"), soon())
    assert len(tries) == 3
    connection.close()


@pytest.mark.parametrize(
    ("said", "may_pass"),
    [
        ("connection failed: SSL error: unexpected eof while reading", True),
        ("connection failed: Connection refused", True),
        ("server does not support SSL, but SSL was required", False),
        ("SSL error: certificate verify failed", False),
    ],
)
def test_a_server_that_stops_in_a_greeting_is_met_again_and_one_without_tls_is_not(said, may_pass):
    assert _may_pass(psycopg.OperationalError(said)) is may_pass


def test_eight_processes_prepare_one_empty_database_and_claim_one_run(postgres, tmp_path, monkeypatch):
    address = postgres.fresh(empty=True)
    assert open_to_read(address) is None
    monkeypatch.setenv("WORKERMD_SPOOL", str(tmp_path / "spool"))
    together = threading.Barrier(8, timeout=60)
    won: list[int] = []

    def one(number: int) -> None:
        together.wait()
        with open_ledger(address, give_up_at=soon(60)) as ledger:
            together.wait()
            try:
                claim(ledger)
                won.append(number)
            except LedgerFault:
                pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(8)))
    assert len(won) == 1
    with open_ledger(address) as ledger:
        assert ledger._connection.execute("SELECT number FROM version").fetchone() == (len(MIGRATIONS),)
        assert ledger.look(WORKER, "r").attempts == 1


def test_a_newer_schema_is_used_where_it_allows_that_and_refused_untouched_where_not(address):
    with open_ledger(address) as ledger:
        ledger._connection.execute("UPDATE version SET number = 99")
    with open_ledger(address) as ledger:
        ledger._connection.execute("UPDATE version SET least = 98")
        before = dump(ledger)
    with pytest.raises(LedgerUnavailable, match="for programs from version 98 on"):
        open_ledger(address)
    read = open_to_read(address)
    assert read is not None
    with read:
        assert dump(read) == before


def test_the_guards_in_the_database_refuse_what_we_never_ask_for(address):
    with open_ledger(address) as ledger:
        run = close(ledger, claim(ledger))
        waiting = claim(ledger, "open")
        for sql in (
            "UPDATE runs SET output = 'x' WHERE run_id = 'r'",
            "UPDATE runs SET input = 'x' WHERE run_id = 'open'",
            "UPDATE runs SET attempts = attempts + 2 WHERE run_id = 'open'",
            "DELETE FROM runs WHERE run_id = 'open'",
            f"UPDATE attempts SET outcome = 'crashed' WHERE run = {run.id}",
            "UPDATE links SET event = 'pruned'",
            "DELETE FROM links",
            f"INSERT INTO attempts SELECT run, 2, token, owner, node, 0 FROM attempts WHERE run = {waiting.id}",
        ):
            with pytest.raises(
                Exception, match=r"(?i)does not change|do not change|not removed|go up by one|one_open_attempt"
            ):
                ledger._connection.execute(sql)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("postgresql://ann:s3cret@db/x", "postgresql://ann:***@db/x"),
        ("postgres://db/x?password=s3cret&a=1", "postgres://db/x?password=***&a=1"),
        ("postgresql://ann@db/x?sslpassword=s3cret", "postgresql://ann@db/x?sslpassword=***"),
        ("postgresql://ann@db/x?service=prod", "postgresql://ann@db/x?service=prod"),
        ("/a:b@c/ledger.db", "/a:b@c/ledger.db"),
    ],
)
@pytest.mark.rule("S6.3")
def test_a_password_is_shown_nowhere_and_taken_from_no_command_line(given, shown, tmp_path, monkeypatch):
    assert masked(given) == shown
    monkeypatch.chdir(tmp_path)
    if shown == given:
        assert configuration.load(configuration.Flags(ledger=given)).ledger == given
        return
    with pytest.raises(UsageError, match="read by everybody") as refused:
        configuration.load(configuration.Flags(ledger=given))
    assert "s3cret" not in str(refused.value)
    (tmp_path / "workermd.toml").write_text(f'ledger = "{given}"\n')
    assert configuration.load(configuration.Flags()).ledger == given


def test_what_cannot_be_reached_is_told_without_the_password_and_in_time():
    began = time.monotonic()
    with pytest.raises(LedgerUnavailable) as refused:
        open_ledger("postgresql://ann:s3cret@127.0.0.1:1/x", give_up_at=time.monotonic() + 0.3)
    assert "s3cret" not in str(refused.value)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("mode", ["disable", "prefer", "require", "verify-ca"])
def test_a_server_elsewhere_has_to_prove_its_name(mode):
    with pytest.raises(ConfigurationError, match="sslmode is") as refused:
        open_ledger(f"postgresql://ann@db.example/x?sslmode={mode}")
    assert "verify-full" in refused.value.hint


def test_a_folder_that_was_copied_to_another_machine_is_another_node(address, tmp_path, monkeypatch):
    with (
        on_machine(address, tmp_path, "a", monkeypatch) as one,
        on_machine(address, tmp_path, "a", monkeypatch) as same,
    ):
        assert one.spool.node == same.spool.node
    named = tmp_path / "a" / "id"
    named.write_text(f"{one.spool.node} elsewhere\n")
    with on_machine(address, tmp_path, "a", monkeypatch) as copied:
        assert copied.spool.node != one.spool.node


def test_nothing_of_a_database_is_loaded_for_a_ledger_in_a_file(tmp_path):
    code = (
        "import sys\nfrom workermd.ledger.opening import open_ledger\n"
        f"open_ledger({str(tmp_path / 'l.db')!r}).close()\nprint('psycopg' in sys.modules, 'importlib.util' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    assert done.stdout.split()[0] == "False"


def test_every_command_that_takes_a_ledger_works_on_one_in_a_database(cli, contract, program, given, address, tmp_path):
    """A password reaches it through a file alone, and is printed nowhere."""
    secret = address.replace("workermd@", "workermd:s3cret@")
    (tmp_path / "workermd.toml").write_text(f'ledger = "{secret}"\n')
    cli.environment.pop("WORKERMD_LEDGER")
    spec, echo = contract(), program('reply({"result": {"said": task["input"]["task"]}})')
    said = []

    def call(*arguments, code=0):
        done = cli(*arguments)
        said.append(done.out.decode() + done.err)
        assert done.code == code, done.err
        return done

    assert f"version {len(MIGRATIONS)}" in call("ledger", "init").out.decode()
    first = call("run", spec, given("a", task="a"), *echo)
    again = call("run", spec, given("a", task="a"), "--envelope", *echo)
    assert (again.document["replayed"], first.document["status"]) == (True, "ok")
    (tmp_path / "in.jsonl").write_text('{"run_id": "a", "task": "a"}\n{"run_id": "b", "task": "b"}\n')
    assert "1 replayed" in call("batch", spec, "in.jsonl", *echo).err
    assert "conflict" in call("run", spec, given("a", task="other"), *echo, code=3).out.decode()
    listed = call("runs", "list", "--format", "json").document
    assert [row["run_id"] for row in listed["runs"]] == ["b", "a"]
    call("runs", "show", "b")
    call("runs", "list", "--match", "a", "--status", "ok", "--since", "1h")
    call("runs", "stats")
    call("runs", "export", "-o", "all.jsonl")
    call("runs", "verify")
    call("runs", "pending")
    assert "whole" in call("ledger", "check").out.decode()
    call("run", spec, given("c", task="c"), "--dry-run", *echo)
    call("runs", "erase", "b", "--by", "ann")
    call("runs", "prune", "--all")
    assert call("runs", "list", "--format", "json").document["runs"] == []
    for file_only in (("backup", "x"), ("salvage", "x"), ("compact",)):
        call("ledger", *file_only, code=2)
    assert "s3cret" not in "".join(said)
