"""What a baseline accepts: this rule, in this file, on this text, and no more often than it was there."""

import pytest

from workermd.lint import baseline
from workermd.protocol.finding import Finding

FOUND = Finding("a.worker.md", 3, 1, 9, "warning", "WM303", "said", "do")


@pytest.fixture
def accepted(tmp_path, monkeypatch):
    """A baseline that accepts FOUND, once, on the line `text`."""
    monkeypatch.chdir(tmp_path)
    written = baseline.load("base.json", update=True)
    assert written.covers(FOUND, "text")
    (tmp_path / "base.json").write_bytes(written.updated())
    return baseline.load("base.json", update=False)


@pytest.mark.parametrize(
    ("changed", "line"),
    [({"line": 99, "column": 5}, "text"), ({"message": "other words"}, "text"), ({}, "  text\t")],
    ids=["another line", "another message", "another indent"],
)
def test_what_moves_is_still_accepted(accepted, changed, line):
    assert accepted.covers(FOUND._replace(**changed), line)


@pytest.mark.parametrize(
    ("changed", "line"),
    [({"code": "WM304"}, "text"), ({"path": "b.worker.md"}, "text"), ({}, "texts"), ({}, "te xt")],
    ids=["another rule", "another file", "another text", "a blank inside"],
)
def test_what_differs_is_new(accepted, changed, line):
    assert not accepted.covers(FOUND._replace(**changed), line)
    assert accepted.covers(FOUND, "text")


def test_each_entry_covers_as_many_as_it_counts(accepted):
    assert [accepted.covers(FOUND, "text") for _ in range(3)] == [True, False, False]
    assert accepted.hidden == 1
