"""What the suite promises of itself: a test that leaves something behind fails alone, however the suite was started."""

import os
import re
import socket
import subprocess
import sys

from tests import loaded
from tests.backends.agents.kinds import KINDS_UNDER_TEST
from tests.backends.agents.test_conformance import CASES, COLD, OWN
from tests.conftest import ROOT, patience

UNTIDY = """
import os, signal, subprocess, sys, warnings

HELD = []

def test_a_process_is_left():
    HELD.append(subprocess.Popen(["sleep", "600"]))

def test_its_neighbour():
    subprocess.run(["true"], check=True)

def test_a_warning():
    warnings.warn("left", UserWarning)

def test_an_open_file_is_left_in_a_circle():
    circle = [open(__file__)]
    circle.append(circle)

def test_another_neighbour():
    pass

def test_signals_are_those_of_a_terminal():
    said = subprocess.run(
        [sys.executable, "-S", "-c", "import signal; print([signal.getsignal(n) for n in (1, 2, 3)])"],
        capture_output=True, text=True, check=True,
    ).stdout
    assert "SIG_IGN" not in said
    os.kill(os.getpid(), signal.SIGHUP)
"""


def without_workers() -> dict[str, str]:
    left_out = ("PYTEST_XDIST_WORKER", "WORKERMD_EXAMPLES")
    return {name: value for name, value in os.environ.items() if name not in left_out}


def test_what_is_left_behind_fails_its_own_test(tmp_path):
    """Started as `nohup` and some runners do, with signals ignored."""
    (tmp_path / "test_untidy.py").write_text(UNTIDY)
    call = f"trap '' INT HUP QUIT; exec {sys.executable} -m pytest -c {ROOT}/pyproject.toml -p tests.conftest -p no:cacheprovider -rA -q ."
    environment = without_workers() | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    done = subprocess.run(
        ["sh", "-c", call],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=patience(60),
        check=False,
    )
    found = dict.fromkeys(re.findall(r"^(PASSED|FAILED|ERROR) \S*::(\w+)", done.stdout, re.MULTILINE))
    assert {name for word, name in found if word != "PASSED"} == {
        "test_a_process_is_left",
        "test_a_warning",
        "test_an_open_file_is_left_in_a_circle",
    }, done.stdout
    passed = {name for word, name in found if word == "PASSED"}
    assert {"test_its_neighbour", "test_another_neighbour", "test_signals_are_those_of_a_terminal"} <= passed


def test_every_script_is_answered_by_a_kind_and_every_kind_answers_what_it_tells_in_its_own_way():
    """What `make test` runs of the matrix of scripts and kinds; `make deep` runs the rest."""
    file = "tests/backends/agents/test_conformance.py"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", file],
        cwd=ROOT, env=without_workers(), capture_output=True, text=True, timeout=patience(60), check=True,
    )  # fmt: skip
    kinds: dict[str, set[str]] = {}
    for kind, script in re.findall(r"ran\[(agent-framework|chat|team|ag2)-(.*)\]$", done.stdout, re.MULTILINE):
        kinds.setdefault(script, set()).add(kind)
    assert kinds.keys() == {*CASES, *(each.id for each in COLD)}
    assert {script for script, met in kinds.items() if len(met) == len(KINDS_UNDER_TEST)} == {*OWN, f"{OWN[0]}, cold"}
    assert {len(met) for script, met in kinds.items()} == {1, len(KINDS_UNDER_TEST)}
    turns = {kind for script, met in kinds.items() if len(met) == 1 for kind in met}
    assert len(turns) == len(KINDS_UNDER_TEST)


def test_a_loaded_process_that_ended_is_replaced(monkeypatch):
    """A machine that has no process left for a fork spoils the test that asked for it, and none of those behind it."""
    ended = object.__new__(loaded.Loader)
    ended.requests, there = socket.socketpair()
    ended.pid, ended.zygotes = os.posix_spawnp("true", ["true"], os.environ), {}
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    monkeypatch.setattr(loaded, "_loaders", [ended])
    monkeypatch.setattr(loaded, "Loader", lambda: "another")
    with there:
        assert loaded.loader() == "another"
