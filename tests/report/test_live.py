"""What a person at a terminal sees while a run goes on, judged on a real pseudo-terminal."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import struct
import termios
import time

import pytest

from tests.conftest import patience, wait_for
from workermd.report.live import Live

OK = "reply({'status': 'ok', 'result': {}})"
SLOW = f"time.sleep(1.2)\n{OK}"
CLEAR = "\r\x1b[K"
CLOSING = r"workermd: ok, attempt \d of 2, \d+\.\d s"


class Terminal:
    """A pseudo-terminal with a size; what is written to it is collected."""

    def __init__(self, columns=80):
        self.ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.text = ""

    def adopt(self):
        """In the child: make this its controlling terminal, so that a Ctrl-C typed here reaches it."""
        os.setsid()
        fcntl.ioctl(self.theirs, termios.TIOCSCTTY, 0)

    def read(self, seconds=0.05):
        while select.select([self.ours], [], [], seconds)[0]:
            try:
                data = os.read(self.ours, 65536)
            except OSError:  # nobody has it open any more
                return
            if not data:
                return
            self.text += data.decode("utf-8", "replace")

    def wait(self, process, seconds=30):
        until = time.monotonic() + seconds
        while process.poll() is None:
            self.read()
            assert time.monotonic() < until, self.text
        self.read()

    def screen(self, columns=80):
        """The lines as they stand in the end: CR goes to the start, the clearing sequence empties, long lines wrap."""
        lines, at = [""], 0
        for part in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|[\s\S]", self.text):
            if part == "\r":
                at = 0
            elif part == "\n":
                lines.append("")
                at = 0
            elif part == "\x1b[K":
                lines[-1] = lines[-1][:at]
            elif not part.startswith("\x1b"):
                if at == columns:
                    lines.append("")
                    at = 0
                lines[-1] = lines[-1][:at].ljust(at) + part + lines[-1][at + 1 :]
                at += 1
        return lines

    def close(self):
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def terminal():
    made = []

    def make(columns=80):
        made.append(Terminal(columns))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def watched(cli, terminal, contract, given, program):
    """Runs a task with standard error on a terminal: the terminal, the exit code, standard output."""

    def run(body, *flags, columns=80, env=None, **constraints):
        screen = terminal(columns)
        process = cli.start(
            "run",
            contract(constraints=constraints),
            given(),
            *flags,
            *program(body),
            stderr=screen.theirs,
            env={"TERM": "xterm", **(env or {})},
        )
        screen.wait(process)
        out, _ = process.communicate()
        return screen, process.returncode, out

    return run


def test_a_live_line_tells_the_attempt_and_the_time_left_and_leaves_nothing(watched):
    screen, code, out = watched(SLOW)
    assert (code, json.loads(out)["status"]) == (0, "ok")
    drawn = re.findall(r"attempt (\d)/(\d), (\d+\.\d) s left", screen.text)
    assert len(drawn) >= 3, screen.text
    assert {(n, most) for n, most, _ in drawn} == {("1", "2")}
    left = [float(each) for _, _, each in drawn]
    assert left == sorted(left, reverse=True)
    assert left[0] <= 20
    assert left[0] - left[-1] >= 0.5
    assert re.fullmatch(CLOSING, "".join(screen.screen()))


def test_the_line_says_what_is_waited_for(watched, cli, contract, given, program, terminal):
    """Between attempts, and for another process that executes the run."""
    screen, code, _ = watched(f"if task['attempt'] == 1: sys.exit(75)\n{OK}", timeout_seconds=60)
    assert code == 0
    assert "waiting for attempt 2/2, " in screen.text
    other = cli.start("run", contract(), given("r9"), *program(f"evidence('up'); time.sleep(3)\n{OK}"))
    wait_for((cli.folder / "evidence").exists)
    screen = terminal()
    second = cli.start("run", contract(), given("r9"), *program(OK), stderr=screen.theirs, env={"TERM": "xterm"})
    screen.wait(second)
    out, _ = second.communicate()
    assert out == other.communicate(timeout=patience(30))[0]
    assert "waiting for another process that executes this run, " in screen.text
    assert re.fullmatch(f"(workermd: replayed: .*|{CLOSING})?", "".join(screen.screen()))


@pytest.mark.parametrize(("flags", "env"), [(["-q"], {}), ([], {"TERM": "dumb"})], ids=["-q", "TERM=dumb"])
def test_without_a_live_line(watched, flags, env):
    screen, code, _ = watched(SLOW, *flags, env=env)
    assert code == 0
    assert re.fullmatch("" if flags else CLOSING, screen.text.strip())


def test_no_live_line_on_a_pipe(cli, contract, given, program):
    done = cli("run", contract(), given(), *program(SLOW), env={"TERM": "xterm"})
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize(("value", "colours"), [("1", False), ("", True), (None, True)])
def test_colours_can_be_turned_off(watched, value, colours):
    screen, _, _ = watched(SLOW, env={} if value is None else {"NO_COLOR": value})
    assert "attempt 1/2" in screen.text
    assert ("\x1b[2m" in screen.text) == colours


def test_log_lines_do_not_collide_with_the_live_line(watched):
    body = f"for n in range(5):\n    print('line', n, file=sys.stderr, flush=True); time.sleep(0.3)\n{OK}"
    screen, code, _ = watched(body)
    assert code == 0
    *lines, last, rest = screen.screen()
    assert lines == [f"| line {n}" for n in range(5)]
    assert re.fullmatch(CLOSING, last)
    assert rest == ""
    assert screen.text.count("attempt 1/2") >= 3


@pytest.mark.parametrize("columns", [12, 20, 29, 30])
def test_a_narrow_terminal_never_wraps_the_live_line(watched, columns):
    """A wrapped line could not be cleared."""
    screen, _, _ = watched(SLOW, columns=columns)
    assert re.fullmatch(CLOSING, "".join(screen.screen(columns)))
    drawn = [each.replace("\x1b[2m", "").replace("\x1b[0m", "") for each in screen.text.split(CLEAR)]
    assert any(each.startswith("attempt 1/2") for each in drawn)
    assert max(len(each) for each in drawn if not each.startswith("workermd: ")) < columns


@pytest.mark.rule("S8.5")
def test_ctrl_c_typed_at_the_terminal(cli, contract, given, program, terminal, evidence):
    """Exit 130, one document, the attempt's process gone, the run resumable."""
    screen = terminal()
    body = f"evidence(str(os.getpid()))\nif task['attempt'] == 1: time.sleep(60)\n{OK}"
    process = cli.start(
        "run",
        contract(),
        given(),
        *program(body),
        stdin=screen.theirs,
        stderr=screen.theirs,
        env={"TERM": "xterm"},
        preexec_fn=screen.adopt,
    )
    wait_for(evidence)
    os.write(screen.ours, b"\x03")
    screen.wait(process)
    out, _ = process.communicate()
    assert process.returncode == 130, screen.text
    assert json.loads(out)["result"]["error"]["code"] == "cancelled"
    pid = int(evidence()[0])
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"))
    last = [line for line in screen.screen() if line]
    assert "workermd: retryable_error: " in last[0]
    assert "attempt 1/2" not in "".join(last)
    done = cli("run", contract(), given(), *program(body))
    assert (done.code, len(evidence())) == (0, 2)


def test_an_interrupt_while_the_input_is_awaited(cli, contract, program, evidence):
    """Nothing has begun: exit 130 at once, though nobody writes to the pipe."""
    import signal

    for number in (signal.SIGINT, signal.SIGTERM):
        read, write = os.pipe()
        process = cli.start("run", contract(), "-", *program(f"evidence('start')\n{OK}"), stdin=read)
        os.close(read)
        wait_for(lambda pid=process.pid: catches(pid, signal.SIGTERM) and waits_for_a_pipe(pid))
        process.send_signal(number)
        out, err = process.communicate(timeout=patience(20))
        os.close(write)
        assert (process.returncode, json.loads(out)["error"]["code"]) == (130, "interrupted"), err
        assert err == b"workermd: interrupted\n"
    assert evidence() == []


def catches(pid, number):
    with open(f"/proc/{pid}/status") as file:
        caught = int(re.search(r"^SigCgt:\s+(\w+)", file.read(), re.MULTILINE)[1], 16)
    return bool(caught & 1 << number - 1)


def waits_for_a_pipe(pid):
    with open(f"/proc/{pid}/wchan") as file:
        return "pipe" in file.read()


def test_an_input_from_a_terminal_is_not_awaited(cli, contract, program, terminal):
    screen = terminal()
    process = cli.start("run", contract(), "-", *program(OK), stdin=screen.theirs)
    _, err = process.communicate(timeout=patience(20))
    assert process.returncode == 2
    assert b"the input is '-', but standard input is a terminal; pipe a document in: " in err


# --- the log of a task ----------------------------------------------------------------------------------


class Text:
    """A stream that is no terminal."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text

    def flush(self):
        pass

    def isatty(self):
        return False


def logged(*pieces):
    stream = Text()
    live = Live(quiet=False, stream=stream)
    for piece in pieces:
        live.log(piece)
    live.close()
    return stream.text


def test_lines_of_the_log_are_whole_whatever_the_pieces():
    assert logged(b"one\ntw", b"o\nthr", b"ee") == "| one\n| two\n| three\n"
    assert logged("ä".encode()[:1], "ä\n".encode()[1:]) == "| ä\n"
    assert logged(b"a\x1b[31mb\tc\x00\r\n") == "| a\ufffd[31mb\tc\ufffd\n"


def test_a_log_without_an_end_is_bounded():
    """In what is shown and in what is held: one notice, and silence."""
    lines = logged(*[b"x" * 1000 + b"\n"] * 3000, b"y" * 10).splitlines()
    assert 1000 < len(lines) < 1100
    assert lines[-1] == "| … further log lines are not shown"
    assert lines.count(lines[-1]) == 1
    assert logged((b"x" * 1000 + b"\n") * 3000).splitlines() == lines, "also when it comes at once"
    endless = logged(*[b"x" * 65536] * 100)
    assert (1 << 20) < len(endless) < (1 << 20) + 300_000
    assert "further log lines" in endless


# --- the streams ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("closed", [[0], [1], [2], [0, 1, 2]], ids=str)
def test_closed_streams_break_nothing(cli, contract, given, program, evidence, closed):
    """The next file opened would take the number: a ledger must not receive our messages."""

    def close():
        for number in closed:
            os.close(number)

    def run(*arguments):
        with contextlib.closing(open(os.devnull, "r+b")) as null:
            process = cli.start(*arguments, stdin=null, stdout=null, stderr=null, preexec_fn=close)
            return process.wait(timeout=patience(30))

    backend = program(f"print('words', file=sys.stderr); evidence('start'); {OK}")
    unseen = 1 in closed  # an answer that nobody gets is no success
    assert run("run", contract(), given(), *backend) == (2 if unseen else 0)
    assert run("run", contract(), given(task="other"), *backend) == (2 if unseen else 3)
    assert run("run", contract(), "missing.json", *backend) == 2
    assert run("validate", contract()) == 0
    again = cli("run", contract(), given(), *backend)
    assert (again.code, again.document["status"], evidence()) == (0, "ok", ["start"])


def test_a_standard_output_that_is_full(cli, contract, given, program, evidence):
    """One line, exit 2, no traceback; the answer is there when asked for again."""
    backend = program(f"evidence('start'); {OK}")
    for arguments in (["run", contract(), given(), *backend], ["runs", "list"], ["schema", "envelope"], ["--help"]):
        with open("/dev/full", "wb") as full:
            done = cli(*arguments, stdout=full)
        assert (done.code, len(done.err.splitlines())) == (2, 1), done.err
        assert "standard output cannot be written (No space left on device); mend" in done.err
    assert cli("run", contract(), given(), *backend).document["status"] == "ok"
    assert evidence() == ["start"]
