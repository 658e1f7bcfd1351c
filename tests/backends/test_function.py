"""The kind `function`: in this process where it is harmless, in a child where it is not."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from tests.attempt_process import a_task, alive, run_attempt
from tests.late import LATE
from workermd.backends.reply import result_of
from workermd.task.binding import Binding
from workermd.task.failure import ENDINGS
from workermd.task.task import Limits, Result

if LATE:
    from workermd.backends import function

BODY = """
import asyncio, collections, enum, os, sys, time, threading
from pathlib import Path
from workermd import InvalidRequest, NeedsHuman, Refused, Reply, Retryable
from workermd.task.task import TaskError
"""


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Call a function given as source text; `run` is its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def called(source, *, seconds=20.0, max_bytes=1 << 20, name="run", module="worker_code", **changes) -> Result:
        (tmp_path / f"{module}.py").write_text(BODY + source, encoding="utf-8")
        sys.modules.pop(module, None)
        binding = Binding("function", "workermd.toml", function=f"{module}:{name}")
        task = a_task(tmp_path, **changes)
        sys.dont_write_bytecode = True
        return function.perform(task, binding, Limits(time.monotonic() + seconds, max_bytes))

    yield called
    sys.modules.pop("worker_code", None)
    sys.dont_write_bytecode = False


def attempt(tmp_path, source, **options):
    (tmp_path / "worker_code.py").write_text(BODY + source, encoding="utf-8")
    return run_attempt(tmp_path, a_task(tmp_path), Binding("function", "test", function="worker_code:run"), **options)


# What a function may return


@pytest.mark.rule("S8.2")
@pytest.mark.parametrize(
    "source",
    [
        "def run(task): return {'id': task.run_id, 'n': task.input['task']}",
        "async def run(task):\n    await asyncio.sleep(0)\n    return {'id': task.run_id, 'n': task.input['task']}",
        "def run(task): return asyncio.run(inner(task))\nasync def inner(task): return {'id': task.run_id, 'n': task.input['task']}",
        "class W:\n    async def __call__(self, task): return {'id': task.run_id, 'n': task.input['task']}\nrun = W()",
        "class Worker:\n    def run(self, task): return {'id': task.run_id, 'n': task.input['task']}\nrun = Worker().run",
        "def run(task): return inner(task)\nasync def inner(task): return {'id': task.run_id, 'n': task.input['task']}",
        "def run(task): return Reply({'id': task.run_id, 'n': task.input['task']})",
        "def run(task): return collections.OrderedDict(id=task.run_id, n=task.input['task'])",
    ],
)
def test_sync_async_and_callable_objects_answer_alike(call, source):
    assert json.loads(call(source).output) == {"id": "run-1", "n": "do"}


@pytest.mark.rule("S8.2")
def test_a_dotted_name_is_followed(call):
    source = "class Box:\n    @staticmethod\n    def run(task): return {'a': 1}"
    assert call(source, name="Box.run").output == '{"a": 1}'


@pytest.mark.rule("S8.2")
def test_a_reply_carries_everything(call, tmp_path):
    source = """
def run(task):
    Path(task.artifacts_dir, "log.txt").write_text("hello")
    Path(task.artifacts_dir, "sub").mkdir()
    Path(task.artifacts_dir, "sub", "b.bin").write_bytes(b"")
    return Reply({"a": "é"}, usage={"input_tokens": 3, "cost_usd": 0.5}, model="m-1", finish_reason="stop", artifacts=(
        {"name": "log", "path": "log.txt", "media_type": "text/plain"},
        {"name": "b", "path": str(Path(task.artifacts_dir, "sub", "b.bin"))},
    ))
"""
    result = call(source)
    folder = Path(os.path.realpath(tmp_path / "artifacts"))
    assert result == Result(
        output='{"a": "é"}',
        usage={"input_tokens": 3, "cost_usd": 0.5},
        model="m-1",
        finish_reason="stop",
        artifacts=(
            {
                "name": "log",
                "path": str(folder / "log.txt"),
                "sha256": hashlib.sha256(b"hello").hexdigest(),
                "bytes": 5,
                "media_type": "text/plain",
            },
            {
                "name": "b",
                "path": str(folder / "sub" / "b.bin"),
                "sha256": hashlib.sha256(b"").hexdigest(),
                "bytes": 0,
                "media_type": "application/octet-stream",
            },
        ),
    )
    assert Result.from_json(result.to_json()) == result


@pytest.mark.rule("S8.2")
@pytest.mark.parametrize(
    ("artifact", "said"),
    [
        ("{'name': 'a', 'path': '/etc/hostname'}", "leads out"),
        ("{'name': 'a', 'path': '../worker_code.py'}", "leads out"),
        ("{'name': 'a', 'path': 'link'}", "leads out"),
        ("{'name': 'a', 'path': 'missing'}", "cannot be read"),
        ("{'name': 'a', 'path': 'pipe'}", "not a regular file"),
        ("{'name': 'a', 'path': '.'}", "leads out"),
        ("{'name': 'a', 'path': 'folder'}", "not a regular file"),
        ("{'name': 'a', 'path': 'a\\0b'}", "path must be"),
        ("{'name': 'a'}", "path must be"),
        ("{'path': 'file'}", "name must be"),
        ("{'name': 'a\\nb', 'path': 'file'}", "name must be"),
        ("{'name': 'a', 'path': 'file', 'media_type': 3}", "media_type must be"),
        ("'file'", "is a str"),
        ("{'name': 'a', 'path': 'file'}, {'name': 'a', 'path': 'file'}", "same name twice"),
    ],
)
def test_an_artifact_is_a_regular_file_in_the_tasks_folder(call, artifact, said):
    source = f"""
def run(task):
    os.chdir(task.artifacts_dir)
    Path("file").write_text("x"); Path("folder").mkdir(); os.mkfifo("pipe"); os.symlink("/etc/hostname", "link")
    return Reply({{}}, artifacts=({artifact},))
"""
    failure = call(source).failure
    assert (failure["kind"], failure["code"]) == ("refused", "backend_failed")
    assert said in failure["message"]
    assert "Reply.artifacts" in failure["message"]


@pytest.mark.rule("S8.2")
@pytest.mark.parametrize(
    "fields",
    ["usage=[1]", "usage={'a': -1}", "usage={'a': float('nan')}", "usage={1: 1}", "usage={'a': True}", "model=3"],
)
def test_unusable_fields_of_a_reply_are_refused_by_name(call, fields):
    failure = call(f"def run(task): return Reply({{}}, {fields})").failure
    assert failure["kind"] == "refused"
    assert f"Reply.{fields.partition('=')[0]}" in failure["message"]


@pytest.mark.rule("S5.5", "S5.6")
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("None", "a NoneType"),
        ("(1, 2)", "a tuple"),
        ("[{}]", "a list"),
        ("'{}'", "a str"),
        ("Reply([1])", "a list"),
        ("(x for x in 'a')", "a generator"),
        ("{1: 2}", "a key of the object at the top is a int"),
        ("{'a': {None: 2}}", "object at '/a'"),
        ("{'a': [0, {'b/c': {'hunter2'}}]}", "at '/a/1/b~1c' is a set"),
        ("{'a': b'hunter2'}", "at '/a' is a bytes"),
        ("{'a': Path('hunter2')}", "PosixPath"),
        ("{'a': 10 ** 5000}", "390 digits"),
        ("(lambda d: d.update(d=d) or d)({})", "deeper than 64"),
        ("(lambda d: [d := {'a': d} for _ in range(70)][-1])({})", "deeper than 64"),
    ],
)
def test_what_is_no_json_object_is_named_by_type_and_place(call, value, said):
    failure = call(f"def run(task): return {value}").failure
    assert (failure["kind"], failure["code"]) == ("invalid_output", "output_not_json")
    assert said in failure["message"]
    assert "hunter2" not in failure["message"]


@pytest.mark.rule("S2.5")
def test_what_the_strict_check_judges_is_passed_on_as_it_is(call):
    assert call("def run(task): return {'a': float('nan')}").output == '{"a": NaN}'
    assert call("def run(task): return {'a': '\\ud800'}").output == '{"a": "\ud800"}'


@pytest.mark.rule("S3.6")
@pytest.mark.parametrize(
    "value",
    [
        "{'a': 'x' * 50_000_000}",
        "{'a': 'é' * 600}",
        "{'a': ['x'] * 5_000_000}",
        "{str(i): 1 for i in range(1000)}",
        "(lambda d: [d := {'a': d, 'b': d} for _ in range(60)][-1])({})",
        "{'a': 'x' * 992}",
    ],
)
def test_an_output_over_the_bound_is_found_early(call, value):
    failure = call(f"def run(task): return {value}", max_bytes=1000).failure
    assert (failure["kind"], failure["code"]) == ("invalid_output", "output_too_large")


@pytest.mark.rule("S8.2")
@pytest.mark.parametrize(
    "output",
    [{"a": "x" * 50_000_000}, {"a": ["x"] * 5_000_000}, dict.fromkeys(map(str, range(300_000)))],
    ids=["text", "list", "keys"],
)
def test_an_output_over_the_bound_is_not_copied(tmp_path, output):
    tracemalloc.start()
    try:
        result = result_of(output, a_task(tmp_path), Limits(0, 100_000))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert result.failure["code"] == "output_too_large"
    assert peak < 8_000_000


@pytest.mark.rule("S8.2")
def test_an_output_of_exactly_the_bound_passes(call):
    assert len(call("def run(task): return {'a': 'x' * 990}", max_bytes=1000).output) == 999
    assert len(call("def run(task): return {'a': 'x' * 991}", max_bytes=1000).output) == 1000
    assert len(call("def run(task): return {'a': 'ü' * 495}", max_bytes=999).output.encode()) == 999
    assert call("def run(task): return {'a': 'ü' * 495}", max_bytes=998).failure["code"] == "output_too_large"


# How a function may fail

EXCEPTIONS = [
    ("Retryable('later', after=2.5)", {"kind": "retryable", "code": "backend_unavailable", "after": 2.5}),
    ("Retryable('later', code='rate_limited')", {"kind": "retryable", "code": "rate_limited"}),
    ("Retryable('later', after=-1, code='made_up')", {"kind": "retryable", "code": "backend_unavailable"}),
    ("InvalidRequest('later')", {"kind": "invalid_request", "code": "input_rejected"}),
    ("Refused('later')", {"kind": "refused", "code": "backend_failed"}),
    ("TaskError('later')", {"kind": "refused", "code": "backend_failed"}),
    (
        "NeedsHuman('later', options=('yes', 'no'))",
        {
            "kind": "needs_human",
            "code": "approval_required",
            "question": "later",
            "options": ["yes", "no"],
            "request_kind": "question",
        },
    ),
]


@pytest.mark.rule("S8.3")
@pytest.mark.parametrize("form", ["def", "async def"])
@pytest.mark.parametrize(("raised", "expected"), EXCEPTIONS)
def test_the_exceptions_of_a_task_and_their_messages(call, raised, expected, form):
    assert call(f"{form} run(task): raise {raised}").failure == {**expected, "message": "later"}


OTHERS = [
    ("ConnectionError", "retryable", "backend_unavailable"),
    ("BrokenPipeError", "retryable", "backend_unavailable"),
    ("TimeoutError", "retryable", "backend_unavailable"),
    ("asyncio.TimeoutError", "retryable", "backend_unavailable"),
    ("ValueError", "refused", "backend_failed"),
    ("OSError", "refused", "backend_failed"),
    ("SystemExit", "refused", "backend_failed"),
    ("KeyboardInterrupt", "refused", "backend_failed"),
    ("GeneratorExit", "refused", "backend_failed"),
    ("StopIteration", "refused", "backend_failed"),
    ("RecursionError", "refused", "backend_failed"),
    ("MemoryError", "refused", "backend_failed"),
    ("asyncio.CancelledError", "refused", "backend_failed"),
]


@pytest.mark.rule("S5.6")
@pytest.mark.parametrize("form", ["def", "async def"])
@pytest.mark.parametrize(("raised", "kind", "code"), OTHERS)
def test_any_other_exception_shows_its_type_and_place_only(call, raised, kind, code, form, capsys):
    failure = call(f"{form} run(task):\n    raise {raised}('hunter2')").failure
    assert (failure["kind"], failure["code"]) == (kind, code)
    assert "worker_code.py:7" in failure["message"]
    assert "hunter2" not in failure["message"]
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.rule("S8.3")
def test_a_cause_does_not_decide(call):
    failure = call("def run(task):\n    raise ValueError from ConnectionError()").failure
    assert failure["kind"] == "refused"


@pytest.mark.rule("S8.3")
def test_every_row_of_the_table_is_in_the_documentation():
    page = (Path(function.__file__).parents[2] / "docs" / "own-code.md").read_text(encoding="utf-8")
    for row, kind, code in ENDINGS:
        name = "any other" if row is BaseException else f"`{row.__name__}`"
        assert any(name in line and f"`{kind}`" in line and f"`{code}`" in line for line in page.splitlines()), name


@pytest.mark.rule("S8.3")
@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def deep(n): return deep(n + 1)\ndef run(task): return {'a': deep(0)}", "RecursionError at worker_code.py:6"),
        ("import json\ndef run(task): return json.loads('{')", "JSONDecodeError at worker_code.py:7"),
        (
            "class Odd(Exception):\n    def __str__(self): raise ValueError\ndef run(task): raise Odd()",
            "Odd at worker_code.py",
        ),
        ("def run(): return {}", "TypeError"),
        ("def run(task): raise Retryable(ValueError('hunter2'))", "the task raised Retryable"),
    ],
)
def test_the_place_is_the_innermost_line_of_the_workers_own_code(call, source, said):
    message = call(source).failure["message"]
    assert said in message
    assert "hunter2" not in message


@pytest.mark.rule("S8.3")
def test_a_message_becomes_one_short_line(call):
    message = call("def run(task): raise Refused('a\\n\\x1b[31mb\\t' + 'x' * 9000)").failure["message"]
    assert message.startswith("a [31mb xxx")
    assert len(message) == 500


# How a function is named


@pytest.mark.rule("S6.2")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_such_module:run", "no module no_such_module"),
        ("worker_code.inner:run", "no module worker_code.inner"),
        ("worker_code:walk", "module worker_code has no walk"),
        ("worker_code:run.walk", "has no run.walk"),
        ("worker_code:number", "a int, not a callable"),
        ("worker_code:", "write it as module:callable"),
        (":run", "write it as module:callable"),
        ("worker code:run", "write it as module:callable"),
        ("..worker:run", "write it as module:callable"),
        ("no_such_entry_point", "no installed package has an entry point"),
        ("", "no installed package has an entry point"),
        ("needy:run", "needs no_such_library, which is not installed"),
        ("broken:run", "SyntaxError at broken.py:1"),
        ("leaving:run", "SystemExit at leaving.py:1"),
        ("late:run", "ConnectionError at late.py:1"),
    ],
)
def test_an_unusable_name_is_refused_with_the_next_step(call, tmp_path, name, said):
    (tmp_path / "needy.py").write_text("import no_such_library")
    (tmp_path / "broken.py").write_text("def (")
    (tmp_path / "leaving.py").write_text("raise SystemExit('hunter2')")
    (tmp_path / "late.py").write_text("raise ConnectionError('hunter2')")
    call("number = 3\ndef run(task): return {}")
    binding = Binding("function", "workermd.toml", function=name)
    failure = function.perform(a_task(tmp_path), binding, Limits(time.monotonic() + 20, 1000)).failure
    assert said in failure["message"]
    assert failure["kind"] == ("retryable" if name == "late:run" else "refused")
    assert "hunter2" not in failure["message"]
    assert "\n" not in failure["message"]


def test_a_library_that_a_shipped_worker_cannot_do_without_is_known_before(monkeypatch):
    binding = Binding("function", "shipped", function="workermd.workers.web_extract:run")
    assert function.unusable(binding) == ""
    monkeypatch.setitem(sys.modules, "selectolax", None)  # as where it is not installed
    reason = function.unusable(binding)
    assert reason.endswith("selectolax cannot be found; run: pip install 'workermd[workers]'")


def test_a_missing_library_of_a_shipped_worker_names_the_extra(call, tmp_path, monkeypatch):
    import workermd.workers

    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / "needy.py").write_text("import no_such_library")
    (tmp_path / "shipped" / "lazy.py").write_text("def run(task):\n    import no_such_library")
    monkeypatch.setattr(workermd.workers, "__path__", [*workermd.workers.__path__, str(tmp_path / "shipped")])
    for module in ("needy", "lazy"):
        binding = Binding("function", "shipped", function=f"workermd.workers.{module}:run")
        failure = function.perform(a_task(tmp_path), binding, Limits(time.monotonic() + 20, 1000)).failure
        assert failure["kind"] == "refused"
        assert "no_such_library" in failure["message"]
        assert "pip install 'workermd[workers]'" in failure["message"]
        assert str(tmp_path) not in sys.path
        sys.modules.pop(f"workermd.workers.{module}", None)


def install(folder, distribution, entry_points):
    info = folder / f"{distribution}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[workermd.functions]\n{entry_points}\n")


@pytest.mark.rule("S6.2")
def test_an_entry_point_of_an_installed_package_is_found(call, tmp_path, monkeypatch):
    site = tmp_path / "site"
    install(site, "shop", "orders = shop_code:run\nbare = shop_code\ntwice = shop_code:run")
    install(site, "rival", "twice = rival_code:run")
    (site / "shop_code.py").write_text("def run(task): return {'run': task.run_id}")
    monkeypatch.syspath_prepend(str(site))
    results = [
        function.perform(a_task(tmp_path), Binding("function", "t", function=name), Limits(time.monotonic() + 20, 1000))
        for name in ("orders", "bare", "twice")
    ]
    sys.modules.pop("shop_code", None)
    assert results[0].output == '{"run": "run-1"}'
    assert "without a callable" in results[1].failure["message"]
    assert "rival_code:run, shop_code:run" in results[2].failure["message"]


# The deadline


@pytest.mark.rule("S3.3")
def test_an_async_function_is_cancelled_at_the_deadline(call):
    began = time.monotonic()
    source = (
        "async def run(task):\n    try:\n        await asyncio.sleep(60)\n    finally:\n        Path('ended').touch()"
    )
    assert call(source, seconds=0.3).failure["kind"] == "timeout"
    assert Path("ended").exists()
    assert time.monotonic() - began < 30


@pytest.mark.rule("S3.3")
def test_a_late_answer_of_a_thread_is_a_timeout(call):
    assert call("def run(task):\n    time.sleep(0.5)\n    return {}", seconds=0.2).failure["kind"] == "timeout"


@pytest.mark.rule("S3.3")
def test_a_slow_import_counts_against_the_deadline(call):
    source = "time.sleep(0.4)\ndef run(task):\n    Path('ran').touch()\n    return {}"
    assert call(source, seconds=0.2).failure["kind"] == "timeout"
    assert not Path("ran").exists()


@pytest.mark.rule("S3.3")
def test_the_performer_ends_only_when_the_thread_has_ended(call):
    source = "def run(task):\n    time.sleep(0.6)\n    Path('ended').touch()\n    return {}"
    assert call(source, seconds=0.1).failure["kind"] == "timeout"
    assert Path("ended").exists()


# What a function does to its process


@pytest.mark.rule("S8.3", "S8.5")
def test_what_a_function_prints_goes_to_the_log(tmp_path):
    source = (
        "import ctypes, subprocess\nprint('on import')\nfrom pathlib import Path as P\n"
        "def run(task):\n    print('printed'); os.write(1, b'raw\\n'); subprocess.run(['echo', 'child'])\n"
        "    return {'e': os.environ['WORKERMD_ATTEMPT']}"
    )
    outcome = attempt(tmp_path, source)
    assert outcome.result.output == '{"e": "1"}'
    for line in ("on import", "printed", "raw", "child"):
        assert line in outcome.log
    assert "hunter2" not in outcome.log


@pytest.mark.rule("S8.3", "S8.5")
@pytest.mark.parametrize(
    "source",
    [
        "def run(task):\n    sys.exit(0)",
        "def run(task):\n    threading.Thread(target=sys.exit).start()\n    sys.exit('bye')",
        "async def run(task):\n    async def leave(): sys.exit(3)\n    asyncio.create_task(leave())\n    await asyncio.sleep(9)",
        "def run(task):\n    import signal\n    signal.raise_signal(signal.SIGINT)\n    time.sleep(1)\n    return {}",
    ],
)
def test_no_way_to_leave_politely_leaves_the_attempt_without_a_result(tmp_path, source):
    outcome = attempt(tmp_path, source)
    assert not outcome.killed
    assert outcome.result.failure["kind"] == "refused"


@pytest.mark.rule("S8.5")
def test_os_exit_leaves_no_answer(tmp_path):
    outcome = attempt(tmp_path, 'def run(task):\n    print(\'{"status": "ok"}\', flush=True)\n    os._exit(0)')
    assert outcome.result is None
    assert not outcome.killed


@pytest.mark.rule("S3.3")
@pytest.mark.parametrize(
    "source",
    [
        "def run(task):\n    while True: time.sleep(1)",
        "async def run(task):\n    while True:\n        try: await asyncio.sleep(60)\n        except asyncio.CancelledError: pass",
        "import re\ndef run(task): return {'a': str(re.match(r'(a+)+$', 'a' * 60 + 'b'))}",
        "def run(task):\n    import signal\n    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n    time.sleep(60)",
    ],
    ids=["thread", "swallows", "holds the interpreter in C", "blocks signals"],
)
def test_what_nothing_inside_can_stop_is_stopped_from_outside(tmp_path, source):
    outcome = attempt(tmp_path, source, seconds=0.6)
    assert outcome.killed
    assert outcome.result is None
    assert outcome.seconds < 20


def test_a_daemon_left_behind_does_not_hold_up_the_answer(tmp_path):
    source = """
def run(task):
    pid = os.fork()
    if pid == 0:
        os.setsid()
        if os.fork() == 0:
            Path("daemon").write_text(str(os.getpid()))
            time.sleep(60)
        os._exit(0)
    os.waitpid(pid, 0)
    while not Path("daemon").exists() or not Path("daemon").read_text(): time.sleep(0.01)
    return {}
"""
    outcome = attempt(tmp_path, source)
    daemon = int((tmp_path / "daemon").read_text())
    assert outcome.result.output == "{}"
    assert outcome.seconds < 30
    if alive(daemon):
        os.kill(daemon, signal.SIGKILL)


@pytest.mark.rule("S3.6")
def test_fifty_megabytes_are_too_large(tmp_path):
    outcome = attempt(tmp_path, "def run(task): return {'a': 'x' * 50_000_000}")
    assert outcome.result.failure["code"] == "output_too_large"


def test_the_interpreters_loop_policy_is_left_alone(call):
    before = asyncio.get_event_loop_policy()
    call("def run(task): return {}")
    assert asyncio.get_event_loop_policy() is before
