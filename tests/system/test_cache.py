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
