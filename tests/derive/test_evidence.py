"""Lines are cited as a person counts them, and a digest covers exactly those."""

import hashlib

import pytest

from tests.derive.contracts.conftest import FACTS
from workermd.derive.evidence import SourceFile, languages_of, of_lines, open_source


class Kept:
    """A repository of one file."""

    def __init__(self, data):
        self.data = data

    def read(self, path):
        return self.data

    def permalink(self, path, first, last):
        return f"{path}#L{first}-L{last}"


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"a\nb\n", [b"a\n", b"b\n"]),
        (b"a\nb", [b"a\n", b"b"]),
        (b"a\r\nb\rc\n", [b"a\r\n", b"b\rc\n"]),
        (b"\r", [b"\r"]),
        (b"", []),
    ],
    ids=["with an end", "without an end", "carriage returns", "one alone", "empty"],
)
def test_a_line_ends_with_a_line_feed_alone(data, lines):
    assert list(open_source(Kept(data), "a").lines) == lines


@pytest.mark.parametrize(("limit", "kept"), [(6, b"ab\ncd\n"), (5, b"ab\n"), (3, b"ab\n"), (2, b""), (99, b"ab\ncd\n")])
def test_a_file_is_cut_between_lines(limit, kept):
    assert open_source(Kept(b"ab\ncd\n"), "a", limit).data == kept


def test_a_file_cut_inside_its_only_line_is_empty():
    assert open_source(Kept(b"abcdef"), "a", 3).data == b""


def test_the_cited_lines_are_those_of_the_digest():
    source = SourceFile("a", b"", (b"one\n", b"two\n", b"three\n", b"four"))
    found = of_lines(Kept(b""), source, 2, 3)
    assert (found.first_line, found.last_line, found.quote) == (2, 3, "two\nthree")
    assert found.sha256 == hashlib.sha256(b"two\nthree\n").hexdigest()
    assert of_lines(Kept(b""), source, 4, 9).last_line == 4


@pytest.mark.parametrize(
    ("sizes", "named"),
    [({"A": 95, "B": 5}, "A, B"), ({"A": 9501, "B": 499}, ""), ({"A": 1}, ""), ({}, ""), ({"A": 0}, "")],
    ids=["a twentieth", "less than a twentieth", "one", "none", "nothing"],
)
def test_languages_are_those_of_a_twentieth(sizes, named):
    assert languages_of(FACTS._replace(languages=sizes)) == named
