"""A file is written whole or not at all, and stays what it was beside its content."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.conftest import ROOT
from workermd.protocol.errors import OutputUnwritable
from workermd.system import files
from workermd.task import recording
from workermd.task.binding import Binding
from workermd.task.recording import Recording

AS_NOBODY = """
import os, sys
from workermd.protocol.errors import OutputUnwritable
from workermd.system import files
os.chdir(sys.argv[1])
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    files.write("a.txt", b"new")
except OutputUnwritable as error:
    print(error.message)
"""


def test_a_file_is_on_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """After a loss of power it holds the old content or the new."""
    place = tmp_path / "a.txt"
    place.write_text("old")
    synced = []
    sync = os.fsync

    def seen(descriptor):
        sync(descriptor)
        synced.append((os.fstat(descriptor).st_size, place.read_text()))

    monkeypatch.setattr(os, "fsync", seen)
    files.write(str(place), b"new content")
    assert synced[0] == (len(b"new content"), "old")
    assert (place.read_text(), os.listdir(tmp_path)) == ("new content", ["a.txt"])


def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path, monkeypatch):
    place = tmp_path / "a.txt"
    place.write_text("old")

    def full(_descriptor):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputUnwritable, match="No space left"):
        files.write(str(place), b"new")
    assert (place.read_text(), os.listdir(tmp_path)) == ("old", ["a.txt"])


def test_permissions_and_links_stay(tmp_path):
    place, link = tmp_path / "a.txt", tmp_path / "link.txt"
    place.write_text("old")
    place.chmod(0o640)
    link.symlink_to("a.txt")
    files.write(str(link), b"new")
    assert (place.read_text(), place.stat().st_mode & 0o777, link.is_symlink()) == ("new", 0o640, True)


@pytest.fixture
def open_folder():
    """A folder that every user may enter and write to; those of `tmp_path` are closed to others."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


def test_a_file_that_is_read_only_stays_as_it_is(open_folder):
    """A rename would ask its folder only. Imports come first: whoever has no rights may not read the sources."""
    place = open_folder / "a.txt"
    place.write_text("old")
    place.chmod(0o444)
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(open_folder)],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "cannot be written (Permission denied)" in done.stdout, done.stderr
    assert (place.read_text(), os.listdir(open_folder)) == ("old", ["a.txt"])


def test_what_is_no_regular_file_is_written_to(tmp_path):
    pipe = Path(tmp_path, "pipe")
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    files.write(str(pipe), b"new")
    assert os.read(reader, 100) == b"new"
    os.close(reader)
    assert pipe.is_fifo()


def test_a_link_to_nothing_makes_the_file_that_it_names(tmp_path):
    (tmp_path / "link").symlink_to("real")
    files.write(str(tmp_path / "link"), b"new")
    assert (tmp_path / "real").read_bytes() == b"new"
    assert (tmp_path / "link").is_symlink()


def test_a_file_that_nobody_may_write_to_stays_for_root_too(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o444)
    with pytest.raises(OutputUnwritable, match="Permission denied") as refused:
        files.write(str(path), b"new", "name another file with -o")
    assert refused.value.hint == "name another file with -o"
    assert (path.read_text(), os.listdir(tmp_path)) == ("old", ["file"])


def test_a_new_name_that_is_refused_leaves_no_temporary_file(tmp_path):
    (tmp_path / "folder" / "full").mkdir(parents=True)
    with pytest.raises(OSError):
        files.replace(str(tmp_path / "folder"), b"new")  # a folder that is not empty gives its name to no file
    assert os.listdir(tmp_path) == ["folder"]


def test_a_recording_keeps_the_link_that_stands_for_it(tmp_path):
    folder = tmp_path / "recordings"
    made = Recording("function", {"worker_id": "a", "attempt": 1}, {"output": {"a": "\ud800"}})
    recording.save(made, Binding("function", "", record=str(folder)))
    (path,) = folder.iterdir()
    path.rename(tmp_path / "kept")
    path.symlink_to(tmp_path / "kept")
    recording.save(made._replace(kind="command"), Binding("function", "", record=str(folder)))
    assert path.is_symlink()
    assert b'"kind": "command"' in (tmp_path / "kept").read_bytes()
