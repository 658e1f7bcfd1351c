"""The run lock with real processes: it outlives its supervisor, and is free when nobody is left."""

import os
import select
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest

from tests.conftest import patience
from tests.ledger.ledger_caller import ENVIRONMENT, soon
from workermd.ledger import run_lock as lock_module
from workermd.ledger.run_lock import RunLock, run_offset
from workermd.protocol.errors import ConfigurationError, LedgerUnavailable

pytestmark = pytest.mark.rule("S4.4")

OFFSET = run_offset("example", "r")

# Opens the file, starts the attempt early with the descriptor, and takes the lock afterwards on its own copy.
SUPERVISOR = """
import os, sys
from workermd.ledger.run_lock import RunLock
path, offset, seconds = sys.argv[1], int(sys.argv[2]), sys.argv[3]
lock = RunLock.open(path)
child = os.posix_spawn(
    sys.executable, [sys.executable, "-c", "import time; time.sleep(float(%r))" % seconds], os.environ,
    file_actions=[(os.POSIX_SPAWN_DUP2, lock.fd, 7)],
)
assert lock.try_acquire(offset)
print(child, flush=True)
if sys.argv[4] == "release":
    sys.stdin.readline()
    lock.release()
    print("released", flush=True)
sys.stdin.read()
"""


def supervisor(path: str, seconds: float = 60, then: str = "") -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, path, str(OFFSET), str(seconds), then],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait(timeout=patience(20))
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.stdout.close()


def wait_for_end(pid: int) -> None:
    """Of a process that is not our child."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], 20)[0]
    finally:
        os.close(descriptor)


@pytest.mark.rule("S4.3")
def test_lock_survives_the_supervisor(path: str) -> None:
    process, child = supervisor(path)
    try:
        with RunLock.open(path) as other:
            assert not other.try_acquire(OFFSET)  # A second process is refused while both live.
            end(process)
            assert not other.try_acquire(OFFSET)  # The attempt holds it alone, though it was started before.
            assert not other.acquire(OFFSET, soon(0.2))
            assert other.try_acquire(OFFSET + 1)  # Another run is free.
    finally:
        os.kill(child, signal.SIGKILL)
    wait_for_end(child)
    with RunLock.open(path) as other:
        assert other.acquire(OFFSET, soon())  # Free when both are gone.


def test_lock_survives_the_attempt(path: str) -> None:
    process, child = supervisor(path)
    os.kill(child, signal.SIGKILL)
    with RunLock.open(path) as other:
        assert not other.acquire(OFFSET, soon(0.3))
        end(process)
        assert other.acquire(OFFSET, soon())


def test_release_frees_it_for_all(path: str) -> None:
    process, child = supervisor(path, then="release")
    try:
        with RunLock.open(path) as other:
            assert not other.try_acquire(OFFSET)
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "released\n"
            assert other.try_acquire(OFFSET)  # Though both copies are still open.
    finally:
        os.kill(child, signal.SIGKILL)
        end(process)


@pytest.mark.rule("S2.3")
def test_waiting_ends_when_the_holder_does(path: str) -> None:
    process, child = supervisor(path, seconds=1)
    end(process)
    ticks: list[float] = []
    with RunLock.open(path) as other:
        assert other.acquire(OFFSET, soon(), lambda: ticks.append(time.monotonic()))
        assert ticks
        wait_for_end(child)


def test_tick_may_end_the_waiting(path: str) -> None:
    class Enough(Exception): ...

    def tick() -> None:
        raise Enough

    with RunLock.open(path) as first, RunLock.open(path) as second:
        assert first.try_acquire(OFFSET)
        with pytest.raises(Enough):
            second.acquire(OFFSET, soon(), tick)


def test_one_process_two_files(path: str) -> None:  # batches take their locks without waiting
    with RunLock.open(path) as first, RunLock.open(path) as second:
        assert first.try_acquire(OFFSET)
        assert not second.try_acquire(OFFSET)
        assert second.try_acquire(OFFSET - 1)
        first.release()
        first.release()
        assert second.try_acquire(OFFSET)
        second.close()
        assert first.try_acquire(OFFSET)


def test_closing_another_copy_keeps_it(path: str) -> None:
    with RunLock.open(path) as first, RunLock.open(path) as second:
        assert first.try_acquire(OFFSET)
        os.close(os.dup(first.fd))
        RunLock.open(path).close()  # A POSIX lock would be gone by now.
        assert not second.try_acquire(OFFSET)


def test_offset() -> None:
    digest = sha256(b"example\0r").digest()
    assert int.from_bytes(digest[:8], "big") >> 2 == OFFSET
    assert 0 <= OFFSET < 2**62
    assert len({run_offset(f"w{n}", "r") for n in range(50)} | {run_offset("w", f"r{n}") for n in range(50)}) == 100
    assert run_offset("\ud800", "\udcff") >= 0


def test_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "ledger"
    (tmp_path / "link").symlink_to(path)
    with RunLock.open(str(path)) as lock, RunLock.open(str(tmp_path / "link")) as other:
        assert os.fstat(lock.fd).st_mode & 0o777 == 0o600
        assert not os.get_inheritable(lock.fd)
        assert lock.try_acquire(OFFSET)
        assert not other.try_acquire(OFFSET)  # By whichever name.
    assert os.listdir(path.parent) == ["ledger.runs"]
    assert lock.fd == -1
    lock.close()


@pytest.mark.rule("S4.8")
@pytest.mark.parametrize("path", ["/dev/null/ledger", "/proc/none/ledger", "a\0b"])
def test_path_that_cannot_be(path: str) -> None:
    with pytest.raises(LedgerUnavailable) as refused:
        RunLock.open(path)
    assert refused.value.hint


def test_platform_without_such_locks(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(lock_module.fcntl, "F_OFD_SETLK")
    with pytest.raises(ConfigurationError, match="open file description locks") as refused:
        RunLock.open(path)
    assert "Linux" in refused.value.hint
