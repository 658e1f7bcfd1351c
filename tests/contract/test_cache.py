"""The stored form of a contract: fast, private, and never believed when anything about it is odd."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import workermd
from tests.contract.contract_cases import GOOD, edit
from workermd.contract.cache import load
from workermd.contract.reader import read
from workermd.protocol.errors import ContractUnusable

DATA = GOOD.encode()
WARNED = edit("- notes: adapt", "- note: adapt").encode()
HEAVY = ("yaml", "markdown_it", "jsonschema", "jsonschema_rs", "difflib", "datetime", "pathlib")


def entries(home: Path) -> list[Path]:
    return sorted((home / "workermd" / "contracts").glob("*"))


def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that are read anew from here on."""
    import workermd.contract.reader as reader

    seen: list[str] = []

    def counting(data: bytes, path: str, *, thorough: bool = True) -> object:
        seen.append(path)
        return read(data, path, thorough=thorough)

    monkeypatch.setattr(reader, "read", counting)
    return seen


def test_a_hit_is_what_reading_gives(cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = reads(monkeypatch)
    for data in (DATA, WARNED, edit("# Demo", "# Démo \U0001f600").encode()):
        first = load(data, "a.worker.md")
        assert load(data, "a.worker.md") == first
        reading = read(data, "a.worker.md", thorough=False)
        assert first == (reading.contract, reading.findings)
    assert seen == ["a.worker.md"] * 3
    assert len(entries(cache_home)) == 3


def test_every_kind_of_value_comes_back(cache_home: Path) -> None:
    text = edit(
        "- notes: adapt",
        "- attempt_timeout_seconds: 0.5\n- max_cost_usd: 0.25\n- tools_allowed: [a, b]\n"
        "- success_statuses: [ok]\n- max_tool_calls: 0\n- network: [a.b:1]\n- files: none\n- rate_limit: é",
        edit('"type": "object",', f'"type": "object", "default": [{2**70}, 1.5, null, true, "\\ud83d\\ude00"],'),
    )
    assert load(text.encode(), "a.worker.md") == load(text.encode(), "a.worker.md")
    assert len(entries(cache_home)) == 1


def test_path_is_of_the_call_not_of_the_entry(cache_home: Path) -> None:
    load(WARNED, "a.worker.md")
    _, findings = load(WARNED, "b.md")
    assert [(finding.path, finding.code) for finding in findings] == [("b.md", "WM105"), ("b.md", "WM607")]
    _, findings = load(WARNED, "a.worker.md")
    assert [finding.code for finding in findings] == ["WM607"]
    assert len(entries(cache_home)) == 1


@pytest.mark.rule("S2.1")
def test_errors_are_raised_and_not_stored(cache_home: Path) -> None:
    for _ in range(2):
        with pytest.raises(
            ContractUnusable, match=r"^a\.worker\.md: .* at 2:5, id is .* \[WM115\] \(and 2 more\)$"
        ) as caught:
            load(edit("id: demo-worker\n", "id: '!'\nversion: x\n").encode(), "a.worker.md")
        assert [finding.code for finding in caught.value.findings] == ["WM115", "WM115", "WM202"]
        assert caught.value.exit_code == 2
    assert entries(cache_home) == []


def test_files_are_private(cache_home: Path) -> None:
    load(DATA, "a.worker.md")
    (entry,) = entries(cache_home)
    assert entry.stat().st_mode & 0o777 == 0o600
    assert entry.parent.stat().st_mode & 0o777 == 0o700
    assert json.loads(entry.read_bytes())["entry"]["contract"]["id"] == "demo-worker"


def changed(entry: Path) -> bytes:
    return entry.read_bytes().replace(b"Do one thing", b"Do bad thing")


DAMAGE = {
    "empty": lambda _: b"",
    "cut": lambda entry: entry.read_bytes()[:-40],
    "one character other": changed,
    "not json": lambda _: b"x" * 500,
    "json of another kind": lambda _: b"[]",
    "deep": lambda _: b"[" * 100000,
    "longer": lambda entry: entry.read_bytes() + b" ",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_entry_is_read_anew_and_mended(damage, cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = load(DATA, "a.worker.md")
    (entry,) = entries(cache_home)
    whole = entry.read_bytes()
    entry.write_bytes(damage(entry))
    seen = reads(monkeypatch)
    assert load(DATA, "a.worker.md") == expected
    assert seen == ["a.worker.md"]
    assert entry.read_bytes() == whole


def test_an_entry_under_another_name_is_not_taken(cache_home: Path) -> None:
    load(DATA, "a.worker.md")
    (entry,) = entries(cache_home)
    content = entry.read_bytes()
    other = edit("timeout_seconds: 30", "timeout_seconds: 60").encode()
    load(other, "a.worker.md")
    (second,) = set(entries(cache_home)) - {entry}
    second.write_bytes(content)
    assert load(other, "a.worker.md")[0].constraints.timeout_seconds == 60


def test_an_entry_that_others_may_write_is_not_taken(cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(DATA, "a.worker.md")
    (entry,) = entries(cache_home)
    entry.chmod(0o666)
    seen = reads(monkeypatch)
    load(DATA, "a.worker.md")
    assert seen == ["a.worker.md"]
    assert entry.stat().st_mode & 0o777 == 0o600


def test_a_fifo_in_place_of_an_entry_does_not_hang(cache_home: Path) -> None:
    load(DATA, "a.worker.md")
    (entry,) = entries(cache_home)
    entry.unlink()
    os.mkfifo(entry, 0o600)
    assert load(DATA, "a.worker.md")[0].id == "demo-worker"


def test_a_reader_that_was_repaired_reaches_what_was_read_before(cache_home: Path, tmp_path: Path) -> None:
    """In a copy of the package whose version stays as it was."""
    package = Path(workermd.__file__).parent
    copy = tmp_path / "site" / "workermd"
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__", "backends", "derive", "testing", "cli"))
    code = (
        "import sys, workermd.contract.reader as reader\nfrom workermd.contract.cache import load\n"
        "load(sys.stdin.buffer.read(), 'a.worker.md')\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(copy.parent), *sys.path])}

    def read_with_the_copy() -> int:
        subprocess.run([sys.executable, "-c", code], input=DATA, check=True, env=environment, cwd=tmp_path)
        return len(entries(cache_home))

    assert [read_with_the_copy(), read_with_the_copy()] == [1, 1]
    for count, name in enumerate(("contract/json/strict.py", "protocol/tool_pattern.py"), 2):
        with open(copy / name, "a") as module:
            module.write("# repaired\n")
        assert read_with_the_copy() == count
    (copy / "lint" / "rule.py").touch()
    assert read_with_the_copy() == 3


def test_off(cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKERMD_CACHE", "off")
    assert load(DATA, "a.worker.md")[0].id == "demo-worker"
    assert not (cache_home / "workermd").exists()


def test_home_serves_without_xdg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # is to be ignored
    load(DATA, "a.worker.md")
    assert len(entries(tmp_path / ".cache")) == 1


def test_a_folder_that_cannot_be_written_is_no_error(cache_home: Path) -> None:
    (cache_home / "workermd").write_text("a file stands in the way")
    assert load(DATA, "a.worker.md")[0].id == "demo-worker"
    assert load(DATA, "a.worker.md")[0].id == "demo-worker"


def test_a_folder_that_others_may_write_is_not_used(cache_home: Path) -> None:
    folder = cache_home / "workermd" / "contracts"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    load(DATA, "a.worker.md")
    assert entries(cache_home) == []


def test_old_and_surplus_entries_are_swept(cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workermd.system.cache.MOST_ENTRIES", 3)
    folder = cache_home / "workermd" / "contracts"
    folder.mkdir(parents=True, mode=0o700)
    now = time.time()
    for name, days in (("young.json", 1), ("middle.json", 2), ("surplus.json", 3), ("old.1.tmp", 100)):
        (folder / name).write_text("{}")
        os.utime(folder / name, (now - days * 86400, now - days * 86400))
    load(DATA, "a.worker.md")
    names = {path.name for path in entries(cache_home)}
    assert len(names) == 3
    assert {"young.json", "middle.json"} < names


def test_many_processes_write_one_entry(cache_home: Path) -> None:
    code = "import sys; from workermd.contract.cache import load; print(load(sys.stdin.buffer.read(), 'a.worker.md')[0].id)"
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(3)
    ]
    assert [process.communicate(DATA)[0] for process in started] == [b"demo-worker\n"] * 3
    assert len(entries(cache_home)) == 1


def test_a_hit_imports_nothing_heavy() -> None:
    load(DATA, "a.worker.md")
    code = (
        "import sys, time\nfrom workermd.contract.cache import load\ndata = sys.stdin.buffer.read()\n"
        "started = time.perf_counter()\ncontract = load(data, 'a.worker.md')\nspent = time.perf_counter() - started\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], spent < 0.2)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        input=DATA,
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout == b"[] True\n", done.stderr.decode()
