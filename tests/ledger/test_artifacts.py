"""The folders of attempts: each fresh, none left empty, described so that a reader finds the file."""

import os
from pathlib import Path

import pytest

from workermd.ledger import artifacts

TOKEN = "a" * 32


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return artifacts.folder_of(str(tmp_path / "ledger.db"))


def test_a_folder_is_fresh_and_its_owners_alone(folder: str) -> None:
    """What another attempt left must not be taken for this one's."""
    artifacts.prepare(folder, TOKEN)
    assert os.stat(os.path.join(folder, TOKEN)).st_mode & 0o777 == 0o700
    with pytest.raises(FileExistsError):
        artifacts.prepare(folder, TOKEN)


def test_an_attempt_without_artifacts_leaves_no_folder(folder: str) -> None:
    artifacts.prepare(folder, TOKEN)
    assert artifacts.kept(folder, TOKEN, ()) == ()
    assert os.listdir(folder) == []


def test_files_that_nobody_named_stay_until_the_run_is_pruned(folder: str) -> None:
    artifacts.prepare(folder, TOKEN)
    Path(os.path.join(folder, TOKEN), "left").write_text("x")
    assert artifacts.kept(folder, TOKEN, ()) == ()
    assert os.listdir(os.path.join(folder, TOKEN)) == ["left"]
    artifacts.remove(folder, {"b" * 32})
    assert os.listdir(folder) == [TOKEN]
    artifacts.remove(folder, {TOKEN, "b" * 32})
    assert os.listdir(folder) == []


@pytest.mark.rule("S5.4")
def test_the_address_of_a_file_is_one(folder: str) -> None:
    path = "/a b/ü#?.txt"
    (told,) = artifacts.kept(
        folder, TOKEN, ({"name": "n", "path": path, "sha256": "0", "bytes": 1, "media_type": "text/plain"},)
    )
    assert told["uri"] == "file:///a%20b/%C3%BC%23%3F.txt"
    assert "path" not in told
