"""Result files: there if and only if the attempt finished in time."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import loaded_by
from tests.ledger.ledger_caller import ENVIRONMENT, call, key, soon
from workermd.ledger import results
from workermd.ledger.sqlite.store import Ledger

DAY = 86_400.0


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path)


@pytest.mark.rule("S4.3")
def test_write_read_remove(folder: str) -> None:
    token = results.new_token()
    assert results.read(folder, token) is None
    for data in (b"", b"x", b"\x00\xff" * 300_000):
        assert results.write(folder, token, data, soon())
        assert results.read(folder, token) == data
        assert os.listdir(folder) == [token]
        assert os.stat(os.path.join(folder, token)).st_mode & 0o777 == 0o600
    Path(results.journal_of(folder, token)).write_text("{}")
    results.remove(folder, token)
    results.remove(folder, token)
    assert os.listdir(folder) == []


@pytest.mark.rule("S3.3")
def test_late_result_is_not_there(folder: str) -> None:
    token = results.new_token()
    assert not results.write(folder, token, b"late", time.monotonic() - 0.001)
    assert results.read(folder, token) is None
    assert os.listdir(folder) == []


@pytest.mark.rule("S3.3")
def test_clock_is_read_after_the_sync(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    token = results.new_token()
    deadline = time.monotonic() + 0.2
    sync = os.fsync

    def slow_sync(descriptor: int) -> None:
        sync(descriptor)
        time.sleep(0.3)

    monkeypatch.setattr(os, "fsync", slow_sync)
    assert not results.write(folder, token, b"late", deadline)
    assert os.listdir(folder) == []


@pytest.mark.rule("S4.3")
def test_a_result_survives_a_loss_of_power(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data is synced before it has its name, and the folder that holds the name after."""
    token = results.new_token()
    synced: list[tuple[str, list[str]]] = []
    sync = os.fsync

    def seen(descriptor: int) -> None:
        sync(descriptor)
        synced.append((os.readlink(f"/proc/self/fd/{descriptor}"), os.listdir(folder)))

    monkeypatch.setattr(os, "fsync", seen)
    assert results.write(folder, token, b"x", soon())
    unfinished = f"{token}.tmp"
    assert synced == [
        (os.path.join(os.path.realpath(folder), unfinished), [unfinished]),
        (os.path.realpath(folder), [token]),
    ]


@pytest.mark.rule("S4.3")
def test_unfinished_file_is_never_read(folder: str) -> None:
    token = results.new_token()
    Path(folder, token + ".tmp").write_bytes(b"half")
    assert results.read(folder, token) is None
    assert results.write(folder, token, b"x", soon())
    assert results.read(folder, token) == b"x"


@pytest.mark.rule("S4.8")
def test_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        results.write(str(tmp_path / "none"), results.new_token(), b"x", soon())
    assert results.read(str(tmp_path / "none"), results.new_token()) is None
    results.remove(str(tmp_path / "none"), results.new_token())
    assert results.sweep(str(tmp_path / "none"), set(), 0) == 0


def test_tokens() -> None:
    tokens = {results.new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) == 32 and int(token, 16) >= 0 for token in tokens)


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2, follow_symlinks=False)


def left_over(folder: Path, token: str) -> list[Path]:
    """Everything that an attempt can leave behind; a link leads out of the artifacts."""
    (folder / token).write_bytes(b"x")
    (folder / f"{token}.tmp").write_bytes(b"x")
    artifacts = folder / f"{token}.left"
    artifacts.mkdir()
    (artifacts / "picture").write_bytes(b"x")
    (artifacts / "out").symlink_to(folder.parent / "precious")
    return [folder / token, folder / f"{token}.tmp", artifacts]


def test_sweep(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    folder = tmp_path / "results"
    folder.mkdir()
    closed, still_open, fresh = (results.new_token() for _ in range(3))
    for token in (closed, still_open):
        for path in left_over(folder, token):
            age(path, 2 * DAY)
    left_over(folder, fresh)
    link = folder / f"{results.new_token()}.link"
    link.symlink_to(tmp_path / "precious")
    age(link, 2 * DAY)
    for name in ("notes.txt", "a" * 31, "g" * 32, ".swept"):
        (folder / name).touch()
        age(folder / name, 2 * DAY)
    assert results.sweep(str(folder), {still_open}, time.time() - DAY) == 4
    stay = {"notes.txt", "a" * 31, "g" * 32, ".swept"}
    for token in (still_open, fresh):
        stay |= {token, f"{token}.tmp", f"{token}.left"}
    assert set(os.listdir(folder)) == stay
    assert (tmp_path / "precious" / "file").exists()
    assert results.sweep(str(folder), {still_open}, time.time()) == 3


@pytest.mark.rule("S4.3")
def test_open_sweeps_now_and_then(path: str) -> None:  # what is not adopted yet is never swept
    call(path)
    folder = Path(path + ".results")
    with Ledger.open(path) as ledger, ledger.transaction(soon()) as t1:
        run = t1.start_attempt(t1.admit(key("open")), results.new_token(), "a test")
    assert run.open_token is not None
    stranger = results.new_token()
    for token in (run.open_token, stranger):
        (folder / token).write_bytes(b"x")
        age(folder / token, 2 * DAY)
    Ledger.open(path).close()
    assert (folder / stranger).exists()  # Swept within the last hour.
    for stamp in (2 * 3600, -2 * 3600):  # Long ago, or before the clock was set back.
        (folder / stranger).write_bytes(b"x")
        age(folder / stranger, 2 * DAY)
        age(folder / ".swept", stamp)
        Ledger.open(path).close()
        assert not (folder / stranger).exists()
    assert (folder / run.open_token).exists()


def test_attempts_import_little() -> None:
    script = "import sys; import workermd; before = set(sys.modules); import workermd.ledger.results; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", script], env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {
        "workermd.system",
        "workermd.system.crash",
        "workermd.ledger",
        "workermd.ledger.results",
    }


def test_ledger_imports_little() -> None:
    dear = {"dataclasses", "subprocess", "socket", "pathlib", "tempfile", "logging", "uuid", "secrets", "argparse"}
    dear |= {"inspect", "tomllib", "asyncio", "threading", "shutil", "ctypes", "urllib.parse"}
    assert dear.isdisjoint(
        loaded_by("import workermd.ledger.sqlite.store, workermd.ledger.run_lock, workermd.ledger.sqlite.write_queue")
    )


@pytest.mark.rule("S4.3", "S10.4")
def test_a_result_that_somebody_else_wrote_counts_as_absent(tmp_path):
    """Without the attempt's key, with another, changed afterwards, cut: none of them is a result."""
    folder, token, key = str(tmp_path), results.new_token(), results.new_key()
    path = tmp_path / token
    assert results.write(folder, token, b"mine", soon(), key)
    assert results.read(folder, token, key) == b"mine"
    assert results.read(folder, token, results.new_key()) is None
    assert results.read(folder, token, None) is None, "an attempt from before the keys"
    whole = path.read_bytes()
    for forged in (b"mine", whole[:-1] + b"E", whole[:20], b"", b"x" * 32 + b"mine"):
        path.write_bytes(forged)
        assert results.read(folder, token, key) is None


def test_the_mark_is_hmac_sha_256(tmp_path):
    import hmac

    token, key = results.new_token(), results.new_key()
    results.write(str(tmp_path), token, b"data", soon(), key)
    assert (tmp_path / token).read_bytes() == hmac.digest(key, b"data", "sha256") + b"data"
