"""What a backend noted is read once, in whole lines, however it comes."""

import json
from pathlib import Path

import pytest

from workermd.task import journal_reader
from workermd.task.journal_reader import JournalReader


def line(**fields):
    return json.dumps({"event": "reply", **fields}) + "\n"


@pytest.fixture
def journal(tmp_path):
    path = Path(tmp_path, "journal")
    reader = JournalReader(str(path))

    def after(*pieces):
        """The events that the reader has after each piece that is written."""
        found = []
        for piece in pieces:
            with path.open("ab") as file:
                file.write(piece.encode() if isinstance(piece, str) else piece)
            found.append([event.get("n") for event in reader.events()])
        return found, reader.usage

    return after


@pytest.mark.rule("S3.6")
def test_every_event_comes_once_whatever_the_pieces(journal):
    whole = line(n=1) + line(n=2, usage={"turns": 1}) + line(n=3, usage={"turns": 2})
    half = len(line(n=1)) + 5
    found, usage = journal("", whole[:half], whole[half : half + 10], whole[half + 10 :], "")
    assert found == [[], [1], [], [2, 3], []]
    assert usage == {"turns": 2}


def test_a_journal_that_is_not_there_yet_says_nothing(tmp_path):
    assert list(JournalReader(str(tmp_path / "none")).events()) == []


@pytest.mark.parametrize(
    "damaged", ["{", "7\n", '{"n": 9}\n', '{"event": 7, "n": 9}\n', b"\xff\xfe\n", "[" * 9999 + "\n"]
)
def test_a_damaged_line_is_passed_over(journal, damaged):
    ended = damaged if damaged[-1:] in ("\n", b"\n") else damaged + "\n"
    assert journal(line(n=1), ended, line(n=2))[0] == [[1], [], [2]]


@pytest.mark.rule("S3.6")
def test_a_line_that_nobody_of_us_wrote_is_not_held(journal, monkeypatch):
    monkeypatch.setattr(journal_reader, "_MAX_LINE", 100)
    assert journal("x" * 90, "x" * 90, "x" * 5 + "\n", line(n=1))[0] == [[], [], [], [1]]
    assert journal(line(n=2, text="y" * 60))[0] == [[2]]
