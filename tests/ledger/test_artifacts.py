"""The folders of attempts: each fresh, none left empty, described so that a reader finds the file."""

import os
from pathlib import Path

import pytest

from workermd.ledger import artifacts

TOKEN = "a" * 32


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    return str(tmp_path / "ledger.db")


def test_a_folder_is_fresh_and_its_owners_alone(ledger: str) -> None:
    """What another attempt left must not be taken for this one's."""
    artifacts.prepare(ledger, TOKEN)
    assert os.stat(artifacts.path_of(ledger, TOKEN)).st_mode & 0o777 == 0o700
    with pytest.raises(FileExistsError):
        artifacts.prepare(ledger, TOKEN)


def test_an_attempt_without_artifacts_leaves_no_folder(ledger: str) -> None:
    artifacts.prepare(ledger, TOKEN)
    assert artifacts.kept(ledger, TOKEN, ()) == ()
    assert os.listdir(artifacts.folder_of(ledger)) == []


def test_files_that_nobody_named_stay_until_the_run_is_pruned(ledger: str) -> None:
    artifacts.prepare(ledger, TOKEN)
    Path(artifacts.path_of(ledger, TOKEN), "left").write_text("x")
    assert artifacts.kept(ledger, TOKEN, ()) == ()
    assert os.listdir(artifacts.path_of(ledger, TOKEN)) == ["left"]
    artifacts.remove(ledger, {"b" * 32})
    assert os.listdir(artifacts.folder_of(ledger)) == [TOKEN]
    artifacts.remove(ledger, {TOKEN, "b" * 32})
    assert os.listdir(artifacts.folder_of(ledger)) == []


@pytest.mark.rule("S5.4")
def test_the_address_of_a_file_is_one(ledger: str) -> None:
    path = "/a b/ü#?.txt"
    (told,) = artifacts.kept(
        ledger, TOKEN, ({"name": "n", "path": path, "sha256": "0", "bytes": 1, "media_type": "text/plain"},)
    )
    assert told["uri"] == "file:///a%20b/%C3%BC%23%3F.txt"
    assert "path" not in told
