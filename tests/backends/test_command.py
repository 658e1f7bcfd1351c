"""The kind `command`, with real programs."""

import fcntl
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.attempt_process import a_task, alive, run_attempt
from tests.conftest import loaded_by
from workermd.backends import command
from workermd.system import processes
from workermd.task.binding import Binding
from workermd.task.task import Limits, Result

pytestmark = pytest.mark.rule("S8.4")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a shell script, or a program given as a list."""
    monkeypatch.chdir(tmp_path)

    def ran(program, *, seconds=20.0, max_bytes=1 << 20, retry=(), **changes) -> Result:
        words = ("/bin/sh", "-c", program) if isinstance(program, str) else tuple(program)
        binding = Binding("command", "workermd.toml", command=words, retry_exit_codes=retry)
        return command.perform(a_task(tmp_path, **changes), binding, Limits(time.monotonic() + seconds, max_bytes))

    return ran


@pytest.fixture(scope="module")
def loaded_once(tmp_path_factory):
    """What attempts are forked from is there before anything is counted."""
    folder = tmp_path_factory.mktemp("loaded")
    run_attempt(folder, a_task(folder), Binding("command", "test", command=("true",)))


@pytest.fixture(autouse=True)
def no_descriptor_and_no_process_is_left(loaded_once):
    """What a program started comes to us as its orphan, and is not looked at."""
    before = set(Path("/proc/self/fd").iterdir())
    yield
    assert set(Path("/proc/self/fd").iterdir()) == before
    assert [pid for pid in processes.children(os.getpid()) if is_unreaped_program(pid)] == []


def is_unreaped_program(pid):
    """Whether our child has ended and was not waited for; a program leads its group, what it started does not."""
    return processes._state(pid) == processes._ZOMBIE and os.getpgid(pid) == pid


@pytest.mark.rule("S8.1")
def test_the_task_is_one_line_of_json_on_stdin(run, tmp_path):
    result = run('read -r line; rest=$(cat); [ -z "$rest" ] && printf \'%s\' "$line"', input={"run_id": "é\n\ud800"})
    given = json.loads(result.output)
    assert result.output.isascii()
    task = a_task(tmp_path, input={"run_id": "é\n\ud800"})
    assert given == json.loads(json.dumps({key: value for key, value in task._asdict().items() if key != "call"}))


def test_the_answer_is_what_was_printed(run):
    assert run('printf \' {"a": NaN, "b": "é"}\\n\\n\'').output == ' {"a": NaN, "b": "é"}\n\n'


def test_no_shell_reads_the_arguments(run):
    assert run(["printf", "%s", "$HOME;`id`|*"]).output == "$HOME;`id`|*"


def test_a_program_that_never_reads_its_order_is_fine(run):
    assert run("exec 0<&-; sleep 0.1; echo '{}'", input={"run_id": "r", "big": "x" * 5_000_000}).output == "{}\n"
    assert run("echo '{}'", input={"run_id": "r", "big": "x" * 5_000_000}).output == "{}\n"


def test_a_large_order_and_a_large_answer_pass_each_other(run):
    big = {"run_id": "r", "big": "x" * 3_000_000}
    assert json.loads(run(["cat"], input=big, max_bytes=4_000_000).output)["input"] == big


def test_an_answer_split_over_time_is_whole(run):
    assert run("printf '{\"a\"'; sleep 0.2; printf ': 1'; sleep 0.2; printf '}'").output == '{"a": 1}'


@pytest.mark.parametrize(("most", "code"), [(900_000, None), (899_999, "output_too_large")])
def test_what_is_still_in_the_pipe_after_the_end_is_read(tmp_path, most, code):
    """The attempt's process is stopped while the program fills a large pipe and ends. What stands there counts too."""
    source = "import fcntl; fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 1 << 20); print('x' * 900_000, end='')"
    script = f'(sleep 0.7; kill -CONT $PPID) >/dev/null & kill -STOP $PPID; exec python3 -S -c "{source}"'
    bound = Binding("command", "test", command=("sh", "-c", script))
    result = run_attempt(tmp_path, a_task(tmp_path), bound, max_bytes=most).result
    assert (result.failure or {}).get("code") == code
    assert len(result.output or "") == (0 if code else 900_000)


@pytest.mark.parametrize("printed", ["", " \\n\\t "])
def test_an_empty_answer_is_named(run, printed):
    failure = run(f"cat >/dev/null; printf '{printed}'").failure
    assert (failure["kind"], failure["code"]) == ("invalid_output", "output_not_json")
    assert "printed nothing" in failure["message"]


def test_bytes_that_are_no_text_are_named_by_their_place(run):
    failure = run("printf 'abc\\377'").failure
    assert (failure["kind"], failure["code"]) == ("invalid_output", "output_not_json")
    assert "at byte 3" in failure["message"]


EXITS = [
    (64, "invalid_request", "input_rejected"),
    (65, "invalid_request", "input_rejected"),
    (69, "retryable", "backend_unavailable"),
    (75, "retryable", "backend_unavailable"),
    (77, "needs_human", "approval_required"),
    (1, "refused", "backend_failed"),
    (2, "refused", "backend_failed"),
    (126, "refused", "backend_failed"),
    (127, "refused", "backend_failed"),
    (255, "refused", "backend_failed"),
]


@pytest.mark.parametrize(("exit_code", "kind", "code"), EXITS)
def test_the_table_of_exit_codes(run, exit_code, kind, code):
    result = run(f'echo \'{{"status": "ok"}}\'; echo hunter2 >&2; exit {exit_code}')
    assert (result.failure["kind"], result.failure["code"]) == (kind, code)
    assert result.output is None
    assert f"exit code {exit_code}" in result.failure["message"]
    assert "hunter2" not in result.failure["message"]


def test_the_documentation_has_the_same_table():
    page = (Path(command.__file__).parents[2] / "docs" / "own-code.md").read_text(encoding="utf-8").splitlines()
    for exit_code, (kind, code) in command.EXITS.items():
        assert any(
            f" {exit_code}" in row.split("|")[1] and kind in row and code in row for row in page if "|" in row[1:]
        )


def test_the_binding_lists_more_codes_to_retry(run):
    assert run("exit 3", retry=(3, 64)).failure["kind"] == "retryable"
    assert run("exit 4", retry=(3, 64)).failure["kind"] == "refused"
    assert run("exit 64", retry=(3, 64)).failure["kind"] == "invalid_request"
    assert run("echo '{}'", retry=(0,)).output == "{}\n"


@pytest.mark.rule("S8.5")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGPIPE])
def test_death_by_a_signal_is_a_crash(run, number):
    failure = run(f"echo '{{}}'; kill -{int(number)} $$; sleep 5").failure
    assert (failure["kind"], failure["code"]) == ("retryable", "attempt_crashed")
    assert f"signal {int(number)}" in failure["message"]


def test_ignored_signals_are_back_to_normal_in_the_program(run):
    assert signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN
    masks = run("grep -E 'SigIgn|SigBlk' /proc/self/status").output.split()
    assert [int(mask, 16) & 0x7FFFFFFF for mask in masks[1::2]] == [0, 0]  # above 31: the C library's own


@pytest.mark.parametrize(
    ("printed", "exit_code", "expected"),
    [
        ({"code": "rate_limited", "message": "slow\ndown", "after": 3}, 75, {"code": "rate_limited", "after": 3}),
        ({"code": "made_up", "message": "slow down"}, 75, {"code": "backend_unavailable"}),
        ({"code": "rate_limited", "message": "slow down", "after": -3}, 1, {"code": "rate_limited", "kind": "refused"}),
        (
            {"message": "slow down", "options": ["yes", "no", 3]},
            77,
            {"question": "slow down", "options": ["yes", "no"], "code": "approval_required"},
        ),
        ({"code": ["x"], "message": "slow down"}, 64, {"code": "input_rejected"}),
        ({"message": "slow down", "after": math.inf}, 75, {"code": "backend_unavailable"}),
        ({"message": "slow down", "after": -1}, 75, {"code": "backend_unavailable"}),
    ],
)
def test_a_failing_program_may_say_why(run, printed, exit_code, expected):
    Path("said.json").write_text(json.dumps({"error": printed}))
    failure = run(f"cat said.json; exit {exit_code}").failure
    assert failure["message"] == "slow down"
    assert expected.items() <= failure.items()
    assert ("after" in failure) == ("after" in expected)


@pytest.mark.parametrize("printed", ["[1]", "{}", '{"error": "x"}', '{"error": {}}', "{", "", "[" * 100_000, "\\377"])
def test_what_is_no_error_document_is_ignored(run, printed):
    Path("said").write_text(printed)
    assert run("cat said; exit 3").failure["message"].startswith("program /bin/sh ended with exit code 3")


def test_a_long_message_is_cut_to_one_line(run):
    Path("said").write_text(json.dumps({"error": {"message": "a\n\x1b[0mb" + "x" * 9000}}))
    message = run("cat said; exit 3").failure["message"]
    assert message.startswith("a [0mb")
    assert len(message) == 500


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("no-such-program",), "not found"),
        (("./missing",), "not found"),
        (("./no-execute-bit",), "may not be executed"),
        (("./no-first-line",), "first line"),
        (("./bad-interpreter",), "the program in its first line"),
        (("/tmp",), "may not be executed"),
        (("./no-execute-bit/x",), "Not a directory"),
        (("echo", "x" * 3_000_000), "too long"),
        (("echo", "a\0b"), "cannot be passed on"),
        ((), "command is empty"),
        (("",), "command is empty"),
    ],
)
def test_a_program_that_cannot_start_is_refused_with_the_next_step(run, words, said):
    for name, text, mode in (
        ("no-execute-bit", "#!/bin/sh\n", 0o644),
        ("no-first-line", "echo {}\n", 0o755),
        ("bad-interpreter", "#!/no/such/interpreter\n", 0o755),
    ):
        Path(name).write_text(text)
        Path(name).chmod(mode)
    failure = run(words).failure
    assert (failure["kind"], failure["code"]) == ("refused", "backend_failed")
    assert said in failure["message"]
    assert "workermd.toml" in failure["message"]
    assert not words or words[0] in failure["message"]


@pytest.mark.rule("S3.6")
def test_too_much_output_ends_the_program_and_its_group(run):
    began = time.monotonic()
    failure = run("sleep 60 & echo $! > pid; yes; sleep 60", max_bytes=100_000).failure
    assert (failure["kind"], failure["code"]) == ("invalid_output", "output_too_large")
    assert time.monotonic() - began < 15
    gone(int(Path("pid").read_text()))


def test_exactly_the_bound_passes(run):
    assert run(["printf", "x" * 1000], max_bytes=1000).output == "x" * 1000
    assert run(["printf", "x" * 1001], max_bytes=1000).failure["code"] == "output_too_large"


def gone(pid):
    for _ in range(200):
        if not alive(pid):
            return
        time.sleep(0.05)
    pytest.fail(f"process {pid} is still alive")


@pytest.mark.rule("S3.3")
@pytest.mark.parametrize(
    "script",
    ["sleep 60", "trap '' TERM INT; while :; do sleep 1; done", "exec 1>&-; sleep 60", "cat >/dev/null; sleep 60"],
)
def test_the_deadline_ends_the_program(run, script):
    began = time.monotonic()
    assert run(f"echo $$ > pid; {script}", seconds=0.5).failure["kind"] == "timeout"
    assert time.monotonic() - began < 15
    gone(int(Path("pid").read_text()))


def test_an_end_that_is_seen_after_the_deadline_is_a_timeout(tmp_path):
    """The attempt's process is stopped over its deadline; the program has ended in time, unseen."""
    script = "(sleep 1.5; kill -CONT $PPID) >/dev/null & kill -STOP $PPID; echo '{}'"
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom tests.attempt_process import a_task\n"
        "from workermd.task.task import Limits\nfrom workermd.task.binding import Binding\nfrom workermd.backends.command import perform\n"
        f"bound = Binding('command', 'test', command=('sh', '-c', {script!r}))\n"
        "print(perform(a_task(Path('.')), bound, Limits(time.monotonic() + 0.7, 4096)).failure['kind'])"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "timeout\n"


def test_nothing_starts_after_the_deadline(run):
    assert run("touch ran", seconds=-1).failure["kind"] == "timeout"
    assert not Path("ran").exists()


def test_a_deadline_far_away_is_fine(run):
    assert run("sleep 0.1; echo '{}'", seconds=1e9).output == "{}\n"


def test_a_grandchild_that_keeps_the_pipe_open_does_not_hold_up_the_answer(run):
    began = time.monotonic()
    result = run("setsid sh -c 'echo $$ > pid; sleep 60' & echo '{}'; while ! [ -s pid ]; do sleep 0.01; done")
    assert result.output == "{}\n"
    assert time.monotonic() - began < 30
    grandchild = int(Path("pid").read_text())
    os.killpg(grandchild, signal.SIGKILL)
    os.waitpid(grandchild, 0)  # its parent has ended: it came to us


def test_the_runs_lock_is_inherited_and_our_pipes_are_not(run, tmp_path):
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.set_inheritable(lock.fileno(), True)
        numbers = [int(path.name) for path in Path("/proc/self/fd").iterdir() if path.exists()]
        inheritable = {str(number) for number in numbers if os.get_inheritable(number)}
        # python3 -S opens no descriptor of its own before it looks.
        inherited = set(run(["python3", "-S", "-c", "import os; print(*os.listdir('/proc/self/fd'))"]).output.split())
        assert str(lock.fileno()) in inherited
        looking = {max(inherited - inheritable - {"0", "1", "2"}, key=int)}  # the folder that it reads
        assert inherited - looking <= inheritable | {"0", "1", "2"}


CLOSED = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.attempt_process import a_task
from workermd.task.task import Limits
from workermd.task.binding import Binding
from workermd.backends import command
os.close(0); os.close(1)
binding = Binding("command", "t", command=("sh", "-c", "read line && echo '{}'"))
result = command.perform(a_task(Path(sys.argv[2])), binding, Limits(time.monotonic() + 20, 1000))
os._exit(0 if result.output == "{}\\n" else 1)
"""


def test_closed_standard_descriptors_of_the_host_do_no_harm(tmp_path):
    words = [sys.executable, "-c", CLOSED, str(Path(__file__).parent.parent), str(tmp_path)]
    assert subprocess.run(words, check=False).returncode == 0


def test_the_environment_is_the_attempts_own(tmp_path):
    script = "env | grep -E '^(WORKERMD_[AR]|TRACE)' | sort >&2; echo said >&2; echo '{}'"
    binding = Binding("command", "test", command=("sh", "-c", script))
    outcome = run_attempt(tmp_path, a_task(tmp_path, attempt=2), binding)
    assert outcome.result.output == "{}\n"
    assert outcome.log.splitlines() == [
        "TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        f"WORKERMD_ARTIFACTS={tmp_path / 'artifacts'}",
        "WORKERMD_ATTEMPT=2",
        "WORKERMD_RUN_ID=run-1",
        "said",
    ]


def test_the_module_is_lean():
    heavy = {"asyncio", "autogen_core", "subprocess", "threading", "logging", "dataclasses", "inspect", "pathlib"}
    assert heavy.isdisjoint(loaded_by("import workermd.backends.command"))
