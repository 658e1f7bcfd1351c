"""What many tests need: the command line as a real process, and contracts written to order."""

import contextlib
import functools
import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests import deep, late, loaded, order
from workermd.system import processes

ROOT = Path(__file__).parents[1]

# Where a machine's environment forbids compiled modules to be kept, every process of the suite would compile them all
# again: twice the CPU time of a start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


gc.disable()  # what collection makes stays until the end: searching it for garbage took more than half of its time


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    from tests.rules_proved import refuse_unknown

    refuse_unknown(items)
    deep.leave_out(config, items)
    order.spread(items)


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


FOUR = ["ok", "retryable_error", "invalid_request", "invalid_output"]

ANYTHING = {"type": "object", "maxProperties": 1000}
"""As good as any object, and bounded enough for the rule about schemas that admit everything."""

# Child processes are measured too: their coverage settings have to pass the allow-list of a task's environment.
COVERAGE_VARIABLES = [name for name in os.environ if name.startswith(("COVERAGE_", "COV_"))]


SIGNALS = (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
QUIET_START = 0.02
"""Seconds in which an interpreter starts on a quiet machine."""


def pytest_configure(config: pytest.Config) -> None:
    loaded.adopt_orphans()
    for number in SIGNALS:
        if signal.getsignal(number) == signal.SIG_IGN:
            # As `nohup` and some runners start us. Ignored signals stay ignored in what a test starts; a handler that
            # does nothing is as deaf, and is not handed down.
            signal.signal(number, lambda *_: None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: the tests wait for processes, deadlines and disks as long as they compute."""
    return 2 * len(os.sched_getaffinity(0))


def pytest_unconfigure(config: pytest.Config) -> None:
    loaded.close()


@functools.cache
def _slowness() -> float:
    """How many times longer than on a quiet machine an interpreter takes to start, when the tests begin."""
    began = time.monotonic()
    for _ in range(3):
        subprocess.run([sys.executable, "-S", "-c", "pass"], check=True)
    return (time.monotonic() - began) / 3 / QUIET_START


def patience(seconds: float) -> float:
    """As many seconds of a quiet machine, in seconds of this one; and some more, should others come while we run."""
    return seconds * max(3.0, 2 * _slowness())


@pytest.fixture(scope="module", autouse=True)
def _imported_late(request: pytest.FixtureRequest) -> None:
    late.carry_out(request.module)


@pytest.fixture(autouse=True)
def _alone(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that leaves a process or a warning behind fails by itself, and its neighbours do not meet it."""
    before = {*processes.descendants(os.getpid())}
    yield
    gc.collect(1)  # what it left open in a circle warns now: what is young is its own
    left = loaded.end_left_behind(before, patience(1))
    assert left == [], f"processes are left: {left}"


class Done(NamedTuple):
    """A finished call of the command line."""

    code: int
    out: bytes
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


class Cli:
    """`workermd` as a process of its own, in a home and with a ledger of its own."""

    def __init__(self, folder: Path, *, cold: bool = True, hurried: bool = True) -> None:
        self.folder = folder
        self.cold = cold
        self.hurried = hurried
        self.started: list[subprocess.Popen[bytes]] = []
        self.ledger = folder / "state" / "ledger.db"
        passed = ["WORKERMD_CRASH_AT", "EVIDENCE", *COVERAGE_VARIABLES]
        self.environment = {
            **{name: os.environ[name] for name in ("PATH", *COVERAGE_VARIABLES) if name in os.environ},
            "HOME": str(folder / "home"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "WORKERMD_LEDGER": str(self.ledger),
            "WORKERMD_ENV": ",".join(passed),
            "PYTHONPATH": str(ROOT),
            "LANG": "C.UTF-8",
        }

    def start(self, *arguments: object, env: dict[str, str] | None = None, **options: Any) -> "subprocess.Popen[bytes]":
        settings: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": self.folder} | options
        how = {"cold": self.cold, "hurried": self.hurried}
        process = loaded.start([*map(str, arguments)], self.environment | (env or {}), **how, **settings)
        self.started.append(process)
        return process

    def close(self) -> None:
        """End what a failed test left running: nobody else is to hear of it."""
        for process in self.started:
            process.kill()
            process.wait()
            for stream in filter(None, (process.stdin, process.stdout, process.stderr)):
                with contextlib.suppress(OSError):
                    stream.close()

    def __call__(
        self, *arguments: object, given: str | bytes | None = None, env: dict[str, str] | None = None, **options: Any
    ) -> Done:
        data = given.encode() if isinstance(given, str) else given
        stdin = {"stdin": subprocess.DEVNULL} if data is None else {"stdin": subprocess.PIPE}
        process = self.start(*arguments, env=env, **stdin, **options)
        try:
            out, err = process.communicate(data, timeout=patience(60))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return Done(process.returncode, out or b"", (err or b"").decode("utf-8", "replace"))


@pytest.fixture
def cli(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Cli]:
    (tmp_path / "home").mkdir()
    marked = {name: request.node.get_closest_marker(name) is not None for name in ("cold", "unhurried")}
    made = Cli(tmp_path, cold=marked["cold"], hurried=not marked["unhurried"])
    yield made
    made.close()


def contract_text(
    *,
    id: str = "echo",  # noqa: A002 - the field's name
    statuses: list[str] | None = None,
    constraints: dict[str, object] | None = None,
    input_schema: dict[str, Any] | None = None,
    output_schema: dict[str, Any] | None = None,
    mode: str = "",
    purpose: str = "Answer one question.",
) -> str:
    """A contract of the registry's shape. A constraint of None is left out."""
    allowed = statuses or FOUR
    given: dict[str, object] = {
        "timeout_seconds": 20,
        "max_attempts": 2,
        "idempotency_key": "run_id",
        "status_enum": f"[{', '.join(allowed)}]",
    } | (constraints or {})
    bullets = "\n".join(f"- {key}: {value}" for key, value in given.items() if value is not None)
    inputs = input_schema or {
        "type": "object",
        "additionalProperties": False,
        "required": ["run_id"],
        "properties": {"run_id": {"type": "string"}, "task": {"type": "string"}, "context": ANYTHING},
    }
    outputs = output_schema or {
        "type": "object",
        "additionalProperties": False,
        "required": ["run_id", "status", "result"],
        "properties": {
            "run_id": {"type": "string"},
            "status": {"type": "string", "enum": allowed},
            "result": ANYTHING,
        },
    }
    head = f"id: {id}\nname: {id}\nversion: 1.0.0\n" + (f"worker_mode: {mode}\n" if mode else "")
    return (
        f"---\n{head}---\n# {id}\n\nPurpose: {purpose}\n\n### Input schema\n\n```json\n{json.dumps(inputs, indent=2)}\n```\n\n"
        f"### Output schema\n\n```json\n{json.dumps(outputs, indent=2)}\n```\n\n### Constraints\n\n{bullets}\n"
    )


@pytest.fixture
def contract(tmp_path: Path) -> Callable[..., Path]:
    """Writes a contract and returns its path; the keywords are those of `contract_text`."""

    def write(name: str = "echo.worker.md", **parts: Any) -> Path:
        path = tmp_path / name
        path.write_text(contract_text(**parts))
        return path

    return write


@pytest.fixture
def given(tmp_path: Path) -> Callable[..., Path]:
    """Writes an input document and returns its path."""

    def write(run_id: str | None = "r1", name: str = "input.json", **fields: Any) -> Path:
        document = fields if run_id is None else {"run_id": run_id, **fields}
        path = tmp_path / name
        path.write_text(json.dumps(document))
        return path

    return write


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., list[str]]:
    """Writes a Python program for `--backend command` and returns its command line.

    It knows `task` (the task's document) and `reply(document)`; `evidence(word)` notes a line outside the ledger.
    """

    def write(body: str, name: str = "task.py") -> list[str]:
        path = tmp_path / name
        path.write_text(
            "import json, os, sys, time\n"
            "def reply(document): print(json.dumps(document), flush=True)\n"
            "def evidence(word):\n"
            f"    with open({str(tmp_path / 'evidence')!r}, 'a') as file: file.write(word + '\\n')\n"
            "task = json.load(sys.stdin)\n" + body + "\n"
        )
        return ["--backend", "command", "--", sys.executable, "-S", str(path)]

    return write


@pytest.fixture
def evidence(tmp_path: Path) -> Callable[[], list[str]]:
    def read() -> list[str]:
        path = tmp_path / "evidence"
        return path.read_text().split() if path.exists() else []

    return read


def loaded_by(code: str) -> set[str]:
    """The modules that an interpreter has loaded after some code; the coverage of tests stays out of it."""
    script = f"import sys\n{code}\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait until something is true; fail when it does not become so."""
    until = time.monotonic() + patience(seconds)
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)
