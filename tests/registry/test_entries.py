"""A registry hands out the bytes that were entered, and no others."""

import json
import os

import pytest

from tests.conftest import contract_text
from workermd.config.configuration import Settings
from workermd.protocol.errors import ConfigurationError, ContractUnusable, UsageError
from workermd.registry import lookup
from workermd.system.digest import sha256


def entered(folder, name="echo"):
    text = contract_text(id=name)
    entry, new = lookup.add(text.encode(), str(folder))
    assert new
    return entry


def test_what_was_entered_is_handed_out(tmp_path):
    entry = entered(tmp_path)
    found = lookup.resolve("echo", (str(tmp_path),))
    assert (found.data, found.digest) == (contract_text().encode(), entry.digest)


@pytest.mark.parametrize("place", [0, 11, 12, 63])
def test_every_digit_of_a_digest_counts(tmp_path, place):
    """A message shows the first twelve; the comparison takes all of them."""
    entry = entered(tmp_path)
    index = tmp_path / lookup.INDEX
    (row,) = json.loads(index.read_text())
    other = "0" if entry.digest[place] != "0" else "1"
    row["digest"] = entry.digest[:place] + other + entry.digest[place + 1 :]
    index.write_text(json.dumps([row]))
    with pytest.raises(ContractUnusable, match="not what was entered"):
        lookup.resolve("echo", (str(tmp_path),))
    with pytest.raises(ContractUnusable, match="not what was entered"):
        lookup.reading_of(entry._replace(digest=row["digest"]))
    assert [fault.word for fault in lookup.verify(str(tmp_path))] == ["echo@1.0.0"]


def test_a_file_that_changed_by_a_byte_is_not_handed_out(tmp_path):
    entry = entered(tmp_path)
    changed = contract_text().replace("Answer one question.", "Answer two question.")
    (tmp_path / entry.file).write_text(changed)
    assert sha256(changed.encode()).hex() != entry.digest
    with pytest.raises(ContractUnusable, match="not what was entered"):
        lookup.resolve("echo@1.0.0", (str(tmp_path),))


def version(number):
    return contract_text().replace("version: 1.0.0", f"version: {number}").encode()


@pytest.mark.parametrize(
    ("versions", "taken"),
    [
        (["1.9.0", "1.10.0"], "1.10.0"),
        (["1.0.0", "2.0.0-rc.1"], "1.0.0"),
        (["2.0.0-rc.2", "2.0.0-rc.10"], "2.0.0-rc.10"),
    ],
    ids=["by number", "a release before a pre-release", "pre-releases alone"],
)
def test_a_name_is_its_highest_release(tmp_path, versions, taken):
    for number in versions:
        lookup.add(version(number), str(tmp_path))
    assert lookup.find("echo", (str(tmp_path),)).version == taken
    for number in versions:
        assert lookup.find(f"echo@{number}", (str(tmp_path),)).version == number


def test_a_version_is_entered_once(tmp_path):
    """The same bytes again change nothing; other bytes need another version."""
    entered(tmp_path)
    assert lookup.add(contract_text().encode(), str(tmp_path))[1] is False
    with pytest.raises(UsageError, match="another digest"):
        lookup.add(contract_text(purpose="Another.").encode(), str(tmp_path))
    assert lookup.resolve("echo", (str(tmp_path),)).data == contract_text().encode()


def test_a_file_without_an_entry_is_not_overwritten(tmp_path):
    for name in ("echo.worker.md", "echo@1.0.0.worker.md"):
        (tmp_path / name).write_text("of somebody else")
    with pytest.raises(UsageError, match="another file is there"):
        lookup.add(contract_text().encode(), str(tmp_path))
    assert (tmp_path / "echo.worker.md").read_text() == "of somebody else"
    assert [fault.path for fault in lookup.verify(str(shipped_index(tmp_path)))] == [
        str(tmp_path / name) for name in ("echo.worker.md", "echo@1.0.0.worker.md")
    ]


def shipped_index(folder):
    """The folder, with an index that names nothing."""
    (folder / lookup.INDEX).write_text("[]")
    return folder


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"file": "../echo.worker.md"}, "names no file"),
        ({"file": "echo.md"}, "names no file"),
        ({"name": "../echo"}, "cannot be called"),
        ({"version": "one"}, "has no version"),
        ({"digest": 7}, "is not an object of the texts"),
    ],
)
def test_an_index_is_a_strangers_word(tmp_path, changed, said):
    entered(tmp_path)
    index = tmp_path / lookup.INDEX
    (row,) = json.loads(index.read_text())
    index.write_text(json.dumps([row | changed]))
    with pytest.raises(ConfigurationError, match=said):
        lookup.entries(str(tmp_path))


def test_an_entry_stands_once_in_an_index(tmp_path):
    entered(tmp_path)
    index = tmp_path / lookup.INDEX
    index.write_text(json.dumps(json.loads(index.read_text()) * 2))
    with pytest.raises(ConfigurationError, match="entered twice"):
        lookup.entries(str(tmp_path))


def test_the_operators_registry_is_asked_first(tmp_path):
    entered(tmp_path, "autogen")
    among = lookup.folders(Settings(registry=str(tmp_path)))
    assert lookup.find("autogen", among).folder == str(tmp_path)
    assert lookup.find("autogen", lookup.folders(Settings())).folder != str(tmp_path)


def test_the_file_is_on_disk_before_the_index_names_it(tmp_path, monkeypatch):
    """And the index before it has its name: a loss of power leaves the state before or after."""
    synced = []
    sync = os.fsync

    def seen(descriptor):
        sync(descriptor)
        synced.append(sorted(name for name in os.listdir(tmp_path) if not name.startswith(".")))

    monkeypatch.setattr(os, "fsync", seen)
    entered(tmp_path)
    assert synced == [[], ["echo.worker.md"]]
    assert sorted(os.listdir(tmp_path)) == ["echo.worker.md", "index.json"]
