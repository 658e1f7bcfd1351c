"""Entries of a cache stay for as long as they may, and no longer."""

import os
import time

import pytest

from workermd.system import cache

DAY = 86_400


@pytest.mark.parametrize(("days", "stays"), [(cache.MOST_DAYS - 1, True), (cache.MOST_DAYS + 1, False)])
def test_an_entry_is_swept_after_its_days(tmp_path, days, stays):
    folder = str(tmp_path / "kept")
    cache.store(folder, "a" * 64, {"value": 1})
    written = time.time() - days * DAY
    os.utime(tmp_path / "kept" / f"{'a' * 64}.json", (written, written))
    cache.sweep(folder, 10)
    assert (cache.load(folder, "a" * 64) is not None) == stays


@pytest.mark.parametrize("change", ["size", "time", "name", "gone"])
def test_code_that_changed_is_other_code(tmp_path, change):
    room = tmp_path / "room" / "inner"
    room.mkdir(parents=True)
    for name in ("a.py", "b.py"):
        (room / name).write_text("pass\n")
        os.utime(room / name, (1, 1))
    (room / "notes.txt").write_text("no code")
    before = cache.code(("room",), str(tmp_path))
    (room / "notes.txt").unlink()
    assert cache.code(("room",), str(tmp_path)) == before
    if change == "size":
        (room / "a.py").write_text("pass \n")
        os.utime(room / "a.py", (1, 1))
    elif change == "time":
        os.utime(room / "a.py", ns=(10**9, 10**9 + 1))
    elif change == "name":
        (room / "a.py").rename(room / "c.py")
    else:
        (room / "a.py").unlink()
    assert cache.code(("room",), str(tmp_path)) != before
