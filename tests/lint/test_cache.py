"""Files that were checked before: the same is said of them, sooner; what changed is checked anew."""

import json
import os
import shutil

import pytest

from tests.conftest import ROOT, contract_text, loaded_by
from tests.properties import DEEP

BAD = contract_text().replace("- max_attempts: 2", "- max_atempts: 2")


@pytest.fixture
def entries(cli):
    return lambda: sorted((cli.folder / "cache" / "workermd" / "findings").glob("*.json"))


@pytest.fixture
def bad(tmp_path):
    path = tmp_path / "a.worker.md"
    path.write_text(BAD)
    return path


@pytest.mark.parametrize("form", ["text", "json", "sarif", "junit", "markdown"])
def test_a_second_call_says_the_same(cli, form):
    paths = sorted((ROOT / "tests" / "lint").glob("WM*/*"))
    paths = paths if DEEP or form == "json" else paths[::6]  # what is kept knows no form
    first = cli("validate", *paths, "--format", form)
    again = cli("validate", *paths, "--format", form)
    off = cli("validate", *paths, "--format", form, env={"WORKERMD_CACHE": "off"})
    assert first == again == off
    assert first.code == 1


def test_what_was_found_is_kept_and_used(cli, bad, entries):
    first = cli("validate", bad)
    (entry,) = entries()
    stored = json.loads(entry.read_bytes())["entry"]
    assert stored["identity"] == ["echo", "1.0.0"]
    assert [row[4] for row in stored["findings"]] == ["WM702", "WM607"]
    before = entry.stat().st_mtime_ns
    assert cli("validate", bad) == first
    assert entries() == [entry]
    assert entry.stat().st_mtime_ns == before


def test_an_unchanged_file_loads_neither_reader_nor_rules(cli, bad):
    cli("validate", bad)
    call = f"quick(['validate', {str(bad)!r}, '-q'])[1]"
    loaded = loaded_by(
        "import os\nfrom workermd.cli.quick_reader import quick\nfrom workermd.cli.commands import validate\n"
        f"os.environ['XDG_CACHE_HOME'] = {str(cli.folder / 'cache')!r}\nvalidate.execute(validate.ValidateOptions(**{call}))"
    )
    heavy = {"markdown_it", "yaml", "jsonschema_rs", "workermd.contract.reader", "workermd.lint.checks"}
    assert heavy.isdisjoint(loaded)
    assert "workermd.lint.secrets" in loaded, "the finding is printed"


def test_what_tells_one_check_from_another(cli, bad, entries, tmp_path):
    """The bytes, the name, the choice of rules: each is a check of its own."""
    cli("validate", bad)
    assert "WM607" not in cli("validate", bad, "--ignore", "WM607").out.decode()
    assert "WM607" in cli("validate", bad).out.decode()
    other = tmp_path / "README.md"
    shutil.copy(bad, other)
    assert "WM105" in cli("validate", other).out.decode()
    assert len(entries()) == 3
    (tmp_path / "workermd.toml").write_text('[lint]\nselect = ["WM7"]\n')
    assert "WM607" not in cli("validate", bad).out.decode()
    bad.write_text(contract_text())
    (tmp_path / "workermd.toml").unlink()
    assert cli("validate", bad, "--strict").code == 0


def test_the_same_file_elsewhere_is_told_at_its_own_place(cli, bad, tmp_path):
    cli("validate", bad)
    (tmp_path / "sub").mkdir()
    moved = shutil.move(bad, tmp_path / "sub")
    assert cli("validate", "sub").out.startswith(b"sub/a.worker.md:")
    assert os.path.exists(moved)


def test_a_damaged_entry_is_not_believed(cli, bad, entries):
    first = cli("validate", bad)
    (entry,) = entries()
    for content in (b"", b"{}", entry.read_bytes().replace(b"WM607", b"WM116"), entry.read_bytes()[:-9]):
        entry.write_bytes(content)
        assert cli("validate", bad) == first
    entry.chmod(0o666)
    entry.write_bytes(entry.read_bytes().replace(b"unknown", b"planted"))
    assert cli("validate", bad) == first


def test_no_secret_is_kept(cli, entries, tmp_path):
    path = tmp_path / "a.worker.md"
    path.write_text(BAD.replace("max_atempts: 2", "AKIAABCDEFGHIJKLMNOP: 2"))
    cli("validate", path)
    (entry,) = entries()
    assert b"AKIAABCDEFGHIJKLMNOP" not in entry.read_bytes()
    assert b"WM901" in entry.read_bytes()


def test_clashes_are_found_among_files_that_did_not_change(cli, bad, tmp_path):
    (tmp_path / "b.worker.md").write_text(BAD + "\nMore.\n")
    first = cli("validate", tmp_path)
    assert first.out.count(b"WM910") == 2
    assert cli("validate", tmp_path) == first


def test_a_file_that_cannot_be_read_whole_is_checked_each_time(cli, tmp_path, entries):
    (tmp_path / "a.worker.md").write_bytes(b"---\nid: a\n\xff")
    (tmp_path / "b.worker.md").write_bytes(b"a" * 300_000)
    assert cli("validate", tmp_path).code == 1
    assert entries() == []
