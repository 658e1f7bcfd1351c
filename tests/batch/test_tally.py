"""What a batch counts, and how it is told: the same few numbers however many lines there are."""

import sys

from workermd.batch.tally import MOST_BARS, BatchTally
from workermd.report import batch_page, progress
from workermd.runner.answers import Answered


def answered(seconds=0.1, status="ok", **changes):
    envelope = {
        "status": status, "replayed": False, "attempts": [{}], "run_id": "r<1>", "outputs": {},
        "usage": {"input_tokens": 10, "output_tokens": 5, "cost_usd": 0.001},
        "observability": {"duration_ms": seconds * 1000},
    } | changes  # fmt: skip
    return Answered(b"{}", envelope, 0 if status == "ok" else 1)


def test_percentiles_sums_and_the_slowest_are_right_whatever_the_number_of_lines(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("workermd.batch.tally.time.monotonic", lambda: now[0])
    tally = BatchTally()
    for n in range(1000):
        now[0] = n * 2.0
        tally.count(n, answered((n + 1) / 1000))
    tally.count(1000, answered(status="invalid_output", error={"code": "crashed"}, attempts=[]))
    tally.count(1001, answered(replayed=True))
    numbers = tally.numbers()
    assert (numbers.answers, numbers.not_ok, numbers.replayed) == (1002, 1, 1)
    assert (numbers.input_tokens, numbers.output_tokens, round(numbers.cost_usd, 6)) == (10010, 5005, 1.001)
    for percent, seconds in numbers.percentiles:
        assert abs(seconds - percent / 100) < 0.026 * percent / 100
    assert [each.line for each in numbers.slowest] == [1000, 999, 998, 997, 996]
    assert (sum(numbers.bars), len(numbers.bars) <= MOST_BARS) == (1001, True)
    assert sum(count for _, count in numbers.classes) == 1000
    size = sys.getsizeof(tally._durations)
    for n in range(20000):
        tally.count(n, answered(n % 1000 / 1000 + 0.001))
    assert sys.getsizeof(tally._durations) <= 2 * size, "what is held does not grow with the lines"


def test_what_is_replayed_says_nothing_of_the_time_that_is_left(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("workermd.batch.tally.time.monotonic", lambda: now[0])
    tally = BatchTally()
    for n in range(500):
        tally.count(n, answered(replayed=True))
    for n in range(20):
        now[0] = 1.0 + n
        tally.count(n, answered())
    told = progress.bar(tally.numbers(), 620, 79)
    assert "520 of 620" in told
    assert "1 min 40 s left" in told
    assert len(told) <= 79


def test_the_page_has_every_number_and_no_text_of_others_as_markup():
    tally = BatchTally()
    for n in range(30):
        tally.count(
            n,
            answered(0.01 * (n + 1), "ok" if n else "invalid_output", **({} if n else {"error": {"code": "timeout"}})),
        )
    page = batch_page.page("count 1.0.0: batch", "<in>.csv", "interrupted", tally.numbers()).decode()
    assert page.count("<svg") == 1, "no plot over time for less than two bars"
    for text in (
        "&lt;in&gt;.csv",
        "Stopped before its end: interrupted",
        "invalid_output",
        "timeout",
        "r&lt;1&gt;",
        "96.7%",
    ):
        assert text in page
    assert "http" not in page, "it needs no network"
    assert "prefers-color-scheme:dark" in page
