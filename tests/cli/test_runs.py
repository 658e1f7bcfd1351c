"""`workermd runs`: what the ledger holds, as text and as JSON; further starts; removal."""

import hashlib
import json
import os
import pwd
import re
import sqlite3
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import FOUR, patience, wait_for
from tests.ledger.ledger_caller import answer, key, soon
from tests.report.test_live import Terminal
from workermd.ledger.sqlite.store import Ledger
from workermd.system.environment import login

OK = "reply({'status': 'ok', 'result': {'secret': 1}})"
FAILS = "reply({'error': {'code': 'x', 'message': 'the disk is gone'}}); sys.exit(3)"
ALL = [*FOUR, "needs_human"]


@pytest.fixture
def busy(cli, contract, given, program):
    """A ledger with a run in every state: settled well and badly, waiting, running, and one id under two workers."""
    one, two = contract("one.worker.md", id="one", statuses=ALL), contract("two.worker.md", id="two")
    cli("run", one, given("good"), *program(OK))
    cli("run", one, given("bad"), *program(FAILS))
    cli("run", one, given("open"), "--timeout", "0.5", *program("time.sleep(60)"))
    cli("run", one, given("both"), *program(OK))
    cli("run", two, given("both"), *program(OK))
    started = cli.folder / "evidence"
    process = cli.start("run", two, given("now"), *program("evidence('up'); time.sleep(60)"))
    wait_for(started.exists)
    yield cli
    process.terminate()
    process.communicate(timeout=patience(30))


def listed(cli, *arguments):
    return [
        (row["worker_id"], row["run_id"])
        for row in cli("runs", "list", "--format", "json", *arguments).document["runs"]
    ]


# --- list -----------------------------------------------------------------------------------------------


def test_an_empty_ledger_is_no_error(cli):
    """Looking creates nothing; an empty list is a list."""
    done = cli("runs", "list")
    assert (done.code, done.out.decode(), done.err) == (0, f"no runs in {cli.ledger}\n", "")
    assert cli("runs", "list", "--format", "json").document == {
        "schema_version": 1,
        "ledger": str(cli.ledger),
        "runs": [],
        "next": None,
    }
    assert cli("runs", "prune", "--all").out == b"0 finished runs removed\n"
    assert not cli.ledger.exists()


def test_every_document_bears_the_version_of_its_form(cli, contract, given, program):
    spec, as_json = contract(), ("--format", "json")
    assert cli("run", spec, given(), *program(FAILS)).code == 4
    for call in (
        ("runs", "list", *as_json),
        ("runs", "list", "--rejected", *as_json),
        ("runs", "pending", *as_json),
        ("runs", "show", "r1", *as_json),
        ("runs", "reopen", "r1", "--by", "ann", *as_json),
        ("runs", "prune", "--all", *as_json),
        ("run", spec, given(), "--dry-run", *program(OK)),
        ("run", spec, given("r2", task=7), "--dry-run", *program(OK)),
        ("doctor", "--json", "--offline", "--exit-zero"),
    ):
        assert next(iter(cli(*call).document.items())) == ("schema_version", 1), call


def test_runs_are_listed_and_chosen(busy):
    newest_first = [("two", "now"), ("two", "both"), ("one", "both"), ("one", "open"), ("one", "bad"), ("one", "good")]
    assert listed(busy) == newest_first
    assert listed(busy, "--limit", "2") == newest_first[:2]
    assert listed(busy, "--worker", "two") == newest_first[:2]
    assert listed(busy, "--status", "ok") == [newest_first[1], newest_first[2], newest_first[5]]
    assert listed(busy, "--status", "needs_human") == [("one", "bad")]
    assert listed(busy, "--status", "waiting") == [("one", "open")]
    assert listed(busy, "--status", "running") == [("two", "now")]
    assert listed(busy, "--status", "ok", "--worker", "one", "--limit", "1") == [("one", "both")]
    none = busy("runs", "list", "--status", "oki")
    assert none.out.decode() == f"no runs that match in {busy.ledger}\n"
    zero = busy("runs", "list", "--limit", "0")
    assert (zero.code, zero.err) == (2, "workermd: --limit is less than 1; allow at least one run\n")


def test_off_a_terminal_the_list_is_columns_between_tabs(busy):
    done = busy("runs", "list")
    rows = [line.split("\t") for line in done.out.decode().splitlines()]
    assert rows[0] == ["WORKER", "RUN", "STATUS", "ATTEMPTS", "CREATED"]
    assert [row[:4] for row in rows[1:4]] == [
        ["two", "now", "running", "1/2"],
        ["two", "both", "ok", "1/2"],
        ["one", "both", "ok", "1/2"],
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", row[4]) for row in rows[1:])
    assert "\x1b" not in done.out.decode()


@pytest.mark.parametrize("columns", [80, 60, 30])
def test_on_a_terminal_the_list_keeps_ids_whole(cli, contract, given, program, columns):
    """An id that is folded cannot be copied: what does not fit beside it is left out, the last column first."""
    run_id = "0190163d-8694-739b-aea5-966c26f8ad91"
    cli("run", contract(), given(run_id), *program(OK))
    screen = Terminal(columns)
    process = cli.start("runs", "list", stdout=screen.theirs, env={"TERM": "xterm"})
    screen.wait(process)
    process.communicate()
    plain = re.sub(r"\x1b\[[0-9;]*m", "", screen.text)
    lines = [line.rstrip() for line in plain.replace("\r", "").split("\n")]
    screen.close()
    head = {80: "WORKER RUN STATUS ATTEMPTS CREATED", 60: "WORKER RUN STATUS", 30: "WORKER RUN"}[columns]
    assert lines[0].split() == head.split()
    assert run_id in lines[1]
    assert columns == 30 or max(map(len, lines)) <= columns


def test_what_was_rejected_is_listed(busy, contract, given, program):
    assert busy("runs", "list", "--rejected").out.decode() == f"nothing was rejected in {busy.ledger}\n"
    busy("run", contract("one.worker.md", id="one", statuses=ALL), given("odd", unknown=1), *program(OK))
    document = busy("runs", "list", "--rejected", "--format", "json").document
    (row,) = document["rejections"]
    assert (row["worker_id"], row["run_id"], row["code"]) == ("one", "odd", "input_schema_mismatch")
    table = busy("runs", "list", "--rejected", "--worker", "one").out.decode().splitlines()
    assert [line.split("\t")[:3] for line in table] == [["WORKER", "RUN", "CODE"], ["one", "odd", row["code"]]]
    assert busy("runs", "list", "--rejected", "--worker", "two").out.startswith(b"nothing was rejected")
    assert busy("runs", "list", "--rejected", "--status", "ok").code == 2


# --- show -----------------------------------------------------------------------------------------------


def test_a_run_is_shown_as_a_timeline(busy):
    text = busy("runs", "show", "bad").out.decode()
    head, events, given, answer = text.split("\n\n")
    assert given.startswith("Input:\n{")
    answer = answer.removeprefix("Answer:\n")
    assert [line.split(":")[0] for line in head.splitlines()] == [
        "Worker", "Run", "State", "Attempts", "Contract", "Input", "Backend",
    ]  # fmt: skip
    assert json.loads(answer)["status"] == "needs_human"
    assert "State:    done, needs_human" in head
    assert "Attempts: 1 of 2" in head
    said = [line.split("  ", 1)[1] for line in events.splitlines()]
    assert said[:2] == ["admitted", "attempt 1 started"]
    assert re.fullmatch(r"attempt 1 ended: needs_human after \d+ ms \[backend_failed\] .*the disk is gone.*", said[2])
    assert said[3] == "settled: needs_human"
    stamps = [line.split("  ")[0] for line in events.splitlines()]
    assert stamps == sorted(stamps)
    assert "State:    running" in busy("runs", "show", "now").out.decode()
    assert "State:    waiting" in busy("runs", "show", "open").out.decode()


def test_a_run_is_shown_as_json(busy):
    document = busy("runs", "show", "good", "--format", "json").document
    assert (document["worker_id"], document["run_id"], document["state"], document["status"]) == (
        "one",
        "good",
        "done",
        "ok",
    )
    assert document["input"] == {"run_id": "good"}
    assert document["output"] == {"run_id": "good", "status": "ok", "result": {"secret": 1}}
    assert (document["envelope"]["outputs"], document["reopenings"]) == (document["output"], [])
    (attempt,) = document["attempts_made"]
    assert (attempt["n"], attempt["outcome"], attempt["detail"]["backend"]) == (1, "ok", "command")
    unfinished = busy("runs", "show", "open", "--format", "json").document
    assert (unfinished["state"], unfinished["output"], unfinished["envelope"], unfinished["settled_at"]) == (
        "waiting",
        None,
        None,
        None,
    )
    assert unfinished["attempts_made"][0]["detail"]["error"]["code"] == "timeout"


def test_a_run_that_is_not_there(busy, cli, tmp_path):
    done = busy("runs", "show", "nope")
    assert (done.code, done.out) == (2, b"")
    assert done.err == "workermd: no run 'nope' in this ledger; see what is there: workermd runs list\n"
    assert busy("runs", "show", "good", "--worker", "two").code == 2
    nowhere = cli("runs", "show", "x" * 500, "--ledger", tmp_path / "none.db")
    assert nowhere.code == 2
    assert "there is no ledger yet" in nowhere.err
    assert len(nowhere.err) < 400


@pytest.mark.rule("S4.1")
def test_one_id_under_two_workers_needs_the_worker(busy):
    """The scope of a key is its worker."""
    for deed in (["show"], ["reopen", "--by", "ann"]):
        done = busy("runs", *deed, "both")
        assert done.code == 2
        assert "several workers have a run 'both': two, one; choose one with --worker ID" in done.err
    assert busy("runs", "show", "both", "--worker", "one", "--format", "json").document["worker_id"] == "one"


# --- reopen ---------------------------------------------------------------------------------------------


@pytest.mark.rule("S3.2")
def test_reopening_is_refused_where_it_makes_no_sense(busy):
    """Recorded, by name, and only for what is settled badly."""
    cases = {
        ("good",): "run 'good' is settled as ok; use a new run_id for another run",
        ("open",): "run 'open' is not settled: 1 of 2 attempts are used; give the same run command again",
        ("now",): "run 'now' is not settled",
        ("nope",): "no run 'nope'",
        ("bad", "--attempts", "0"): "--attempts is less than 1; grant at least one further start",
    }
    for arguments, said in cases.items():
        done = busy("runs", "reopen", *arguments, "--by", "ann")
        assert (done.code, said in done.err) == (2, True), done.err
    assert busy("runs", "show", "bad", "--format", "json").document["reopenings"] == []


@pytest.mark.rule("S3.2")
def test_reopening_grants_further_starts(busy, contract, given, program):
    done = busy("runs", "reopen", "bad", "--attempts", "2", "--reason", "disk replaced", env={"USER": "ben"})
    assert (done.code, done.out.decode()) == (0, "one bad: 3 of 4 attempts left, granted by ben\n")
    again = busy("runs", "reopen", "bad", "--by", "ann")
    assert (again.code, "is not settled" in again.err) == (2, True)
    spec = contract("one.worker.md", id="one", statuses=ALL)
    busy("run", spec, given("bad"), *program(FAILS))
    granted = busy("runs", "reopen", "bad", "--by", "ann", "--format", "json").document
    assert (granted["state"], granted["attempts"], granted["max_attempts"]) == ("waiting", 2, 5)
    assert busy("run", spec, given("bad"), *program(OK)).code == 0
    document = busy("runs", "show", "bad", "--format", "json").document
    assert [(each["who"], each["granted"], each["reason"]) for each in document["reopenings"]] == [
        ("ben", 2, "disk replaced"),
        ("ann", 1, ""),
    ]
    text = busy("runs", "show", "bad").out.decode()
    assert "reopened by ben: 2 further (disk replaced)\n" in text
    assert "reopened by ann: 1 further\n" in text


# --- prune ----------------------------------------------------------------------------------------------


@pytest.mark.rule("S4.6")
def test_what_to_prune_has_to_be_said(busy):
    assert "give --older-than SPAN, --expired, or --all" in busy("runs", "prune").err
    both = busy("runs", "prune", "--all", "--older-than", "3")
    assert (both.code, "exclude each other" in both.err) == (2, True)
    assert busy("runs", "prune", "--older-than", "999999999").out == b"0 finished runs removed\n"
    assert busy("runs", "prune", "--all", "--dry-run").out == b"4 finished runs would be removed\n"
    assert busy("runs", "prune", "--all", "--worker", "two").out == b"1 finished run removed\n"
    assert busy("runs", "prune", "--all", "--worker", "").out == b"0 finished runs removed\n"
    document = busy("runs", "prune", "--older-than", "0", "--format", "json").document
    assert document == {"schema_version": 1, "ledger": str(busy.ledger), "finished": 3, "removed": 3}
    assert listed(busy) == [("two", "now"), ("one", "open")]


@pytest.mark.rule("S4.6")
def test_the_age_of_a_run_is_in_days(cli):
    """By the time when it was settled, which is in the ledger in microseconds."""
    two_days_ago = time.time_ns() // 1000 - 2 * 86_400 * 1_000_000
    with Ledger.open(str(cli.ledger), now=lambda: two_days_ago) as ledger, ledger.transaction(soon()) as transaction:
        row = transaction.start_attempt(transaction.admit(key("old")), "a" * 32, "the test")
        transaction.close_attempt(row, "ok", {}, answer())
    assert cli("runs", "prune", "--older-than", "2.1").out == b"0 finished runs removed\n"
    assert cli("runs", "prune", "--older-than", "1.9", "--dry-run").out == b"1 finished run would be removed\n"
    assert cli("runs", "prune", "--older-than", "1.9").out == b"1 finished run removed\n"


@pytest.mark.rule("S5.4")
def test_artifacts_are_described_and_live_as_long_as_their_run(cli, contract, given, tmp_path):
    """Name, digest, size and a URI that leads to the file; replayed the same; gone with the run."""
    (tmp_path / "tasks.py").write_text(
        "import os\n"
        "from workermd import Reply\n"
        "def run(task):\n"
        "    path = os.path.join(task.artifacts_dir, 'a b#\u00e4.csv')\n"
        "    open(path, 'w').write('x,y\\n1,2\\n')\n"
        "    artifacts = ({'name': 'table', 'path': path, 'media_type': 'text/csv'},)\n"
        "    return Reply({'result': {}}, usage={'input_tokens': 12, 'cost_usd': 0.25}, artifacts=artifacts)\n"
    )
    call = ["run", contract(), given(), "--envelope", "--function", "tasks:run"]
    done = cli(*call)
    assert done.code == 0, done.err
    (artifact,) = done.document["artifacts"]
    path = urllib.request.url2pathname(urllib.parse.urlparse(artifact["uri"]).path)
    data = Path(path).read_bytes()
    assert data == b"x,y\n1,2\n"
    assert artifact == {
        "name": "table",
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "media_type": "text/csv",
        "uri": artifact["uri"],
    }
    assert cli(*call).document["artifacts"] == [artifact]
    shown = cli("runs", "show", "r1").out.decode()
    assert f"Artifact: {artifact['uri']}\n" in shown
    assert "Usage:    12 input_tokens, 0.25 USD\n" in shown
    cli("runs", "prune", "--all", "--dry-run")
    assert os.path.exists(path)
    cli("runs", "prune", "--all")
    assert not os.path.exists(path)
    assert os.listdir(f"{cli.ledger}.artifacts") == []


def test_the_ledger_named_is_the_one_used(cli, contract, given, program, tmp_path):
    """Flag before variable, variable before file."""
    (tmp_path / "workermd.toml").write_text('ledger = "from-file.db"\n')
    spec, backend = contract(), program(OK)
    del cli.environment["WORKERMD_LEDGER"]
    cli("run", spec, given(), *backend)
    assert json.loads(cli("runs", "list", "--format", "json").out)["ledger"] == str(tmp_path / "from-file.db")
    variable = {"WORKERMD_LEDGER": str(tmp_path / "from-variable.db")}
    assert cli("runs", "list", "--format", "json", env=variable).document["ledger"].endswith("from-variable.db")
    flag = cli("runs", "list", "--format", "json", "--ledger", "from-flag.db", env=variable).document["ledger"]
    assert flag.endswith("from-flag.db")
    default = cli("runs", "list", "--format", "json", "--no-config").document["ledger"]
    assert default == str(tmp_path / "home" / ".local" / "state" / "workermd" / "ledger.db")
    elsewhere = cli("runs", "list", "--format", "json", "--config", tmp_path / "workermd.toml", cwd="/").document
    assert len(elsewhere["runs"]) == 1


@pytest.mark.rule("S3.2")
def test_again_grants_one_start_and_goes_on(cli, contract, given, program):
    """The same record as a reopening, in one step; a success is not run again, and another input is refused as ever."""
    spec, fails = contract(constraints={"max_attempts": 1}), program("reply({'status': 'nope'})", "fails.py")
    assert cli("run", spec, given(), *fails).code == 4
    replayed = cli("run", spec, given(), *fails)
    assert "add --again to the same command, or workermd runs reopen r1 --worker echo" in replayed.err
    works = program("reply({'status': 'ok', 'result': {}})", "works.py")
    assert cli("run", spec, given(), "--again", "--by", "ann", *works).code == 0
    shown = cli("runs", "show", "r1", "--format", "json").document
    assert [(each["granted"], each["who"], each["reason"]) for each in shown["reopenings"]] == [
        (1, "ann", "run --again")
    ]
    done = cli("run", spec, given(), "--again", "--by", "ann", *works)
    assert (done.code, "is settled as ok: there is nothing to run again" in done.err) == (2, True)
    other = cli("run", spec, given(task="other"), "--again", "--by", "ann", *works)
    assert (other.code, other.document["result"]["error"]["code"]) == (3, "idempotency_conflict")
    assert cli("run", spec, given("fresh"), "--again", "--by", "ann", *works).code == 0
    assert "--by goes with --again" in cli("run", spec, given(), "--by", "ann", *works).err


def test_who_grants_is_the_login_and_has_to_be_named_where_there_is_none(monkeypatch):
    monkeypatch.setenv("USER", "")
    monkeypatch.setenv("LOGNAME", "ann")
    assert login() == "ann"
    monkeypatch.delenv("LOGNAME")
    assert login() == pwd.getpwuid(os.getuid()).pw_name
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)
    assert login() == ""


def test_a_scratch_run_leaves_nothing(cli, contract, given, program, tmp_path):
    spec, backend = contract(), program("reply({'status': 'ok', 'result': {'attempt': task['attempt']}})")
    options = ["--scratch", "--env", "PYTHONPATH"]
    (tmp_path / "tmp").mkdir()
    for _ in range(2):
        done = cli("run", spec, given(), *options, *backend, env={"TMPDIR": str(tmp_path / "tmp")})
        assert (done.code, done.document["result"]) == (0, {"attempt": 1})
        assert "replayed" not in done.err
    assert not cli.ledger.exists()
    assert list((tmp_path / "tmp").iterdir()) == []
    both = cli("run", spec, given(), "--scratch", "--ledger", "l.db", *backend)
    assert (both.code, "--scratch and --ledger exclude each other" in both.err) == (2, True)


@pytest.mark.rule("S4.8")
@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("runs", "output", "NULL"),
        ("runs", "state", "'abc'"),
        ("runs", "created_at", "'abc'"),
        ("runs", "contract_sha256", "'abc'"),
        ("runs", "attempts", "9"),
        ("attempts", "detail", "'abc'"),
        ("attempts", "detail", "7"),
        ("attempts", "started_at", "x''"),
        ("runs", "worker_id", "x'ff'"),
    ],
)
def test_a_damaged_row_is_told_with_words(cli, contract, given, program, table, column, value):
    """Behind the ledger's back: neither a fault of ours nor an answer."""
    spec, backend = contract(), program(OK)
    assert cli("run", spec, given(), *backend).code == 0
    connection = sqlite3.connect(cli.ledger)
    for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    connection.executescript(
        "PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = replace(sql, ') STRICT', ')') WHERE type = 'table'"
    )
    connection.close()
    connection = sqlite3.connect(cli.ledger, isolation_level=None)
    connection.execute("PRAGMA ignore_check_constraints = 1")
    connection.execute(f"UPDATE {table} SET {column} = {value}")
    connection.close()
    calls = [cli("runs", "show", "r1"), cli("runs", "list"), cli("run", spec, given(), *backend)]
    refused = [done for done in calls if done.code == 2]
    assert refused or column == "worker_id", calls
    assert {done.code for done in calls} <= {0, 2}, calls
    assert all("a row of it is damaged, " in done.err for done in refused), refused
