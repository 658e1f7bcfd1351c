"""Disks that fail, fill up, or may not be written: a clear error, never a lost answer."""

import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import patience
from tests.ledger.ledger_caller import ENVIRONMENT, FAULTS, INPUT, PROGRAM, WORKER, answer, call, damage, key, soon
from workermd.ledger import results
from workermd.ledger.sqlite import opening
from workermd.ledger.sqlite.store import Ledger
from workermd.protocol.errors import LedgerUnavailable

pytestmark = pytest.mark.rule("S4.8")

ROOT = os.geteuid() == 0


@pytest.mark.rule("S4.3")
@pytest.mark.skipif(shutil.which("gcc") is None, reason="the faults are compiled with gcc")
@pytest.mark.parametrize("every", ["one", pytest.param("all", marks=pytest.mark.deep)])
def test_failing_system_calls(tmp_path: Path, every: str) -> None:
    library = tmp_path / "write_faults.so"
    source = Path(__file__).with_name("write_faults.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True, timeout=patience(60))
    done = subprocess.run(
        [*PROGRAM, "faults", str(tmp_path), every],
        env={**ENVIRONMENT, "LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        timeout=patience(100),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    cases = json.loads(done.stdout)
    assert {name: wrong for name, wrong in cases.items() if wrong} == {}
    # The last case of each kind is the one in which nothing was left to fail.
    for kind in set(FAULTS) - {"fdatasync", "ftruncate"}:
        assert sum(name.startswith(kind) for name in cases) > 2, cases


def write_runs(path: str, folder: str) -> None:
    """In a process of its own, ended without closing: commits runs and notes the log's size after each."""
    script = f"""
import os, sys
sys.path[:0] = {[str(Path(__file__).parent)]!r}
from tests.ledger.ledger_caller import *
ledger = Ledger.open({path!r})
for n in range(12):
    with ledger.transaction(soon()) as t1:
        run = t1.start_attempt(t1.admit(key(f"r{{n}}")), results.new_token(), "a test")
    note({folder!r}, f"{{os.stat({path!r} + '-wal').st_size}} start {{n}}")
    with ledger.transaction(soon()) as t2:
        t2.close_attempt(run, "ok", {{}}, answer("ok", "output of %d" % n * 40))
    note({folder!r}, f"{{os.stat({path!r} + '-wal').st_size}} done {{n}}")
os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", script], env=ENVIRONMENT, check=False, timeout=patience(60))


@pytest.mark.rule("S4.3")
def test_every_prefix_of_the_log(tmp_path: Path) -> None:  # a loss of power leaves a prefix of the log
    path = str(tmp_path / "whole" / "ledger.db")
    Ledger.open(path).close()
    notes = str(tmp_path / "notes")
    write_runs(path, notes)
    log = Path(path + "-wal").read_bytes()
    lines = [line.split() for line in Path(notes).read_text().splitlines()]
    assert len(lines) == 24
    page_size = struct.unpack(">I", log[8:12])[0]
    frames = range(32, len(log) + 1, page_size + 24)
    cut = str(tmp_path / "cut" / "ledger.db")
    os.mkdir(os.path.dirname(cut))
    for end in sorted({0, 16, *frames, *(frame + page_size // 2 for frame in frames[:-1])}):
        for name in os.listdir(os.path.dirname(cut)):
            if name.startswith("ledger.db") and not name.endswith((".lock", ".results")):
                os.unlink(os.path.join(os.path.dirname(cut), name))
        shutil.copy(path, cut)
        Path(cut + "-wal").write_bytes(log[:end])
        with Ledger.open(cut) as ledger:
            for size, word, n in lines:
                if int(size) <= end:
                    run = ledger.look(WORKER, f"r{n}")
                    assert run is not None
                    assert run.attempts == 1
                    if word == "done":
                        assert run.output == b"output of %d" % int(n) * 40
            assert len(ledger.runs()) <= 1 + sum(int(size) <= end for size, _, _ in lines)
        assert damage(cut) == [], end


def test_a_log_that_was_cut_is_noticed(tmp_path: Path) -> None:
    """SQLite takes what is left for all of it: the answers behind the cut would be forgotten, and run again."""
    path = str(tmp_path / "ledger.db")
    Ledger.open(path).close()
    write_runs(path, str(tmp_path / "notes"))
    log = Path(path + "-wal")
    whole = log.read_bytes()
    log.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LedgerUnavailable, match=r"its log .* was cut, it has") as refused:
        Ledger.open(path)
    assert "restore both files from a backup" in refused.value.hint
    log.write_bytes(whole)
    for _ in range(2):  # the first closing moves the log into the file, and there is no log to be cut any more
        with Ledger.open(path) as ledger:
            assert len(ledger.runs()) == 12


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = ROOT and shutil.which("mount") is not None
    if mounted:
        mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
        mounted = subprocess.run(mount, capture_output=True, check=False, timeout=patience(20)).returncode == 0
    if not mounted:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True, timeout=patience(20))


def fill(folder: Path, leave: int) -> Path:
    ballast = folder / "ballast"
    with ballast.open("wb") as file:
        while True:
            status = os.statvfs(folder)
            free = status.f_bavail * status.f_frsize - leave
            if free <= 0:
                return ballast
            file.write(b"\0" * min(free, 65536))
            file.flush()


def test_full_disk(small_disk: Path) -> None:
    path = str(small_disk / "ledger.db")
    with Ledger.open(path) as ledger:
        with ledger.transaction(soon()) as t1:
            run = t1.start_attempt(t1.admit(key("first")), results.new_token(), "a test")
        with ledger.transaction(soon()) as t2:
            t2.close_attempt(run, "ok", {}, answer("ok", "kept"))
        ballast = fill(small_disk, 12 * 1024)
        big = key("second", document=b"x" * 65536)
        with pytest.raises(LedgerUnavailable, match=r"the disk is full|the disk reported a fault") as refused:  # noqa: SIM117
            with ledger.transaction(soon()) as t1:
                t1.start_attempt(t1.admit(big), results.new_token(), "a test")
        assert "free" in refused.value.hint
        assert ledger.look(WORKER, "second") is None
        kept = ledger.look(WORKER, "first")
        assert kept is not None
        assert kept.output == b"kept"
        with pytest.raises(OSError, match="No space"):
            results.write(ledger.results_folder, results.new_token(), b"x" * 65536, soon())
        assert [name for name in os.listdir(ledger.results_folder) if name.endswith(".tmp")] == []
        ledger.reject(WORKER, "r" * 200, "input_schema_mismatch", None)  # Never raises, written or not.
        ballast.unlink()
        with ledger.transaction(soon()) as t1:
            assert t1.start_attempt(t1.admit(big), results.new_token(), "a test").attempts == 1
    assert damage(path) == []


def test_full_disk_when_the_ledger_is_made(small_disk: Path) -> None:
    ballast = fill(small_disk, 0)
    path = str(small_disk / "ledger.db")
    with pytest.raises(LedgerUnavailable):
        Ledger.open(path)
    ballast.unlink()
    assert call(path).status == "ok"
    assert damage(path) == []


def as_nobody(script: str, path: str) -> str:
    """Runs as a user without rights: imports first, for it may not be allowed to read the sources."""
    source = f"""
import os, sys
from workermd.ledger.sqlite.store import Ledger
from workermd.ledger.run_lock import RunLock
from workermd.protocol.errors import LedgerUnavailable
import workermd.ledger.sqlite.write_queue
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
path = {path!r}
try:
{script}
    print("done")
except LedgerUnavailable as error:
    print(error.message, "|", error.hint)
"""
    done = subprocess.run(
        [sys.executable, "-c", source],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=patience(60),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def readable_folder(tmp_path: Path) -> Iterator[Path]:
    # Folders above tmp_path are closed to others, so nobody would fail for another reason.
    opened = [folder for folder in (tmp_path, *tmp_path.parents) if folder.stat().st_uid == os.geteuid() and ROOT]
    modes = [
        (folder, folder.stat().st_mode) for folder in opened if folder.is_relative_to("/tmp") and folder != Path("/tmp")
    ]
    for folder, mode in modes:
        folder.chmod(mode | 0o055)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    yield closed
    closed.chmod(0o755)
    for folder, mode in modes:
        folder.chmod(mode)


def test_the_name_of_a_new_folder_survives_a_loss_of_power(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of a ledger is one more name in the folder above it."""
    synced = []
    sync = os.fsync

    def seen(descriptor: int) -> None:
        sync(descriptor)
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))

    monkeypatch.setattr(os, "fsync", seen)
    Ledger.open(str(tmp_path / "new" / "ledger.db")).close()
    assert {str(tmp_path), str(tmp_path / "new")} <= set(synced)


def test_folder_that_may_not_be_written(readable_folder: Path) -> None:
    said = as_nobody("    Ledger.open(path)", str(readable_folder / "ledger.db"))
    assert "Permission denied" in said
    assert "choose a ledger in a folder that you may write to" in said
    said = as_nobody("    RunLock.open(path)", str(readable_folder / "deeper" / "ledger.db"))
    assert "Permission denied" in said
    assert list(readable_folder.iterdir()) == []


@pytest.mark.skipif(not ROOT, reason="another user's ledger needs two users")
def test_ledger_of_somebody_else(readable_folder: Path) -> None:
    path = str(readable_folder / "ledger.db")
    call(path)
    before = sorted(os.listdir(readable_folder))
    assert "Permission denied" in as_nobody("    Ledger.open(path)", path)
    assert "cannot be opened" in as_nobody("    Ledger.open_read_only(path)", path)
    assert sorted(os.listdir(readable_folder)) == before


@pytest.mark.skipif(not ROOT, reason="another user's ledger needs two users")
def test_file_that_may_only_be_read(readable_folder: Path) -> None:
    path = str(readable_folder / "ledger.db")
    call(path)
    for name in [".", *os.listdir(readable_folder)]:
        os.chown(readable_folder / name, 65534, 65534)
    os.chmod(path, 0o444)
    said = as_nobody("    ledger = Ledger.open(path)\n    with ledger.transaction(1e9): pass", path)
    assert "cannot be written to (SQLITE_READONLY" in said


@pytest.mark.parametrize(
    ("kind", "refused"), [("nfs4", True), ("cifs", True), ("fuse.sshfs", True), ("tmpfs", False), ("overlay", False)]
)
def test_network_file_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, refused: bool) -> None:
    folder = Path("/dev/shm")
    if not folder.is_dir() or os.major(folder.stat().st_dev) != 0:
        pytest.skip("/dev/shm is not a file system without a block device")
    device = folder.stat().st_dev
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "21 1 254:0 / / rw,relatime - ext4 /dev/root rw\n"
        "22 21 0:999 / /far rw shared:7 - nfs4 server:/x rw\n"
        f"23 21 {os.major(device)}:{os.minor(device)} / /dev/shm rw shared:8 - {kind} none rw\n"
    )
    monkeypatch.setattr(opening, "MOUNTS", str(mounts))
    assert opening.network_file_system(str(folder)) == (kind if refused else None)
    if refused:
        with pytest.raises(LedgerUnavailable, match=f"network file system .{kind}"):
            Ledger.open(str(folder / "workermd-never-made.db"))
        assert list(folder.glob("workermd-never-made*")) == []


def test_network_check_without_a_table_of_mounts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "MOUNTS", "/nowhere/mountinfo")
    assert opening.network_file_system("/proc") is None


def test_input_is_stored_as_given(path: str) -> None:
    with Ledger.open(path) as ledger, ledger.transaction(soon()) as t1:
        assert t1.admit(key()).input == INPUT
