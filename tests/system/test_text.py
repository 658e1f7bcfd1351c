"""Text of others, made fit to be shown."""

import pytest

from workermd.system import text


@pytest.mark.rule("S6.5")
def test_what_is_not_printable_is_replaced():
    assert text.printable("a\x1b[31m\u202eb\tc\n") == "a\ufffd[31m\ufffdb\ufffdc\ufffd"
    assert text.printable("a\tb\x07\n", " ", keep="\t\n") == "a\tb \n"


@pytest.mark.parametrize(("given", "limit", "expected"), [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("", 1, "")])
def test_what_is_too_long_says_so(given, limit, expected):
    assert text.shortened(given, limit) == expected


@pytest.mark.rule("S6.4")
def test_cleaned_leaves_out_what_marked_names():
    hostile = " one\r\n\u202etwo\u200b \ud800three\x00 "
    assert text.cleaned(hostile, 40) == "one two three"
    assert text.marked(hostile, 60) == "one [U+202E]two[U+200B] [U+D800]three[U+0000]"
    assert text.cleaned("word " * 20, 8) == "word wo…"
    assert text.marked("word " * 20, 9) == "word word […cut from 100 characters]"
    assert text.cleaned(None, 8) == ""


def test_names_and_values_for_messages_are_short():
    assert text.shown("a\nb") == "'a\\nb'"
    assert len(text.shown("x" * 100)) == 40
    assert text.quoted("x" * 100) == repr("x" * 37 + "...")
    assert text.quoted(12) == "12"


def test_half_a_pair_is_no_text_of_a_file():
    assert text.whole("a\ud800ü") == "a?ü"
    assert text.is_visible("aü")
    assert not text.is_visible("a\u2066")
    assert not text.is_visible("a\x7f")
