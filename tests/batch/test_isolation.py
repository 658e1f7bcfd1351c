"""What one attempt leaves in its process: a fork's next attempt sees none of it, and who asks for reuse gets just that."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.conftest import wait_for

LEAKING = Path(__file__).parents[1] / "attempt" / "leaking.py"
EXTRA = """

import pathlib


async def answer(task):
    asked = task.input.get("task", "")
    if asked == "fail":
        raise ValueError("as asked")
    if asked == "end":
        os._exit(3)
    if asked == "hang":
        time.sleep(60)
    if asked == "start":
        import subprocess
        subprocess.Popen(["sleep", "60"], start_new_session=True)
    if asked == "file":
        path = pathlib.Path(task.artifacts_dir, "said.txt")
        path.write_text(task.run_id)
        return {"result": {"pid": os.getpid()}, }
    return {"result": {"pid": os.getpid(), "seen": VERSION}}


VERSION = 1


async def leave_all(task):
    return {"result": await leave(task)}
"""


@pytest.fixture
def batch(cli, contract, tmp_path):
    """Calls a batch of one job over (run id, task) pairs; gives the envelopes."""
    spec = contract(constraints={"max_attempts": 1, "timeout_seconds": 30})
    text = LEAKING.read_text().replace('os.mkdir("left")', 'os.makedirs("left", exist_ok=True)') + EXTRA
    (tmp_path / "mine.py").write_text(text)

    def call(*lines, isolation="reuse", function="mine:answer", extra=()):
        rows = [json.dumps({"run_id": name, "task": asked}) + "\n" for name, asked in lines]
        (tmp_path / "in.jsonl").write_text("".join(rows))
        options = ["--jobs", 1, "--envelope", "-q", "--isolation", isolation]
        done = cli("batch", spec, "in.jsonl", *options, "--backend", "function", "--function", function, *extra)
        return done, [json.loads(line) for line in done.out.splitlines()]

    return call


def pids(envelopes):
    return [each["outputs"]["result"]["pid"] if each["status"] == "ok" else None for each in envelopes]


@pytest.mark.rule("S10.11")
def test_a_fork_leaks_nothing_and_reuse_says_that_it_does(batch):
    _, forked = batch(("a", ""), ("b", ""), isolation="fork", function="mine:leave_all")
    _, reused = batch(("c", ""), ("d", ""), isolation="reuse", function="mine:leave_all")
    first, second = (each["outputs"]["result"]["before"] for each in forked)
    assert first == second
    before, after = (each["outputs"]["result"]["before"] for each in reused)
    left = [kind for kind in before if before[kind] != after[kind]]
    assert len(left) >= 13, set(before) - set(left)
    assert [each["attempts"][0]["sandbox"].get("isolation") for each in (*forked, *reused)] == [
        None,
        None,
        "reuse",
        "reuse",
    ]


@pytest.mark.rule("S10.11", "S3.3")
def test_a_host_stays_until_an_attempt_came_to_nothing_good(batch, tmp_path):
    lines = [(name, "") for name in ("a", "b")] + [("c", "fail"), ("d", ""), ("e", "end"), ("f", ""), ("g", "")]
    lines += [("h", "start"), ("i", "")]
    done, envelopes = batch(*lines)
    a, b, c, d, e, f, g, h, i = pids(envelopes)
    assert a == b != d, done.err
    assert (c, e) == (None, None)
    assert f == g == h not in (a, d)
    assert i != h, "a host whose attempt left a program running does not stay"
    assert envelopes[4]["attempts"][0]["outcome"] == "crashed"


@pytest.mark.rule("S10.2", "S10.11")
def test_the_files_of_reused_hosts_are_where_every_attempts_are(batch, cli, tmp_path):
    reply = 'return {"result": {"pid": os.getpid()}, }'
    source = (tmp_path / "mine.py").read_text()
    kept = 'return Reply({"result": {"pid": os.getpid()}}, artifacts=({"name": "said", "path": str(path)},))'
    (tmp_path / "mine.py").write_text("from workermd import Reply\n" + source.replace(reply, kept))
    _, envelopes = batch(("a", "file"), ("b", "file"))
    texts = [Path(each["artifacts"][0]["uri"].removeprefix("file://")).read_text() for each in envelopes]
    assert texts == ["a", "b"]
    hosts = Path(f"{cli.ledger}.artifacts", ".hosts")
    wait_for(lambda: not any(hosts.iterdir()))


@pytest.mark.rule("S10.11")
def test_code_that_was_edited_is_loaded_anew(batch, tmp_path, cli, contract):
    """Between two attempts of one batch: the first one edits it, in its own folder of sources. Its length changes: within one
    second Python takes a module of the same length for the same."""
    source = (tmp_path / "mine.py").read_text()
    edit = '    if asked == "edit":\n        path = pathlib.Path(__file__)\n        path.write_text(path.read_text().replace("VERSION = 1", "VERSION = 1 + 1"))\n'
    (tmp_path / "mine.py").write_text(source.replace('    if asked == "fail":', edit + '    if asked == "fail":'))
    _, envelopes = batch(("a", "edit"), ("b", ""))
    assert [each["outputs"]["result"]["seen"] for each in envelopes] == [1, 2]
    (tmp_path / "mine.py").write_text(source)
    shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
    _, envelopes = batch(("c", ""), ("d", ""), isolation="fork")
    assert [each["outputs"]["result"]["seen"] for each in envelopes] == [1, 1]


@pytest.mark.rule("S4.3", "S10.11")
def test_a_reused_host_outlives_a_killed_supervisor_and_its_result_is_adopted(cli, contract, tmp_path, evidence):
    spec = contract(constraints={"max_attempts": 1, "timeout_seconds": 30})
    (tmp_path / "mine.py").write_text(
        "import os, pathlib, time\n"
        "async def answer(task):\n"
        "    pathlib.Path(task.run_id + '.began').touch()\n"
        "    while not os.path.exists('go'): time.sleep(0.01)\n"
        "    return {'result': {}}\n"
    )
    (tmp_path / "in.jsonl").write_text('{"run_id": "a"}\n')
    arguments = ["batch", spec, "in.jsonl", "--isolation", "reuse", "-q", "--function", "mine:answer"]
    arguments += ["--backend", "function", "--sandbox", "off"]
    process = cli.start(*arguments)
    wait_for((tmp_path / "a.began").exists)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (tmp_path / "go").touch()
    done = cli(*arguments)
    assert (done.code, json.loads(done.out)["status"]) == (0, "ok")
    assert os.listdir(tmp_path).count("a.began") == 1


def test_reuse_is_refused_where_it_would_be_none(batch):
    done, _ = batch(("a", ""), extra=["--sandbox", "strict"])
    assert (done.code, b"leave one of the two out" in done.err.encode()) == (2, True)
