"""The file: its rules refuse our own faults, its versions only go up, and what is not ours stays untouched."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import patience
from tests.ledger.ledger_caller import ENVIRONMENT, WORKER, answer, call, key, soon
from workermd.ledger import results
from workermd.ledger.records import Answer, NewQuestion
from workermd.ledger.sqlite.migrations import APPLICATION_ID, MIGRATIONS, know_digests, statements
from workermd.ledger.sqlite.opening import BUSY_SECONDS, LedgerFault
from workermd.ledger.sqlite.store import Ledger
from workermd.protocol.errors import LedgerUnavailable

SAVED = Path(__file__).with_name("saved")
TOKEN = "'" + "a" * 32 + "'"

NEW_RUN = (
    "INSERT INTO runs (worker_id, run_id, input_sha256, input, contract_sha256, max_attempts, created_at) "
    "VALUES ({worker}, {run}, {hash}, x'7b7d', {contract}, {most}, 0)"
)
DEFAULTS = {"worker": "'w'", "run": "'new'", "hash": "zeroblob(32)", "contract": "zeroblob(32)", "most": "2"}


def new_run(**changed: str) -> str:
    return NEW_RUN.format(**{**DEFAULTS, **changed})


def set_run(run: int, assignments: str) -> str:
    return f"UPDATE runs SET {assignments} WHERE id = {run}"


def new_request(run: int, **changed: str) -> str:
    values = {"run": str(run), "n": "1", "id": "'0123456789ab'", "kind": "'question'", "question": "'q'"}
    values |= {"options": "'[]'", "proposed": "NULL", "denied_output": "x''", "denied_envelope": "x''", "at": "0"}
    values |= changed
    return f"INSERT INTO requests ({', '.join(values)}) VALUES ({', '.join(values.values())})"


def new_decision(run: int, **changed: str) -> str:
    """A denial for good, unless `reopening` is given."""
    values = {"run": str(run), "n": "1", "answer": "'deny'", "who": "'ann'", "reason": "''"}
    values |= {"reopening": "NULL", "replaced": "NULL" if "reopening" in changed else "x''", "at": "0"}
    values |= changed
    return f"INSERT INTO decisions ({', '.join(values)}) VALUES ({', '.join(values.values())})"


DENIED = "status = 'invalid_output', output = x'', envelope = x''"
SETTLED = "status = 'ok', output = x'', envelope = x'', settled_at = 0"

# Each statement breaks one rule of the schema; the second text is what SQLite says about it.
# Rows: run 1 waiting (0 of 2), run 2 running (1 of 2), run 3 done, run 4 done as needs_human without a request, run 5
# with one (after a reopening of 2 starts and one of 1), run 6 decided and waiting, run 7 denied, its answer not yet there.
REFUSED = {
    "worker id empty": (new_run(worker="''"), "worker_id <> ''"),
    "run id empty": (new_run(run="''"), "run_id <> ''"),
    "worker id missing": (new_run(worker="NULL"), "NOT NULL"),
    "hash too short": (new_run(hash="zeroblob(31)"), "input_sha256"),
    "contract hash too long": (new_run(contract="zeroblob(33)"), "contract_sha256"),
    "no attempt allowed": (new_run(most="0"), "max_attempts >= 1"),
    "text as a number": (new_run(most="'many'"), "cannot store TEXT"),
    "key twice": (new_run(worker="'example'", run="'one'"), "UNIQUE"),
    "more attempts than allowed": (set_run(2, "attempts = attempts + 1, max_attempts = 1"), "BETWEEN"),
    "unknown state": (set_run(1, "state = 'lost'"), "state IN"),
    "running without an attempt": (set_run(1, "state = 'running'"), "attempts > 0"),
    "waiting without attempts left": (set_run(2, "state = 'waiting', max_attempts = 1"), "attempts < max_attempts"),
    "done without an answer": (set_run(2, "state = 'done'"), "state = 'done'"),
    "done without output": (set_run(2, "state = 'done', status = 'ok', envelope = x'', settled_at = 0"), "output"),
    "done without envelope": (set_run(2, "state = 'done', status = 'ok', output = x'', settled_at = 0"), "envelope"),
    "done without time": (set_run(2, "state = 'done', status = 'ok', output = x'', envelope = x''"), "settled_at"),
    "answer while running": (set_run(2, SETTLED), "state = 'done'"),
    "empty status": (set_run(2, f"state = 'done', {SETTLED}, status = ''"), "status"),
    "trigger: settled run changed": (set_run(3, "output = x'00'"), "a settled run does not change"),
    "trigger: settled run taken back": (
        set_run(3, "state = 'waiting', status = NULL, output = NULL, envelope = NULL, settled_at = NULL"),
        "a settled run does not change",
    ),
    "trigger: attempts down": (set_run(2, "attempts = 0, state = 'waiting'"), "attempts go up by one"),
    "trigger: attempts up by two": (set_run(1, "attempts = 2, state = 'running'"), "attempts go up by one"),
    "trigger: attempts without a claim": (set_run(1, "attempts = 1"), "attempts go up by one"),
    "trigger: other worker": (set_run(1, "worker_id = 'x'"), "do not change"),
    "trigger: other run id": (set_run(1, "run_id = 'x'"), "do not change"),
    "trigger: other input": (set_run(1, "input = x'00'"), "do not change"),
    "trigger: other input hash": (set_run(1, "input_sha256 = zeroblob(32)"), "do not change"),
    "trigger: other contract": (set_run(1, "contract_sha256 = zeroblob(32)"), "do not change"),
    "trigger: ended attempt": ("UPDATE attempts SET outcome = 'crashed' WHERE run = 3", "an ended attempt does not"),
    "trigger: ended attempt reopened": (
        "UPDATE attempts SET outcome = NULL, ended_at = NULL WHERE run = 3",
        "an ended attempt does not change",
    ),
    "trigger: waiting run removed": ("DELETE FROM runs WHERE id = 1", "an unfinished run is not removed"),  # S4.6
    "trigger: running run removed": ("DELETE FROM runs WHERE id = 2", "an unfinished run is not removed"),
    "attempt of no run": (
        f"INSERT INTO attempts VALUES (99, 1, {TOKEN}, 'o', 0, NULL, NULL, NULL, NULL)",
        "FOREIGN KEY",
    ),
    "run removed under its attempts": ("DELETE FROM runs WHERE id = 3", "FOREIGN KEY"),
    "second open attempt": (f"INSERT INTO attempts VALUES (2, 2, {TOKEN}, 'o', 0, NULL, NULL, NULL, NULL)", "UNIQUE"),
    "attempt zero": (f"INSERT INTO attempts VALUES (1, 0, {TOKEN}, 'o', 0, NULL, NULL, NULL, NULL)", "n >= 1"),
    "short token": ("INSERT INTO attempts VALUES (1, 1, 'abc', 'o', 0, NULL, NULL, NULL, NULL)", "length(token)"),
    "unknown outcome": ("UPDATE attempts SET outcome = 'fine', ended_at = 0 WHERE run = 2", "outcome IN"),
    "outcome without an end": ("UPDATE attempts SET outcome = 'ok' WHERE run = 2", "ended_at"),
    "detail is no JSON": ("UPDATE attempts SET detail = '{' WHERE run = 2", "json_valid"),
    "rejection with a short hash": (
        "INSERT INTO rejections VALUES (NULL, 'w', NULL, 'code', x'00', 0)",
        "length(input_sha256)",
    ),
    "nothing granted": ("INSERT INTO reopenings VALUES (3, 1, 0, 'who', '', x'', 0)", "granted >= 1"),
    "nobody granted": ("INSERT INTO reopenings VALUES (3, 1, 1, '', '', x'', 0)", "who <> ''"),
    "request without an id": (new_request(4, id="'short'"), "length(id) = 12"),
    "request of another kind": (new_request(4, kind="'wish'"), "kind IN"),
    "request without a question": (new_request(4, question="''"), "question <> ''"),
    "options are no list": (new_request(4, options="'{}'"), "json_type(options)"),
    "proposal is no JSON": (new_request(4, proposed="'{'"), "json_valid(proposed)"),
    "request twice": (new_request(5), "UNIQUE"),
    "trigger: request of a run that is done": (new_request(3), "a request belongs to the answer that asks"),
    "trigger: request of a running attempt": (new_request(2), "a request belongs to the answer that asks"),
    "trigger: request of no attempt": (new_request(4, n="2"), "a request belongs to the answer that asks"),
    "trigger: request changed": ("UPDATE requests SET question = 'x' WHERE run = 5", "a request does not change"),
    "trigger: request of an unfinished run removed": (
        "DELETE FROM requests WHERE run = 6",
        "a request of an unfinished run is not removed",
    ),
    "trigger: decision on a run that went on": (new_decision(6), "only an open request is decided"),
    "trigger: decision without a request's run": (new_decision(3), "only an open request is decided"),
    "decision without a request": (new_decision(4), "FOREIGN KEY"),
    "trigger: decision that grants two": (new_decision(5, reopening="1"), "a decision grants one start"),
    "trigger: decision that grants nothing": (new_decision(5, reopening="7"), "a decision grants one start"),
    "decision with a start and without": (new_decision(5, reopening="2", replaced="x''"), "reopening IS NULL"),
    "decision without a start, and no denial": (new_decision(5, answer="'yes'"), "answer = 'deny'"),
    "decision by nobody": (new_decision(5, who="''"), "who <> ''"),
    "empty decision": (new_decision(5, answer="''", reopening="2", replaced="NULL"), "answer <> ''"),
    "trigger: decision changed": ("UPDATE decisions SET answer = 'no' WHERE run = 6", "a decision does not change"),
    "trigger: decision on an unfinished run removed": (
        "DELETE FROM decisions WHERE run = 6",
        "a decision on an unfinished run is not removed",
    ),
    "trigger: link changed": ("UPDATE links SET at = 1 WHERE number = 1", "a link does not change"),
    "trigger: link removed": ("DELETE FROM links WHERE number = 1", "a link is not removed"),
    "link of another event": (
        "INSERT INTO links (at, event, subject, link) VALUES (0, 'wished', zeroblob(32), zeroblob(32))",
        "event IN",
    ),
    "erased by nobody": ("INSERT INTO tombstones VALUES (1, 1, 0, 'w', zeroblob(32), NULL, 0, '', '', 0)", "who <> ''"),
    "accepted for no worker": (
        "INSERT INTO accepted (worker_id, run_id, worker, binding, request, who, at) VALUES ('w', 'r', '', '', x'', '', 0)",
        "worker <> ''",
    ),
    "events of no attempt": ("INSERT INTO events VALUES (1, 7, 0, 0, '')", "FOREIGN KEY"),
    "contract too long": (
        "INSERT INTO contracts VALUES (9, zeroblob(32), 'w', '1', printf('%1048577c', 'x'), 0)",
        "1048576",
    ),
    "empty tag": ("INSERT INTO tags VALUES (1, '')", "tag <> ''"),
    "kept for no time": ("INSERT INTO retention VALUES ('w', 0, 0)", "seconds > 0"),
    "trigger: denied answer without a denial": (set_run(5, DENIED), "a settled run does not change"),
    "trigger: asking run taken back": (
        set_run(5, "state = 'waiting', status = NULL, output = NULL, envelope = NULL, settled_at = NULL"),
        "a settled run does not change",
    ),
    "trigger: another answer after a denial": (
        set_run(7, f"{DENIED}, output = x'01'"),
        "a settled run does not change",
    ),
    "trigger: no answer after a denial": (
        set_run(7, "state = 'waiting', status = NULL, output = NULL, envelope = NULL, settled_at = NULL"),
        "a settled run does not change",
    ),
}


@pytest.fixture
def runs(path: str):
    with Ledger.open(path) as ledger:
        with ledger.transaction(soon()) as t:
            t.admit(key("one", 2))
            t.start_attempt(t.admit(key("two", 2)), results.new_token(), "a test")
            run = t.start_attempt(t.admit(key("three", 2)), results.new_token(), "a test")
            t.close_attempt(run, "ok", {}, answer())
            asking = NewQuestion("0123456789ab", "question", "q", (), None, Answer("", b"", b""))
            for name in ("four", "five", "six", "seven"):
                run = t.start_attempt(t.admit(key(name, 1)), results.new_token(), "a test")
                run = t.close_attempt(run, "needs_human", {}, answer("needs_human"), asking if name != "four" else None)
                if name == "six":
                    t.decide(run, "yes", "ann", "")
        connection = ledger._connection
        connection.execute("INSERT INTO reopenings VALUES (5, 1, 2, 'ann', '', x'', 0)")
        connection.execute("INSERT INTO reopenings VALUES (5, 2, 1, 'ann', '', x'', 0)")
        connection.execute(new_decision(7))
        yield ledger


@pytest.mark.rule("S3.2", "S4.2", "S4.6", "S9.1", "S9.2")
@pytest.mark.parametrize("broken", REFUSED)
def test_rule_refuses(runs: Ledger, broken: str) -> None:
    statement, reason = REFUSED[broken]
    connection = runs._connection
    before = list(connection.iterdump())
    with pytest.raises(sqlite3.IntegrityError) as refused:
        connection.execute(statement)
    assert reason in str(refused.value)
    assert list(connection.iterdump()) == before


def test_every_trigger_is_seen_to_refuse() -> None:
    connection = sqlite3.connect(":memory:")
    know_digests(connection)
    for statement in statements("".join(MIGRATIONS)):
        connection.execute(statement)
    triggers = [text for (text,) in connection.execute("SELECT sql FROM sqlite_schema WHERE type = 'trigger'")]
    connection.close()
    said = [text.split("RAISE(ABORT, '")[1].split("'")[0] for text in triggers]
    assert len(said) == 14
    for sentence in said:
        assert any(reason in sentence for name, (_, reason) in REFUSED.items() if name.startswith("trigger")), sentence


def test_settings_of_every_connection(path: str) -> None:
    for _ in range(2):
        with Ledger.open(path) as ledger:
            for name, value in {
                "journal_mode": "wal",
                "synchronous": 2,
                "foreign_keys": 1,
                "busy_timeout": BUSY_SECONDS * 1000,
                "application_id": APPLICATION_ID,
                "user_version": len(MIGRATIONS),
            }.items():
                assert ledger._connection.execute(f"PRAGMA {name}").fetchone()[0] == value, name


def test_modes_and_companions(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "ledger.db"
    with Ledger.open(str(path)) as ledger:
        ledger.reject(WORKER, "r", "code", None)
        for name in ("", "-wal", "-shm", ".lock"):
            assert stat.S_IMODE(os.stat(f"{path}{name}").st_mode) == 0o600, name
        assert stat.S_IMODE(os.stat(ledger.results_folder).st_mode) == 0o700
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.rule("S4.4")
def test_links_lead_to_the_same_companions(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    call(str(tmp_path / "real" / "ledger.db"))
    (tmp_path / "other.db").symlink_to(tmp_path / "real" / "ledger.db")
    for other in (tmp_path / "link" / "ledger.db", tmp_path / "other.db"):
        with Ledger.open(str(other)) as ledger:
            assert ledger.path == str(tmp_path / "real" / "ledger.db")
            assert ledger.look(WORKER, "r") is not None
            assert ledger.results_folder == results.folder_of(str(other))
    assert sorted(os.listdir(tmp_path)) == ["link", "other.db", "real"]


def test_saved_file_of_version_1(path: str) -> None:
    """The text was dumped by the program of that version and is never changed again."""
    connection = sqlite3.connect(path)
    connection.executescript(SAVED.joinpath("version_1.sql").read_text())
    connection.close()
    with Ledger.open(path) as ledger:
        done = ledger.look(WORKER, "done")
        assert done is not None
        assert (done.status, done.output, done.envelope, done.attempts) == ("ok", b'{"status":"ok"}', b'{"e":1}', 2)
        assert done.input == b'{"run_id":"done"}'
        assert [attempt.outcome for attempt in ledger.attempts(done.id)] == ["timeout", "ok"]
        assert ledger.attempts(done.id)[1].detail == {"backend": "function"}
        reopened = ledger.look(WORKER, "reopened")
        assert reopened is not None
        assert (reopened.state, reopened.attempts, reopened.max_attempts) == ("waiting", 1, 3)
        assert [entry.who for entry in ledger.reopenings(reopened.id)] == ["ann"]
        running = ledger.look(WORKER, "running")
        assert running is not None
        assert running.open_token == "0123456789abcdef" * 2
        assert [entry.code for entry in ledger.rejections()] == ["input_schema_mismatch"]
        with ledger.transaction(soon()) as t:
            assert t.close_attempt(running, "crashed", {}, None).state == "waiting"
            assert t.start_attempt(reopened, results.new_token(), "a test").attempts == 2


def test_saved_file_is_the_first_migration() -> None:
    """Migrations are appended, never edited: what version 1 was dumped with is what it is made with."""
    old, new = sqlite3.connect(":memory:"), sqlite3.connect(":memory:")
    old.executescript(SAVED.joinpath("version_1.sql").read_text())
    for statement in statements(MIGRATIONS[0]):
        new.execute(statement)
    schema = "SELECT type, name, sql FROM sqlite_schema ORDER BY name"
    assert old.execute(schema).fetchall() == new.execute(schema).fetchall()
    old.close()
    new.close()


NEXT = "CREATE TABLE extra (a INTEGER) STRICT;\nINSERT INTO extra SELECT count(*) FROM runs;\n"
NEWER = len(MIGRATIONS) + 1


def test_migration_of_an_older_file(path: str) -> None:
    run = call(path)
    with Ledger.open(path, migrations=(*MIGRATIONS, NEXT)) as ledger:
        assert ledger._connection.execute("SELECT a FROM extra").fetchall() == [(1,)]
        assert ledger.look(WORKER, "r") == run
    with Ledger.open(path, migrations=(*MIGRATIONS, NEXT)) as ledger:  # Once.
        assert ledger._connection.execute("SELECT a FROM extra").fetchall() == [(1,)]


@pytest.mark.parametrize("left_log", [False, True])
def test_newer_file_is_refused_untouched(path: str, left_log: bool) -> None:
    call(path)
    more = (*MIGRATIONS, NEXT)
    if left_log:
        script = f"import os; from workermd.ledger.sqlite.store import Ledger; L = Ledger.open({path!r}, migrations={more!r}); os._exit(0)"
        subprocess.run([sys.executable, "-c", script], env=ENVIRONMENT, check=True, timeout=patience(60))
    else:
        Ledger.open(path, migrations=more).close()
    names = [name for name in (path, path + "-wal") if os.path.exists(name)]
    assert len(names) == 1 + left_log
    before = [Path(name).read_bytes() for name in names]
    with pytest.raises(
        LedgerUnavailable, match=f"is of version {NEWER}, and this program knows versions up to {NEWER - 1}"
    ):
        Ledger.open(path)
    with pytest.raises(LedgerUnavailable, match=f"version {NEWER}"):
        Ledger.open_read_only(path)
    assert [Path(name).read_bytes() for name in names] == before
    Ledger.open(path, migrations=more).close()


@pytest.mark.rule("S4.3")
@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("point", ["migration_open", "migration_committed"])
def test_kill_in_a_migration(path: str, point: str, older: bool) -> None:
    run = call(path) if older else None
    migrations = (*MIGRATIONS, NEXT) if older else MIGRATIONS
    script = f"from workermd.ledger.sqlite.store import Ledger; Ledger.open({path!r}, migrations={migrations!r})"
    environment = {**ENVIRONMENT, "WORKERMD_CRASH_AT": point}
    killed = subprocess.run([sys.executable, "-c", script], env=environment, check=False, timeout=patience(60))
    assert killed.returncode == -signal.SIGKILL
    connection = sqlite3.connect(path)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    connection.close()
    first = NEWER if older else 1  # the first migration that is missing is the one that is killed
    assert version == first - (point == "migration_open")
    assert ("extra" in tables) == (version == NEWER)
    assert ("runs" in tables) == (version >= 1)
    assert application == (APPLICATION_ID if version else 0)
    with Ledger.open(path, migrations=migrations) as ledger:
        assert ledger.look(WORKER, "r") == run


def test_failing_migration_leaves_the_old_file(path: str) -> None:
    run = call(path)
    with pytest.raises(LedgerUnavailable, match="no such table"):
        Ledger.open(path, migrations=(*MIGRATIONS, NEXT + "INSERT INTO nowhere VALUES (1);\n"))
    with Ledger.open(path) as ledger:
        assert ledger.look(WORKER, "r") == run


def foreign_database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE bookmarks (a)")
    connection.close()


def truncated_ledger(path: Path) -> None:
    call(str(path))
    path.write_bytes(path.read_bytes()[:10000])


def overwritten_ledger(path: Path) -> None:
    call(str(path))
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)


@pytest.mark.rule("S4.8")
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_text("no database\n" * 100), "it is not an SQLite database"),
        (foreign_database, "it is a database of another program"),
        (lambda path: path.mkdir(), "it is not a file"),
        (truncated_ledger, "it is damaged"),
        (overwritten_ledger, "it is damaged"),
    ],
)
def test_file_that_is_no_ledger(tmp_path: Path, make, reason: str) -> None:
    path = tmp_path / "damaged"
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    for opened in (Ledger.open, Ledger.open_read_only):
        with pytest.raises(LedgerUnavailable, match=reason) as refused, opened(str(path)) as ledger:  # noqa: PT012
            ledger.look(WORKER, "r")  # Damage may show at the first read only.
            ledger.runs()
            ledger.attempts(1)
        assert str(path) in refused.value.message
        assert "\n" not in refused.value.message
        assert refused.value.hint
    assert (path.read_bytes() if path.is_file() else b"") == before


@pytest.mark.rule("S4.8")
@pytest.mark.parametrize("path", ["", "a\0b", "/proc/none/ledger.db", "/dev/null/ledger.db", "/dev/null", "x" * 300])
def test_path_that_cannot_be(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LedgerUnavailable) as refused:
        Ledger.open(path)
    assert refused.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["100%.db", "a?b.db", "a#b.db", "a b.db", "\udcff.db", "file:x.db"])
def test_odd_names(tmp_path: Path, name: str) -> None:
    path = str(tmp_path / name)
    run = call(path)
    ledger = Ledger.open_read_only(path)
    assert ledger is not None
    with ledger:
        assert ledger.look(WORKER, "r") == run


def test_reading_makes_no_ledger(tmp_path: Path) -> None:
    assert Ledger.open_read_only(str(tmp_path / "none" / "ledger.db")) is None
    (tmp_path / "empty.db").touch()
    assert Ledger.open_read_only(str(tmp_path / "empty.db")) is None
    assert os.listdir(tmp_path) == ["empty.db"]
    assert (tmp_path / "empty.db").stat().st_size == 0


def test_reader_cannot_write(path: str) -> None:
    call(path)
    ledger = Ledger.open_read_only(path)
    assert ledger is not None
    with ledger:
        with pytest.raises(LedgerFault), ledger.transaction(soon()):
            pass
        ledger.reject(WORKER, "r", "code", None)
        assert ledger.rejections() == ()
