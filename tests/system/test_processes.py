"""Processes that start between two looks at the tree are ended all the same."""

import os
import subprocess
import sys
import time

import pytest

from tests.conftest import patience, wait_for
from workermd.system import processes

BREEDER = """
import ctypes, os, subprocess, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
for line in sys.stdin:
    child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"], env={"MARK": sys.argv[1]})
    print(child.pid, flush=True)
"""
"""Starts a process for each line that it reads, and says its number."""


MARKED = processes.marked


@pytest.fixture
def breeder():
    mark = os.urandom(8).hex()
    command = [sys.executable, "-S", "-c", BREEDER, mark]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.mark = f"MARK={mark}".encode()
        yield process
        process.kill()  # a test that failed may have left it stopped


def starts(process):
    process.stdin.write("\n")
    process.stdin.flush()
    started = int(process.stdout.readline())
    wait_for(lambda: started in MARKED(process.mark))  # before its exec it bears nothing yet
    return started


def is_gone(pid):
    return processes._state(pid) == processes._ZOMBIE


@pytest.mark.rule("S3.3")
@pytest.mark.parametrize("before", [0, 2], ids=["after a look that found none", "after a look that found some"])
@pytest.mark.parametrize("way", ["descendants", "marked"])
def test_what_starts_during_a_look_is_found_by_the_next(breeder, monkeypatch, way, before):
    """The look is a real one; the process is started right behind it, where a look by chance would miss it."""
    started = [starts(breeder) for _ in range(before)]
    look = getattr(processes, way)

    def and_one_starts(argument):
        found = look(argument)
        if len(started) == before:
            started.append(starts(breeder))
        return found

    monkeypatch.setattr(processes, way, and_one_starts)
    if way == "descendants":
        processes.end_descendants(breeder.pid)
    else:
        processes.end_marked(breeder.mark)
    assert len(started) == before + 1
    for pid in started:
        wait_for(lambda pid=pid: is_gone(pid), 5)
    assert breeder.poll() is None


@pytest.mark.rule("S3.3")
def test_the_root_starts_nothing_while_its_descendants_are_ended(breeder, monkeypatch):
    """It is stopped first. One that runs on another core hears of it a moment later."""
    starts(breeder)
    states = []
    look = processes.descendants

    def and_the_root(root):
        until = time.monotonic() + patience(2)
        while (state := processes._state(root)) != "T" and time.monotonic() < until:
            time.sleep(0.001)
        states.append(state)
        return look(root)

    monkeypatch.setattr(processes, "descendants", and_the_root)
    processes.end(breeder.pid)
    assert set(states) == {"T"}
    assert breeder.wait(patience(20)) == -9
