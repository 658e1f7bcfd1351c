"""Which files of a commit can be read and cited, to the byte of the cap."""

import pytest

from workermd.derive import tree
from workermd.derive.tree import BLOB_CAP, NotRead, Tree, TreeEntry


def one(path="a.txt", mode="100644", size=10, sha="s"):
    return Tree("here", [TreeEntry(mode, path, size, sha)])


@pytest.mark.parametrize(("size", "readable"), [(0, True), (BLOB_CAP, True), (BLOB_CAP + 1, False)])
def test_a_file_is_read_up_to_the_cap(size, readable):
    if readable:
        assert one(size=size).find("a.txt").size == size
        return
    with pytest.raises(NotRead, match="at most 1,048,576 are read"):
        one(size=size).find("a.txt")


@pytest.mark.parametrize(
    ("mode", "listed"),
    [("100644", True), ("100755", True), ("100664", True), ("120000", False), ("160000", False), ("040000", False)],
)
def test_links_and_submodules_are_no_files(mode, listed):
    assert bool(one(mode=mode).files) == listed


@pytest.mark.parametrize("path", ["a\nb", "a\x1bb", "a\x7fb", "a\x85b", "a\ud800b", ""])
def test_what_evidence_cannot_name_is_left_out(path):
    assert one(path).files == ()


def test_what_was_read_last_is_held(monkeypatch):
    """And what was asked for again counts as read."""
    monkeypatch.setattr(tree, "_RECENT_CAP", 10)
    held = one()
    held.remember("a", b"1234")
    held.remember("b", b"5678")
    assert held.recall("a") == b"1234"
    held.remember("c", b"90")
    assert [held.recall(sha) for sha in "abc"] == [b"1234", b"5678", b"90"]
    assert held.recall("a") == b"1234"
    held.remember("d", b"x")
    assert [held.recall(sha) for sha in "abcd"] == [b"1234", None, b"90", b"x"]
