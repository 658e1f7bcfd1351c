"""What people see when it goes wrong: each case has a message that says what to do, and no traceback of ours."""

import contextlib
import os
import subprocess
import textwrap

import pytest

from tests.conftest import ROOT

OK = "reply({'status': 'ok', 'result': {}})"


@pytest.fixture
def function(tmp_path):
    """Writes `tasks.py` in the working folder and names one of its functions."""

    def write(body):
        (tmp_path / "tasks.py").write_text(textwrap.dedent(body))
        return ["--backend", "function", "--function", "tasks:run"]

    return write


def plain(done):
    """Nothing of an error's inside may show: one line each, and it begins with our name."""
    assert "Traceback" not in "".join(line for line in done.err.splitlines(keepends=True) if not line.startswith("| "))
    return done


# --- what is named wrongly ------------------------------------------------------------------------------


@pytest.mark.rule("S2.1")
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "a folder"),
        (lambda path: path.write_bytes(b"---\nid: \xff\n"), "not UTF-8"),
        (lambda path: path.write_text("---\nid: a\nname: [\n---\n"), "error"),
        (lambda path: path.write_text("# no front matter\n"), "not a worker.md contract"),
        (lambda path: path.write_text(""), "error"),
    ],
    ids=["missing", "folder", "encoding", "yaml", "markdown", "empty"],
)
def test_a_contract_that_is_none(cli, tmp_path, given, program, make, said):
    """Exit 2 and one document."""
    spec = tmp_path / "x.worker.md"
    make(spec)
    done = plain(cli("run", spec, given(), *program(OK)))
    assert done.code == 2
    assert said in done.err
    assert done.document["error"]["code"] == "contract_unusable"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--backend", "nope"], "; known: "),
        (["--backend", "function"], "--function module:callable"),
        (["--backend", "command"], "-- PROGRAM"),
        ([], "no backend is bound to worker 'echo'"),
        (["--function", "no_such_module:run"], "there is no module no_such_module"),
        (["--function", "json.no_such_module:run"], "there is no module json.no_such_module"),
        (["--function", "no_such_entry_point"], "no_such_entry_point: no installed package"),
        (["--function", "json:a b"], "write it as module:callable"),
        (["--backend", "command", "--", "no-such-program-here"], "program no-such-program-here: it was not found"),
        (["--backend", "command", "--", "./no-such-program"], "it was not found"),
        (["--backend", "command", "--", "/etc/passwd"], "chmod +x"),
        (["--setting", "novalue", "--backend", "command", "--", "true"], "KEY=VALUE"),
        (["--config", "missing.toml", "--backend", "command", "--", "true"], "missing.toml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_backend_that_is_none(cli, contract, given, arguments, said):
    done = plain(cli("run", contract(), given(), *arguments))
    assert done.code == 2
    assert said in done.err
    assert b"no runs" in cli("runs", "list").out  # no attempt was used up


@pytest.mark.parametrize(("function", "said"), [("json:no_such_name", "no_such_name"), ("json:__name__", "callable")])
def test_a_function_that_only_its_import_shows_to_be_none(cli, contract, given, function, said):
    """Nothing is used up (S3.1)."""
    done = plain(cli("run", contract(), given(), "--function", function))
    assert done.code == 2
    assert said in done.err
    assert b"no runs" in cli("runs", "list").out


@pytest.mark.rule("S3.1")
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import task_that_is_missing\ndef run(task): pass", "needs task_that_is_missing, which is not installed"),
        ("def run(task)", "SyntaxError (expected ':') at "),
        ("raise ValueError('secret words')", "ValueError at "),
        ("raise SystemExit", "SystemExit at "),
    ],
    ids=["missing import", "syntax error", "raises", "exits"],
)
def test_a_module_that_cannot_be_loaded_uses_nothing_up(cli, contract, given, function, body, said):
    """Neither a run nor a plan of one goes past it, and the mended module answers the same call."""
    spec, call = contract(constraints={"max_attempts": 1}), given()
    for options in ([], ["--dry-run"]):
        done = plain(cli("run", spec, call, *options, *function(body)))
        assert (done.code, done.document["error"]["code"]) == (2, "configuration"), done.err
        assert said in done.err
        assert "secret words" not in done.out.decode()
    assert b"no runs" in cli("runs", "list").out
    assert cli("run", spec, call, *function("def run(task): return {'result': {}}")).code == 0


@pytest.mark.rule("S3.1")
def test_a_process_that_is_killed_while_it_loads_is_no_misconfiguration(cli, contract, given, function):
    spec, call = contract(constraints={"max_attempts": 1}), given()
    killed = plain(cli("run", spec, call, *function("import os\nos.kill(os.getpid(), 9)")))
    error = killed.document["result"]["error"]
    assert (killed.code, error["code"], error["retryable"]) == (5, "attempt_crashed", True), killed.err
    assert cli("run", spec, call, *function("def run(task): return {'result': {}}")).code == 0


@pytest.mark.rule("S6.2")
def test_a_function_is_looked_for_where_its_configuration_stands(cli, contract, given, tmp_path):
    """The configuration is found upward, so its function is too."""
    (tmp_path / "workermd.toml").write_text('[workers.echo]\nfunction = "its_task:run"\n')
    (tmp_path / "its_task.py").write_text("def run(task): return {'result': {}}")
    (tmp_path / "sub").mkdir()
    done = cli("run", contract(), given(), cwd=tmp_path / "sub")
    assert done.code == 0, done.err


@pytest.mark.parametrize(("name", "said"), [("missing.json", "no such file"), (".", "a folder")])
def test_an_input_that_is_none(cli, contract, program, name, said):
    done = plain(cli("run", contract(), name, *program(OK)))
    assert done.code == 2
    assert said in done.err


@pytest.mark.rule("S1.5")
@pytest.mark.parametrize("arguments", [["run"], ["run", "a"], ["run", "--nope", "a", "b"], ["nope"], ["runs", "show"]])
def test_a_call_that_is_none(cli, arguments):
    """Usage is exit 2, with where to look; a run still prints one document."""
    done = plain(cli(*arguments))
    assert done.code == 2
    assert "--help" in done.err
    assert bool(done.out) == (arguments[0] == "run")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ledger = 3", "ledger is not text"),
        ("nope = 1", "unknown key 'nope'"),
        ("[workers.echo]\nbackend = 'x'", "unknown backend"),
        ("[workers.echo]\nbackend = 'chatt'", "did you mean chat?"),
        ("[workers.echo]\nfuncton = 'a:b'", "did you mean function?"),
        ("[worker.echo]\nfunction = 'a:b'", "did you mean workers?"),
        ("[workers.echo]\nfunction = 'a:b'\ncommand = ['x']", "takes no command"),
        ("[workers.echo]\ncommand = 'x'", "not a list"),
        ("[workers.echo]\ncommand = ['x']\nretry_exit_codes = [0]", "retry_exit_codes"),
        ("[workers.echo]\ncommand = ['x']\nsettings = 1", "settings"),
        ("workers = 1", "not a table"),
        ("[workers]\necho = 1", "not a table"),
        ("= broken", "not TOML"),
        pytest.param(f"a = {'9' * 5000}", "not TOML: a number is too long", id="digits"),
        pytest.param(f"a = {'[' * 5000}", "not TOML: arrays or tables are nested too deep", id="nesting"),
        pytest.param(
            f"[workers.echo]\nfunction = 'a:b'\nsettings = {{n = 0x{'f' * 5000}}}",
            "a number is too long",
            id="a large number",
        ),
        ("[workers.echo]\nfunction = 'a:b'\nsettings = {at = 2020-01-01}", "settings"),
    ],
)
def test_a_configuration_that_is_none(cli, contract, given, tmp_path, text, said):
    (tmp_path / "workermd.toml").write_text(text)
    done = plain(cli("run", contract(), given()))
    assert done.code == 2
    assert said in done.err
    assert "workermd.toml" in done.err


# --- functions that misbehave ---------------------------------------------------------------------------


@pytest.mark.rule("S8.3", "S8.5")
@pytest.mark.parametrize(
    ("body", "code", "error"),
    [
        ("def run(task): raise ValueError('secret words')", 4, "backend_failed"),
        ("def run(task): raise ConnectionError", 5, "backend_unavailable"),
        ("import sys\ndef run(task): sys.exit(0)", 4, "backend_failed"),
        ("import os\ndef run(task): os._exit(0)", 5, "attempts_exhausted"),
        ("def run(task): return ({}, 1)", 4, "output_not_json"),
        ("def run(task): return None", 4, "output_not_json"),
        ("def run(task): return {'status': 'ok', 'result': {'x': float('nan')}}", 4, "output_not_json"),
        ("def run(task): return {'status': 'ok', 'result': {'x': 'y' * 50_000_000}}", 4, "output_too_large"),
        ("def run(task): return {'status': 'ok', 'result': {'x': {1, 2}}}", 4, "output_not_json"),
        ("import time\ndef run(task): time.sleep(60)", 5, "timeout"),
        ("import os, signal\ndef run(task): os.kill(os.getpid(), signal.SIGKILL)", 5, "attempts_exhausted"),
        ("import ctypes\ndef run(task): ctypes.string_at(0)", 5, "attempts_exhausted"),
        ("from workermd import InvalidRequest\ndef run(task): raise InvalidRequest('no')", 3, "input_rejected"),
        ("from workermd import NeedsHuman\ndef run(task): raise NeedsHuman('which?', ('a', 'b'))", 4, "approval_required"),
    ],
    ids=[
        "raises", "transient", "exits", "leaves", "tuple", "none", "nan", "50 MB", "a set", "never returns",
        "OOM killer", "segfault", "invalid request", "needs human",
    ],
)  # fmt: skip
def test_a_function_that_misbehaves(cli, contract, given, function, body, code, error):
    """An answer, an exit code and a code of the one table."""
    spec = contract(constraints={"max_attempts": 1, "timeout_seconds": 4})
    done = plain(cli("run", spec, given(), *function(body)))
    assert (done.code, done.document["result"]["error"]["code"]) == (code, error), done.err
    assert "secret words" not in done.out.decode()


@pytest.mark.rule("S5.1", "S8.3")
def test_a_function_that_prints_spoils_nothing(cli, contract, given, function):
    """Its words become log lines."""
    body = "import os\ndef run(task):\n    print('spoken')\n    os.write(1, b'written\\n')\n    return {'result': {}}"
    done = cli("run", contract(), given(), *function(body))
    assert done.document == {"run_id": "r1", "status": "ok", "result": {}}
    assert "| spoken" in done.err
    assert "| written" in done.err


@pytest.mark.rule("S3.3")
def test_a_function_that_ignores_cancellation_or_forks_a_daemon_is_ended(cli, contract, given):
    """Nothing of it is left."""
    for number, name in enumerate(("swallows_cancellation", "daemon")):
        spec = contract(constraints={"max_attempts": 1, "timeout_seconds": 1})
        done = cli(
            "run", spec, given(f"r{number}"), "--function", f"tests.attempt.unruly:{name}", "--env", "PYTHONPATH"
        )
        assert done.document["result"]["error"]["code"] == "timeout", done.err


def test_a_missing_library_of_a_shipped_worker_names_the_extra(cli, given, tmp_path):
    (tmp_path / "httpx.py").write_text("raise ModuleNotFoundError(name='httpx')")
    env = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    spec = ROOT / "contracts" / "web-extract.worker.md"
    document = ROOT / "contracts" / "examples" / "web-extract.input.json"
    done = plain(
        cli("run", spec, document, "--env", "PYTHONPATH", "--setting", "allow_private_addresses=true", env=env)
    )
    assert done.code == 4
    assert "pip install 'workermd[workers]'" in done.err


# --- the machine ----------------------------------------------------------------------------------------


@pytest.mark.rule("S4.8")
def test_a_ledger_folder_that_is_read_only(cli, contract, given, program, tmp_path):
    """An error before the task starts. To root, only a file system can be read-only."""
    folder = tmp_path / "sealed"
    folder.mkdir(mode=0o555)
    root = os.geteuid() == 0
    if root and subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", folder], check=False).returncode:
        pytest.skip("this machine does not let us mount a file system")
    try:
        done = plain(cli("run", contract(), given(), "--ledger", folder / "l.db", *program("evidence('x')")))
    finally:
        if root:
            subprocess.run(["umount", folder], check=True)
    assert done.code == 2, done.err
    assert "ledger" in done.err
    assert not (tmp_path / "evidence").exists()


@pytest.mark.rule("S4.8")
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_disk(cli, contract, given, program, tmp_path, evidence):
    """An error before the task starts, acknowledged runs intact; with space again the run goes on."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("this machine does not let us mount a file system")
    try:
        ledger = ["--ledger", disk / "l.db"]
        body = f"evidence('start'); {OK}"
        first = cli("run", contract(), given("a"), *ledger, *program(body))
        assert first.code == 0, first.err
        ballast = os.open(disk / "ballast", os.O_WRONLY | os.O_CREAT)
        with contextlib.suppress(OSError):
            while os.write(ballast, b"x" * 4096):
                pass
        os.close(ballast)
        full = plain(cli("run", contract(), given("b"), *ledger, *program(body)))
        assert full.code == 2, full.err
        assert full.document["error"]["code"] == "ledger_unavailable"
        assert evidence() == ["start"]
        os.unlink(disk / "ballast")
        assert cli("run", contract(), given("a"), *ledger, *program(body)).out == first.out
        assert cli("run", contract(), given("b"), *ledger, *program(body)).code == 0
        assert evidence() == ["start", "start"]
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.rule("S4.8")
def test_a_ledger_that_is_none(cli, contract, given, program, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but something that must stay as it is\n" * 100)
    before = path.read_bytes()
    done = plain(cli("run", contract(), given(), "--ledger", path, *program(OK)))
    assert done.code == 2
    assert path.read_bytes() == before


def test_a_reader_that_goes_away_costs_no_answer(cli, contract, given, program):
    """The answer is on disk before it is printed."""
    read, write = os.pipe()
    os.close(read)
    done = cli("run", contract(), given(), *program(OK), stdout=write)
    os.close(write)
    assert "BrokenPipe" not in done.err
    assert cli("run", contract(), given(), *program(OK)).document["status"] == "ok"


@pytest.mark.rule("S1.5")
def test_a_fault_of_our_own_is_one_line_with_the_way_to_more(cli, contract, given, program, tmp_path):
    """Exit 1."""
    (tmp_path / "plant").mkdir()
    (tmp_path / "plant" / "sitecustomize.py").write_text(
        "import workermd.ledger.sqlite.store as s\ndef broken(*a): raise ZeroDivisionError\ns.Ledger.open = broken\n"
    )
    env = {"PYTHONPATH": f"{tmp_path / 'plant'}:{ROOT}"}
    done = plain(cli("run", contract(), given(), *program(OK), env=env))
    assert (done.code, done.document["error"]["code"]) == (1, "internal_error")
    assert "WORKERMD_TRACEBACK=1" in done.err
    loud = cli("run", contract(), given(), *program(OK), env=env | {"WORKERMD_TRACEBACK": "1"})
    assert "Traceback" in loud.err


@pytest.mark.rule("S5.6")
@pytest.mark.parametrize(
    ("text", "words", "said"),
    [
        ("[1]", ("--function", "a:run"), "see all of it with: workermd validate '{spec}' --input '{given}'"),
        ('{"run_id": "a"}\n{"run_id": "b"}', ("--function", "a:run"), "A run for each line: workermd batch."),
        ('{"run_id": "a"}', ("--function", "json.loads"), "write the module and the callable: json:loads"),
        ('{"run_id": "a"}', ("--function", "answers"), "write the module and the callable: answers:run"),
        ('{"run_id": "a"}', ("--backend", "command", "--", "sh -c true"), "give each as a word of its own"),
        ('{"run_id": "a"}', ("--backend", "command", "--", "no such"), "it was not found"),
    ],
)
def test_a_hint_has_its_values_filled_in(cli, contract, tmp_path, text, words, said):
    """The line that goes on can be pasted: the files, the module and the program are known."""
    spec = contract("the one.worker.md")
    given = tmp_path / "an input.json"
    given.write_text(text)
    assert said.format(spec=spec, given=given) in cli("run", spec, given, *words).err
